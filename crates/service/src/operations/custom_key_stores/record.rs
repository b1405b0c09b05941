//! The record of a key store, found for a caller and changed.

use trent_database::{Records, Transaction};
use trent_domain::identifier::{AccountId, Region};
use trent_domain::key_store::{KeyStore, KeyStoreId};
use trent_protocol::ErrorCode;

use crate::context::Context;
use crate::error::KmsError;

/// There is no key store of this id or name for the caller.
pub(super) fn not_found(name: &str) -> KmsError {
    let text = format!("Custom key store {name} does not exist.");
    KmsError::new(ErrorCode::CustomKeyStoreNotFound, text)
}

/// The key store of the caller's account and Region with the id that a request gives.
pub(crate) async fn find(
    id: &str,
    account: AccountId,
    region: Region,
    ctx: &Context<'_>,
) -> Result<KeyStore, KmsError> {
    let text = id.to_owned();
    trent_database::read(ctx.database(), move |records| Ok(find_in(records, &text, account, region))).await?
}

fn find_in(
    records: &dyn Records,
    id: &str,
    account: AccountId,
    region: Region,
) -> Result<KeyStore, KmsError> {
    // No other text is the id of a key store.
    let parsed: KeyStoreId = id.parse().map_err(|_| not_found(id))?;
    let found = records.key_store(&parsed)?;
    found.filter(|store| store.account == account && store.region == region).ok_or_else(|| not_found(id))
}

/// The same, inside a transaction.
pub(crate) fn find_in_transaction(
    records: &dyn Transaction,
    id: &str,
    account: AccountId,
    region: Region,
) -> Result<KeyStore, KmsError> {
    find_in(records, id, account, region)
}

/// Changes the record of a key store in one transaction, and notes what it is of.
pub(super) async fn change(
    what: &'static str,
    id: String,
    (account, region): (AccountId, Region),
    mut change: impl FnMut(&mut KeyStore) -> Result<(), KmsError> + Send + 'static,
    ctx: &Context<'_>,
) -> Result<(), KmsError> {
    let changed = trent_database::write(ctx.database(), what, move |transaction| {
        let stored = find_in(transaction, &id, account, region)?;
        let mut changed = stored.clone();
        change(&mut changed)?;
        if changed != stored {
            transaction.update_key_store(&changed)?;
        }
        Ok::<_, KmsError>(changed)
    });
    note(&changed.await??, ctx);
    Ok(())
}

/// Notes the name of a key store that something was done with, and its cluster: requests have but its id.
pub(super) fn note(store: &KeyStore, ctx: &Context<'_>) {
    ctx.event.additional("customKeyStoreName", &store.name);
    if let Some(cluster) = store.cluster() {
        ctx.event.additional("clusterId", &cluster.id);
    }
}
