//! Wrong passwords of `kmsuser` outlive the key store that has tried them: who deletes it and makes another of the same cluster
//! does not begin to count anew. HSMs that do not count for themselves are the reason to count at all.

use trent_audit::hex;
use trent_database::{DatabaseError, Transaction};
use trent_domain::key_store::{Backing, KeyStore};

/// Keeps the count of a key store that is about to go.
pub(super) fn keep(transaction: &mut dyn Transaction, store: &KeyStore) -> Result<(), DatabaseError> {
    let Some((row, count)) = count(store) else { return Ok(()) };
    if count == 0 && transaction.setting(&row)?.is_none() {
        return Ok(());
    }
    transaction.put_setting(&row, &count.to_be_bytes())
}

/// Has a new key store go on with the count that there is of its cluster.
pub(super) fn resume(transaction: &mut dyn Transaction, store: &mut KeyStore) -> Result<(), DatabaseError> {
    let Some((row, _)) = count(store) else { return Ok(()) };
    let kept = transaction.setting(&row)?.and_then(|kept| kept.try_into().ok());
    if let (Some(kept), Backing::CloudHsm(cluster)) = (kept, &mut store.backing) {
        cluster.passwords.failed_logins = u32::from_be_bytes(kept);
    }
    Ok(())
}

/// Where the count of a key store's cluster lies, of whichever id the cluster is, and what the key store has counted.
fn count(store: &KeyStore) -> Option<(String, u32)> {
    let cluster = store.cluster()?;
    let row = format!("failed-logins/{}/{}/{}", store.account, store.region, hex(&cluster.lineage));
    Some((row, cluster.passwords.failed_logins))
}
