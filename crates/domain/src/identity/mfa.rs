//! Virtual devices for one-time codes: the second factor of users and of the root.

use serde::{Deserialize, Serialize};

use super::Owner;
use super::names::iam_arn;
use crate::identifier::AccountId;
use crate::time::Timestamp;

/// A device, its key sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MfaDevice {
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name, unique in the account.
    pub name: String,
    /// Whose codes it makes.
    pub owner: Owner,
    /// When it was made.
    pub created: Timestamp,
    /// Its key, sealed under the deployment's ring, in base 64.
    pub sealed_key: String,
}

impl MfaDevice {
    /// Its full name, which is its serial number.
    pub fn arn(&self) -> String {
        mfa_device_arn(self.account, &self.name)
    }
}

/// The full name of the device of this name.
pub fn mfa_device_arn(account: AccountId, name: &str) -> String {
    iam_arn(account, "mfa", "/", name)
}
