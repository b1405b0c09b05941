//! What the data key pair operations have in common: a fresh pair, and its private key sealed.

use std::collections::BTreeMap;

use trent_domain::encryption_context::EncryptionContext;
use trent_gate::{Encrypted, MayGenerateDataKeyPair, Pair, Parameters, UseError};
use trent_protocol::{DataKeyPairSpec, EncryptionAlgorithm, TrackedOperation};

use super::recipient::{Claim, Recipient};
use crate::context::Context;
use crate::error::KmsError;

/// The members that both operations have.
pub(super) struct Order {
    pub(super) key_id: String,
    pub(super) encryption_context: Option<BTreeMap<String, String>>,
    pub(super) key_pair_spec: DataKeyPairSpec,
    pub(super) grant_tokens: Option<Vec<String>>,
    pub(super) dry_run: Option<bool>,
}

/// A pair, its private key sealed, and the key that sealed it.
pub(super) struct DataKeyPair {
    pub(super) pair: Pair,
    pub(super) sealed: Encrypted,
    pub(super) key_arn: String,
    pub(super) recipient: Recipient,
}

/// Makes a pair with a permit for `A`.
pub(super) async fn generate<A: MayGenerateDataKeyPair>(
    order: Order,
    claim: Claim,
    operation: TrackedOperation,
    ctx: &Context<'_>,
) -> Result<DataKeyPair, KmsError> {
    ctx.count(|quotas| quotas.pair(order.key_pair_spec, ctx.call, ctx.now))?;
    let context = EncryptionContext::parse(order.encryption_context)?;
    let asked = [
        ("datakeypairspec", order.key_pair_spec.as_str()),
        ("encryptionalgorithm", EncryptionAlgorithm::SymmetricDefault.as_str()),
    ];
    let (tokens, parameters) = (order.grant_tokens.as_deref(), Parameters::encryption(&asked, &context));
    let recipient = claim.verify::<A>((Some(&order.key_id), None), tokens, parameters, ctx).await?;
    let parameters = parameters.of_attested(recipient.condition_keys());
    let key = ctx.authorize_asking::<A>(&order.key_id, tokens, parameters).await?;
    key.check_algorithm(EncryptionAlgorithm::SymmetricDefault, &context)?;
    if order.dry_run == Some(true) {
        return Err(UseError::DryRun.into());
    }
    let pair = key.random_pair(order.key_pair_spec).await?;
    let algorithm = EncryptionAlgorithm::SymmetricDefault;
    let sealed = key.encrypt(pair.private.expose(), algorithm, &context, ctx.behalf_with(key.key())).await?;
    ctx.record_usage(&key, operation)?;
    Ok(DataKeyPair { pair, sealed, key_arn: key.arn_text().to_owned(), recipient })
}
