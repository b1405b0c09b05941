//! API tokens: what clients show that cannot sign. A token itself is not stored, only its hash.

use serde::{Deserialize, Serialize};

use super::names::iam_arn;
use crate::identifier::{AccountId, Region};
use crate::time::Timestamp;

/// What the ids of API tokens begin with.
pub const API_TOKEN_PREFIX: &str = "ATKN";

/// For whom a token speaks, by unique id: it ends with its user or role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenHolder {
    /// The root of the account.
    Root,
    /// A user.
    User(String),
    /// A role, and the name of the session that its requests are made in.
    Role(String, String),
}

/// An API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiToken {
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its id, `ATKN…`, which the token begins with.
    pub id: String,
    /// For whom it speaks.
    pub holder: TokenHolder,
    /// The Region of requests that name none.
    pub region: Region,
    /// The SHA-256 of the whole token, in hexadecimal digits.
    pub sha256: String,
    /// What it is for, in the operator's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl ApiToken {
    /// Its full name. AWS has no such thing; the form is that of what accounts have.
    pub fn arn(&self) -> String {
        iam_arn(self.account, "api-token", "/", &self.id)
    }
}
