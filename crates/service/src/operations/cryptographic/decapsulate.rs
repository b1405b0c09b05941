//! Decapsulate: the shared secret of a ciphertext. Of one that was altered it is another secret, as FIPS 203 wants.

use trent_gate::{Decapsulate, UseError};
use trent_protocol::{DecapsulateRequest, DecapsulateResponse, SecretBlob, TrackedOperation};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DecapsulateRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<DecapsulateResponse, KmsError> {
        let key = ctx.authorize::<Decapsulate>(&self.key_id, self.grant_tokens.as_deref()).await?;
        // Opened before a dry run is told of: whether the ciphertext has the right length is one of its checks.
        let secret = key.decapsulate(&self.shared_secret_ciphertext_blob).await?;
        if self.dry_run == Some(true) {
            return Err(UseError::DryRun.into());
        }
        ctx.record_usage(&key, TrackedOperation::Decapsulate)?;
        Ok(DecapsulateResponse {
            key_id: Some(key.arn_text().to_owned()),
            shared_secret: Some(SecretBlob::new(secret.expose().clone())),
            encapsulation_algorithm: Some(self.encapsulation_algorithm),
        })
    }
}
