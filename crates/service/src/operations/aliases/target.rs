//! The key that an alias stands for: what CreateAlias and UpdateAlias ask of it.

use trent_database::Transaction;
use trent_domain::identifier::{KeyId, Region};
use trent_domain::limits::ALIASES_PER_KEY_MAX;
use trent_protocol::ErrorCode;

use crate::error::KmsError;

/// Aliases stand for keys, never for aliases.
pub(super) fn check(target: &str) -> Result<(), KmsError> {
    if target.starts_with("alias/") || (target.starts_with("arn:") && target.contains(":alias/")) {
        return Err(KmsError::validation("Aliases must refer to keys. Not aliases"));
    }
    Ok(())
}

/// Whether a key may get one more alias.
pub(super) fn check_quota(
    transaction: &dyn Transaction,
    region: Region,
    target: KeyId,
) -> Result<(), KmsError> {
    let count = transaction.alias_count(region, target)?;
    if count >= ALIASES_PER_KEY_MAX {
        let text = format!(
            "Aliases per key quota for this account in this region is {ALIASES_PER_KEY_MAX}, current usage is {count}."
        );
        return Err(KmsError::new(ErrorCode::LimitExceeded, text));
    }
    Ok(())
}
