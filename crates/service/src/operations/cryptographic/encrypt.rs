//! Encrypt: up to 4096 bytes, under the current material of a key.

use trent_domain::encryption_context::EncryptionContext;
use trent_gate::{Encrypt, Parameters, UseError};
use trent_protocol::{EncryptRequest, EncryptResponse, EncryptionAlgorithm, TrackedOperation};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for EncryptRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<EncryptResponse, KmsError> {
        let context = EncryptionContext::parse(self.encryption_context)?;
        let algorithm = self.encryption_algorithm.unwrap_or(EncryptionAlgorithm::SymmetricDefault);
        let asked = [("encryptionalgorithm", algorithm.as_str())];
        let parameters = Parameters::encryption(&asked, &context);
        let key =
            ctx.authorize_asking::<Encrypt>(&self.key_id, self.grant_tokens.as_deref(), parameters).await?;
        if self.dry_run == Some(true) {
            key.check_encrypt(self.plaintext.expose_secret().len(), algorithm, &context)?;
            return Err(UseError::DryRun.into());
        }
        let sealed = key
            .encrypt(self.plaintext.expose_secret(), algorithm, &context, ctx.behalf_with(key.key()))
            .await?;
        if let Some(material) = sealed.material {
            ctx.event.additional("keyMaterialId", &material.to_string());
        }
        ctx.note_hsm("hsmSerial", sealed.hsm.as_deref());
        ctx.record_usage(&key, TrackedOperation::Encrypt)?;
        Ok(EncryptResponse {
            // The material's id is not told: Encrypt is the one operation that leaves it out.
            ciphertext_blob: Some(sealed.blob),
            key_id: Some(key.arn_text().to_owned()),
            encryption_algorithm: Some(algorithm),
        })
    }
}
