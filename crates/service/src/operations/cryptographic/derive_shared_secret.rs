//! DeriveSharedSecret: the raw secret of an elliptic curve Diffie-Hellman agreement, without a derivation on top.

use trent_gate::{DeriveSharedSecret, Parameters, UseError};
use trent_protocol::{DeriveSharedSecretRequest, DeriveSharedSecretResponse, TrackedOperation};

use super::recipient::Claim;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DeriveSharedSecretRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<DeriveSharedSecretResponse, KmsError> {
        let claim = Claim::of(self.recipient.as_ref(), ctx)?;
        let asked = [("keyagreementalgorithm", self.key_agreement_algorithm.as_str())];
        let (key_id, tokens, parameters) =
            (&*self.key_id, self.grant_tokens.as_deref(), Parameters::of(&asked));
        let recipient =
            claim.verify::<DeriveSharedSecret>((Some(key_id), None), tokens, parameters, ctx).await?;
        let parameters = parameters.of_attested(recipient.condition_keys());
        let key = ctx.authorize_asking::<DeriveSharedSecret>(key_id, tokens, parameters).await?;
        // Agreed upon before a dry run is told of: whether the other side's key fits is one of its checks.
        let secret = key.derive_shared_secret(&self.public_key).await?;
        if self.dry_run == Some(true) {
            return Err(UseError::DryRun.into());
        }
        ctx.record_usage(&key, TrackedOperation::DeriveSharedSecret)?;
        let answer = recipient.answer(&secret, ctx)?;
        Ok(DeriveSharedSecretResponse {
            key_id: Some(key.arn_text().to_owned()),
            shared_secret: answer.plaintext,
            ciphertext_for_recipient: answer.for_recipient,
            key_agreement_algorithm: Some(self.key_agreement_algorithm),
            key_origin: Some(key.key().origin),
        })
    }
}
