//! Keys that are being made or destroyed in HSMs. Whoever logs out, or ends this process, waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;
use trent_domain::identifier::HsmKeyId;
use trent_domain::key_store::KeyStoreId;

/// The keys, and the key stores that they are in. Clones are the same.
#[derive(Clone)]
pub(super) struct Unsettled(Arc<watch::Sender<BTreeMap<HsmKeyId, KeyStoreId>>>);

impl Default for Unsettled {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl Unsettled {
    /// Something is begun with a key.
    pub(super) fn begin(&self, store: &KeyStoreId, key: HsmKeyId) {
        self.0.send_modify(|keys| drop(keys.insert(key, store.clone())));
    }

    /// It is settled whether it is there.
    pub(super) fn end(&self, key: HsmKeyId) {
        self.0.send_modify(|keys| drop(keys.remove(&key)));
    }

    /// The same once this is dropped, however that comes.
    pub(super) fn ending(&self, key: HsmKeyId) -> Ending {
        Ending { unsettled: self.clone(), key }
    }

    pub(super) fn keys(&self) -> BTreeSet<HsmKeyId> {
        self.0.borrow().keys().copied().collect()
    }

    /// Waits until all keys of a key store are settled, or all there are.
    pub(super) async fn settled(&self, store: Option<&KeyStoreId>) {
        let mut changes = self.0.subscribe();
        let is_settled = |keys: &BTreeMap<_, KeyStoreId>| match store {
            Some(store) => keys.values().all(|of| of != store),
            None => keys.is_empty(),
        };
        // This has the other end of the channel.
        let _ = changes.wait_for(is_settled).await;
    }
}

/// See [`Unsettled::ending`].
pub(super) struct Ending {
    unsettled: Unsettled,
    key: HsmKeyId,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.unsettled.end(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn whoever_waits_waits_for_the_keys_of_one_key_store_or_of_all() {
        let store = |digit: &str| -> KeyStoreId { format!("cks-0123456789abcdef{digit}").parse().unwrap() };
        let (one, other) = (store("1"), store("2"));
        let unsettled = Unsettled::default();
        let is_settled = |of: Option<&KeyStoreId>| {
            let mut waiting = pin!(unsettled.settled(of));
            waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
        };
        let keys = [HsmKeyId([1; 16]), HsmKeyId([2; 16])];
        assert!(is_settled(None));
        unsettled.begin(&one, keys[0]);
        unsettled.begin(&one, keys[1]);
        assert_eq!(unsettled.keys(), keys.into());
        assert_eq!([None, Some(&one), Some(&other)].map(is_settled), [false, false, true]);
        drop(unsettled.ending(keys[0]));
        assert!(!is_settled(Some(&one)));
        unsettled.end(keys[1]);
        assert!(is_settled(Some(&one)) && is_settled(None));
    }
}
