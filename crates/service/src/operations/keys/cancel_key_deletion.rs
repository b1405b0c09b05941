//! CancelKeyDeletion: keeps a key that was to be deleted. It stays disabled until it is enabled.

use trent_gate::CancelKeyDeletion;
use trent_protocol::{CancelKeyDeletionRequest, CancelKeyDeletionResponse};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for CancelKeyDeletionRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<CancelKeyDeletionResponse, KmsError> {
        let permit = ctx.authorize::<CancelKeyDeletion>(&self.key_id, None).await?;
        permit
            .change("cancel key deletion", |key, _| {
                key.lifecycle = key.lifecycle.clone().cancel_deletion(key.is_complete())?;
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(CancelKeyDeletionResponse { key_id: Some(permit.arn().to_string()) })
    }
}
