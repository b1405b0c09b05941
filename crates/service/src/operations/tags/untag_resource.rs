//! UntagResource: removes tags from a key; absent ones are no error.

use trent_domain::tags::{TagError, is_reserved};
use trent_gate::{Parameters, UntagResource};
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
        let parameters = Parameters { tag_keys: &unwanted, ..Parameters::default() };
        let permit = ctx.authorize_asking::<UntagResource>(&self.key_id, None, parameters).await?;
        permit
            .change("untag resource", move |key, _| {
                key.tags.retain(|tag, _| !unwanted.contains(tag));
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(NoOutput)
    }
}
