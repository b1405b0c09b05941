//! What is allowed to be written and probably not meant: wide openings, locked doors, statements without effect.
//!
//! A finding never says that a document is refused; that is for [`Document::parse`](crate::Document::parse) and
//! [`Document::check_principals`](crate::Document::check_principals). Which actions there are is handed in, and which
//! condition keys an action has stands in `lint/keys.rs`.

mod actions;
mod administration;
mod conditions;
mod keys;
mod principals;
mod view;

use view::View;

use crate::document::Document;

/// An action that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownAction {
    /// Its name, `kms:…`.
    pub name: &'static str,
    /// Whether key policies can allow it.
    pub in_key_policies: bool,
    /// Whether it is about one key, whose properties conditions can ask for.
    pub about_key: bool,
}

/// What is known around a document.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The account of the key or identity, twelve digits, if that is known.
    pub account: Option<&'a str>,
    /// The actions that there are.
    pub actions: &'a [KnownAction],
}

/// Something that is probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A short name that does not change between versions.
    pub code: &'static str,
    /// The statement, from zero; `None` where it is about the document.
    pub statement: Option<usize>,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// What is the case.
    pub says: String,
    /// What to do.
    pub advice: &'static str,
}

impl Document {
    /// What in the document is probably not meant, in the order of its statements.
    pub fn lint(&self, around: Surroundings<'_>) -> Vec<Finding> {
        let views = View::all(self);
        let mut found = Vec::new();
        for view in &views {
            principals::check(view, around, &mut found);
            actions::check(view, around, &mut found);
            conditions::check(view, around, &mut found);
        }
        administration::check(&views, around, &mut found);
        found
    }
}
