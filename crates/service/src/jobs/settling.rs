//! Who is at which key store: one run at a time, and others pass it by.
//!
//! What a run is at may have been given up by a request since: then the next run tells it, so that nobody waits for the end
//! of an attempt that nobody wants, and something else begins as soon as that has ended.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use trent_domain::key_store::{KeyStore, KeyStoreId};

/// The key stores that runs are at.
#[derive(Debug, Default)]
pub(crate) struct Settling(Mutex<BTreeMap<KeyStoreId, Busy>>);

#[derive(Debug)]
struct Busy {
    attempt: u64,
    /// Whether somebody has begun something else since.
    wanted_again: bool,
    given_up: Arc<Notify>,
}

impl Settling {
    /// A turn with a key store, unless somebody has it; whoever is at an older attempt is told. `again` is notified when a
    /// turn ends and something else was begun meanwhile.
    pub(super) fn take<'s>(&'s self, store: &KeyStore, again: &'s Notify) -> Option<Turn<'s>> {
        let given_up = Arc::<Notify>::default();
        match self.0.lock().entry(store.id.clone()) {
            Entry::Occupied(mut busy) => {
                let busy = busy.get_mut();
                if busy.attempt != store.attempt {
                    busy.wanted_again = true;
                    busy.given_up.notify_one();
                }
                return None;
            }
            Entry::Vacant(free) => {
                let given_up = Arc::clone(&given_up);
                free.insert(Busy { attempt: store.attempt, wanted_again: false, given_up });
            }
        }
        Some(Turn { settling: self, store: store.id.clone(), given_up, again })
    }
}

/// A turn with a key store, which ends with this.
#[derive(Debug)]
pub(super) struct Turn<'s> {
    settling: &'s Settling,
    store: KeyStoreId,
    given_up: Arc<Notify>,
    again: &'s Notify,
}

impl Turn<'_> {
    pub(super) const fn store(&self) -> &KeyStoreId {
        &self.store
    }

    /// Waits until somebody has begun something else.
    pub(super) async fn is_given_up(&self) {
        self.given_up.notified().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let busy = self.settling.0.lock().remove(&self.store);
        if busy.is_some_and(|busy| busy.wanted_again) {
            self.again.notify_one();
        }
    }
}
