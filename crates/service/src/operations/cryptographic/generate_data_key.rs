//! GenerateDataKey: a random key, in clear and sealed under a KMS key.

use trent_gate::GenerateDataKey;
use trent_protocol::{GenerateDataKeyRequest, GenerateDataKeyResponse, SecretBlob, TrackedOperation};

use super::data_key::{Order, generate};
use super::recipient;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GenerateDataKeyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GenerateDataKeyResponse, KmsError> {
        recipient::refuse(self.recipient.as_ref())?;
        let Self { key_id, encryption_context, number_of_bytes, key_spec, grant_tokens, dry_run, .. } = self;
        let order = Order { key_id, encryption_context, number_of_bytes, key_spec, grant_tokens, dry_run };
        let made = generate::<GenerateDataKey>(order, TrackedOperation::GenerateDataKey, ctx).await?;
        Ok(GenerateDataKeyResponse {
            ciphertext_blob: Some(made.sealed.blob),
            plaintext: Some(SecretBlob::new(made.plaintext.expose().clone())),
            key_id: Some(made.key_arn),
            key_material_id: made.sealed.material.map(|id| id.to_string()),
            ..GenerateDataKeyResponse::default()
        })
    }
}
