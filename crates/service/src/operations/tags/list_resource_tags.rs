//! ListResourceTags: the tags of a key, in order of their keys.

use trent_gate::{ListResourceTags, MarkerScope};
use trent_protocol::{ListResourceTagsRequest, ListResourceTagsResponse, Operation, Tag};

use crate::context::Context;
use crate::error::KmsError;
use crate::page::{Page, SMALL};
use crate::pipeline::Handle;

impl Handle for ListResourceTagsRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ListResourceTagsResponse, KmsError> {
        let size = SMALL.asked(self.limit)?;
        let permit = ctx.authorize::<ListResourceTags>(&self.key_id, None).await?;
        let key = permit.key();
        let filter = key.id.to_string();
        let scope = MarkerScope {
            operation: Operation::ListResourceTags,
            account: key.account,
            region: key.region,
            filter: &filter,
        };
        let page = Page::parse(ctx.gate(), scope, size, self.marker.as_deref())?;
        let after = page.after.as_ref();
        let tags =
            key.tags.iter().filter(|(tag, _)| after.is_none_or(|after| *tag > after)).take(page.fetch());
        let tags = tags.map(|(tag, value)| Tag { tag_key: tag.clone(), tag_value: value.clone() }).collect();
        let cut = page.cut(ctx.gate(), tags, |tag| tag.tag_key.clone())?;
        Ok(ListResourceTagsResponse {
            tags: Some(cut.items),
            next_marker: cut.next_marker,
            truncated: cut.truncated,
        })
    }
}
