//! ListAliases: the aliases of the account in this Region, or those of one key.
//!
//! The predefined names of AWS managed keys are listed from the start, without a key until one is first named.

use trent_domain::alias::{AWS_SERVICES, Alias, AliasName};
use trent_domain::identifier::{AccountId, AliasArn, Region};
use trent_gate::{ListAliases, MarkerScope};
use trent_protocol::{AliasListEntry, ListAliasesRequest, ListAliasesResponse, Operation};

use crate::context::Context;
use crate::error::KmsError;
use crate::operations::keys::epoch;
use crate::page::{MEDIUM, Page};
use crate::pipeline::Handle;

impl Handle for ListAliasesRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ListAliasesResponse, KmsError> {
        let size = MEDIUM.asked(self.limit)?;
        let permit = ctx.gate().authorize_account::<ListAliases>(&ctx.facts())?;
        let (account, region) = (permit.account(), permit.region());
        let key = match &self.key_id {
            Some(name) => Some(permit.narrow_to(name, &ctx.facts()).await?),
            None => None,
        };
        let filter = key.map(|key| key.to_string()).unwrap_or_default();
        let scope = MarkerScope { operation: Operation::ListAliases, account, region, filter: &filter };
        let page = Page::parse(ctx.gate(), scope, size, self.marker.as_deref())?;
        let (after, fetch) = (page.after.clone(), page.fetch());
        let found = trent_database::read(ctx.database(), move |records| match key {
            Some(key) => records.aliases_of(region, key, after.as_deref(), fetch),
            None => records.aliases(account, region, after.as_deref(), fetch),
        })
        .await?;
        let mut entries: Vec<_> = found.iter().map(entry).collect();
        if key.is_none() {
            add_predefined(&mut entries, account, region, page.after.as_deref());
        }
        let cut = page.cut(ctx.gate(), entries, |entry| entry.alias_name.clone().unwrap_or_default())?;
        Ok(ListAliasesResponse {
            aliases: Some(cut.items),
            next_marker: cut.next_marker,
            truncated: cut.truncated,
        })
    }
}

fn entry(alias: &Alias) -> AliasListEntry {
    AliasListEntry {
        alias_arn: Some(alias.arn().to_string()),
        alias_name: Some(alias.name.to_string()),
        target_key_id: Some(alias.target.to_string()),
        creation_date: Some(epoch(alias.created)),
        last_updated_date: Some(epoch(alias.updated)),
    }
}

// Merged in by name: what lies beyond the page is cut off with the rest.
fn add_predefined(
    entries: &mut Vec<AliasListEntry>,
    account: AccountId,
    region: Region,
    after: Option<&str>,
) {
    for name in AWS_SERVICES.map(AliasName::of_service) {
        let listed = entries.iter().any(|entry| entry.alias_name.as_deref() == Some(name.as_str()));
        if listed || after.is_some_and(|after| name.as_str() <= after) {
            continue;
        }
        entries.push(AliasListEntry {
            alias_name: Some(name.to_string()),
            alias_arn: Some(AliasArn { account, region, name }.to_string()),
            ..AliasListEntry::default()
        });
    }
    entries.sort_by(|one, other| one.alias_name.cmp(&other.alias_name));
}
