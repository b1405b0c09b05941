//! What is wrong with identities once they are put together.

use std::fmt;

/// An object that cannot be as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProblem {
    /// The object, such as "user `alice` of account 111122223333".
    pub object: String,
    /// What is wrong with it, and what to do.
    pub text: String,
}

impl fmt::Display for IdentityProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.text)
    }
}

impl std::error::Error for IdentityProblem {}

impl IdentityProblem {
    pub(super) fn new(object: impl fmt::Display, text: impl Into<String>) -> Self {
        Self { object: object.to_string(), text: text.into() }
    }
}
