//! GenerateDataKeyPair: a fresh key pair, its private key in clear and sealed under a KMS key.

use trent_gate::GenerateDataKeyPair;
use trent_protocol::{GenerateDataKeyPairRequest, GenerateDataKeyPairResponse, TrackedOperation};

use super::data_key_pair::{Order, generate};
use super::recipient::Claim;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GenerateDataKeyPairRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GenerateDataKeyPairResponse, KmsError> {
        let claim = Claim::of(self.recipient.as_ref(), ctx)?;
        let Self { encryption_context, key_id, key_pair_spec, grant_tokens, dry_run, .. } = self;
        let order = Order { key_id, encryption_context, key_pair_spec, grant_tokens, dry_run };
        let made =
            generate::<GenerateDataKeyPair>(order, claim, TrackedOperation::GenerateDataKeyPair, ctx).await?;
        let answer = made.recipient.answer(&made.pair.private, ctx)?;
        Ok(GenerateDataKeyPairResponse {
            private_key_ciphertext_blob: Some(made.sealed.blob),
            private_key_plaintext: answer.plaintext,
            public_key: Some(made.pair.public),
            key_id: Some(made.key_arn),
            key_pair_spec: Some(key_pair_spec),
            ciphertext_for_recipient: answer.for_recipient,
            key_material_id: made.sealed.material.map(|id| id.to_string()),
        })
    }
}
