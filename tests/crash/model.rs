//! What a caller knows of the objects it changes: of each value the one last answered for, and the one that was asked
//! for and not answered. After a kill either may be found, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Instant;

use serde_json::{Value, json};
use trent_testkit::ACCOUNT;

/// A value, as far as answers tell.
#[derive(Debug, Clone)]
pub(crate) struct Known<T> {
    answered: T,
    asked: Option<T>,
}

impl<T: Debug + Clone + PartialEq> Known<T> {
    pub(crate) fn new(answered: T) -> Self {
        Self { answered, asked: None }
    }

    /// The value there is, when no change is under way.
    pub(crate) fn get(&self) -> &T {
        assert!(self.asked.is_none(), "a change is under way: {self:?}");
        &self.answered
    }

    /// A change is asked for.
    pub(crate) fn ask(&mut self, next: T) {
        assert!(self.asked.is_none(), "one change at a time: {self:?}");
        self.asked = Some(next);
    }

    /// The change was answered.
    pub(crate) fn answered(&mut self) {
        self.answered = self.asked.take().expect("it was asked for");
    }

    /// The value was read after a restart: from now on it is what it is, if it may be.
    pub(crate) fn found(&mut self, found: T) -> Result<(), String> {
        if self.answered != found && self.asked.as_ref() != Some(&found) {
            let may = self.asked.as_ref().map(|asked| format!(" or {asked:?}")).unwrap_or_default();
            return Err(format!("is {found:?} and must be {:?}{may}", self.answered));
        }
        (self.answered, self.asked) = (found, None);
        Ok(())
    }
}

/// The states that the test takes keys through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Enabled,
    Disabled,
    Pending,
}

impl State {
    pub(crate) fn parse(text: &Value) -> Result<Self, String> {
        match text.as_str() {
            Some("Enabled") => Ok(Self::Enabled),
            Some("Disabled") => Ok(Self::Disabled),
            Some("PendingDeletion") => Ok(Self::Pending),
            _ => Err(format!("is in the state {text}")),
        }
    }
}

/// A ciphertext that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) blob: String,
    pub(crate) plaintext: String,
    pub(crate) at: Instant,
}

/// What a CreateKey asks for. Its description is like no other, so that the key is known even without an answer.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) description: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// The name of the one statement of its policy.
    pub(crate) policy: Option<String>,
}

/// The name that the statement of the policy has which keys get that come without one.
const DEFAULT_STATEMENT: &str = "Enable IAM User Permissions";

impl Wanted {
    pub(crate) fn request(&self) -> Value {
        let mut request = json!({"Description": self.description, "Tags": tag_list(&self.tags)});
        if let Some(name) = &self.policy {
            request["Policy"] = policy(name).into();
        }
        request
    }
}

/// Tags as requests carry them.
pub(crate) fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect()
}

/// A policy that allows what the default one does, told apart by the name of its statement.
pub(crate) fn policy(statement: &str) -> String {
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let statement = json!({
        "Sid": statement, "Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*",
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// A key that one caller alone changes.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) created: Option<Value>,
    pub(crate) state: Known<State>,
    pub(crate) delete_at: Option<Value>,
    pub(crate) description: Known<String>,
    pub(crate) tags: Known<BTreeMap<String, String>>,
    pub(crate) policy: Known<String>,
    /// The names of its grants, each used once.
    pub(crate) grants: Known<BTreeSet<String>>,
    /// The ids of those by name, as far as they are known.
    pub(crate) grant_ids: BTreeMap<String, String>,
    /// The period of automatic rotation, in days.
    pub(crate) rotation: Known<Option<u64>>,
    /// Rotations that were made.
    pub(crate) rotations: Known<usize>,
    /// The ids of its materials when last looked at.
    pub(crate) materials: Vec<String>,
    pub(crate) blobs: Vec<Blob>,
    /// When the test came to know of it.
    pub(crate) at: Instant,
}

impl Key {
    /// A key that was made as it was wanted.
    pub(crate) fn new(id: &str, wanted: Wanted) -> Self {
        Self {
            id: id.to_owned(),
            created: None,
            state: Known::new(State::Enabled),
            delete_at: None,
            description: Known::new(wanted.description),
            tags: Known::new(wanted.tags),
            policy: Known::new(wanted.policy.unwrap_or_else(|| DEFAULT_STATEMENT.to_owned())),
            grants: Known::new(BTreeSet::new()),
            grant_ids: BTreeMap::new(),
            rotation: Known::new(None),
            rotations: Known::new(0),
            materials: Vec::new(),
            blobs: Vec::new(),
            at: Instant::now(),
        }
    }
}

/// What one caller does with a key that all callers change: a tag of its own, and ciphertexts.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) key: String,
    pub(crate) tag: Known<Option<String>>,
    pub(crate) blobs: Vec<Blob>,
}
