//! DescribeCustomKeyStores: the key stores of the account in this Region, or the one with an id or a name.

use trent_domain::key_store::KeyStore;
use trent_gate::{DescribeCustomKeyStores, MarkerScope};
use trent_protocol::{DescribeCustomKeyStoresRequest, DescribeCustomKeyStoresResponse, Operation};

use super::entry::entry;
use super::record::not_found;
use crate::context::Context;
use crate::error::KmsError;
use crate::page::{LARGE, Page};
use crate::pipeline::Handle;

impl Handle for DescribeCustomKeyStoresRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<DescribeCustomKeyStoresResponse, KmsError> {
        if self.custom_key_store_id.is_some() && self.custom_key_store_name.is_some() {
            let text = "You can specify CustomKeyStoreId or CustomKeyStoreName, but not both.";
            return Err(KmsError::validation(text));
        }
        let size = LARGE.asked(self.limit)?;
        let permit = ctx.gate().authorize_account::<DescribeCustomKeyStores>(&ctx.facts())?;
        let (account, region) = (permit.account(), permit.region());
        let (id, name) = (self.custom_key_store_id, self.custom_key_store_name);
        let asked = id.as_ref().or(name.as_ref());
        let scope = MarkerScope {
            operation: Operation::DescribeCustomKeyStores,
            account,
            region,
            filter: asked.map(String::as_str).unwrap_or_default(),
        };
        let page = Page::parse(ctx.gate(), scope, size, self.marker.as_deref())?;
        let stores =
            trent_database::read(ctx.database(), move |records| records.key_stores(Some(region))).await?;
        let own = stores.into_iter().filter(|store| store.account == account);
        let is_asked = |store: &KeyStore| {
            id.as_ref().is_none_or(|id| store.id.as_str() == id)
                && name.as_ref().is_none_or(|name| store.name == *name)
        };
        let found: Vec<_> = own.filter(is_asked).collect();
        if let (Some(asked), []) = (asked, found.as_slice()) {
            return Err(not_found(asked));
        }
        let after = page.after.clone().unwrap_or_default();
        let found = found.into_iter().filter(|store| position(store) > after).collect();
        let cut = page.cut(ctx.gate(), found, position)?;
        Ok(DescribeCustomKeyStoresResponse {
            custom_key_stores: Some(cut.items.iter().map(entry).collect()),
            next_marker: cut.next_marker,
            truncated: cut.truncated,
        })
    }
}

/// What names a key store in a marker: markers go by the order of creation.
fn position(store: &KeyStore) -> String {
    format!("{:020}/{}", store.created.millis(), store.id)
}
