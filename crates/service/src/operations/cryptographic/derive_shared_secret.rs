//! DeriveSharedSecret: the raw secret of an elliptic curve Diffie-Hellman agreement, without a derivation on top.

use trent_gate::{DeriveSharedSecret, Parameters, UseError};
use trent_protocol::{DeriveSharedSecretRequest, DeriveSharedSecretResponse, TrackedOperation};

use super::recipient::Recipient;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DeriveSharedSecretRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<DeriveSharedSecretResponse, KmsError> {
        let recipient = Recipient::of(self.recipient.as_ref(), ctx)?;
        let asked = [("keyagreementalgorithm", self.key_agreement_algorithm.as_str())];
        let parameters = Parameters::of(&asked).of_attested(recipient.condition_keys());
        let key = ctx
            .authorize_asking::<DeriveSharedSecret>(&self.key_id, self.grant_tokens.as_deref(), parameters)
            .await?;
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
