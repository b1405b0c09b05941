//! UntagResource: removes tags from a key; absent ones are no error.

use trent_domain::tags::{TagError, is_reserved};
use trent_gate::UntagResource;
use trent_protocol::{NoOutput, UntagResourceRequest};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for UntagResourceRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let unwanted = self.tag_keys;
        if unwanted.iter().any(|key| is_reserved(key)) {
            return Err(TagError::Reserved.into());
        }
        let permit = ctx.authorize::<UntagResource>(&self.key_id, None).await?;
        permit
            .change("untag resource", move |key, _| {
                key.tags.retain(|tag, _| !unwanted.contains(tag));
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(NoOutput)
    }
}
