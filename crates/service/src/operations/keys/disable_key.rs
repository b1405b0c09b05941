//! DisableKey takes a key out of use until it is enabled; silently nothing on a disabled one.

use trent_gate::DisableKey;
use trent_protocol::{DisableKeyRequest, NoOutput};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DisableKeyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let permit = ctx.authorize::<DisableKey>(&self.key_id, None).await?;
        permit
            .change("disable key", |key, _| {
                key.lifecycle = key.lifecycle.clone().disable()?;
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(NoOutput)
    }
}
