//! GenerateDataKeyWithoutPlaintext: a random key, sealed under a KMS key and never shown.

use trent_gate::GenerateDataKeyWithoutPlaintext;
use trent_protocol::{
    GenerateDataKeyWithoutPlaintextRequest, GenerateDataKeyWithoutPlaintextResponse, TrackedOperation,
};

use super::data_key::{Order, generate};
use super::recipient::Claim;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GenerateDataKeyWithoutPlaintextRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GenerateDataKeyWithoutPlaintextResponse, KmsError> {
        let Self { key_id, encryption_context, number_of_bytes, key_spec, grant_tokens, dry_run } = self;
        let order = Order { key_id, encryption_context, number_of_bytes, key_spec, grant_tokens, dry_run };
        let operation = TrackedOperation::GenerateDataKeyWithoutPlaintext;
        let made =
            generate::<GenerateDataKeyWithoutPlaintext>(order, Claim::default(), operation, ctx).await?;
        Ok(GenerateDataKeyWithoutPlaintextResponse {
            ciphertext_blob: Some(made.sealed.blob),
            key_id: Some(made.key_arn),
            key_material_id: made.sealed.material.map(|id| id.to_string()),
        })
    }
}
