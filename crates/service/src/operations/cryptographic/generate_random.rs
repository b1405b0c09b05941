//! GenerateRandom: 1 to 1024 random bytes.

use trent_gate::GenerateRandom;
use trent_protocol::{ErrorCode, GenerateRandomRequest, GenerateRandomResponse, SecretBlob};

use super::recipient;
use crate::context::Context;
use crate::error::KmsError;
use crate::operations::custom_key_stores::find;
use crate::pipeline::Handle;

impl Handle for GenerateRandomRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GenerateRandomResponse, KmsError> {
        recipient::refuse(self.recipient.as_ref())?;
        let count = self.number_of_bytes.and_then(|count| usize::try_from(count).ok());
        let count = count.ok_or_else(|| KmsError::validation("NumberOfBytes is required."))?;
        let permit = ctx.gate().authorize_account::<GenerateRandom>(&ctx.facts())?;
        if let Some(store) = self.custom_key_store_id {
            let store = find(&store, permit.account(), permit.region(), ctx).await?;
            let text = format!("Custom key stores of type {} make no random bytes.", store.kind());
            return Err(KmsError::new(ErrorCode::UnsupportedOperation, text));
        }
        let bytes = permit.random_bytes(count)?;
        Ok(GenerateRandomResponse {
            plaintext: Some(SecretBlob::new(bytes.expose().clone())),
            ..GenerateRandomResponse::default()
        })
    }
}
