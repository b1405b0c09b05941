//! EnableKey makes a disabled key usable again; silently nothing on an enabled one.

use trent_gate::EnableKey;
use trent_protocol::{EnableKeyRequest, NoOutput};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for EnableKeyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let permit = ctx.authorize::<EnableKey>(&self.key_id, None).await?;
        permit
            .change("enable key", |key, _| {
                key.lifecycle = key.lifecycle.clone().enable()?;
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(NoOutput)
    }
}
