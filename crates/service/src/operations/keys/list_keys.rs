//! ListKeys: all keys of the account in this Region, in every state, AWS managed ones included.

use trent_domain::identifier::{KeyArn, KeyId};
use trent_gate::{ListKeys, MarkerScope};
use trent_protocol::{KeyListEntry, ListKeysRequest, ListKeysResponse, Operation, ResourceOwner};

use crate::context::Context;
use crate::error::KmsError;
use crate::page::{LARGE, Page};
use crate::pipeline::Handle;

impl Handle for ListKeysRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ListKeysResponse, KmsError> {
        let size = LARGE.asked(self.limit)?;
        let owners = self.resource_owners.unwrap_or_else(|| vec![ResourceOwner::Own]);
        let filter = owners.iter().map(|owner| owner.as_str()).collect::<Vec<_>>().join("+");
        let permit = ctx.gate().authorize_account::<ListKeys>(&ctx.facts())?;
        let (account, region) = (permit.account(), permit.region());
        let scope = MarkerScope { operation: Operation::ListKeys, account, region, filter: &filter };
        let page = Page::parse(ctx.gate(), scope, size, self.marker.as_deref())?;
        // No key is shared between accounts by RAM, so that part of the list is empty.
        if !owners.contains(&ResourceOwner::Own) {
            return Ok(ListKeysResponse { keys: Some(Vec::new()), ..ListKeysResponse::default() });
        }
        let after = page.after.as_ref().and_then(|after| after.parse::<KeyId>().ok());
        let fetch = page.fetch();
        let ids =
            trent_database::read(ctx.database(), move |records| records.keys(account, region, after, fetch))
                .await?;
        let cut = page.cut(ctx.gate(), ids, KeyId::to_string)?;
        let entry = |id: KeyId| KeyListEntry {
            key_id: Some(id.to_string()),
            key_arn: Some(KeyArn { region, account, id }.to_string()),
        };
        Ok(ListKeysResponse {
            keys: Some(cut.items.into_iter().map(entry).collect()),
            next_marker: cut.next_marker,
            truncated: cut.truncated,
        })
    }
}
