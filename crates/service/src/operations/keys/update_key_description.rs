//! UpdateKeyDescription: replaces the customer's own words about a key.

use trent_gate::UpdateKeyDescription;
use trent_protocol::{NoOutput, UpdateKeyDescriptionRequest};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for UpdateKeyDescriptionRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let permit = ctx.authorize::<UpdateKeyDescription>(&self.key_id, None).await?;
        let description = self.description;
        permit
            .change("update key description", move |key, _| {
                key.description.clone_from(&description);
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(NoOutput)
    }
}
