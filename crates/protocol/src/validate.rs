//! Violations of the model's constraints: collected over the whole request, reported in one text.
//!
//! The texts are read by people and matched by tests of SDKs, so they follow the service to the letter: paths start
//! in lower case, list elements count from 1, `null` has no quotes, blobs and sensitive members show no value.

use std::fmt;

use crate::wire_enum::Offer;

/// Violations spelled out per request. A megabyte of empty tags would otherwise be answered with many megabytes.
const VIOLATIONS_MAX: usize = 100;

/// Where a member is in the request.
#[derive(Clone, Copy)]
pub(crate) enum Path<'p> {
    Root,
    Member(&'p Path<'p>, &'static str),
    /// An element of a list, counted from 1.
    Element(&'p Path<'p>, usize),
}

impl Path<'_> {
    pub(crate) fn member(&self, name: &'static str) -> Path<'_> {
        Path::Member(self, name)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Member(Path::Root, name) => f.write_str(name),
            Path::Member(parent, name) => write!(f, "{parent}.{name}"),
            Path::Element(parent, number) => write!(f, "{parent}.{number}.member"),
        }
    }
}

/// How the offending value appears in the text.
#[derive(Clone, Copy)]
pub(crate) enum Echo<'v> {
    Null,
    /// Sensitive, or a blob.
    Hidden,
    Shown(&'v dyn fmt::Display),
}

impl fmt::Display for Echo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Echo::Null => f.write_str("Value null"),
            Echo::Hidden => f.write_str("Value"),
            Echo::Shown(value) => write!(f, "Value '{value}'"),
        }
    }
}

/// A constraint, worded as the service words it.
pub(crate) enum Constraint {
    NotNull,
    LengthMin(usize),
    LengthMax(usize),
    ValueMin(i32),
    ValueMax(i32),
    Pattern(&'static str),
    OneOf(Vec<&'static str>),
    /// What each element of a list must satisfy.
    Elements(Vec<Constraint>),
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNull => f.write_str("Member must not be null"),
            Self::LengthMin(min) => write!(f, "Member must have length greater than or equal to {min}"),
            Self::LengthMax(max) => write!(f, "Member must have length less than or equal to {max}"),
            Self::ValueMin(min) => write!(f, "Member must have value greater than or equal to {min}"),
            Self::ValueMax(max) => write!(f, "Member must have value less than or equal to {max}"),
            Self::Pattern(pattern) => write!(f, "Member must satisfy regular expression pattern: {pattern}"),
            Self::OneOf(values) => write!(f, "Member must satisfy enum value set: {}", Listed(values)),
            Self::Elements(each) => write!(f, "Member must satisfy constraint: {}", Listed(each)),
        }
    }
}

/// Prints `[a, b]`, as Java does.
pub(crate) struct Listed<'v, T>(pub(crate) &'v [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "[";
        for item in self.0 {
            write!(f, "{separator}{item}")?;
            separator = ", ";
        }
        f.write_str(if self.0.is_empty() { "[]" } else { "]" })
    }
}

/// The violations of one request so far.
#[derive(Default)]
pub(crate) struct Violations {
    found: Vec<String>,
    offer: Offer,
}

impl Violations {
    /// None so far, of a request that may name what is offered.
    pub(crate) const fn against(offer: Offer) -> Self {
        Self { found: Vec::new(), offer }
    }

    pub(crate) const fn offer(&self) -> Offer {
        self.offer
    }

    pub(crate) fn add(&mut self, at: &Path<'_>, echo: Echo<'_>, constraint: &Constraint) {
        if self.found.len() < VIOLATIONS_MAX {
            self.found.push(format!("{echo} at '{at}' failed to satisfy constraint: {constraint}"));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn into_message(self) -> String {
        let plural = if self.found.len() == 1 { "" } else { "s" };
        format!("{} validation error{plural} detected: {}", self.found.len(), self.found.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_use_dots_and_count_from_one() {
        let tags = Path::Root.member("tags");
        assert_eq!(Path::Element(&tags, 2).member("tagKey").to_string(), "tags.2.member.tagKey");
    }

    #[test]
    fn several_violations_make_one_text() {
        let mut found = Violations::default();
        found.add(&Path::Root.member("keyId"), Echo::Null, &Constraint::NotNull);
        found.add(&Path::Root.member("limit"), Echo::Shown(&0), &Constraint::ValueMin(1));
        assert_eq!(
            found.into_message(),
            "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be \
             null; Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"
        );
    }

    #[test]
    fn texts_of_violations_are_bounded() {
        let mut found = Violations::default();
        for _ in 0..=VIOLATIONS_MAX {
            found.add(&Path::Root.member("keyId"), Echo::Null, &Constraint::NotNull);
        }
        assert!(found.into_message().starts_with("100 validation errors detected: "));
    }

    #[test]
    fn lists_print_as_in_java() {
        assert_eq!(Listed::<&str>(&[]).to_string(), "[]");
        assert_eq!(Listed(&["a", "b"]).to_string(), "[a, b]");
    }
}
