//! What the data key operations have in common: a random key, and the same key sealed.

use std::collections::BTreeMap;

use trent_crypto::SecretBytes;
use trent_domain::encryption_context::EncryptionContext;
use trent_gate::{Encrypted, MayGenerateDataKey, Parameters, UseError};
use trent_protocol::{DataKeySpec, EncryptionAlgorithm, TrackedOperation};

use super::recipient::{Claim, Recipient};
use crate::context::Context;
use crate::error::KmsError;

/// The members that both operations have.
pub(super) struct Order {
    pub(super) key_id: String,
    pub(super) encryption_context: Option<BTreeMap<String, String>>,
    pub(super) number_of_bytes: Option<i32>,
    pub(super) key_spec: Option<DataKeySpec>,
    pub(super) grant_tokens: Option<Vec<String>>,
    pub(super) dry_run: Option<bool>,
}

/// A data key in both its forms, and the key that sealed it.
pub(super) struct DataKey {
    pub(super) plaintext: SecretBytes,
    pub(super) sealed: Encrypted,
    pub(super) key_arn: String,
    pub(super) recipient: Recipient,
}

/// Makes a data key with a permit for `A`.
pub(super) async fn generate<A: MayGenerateDataKey>(
    order: Order,
    claim: Claim,
    operation: TrackedOperation,
    ctx: &Context<'_>,
) -> Result<DataKey, KmsError> {
    let bytes = length(order.key_spec, order.number_of_bytes)?;
    let context = EncryptionContext::parse(order.encryption_context)?;
    let asked = [("encryptionalgorithm", EncryptionAlgorithm::SymmetricDefault.as_str())];
    let (tokens, parameters) = (order.grant_tokens.as_deref(), Parameters::encryption(&asked, &context));
    let recipient = claim.verify::<A>((Some(&order.key_id), None), tokens, parameters, ctx).await?;
    let parameters = parameters.of_attested(recipient.condition_keys());
    let key = ctx.authorize_asking::<A>(&order.key_id, tokens, parameters).await?;
    key.check_encrypt(bytes, EncryptionAlgorithm::SymmetricDefault, &context)?;
    if order.dry_run == Some(true) {
        return Err(UseError::DryRun.into());
    }
    let plaintext = key.random_data_key(bytes)?;
    let sealed = key
        .encrypt(
            plaintext.expose(),
            EncryptionAlgorithm::SymmetricDefault,
            &context,
            ctx.behalf_with(key.key()),
        )
        .await?;
    ctx.note_hsm("hsmSerial", sealed.hsm.as_deref());
    ctx.record_usage(&key, operation)?;
    Ok(DataKey { plaintext, sealed, key_arn: key.arn_text().to_owned(), recipient })
}

fn length(spec: Option<DataKeySpec>, number_of_bytes: Option<i32>) -> Result<usize, KmsError> {
    let asked = match (spec, number_of_bytes) {
        (Some(DataKeySpec::Aes128), None) => Some(16),
        (Some(DataKeySpec::Aes256), None) => Some(32),
        (None, Some(bytes)) => usize::try_from(bytes).ok(),
        (Some(_), Some(_)) | (None, None) => None,
    };
    asked.ok_or_else(|| KmsError::validation("Please specify either number of bytes or key spec."))
}
