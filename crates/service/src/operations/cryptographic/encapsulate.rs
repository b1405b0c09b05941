//! Encapsulate: a fresh shared secret, and the ciphertext that carries it to the holder of the key.

use trent_gate::{Encapsulate, UseError};
use trent_protocol::{EncapsulateRequest, EncapsulateResponse, SecretBlob, TrackedOperation};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for EncapsulateRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<EncapsulateResponse, KmsError> {
        let key = ctx.authorize::<Encapsulate>(&self.key_id, self.grant_tokens.as_deref()).await?;
        if self.dry_run == Some(true) {
            return Err(UseError::DryRun.into());
        }
        let made = key.encapsulate().await?;
        ctx.record_usage(&key, TrackedOperation::Encapsulate)?;
        Ok(EncapsulateResponse {
            key_id: Some(key.arn_text().to_owned()),
            shared_secret: Some(SecretBlob::new(made.secret.expose().clone())),
            shared_secret_ciphertext_blob: Some(made.ciphertext),
            encapsulation_algorithm: Some(self.encapsulation_algorithm),
        })
    }
}
