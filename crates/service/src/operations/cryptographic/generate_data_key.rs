//! GenerateDataKey: a random key, in clear and sealed under a KMS key.

use trent_gate::GenerateDataKey;
use trent_protocol::{GenerateDataKeyRequest, GenerateDataKeyResponse, TrackedOperation};

use super::data_key::{Order, generate};
use super::recipient::Claim;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GenerateDataKeyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GenerateDataKeyResponse, KmsError> {
        let claim = Claim::of(self.recipient.as_ref(), ctx)?;
        let Self { key_id, encryption_context, number_of_bytes, key_spec, grant_tokens, dry_run, .. } = self;
        let order = Order { key_id, encryption_context, number_of_bytes, key_spec, grant_tokens, dry_run };
        let made = generate::<GenerateDataKey>(order, claim, TrackedOperation::GenerateDataKey, ctx).await?;
        let answer = made.recipient.answer(&made.plaintext, ctx)?;
        Ok(GenerateDataKeyResponse {
            ciphertext_blob: Some(made.sealed.blob),
            plaintext: answer.plaintext,
            key_id: Some(made.key_arn),
            ciphertext_for_recipient: answer.for_recipient,
            key_material_id: made.recipient.answered_id(made.sealed.material, ctx),
        })
    }
}
