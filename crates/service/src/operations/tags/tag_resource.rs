//! TagResource: adds tags to a key; a known tag key gets the new value.

use trent_domain::tags;
use trent_gate::{Parameters, TagResource};
use trent_protocol::{NoOutput, TagResourceRequest};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for TagResourceRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let new = tags::parse(self.tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)))?;
        let parameters = Parameters { tags: Some(&new), ..Parameters::default() };
        let permit = ctx.authorize_asking::<TagResource>(&self.key_id, None, parameters).await?;
        permit
            .change("tag resource", move |key, _| {
                tags::add(&mut key.tags, new.clone())?;
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(NoOutput)
    }
}
