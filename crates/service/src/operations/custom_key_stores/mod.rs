//! Custom key stores: their records and their connections. The keys in them are like all others, see `keys`.

mod connect_custom_key_store;
mod create_custom_key_store;
mod delete_custom_key_store;
mod describe_custom_key_stores;
mod disconnect_custom_key_store;
mod update_custom_key_store;

mod checks;
mod clusters;
mod entry;
mod failed_logins;
mod parameters;
mod record;

pub(crate) use clusters::is_trust_anchor;
pub(crate) use record::{find, find_in_transaction};

use trent_domain::key_store::KeyStoreId;

/// What is told of a CloudHSM key store that is to be used and is not connected.
pub(crate) fn not_connected_to_cluster(store: &KeyStoreId) -> String {
    format!("The custom key store {store} is not connected to its cluster.")
}
