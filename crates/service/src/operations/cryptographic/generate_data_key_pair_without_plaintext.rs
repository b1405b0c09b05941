//! GenerateDataKeyPairWithoutPlaintext: a fresh key pair, its private key only sealed.

use trent_gate::GenerateDataKeyPairWithoutPlaintext;
use trent_protocol::{
    GenerateDataKeyPairWithoutPlaintextRequest, GenerateDataKeyPairWithoutPlaintextResponse, TrackedOperation,
};

use super::data_key_pair::{Order, generate};
use super::recipient::Claim;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GenerateDataKeyPairWithoutPlaintextRequest {
    async fn handle(
        self,
        ctx: &Context<'_>,
    ) -> Result<GenerateDataKeyPairWithoutPlaintextResponse, KmsError> {
        let Self { encryption_context, key_id, key_pair_spec, grant_tokens, dry_run } = self;
        let order = Order { key_id, encryption_context, key_pair_spec, grant_tokens, dry_run };
        let operation = TrackedOperation::GenerateDataKeyPairWithoutPlaintext;
        let made =
            generate::<GenerateDataKeyPairWithoutPlaintext>(order, Claim::default(), operation, ctx).await?;
        Ok(GenerateDataKeyPairWithoutPlaintextResponse {
            private_key_ciphertext_blob: Some(made.sealed.blob),
            public_key: Some(made.pair.public),
            key_id: Some(made.key_arn),
            key_pair_spec: Some(key_pair_spec),
            key_material_id: made.sealed.material.map(|id| id.to_string()),
        })
    }
}
