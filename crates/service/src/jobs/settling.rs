//! Who is at which key store: one run at a time, and others pass it by.
//!
//! What a run is at may have been given up by a request since: then the next run tells it, so that nobody waits for the end
//! of an attempt that nobody wants, and something else begins as soon as that has ended.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use trent_domain::key_store::KeyStoreId;

/// The key stores that runs are at.
#[derive(Debug, Default)]
pub(crate) struct Settling(Mutex<BTreeMap<KeyStoreId, Busy>>);

#[derive(Debug)]
struct Busy {
    attempt: u64,
    /// Whether somebody has begun something else since, or knows something else.
    wanted_again: bool,
    given_up: Arc<Notify>,
}

impl Settling {
    /// A turn with a key store, unless somebody has it; whoever is at an older attempt is told. `again` is notified when a
    /// turn ends and something else was begun meanwhile.
    pub(super) fn take<'s>(
        &'s self,
        store: &KeyStoreId,
        attempt: u64,
        again: &'s Notify,
    ) -> Option<Turn<'s>> {
        let given_up = Arc::<Notify>::default();
        match self.0.lock().entry(store.clone()) {
            Entry::Occupied(mut busy) => {
                let busy = busy.get_mut();
                // A run whose list is older than what somebody is at knows nothing new.
                if busy.attempt < attempt {
                    busy.wanted_again = true;
                    busy.given_up.notify_one();
                }
                return None;
            }
            Entry::Vacant(free) => {
                let given_up = Arc::clone(&given_up);
                free.insert(Busy { attempt, wanted_again: false, given_up });
            }
        }
        Some(Turn { settling: self, store: store.clone(), given_up, again })
    }

    /// Has all that are settled now be settled once more: something else is known of the world than when it was begun.
    pub(crate) fn want_again(&self) {
        self.0.lock().values_mut().for_each(|busy| busy.wanted_again = true);
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

    /// Says which attempt this turn is at: the list that it was taken from may be older.
    pub(super) fn is_at(&self, attempt: u64) {
        if let Some(busy) = self.settling.0.lock().get_mut(&self.store) {
            busy.attempt = busy.attempt.max(attempt);
        }
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn only_what_is_newer_gives_up_what_a_turn_is_at() {
        let (settling, again) = (Settling::default(), Notify::new());
        let store: KeyStoreId = "cks-0123456789abcdef0".parse().unwrap();
        let turn = settling.take(&store, 1, &again).unwrap();
        // Its list was old: a request had begun the second attempt meanwhile.
        turn.is_at(2);
        let is_given_up = || {
            let mut waiting = pin!(turn.is_given_up());
            waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
        };
        for (attempt, gives_up) in [(2, false), (1, false), (3, true)] {
            assert!(settling.take(&store, attempt, &again).is_none());
            assert_eq!(is_given_up(), gives_up, "attempt {attempt}");
        }
        drop(turn);
        let notified = || {
            let mut notified = pin!(again.notified());
            notified.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
        };
        assert!(notified(), "the third attempt was wanted");
        let turn = settling.take(&store, 3, &again).unwrap();
        settling.want_again();
        assert!(!notified());
        drop(turn);
        assert!(notified());
    }
}
