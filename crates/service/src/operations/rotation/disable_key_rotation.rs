//! DisableKeyRotation: no more automatic rotations. What was rotated before stays and goes on decrypting.

use trent_gate::DisableKeyRotation;
use trent_protocol::{DisableKeyRotationRequest, NoOutput};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DisableKeyRotationRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let permit = ctx.authorize::<DisableKeyRotation>(&self.key_id, None).await?;
        permit
            .change("disable key rotation", |key, _| {
                key.schedule = None;
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(NoOutput)
    }
}
