//! Attested callers (`Recipient`): refused, since attestation documents are not verified yet.

use trent_protocol::RecipientInfo;

use crate::error::KmsError;

/// A plaintext that was asked for in sealed form must never be given in clear instead.
pub(super) fn refuse(recipient: Option<&RecipientInfo>) -> Result<(), KmsError> {
    match recipient {
        None => Ok(()),
        Some(_) => Err(KmsError::validation("Recipient is not supported by this version of trent.")),
    }
}
