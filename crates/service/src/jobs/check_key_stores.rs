//! Asks the proxies of connected external key stores how they are, now and then, each at a time of its own.
//!
//! What they say is for metrics alone: a store whose proxy is dead stays connected. A check also opens the connection
//! that a start of the process has not. It is no part of the other jobs, and only so many proxies are asked at once:
//! one that does not answer keeps nobody waiting but checks of others, and those not for long.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use trent_domain::key_store::{Connection, KeyStore, KeyStoreId};
use trent_domain::time::Timestamp;
use trent_gate::Behalf;

use super::side_by_side::side_by_side;
use crate::error::KmsError;
use crate::open::Service;

/// What proxies are told that they are asked for.
const OPERATION: &str = "KmsHealthCheck";
/// Proxies that are asked at once.
const AT_ONCE: usize = 16;

/// When each connected key store was last checked.
#[derive(Debug, Default)]
pub(crate) struct HealthChecks(Mutex<HashMap<KeyStoreId, Timestamp>>);

impl HealthChecks {
    /// Notes that the proxy of a key store has been asked.
    pub(super) fn checked(&self, store: &KeyStoreId, now: Timestamp) {
        self.0.lock().insert(store.clone(), now);
    }

    /// Those of the connected key stores that are to be asked now. All others are forgotten.
    fn due(&self, connected: Vec<KeyStore>, interval_millis: i64, now: Timestamp) -> Vec<KeyStore> {
        let mut last = self.0.lock();
        last.retain(|id, _| connected.iter().any(|store| store.id == *id));
        let is_due = |store: &KeyStore| match last.get(&store.id) {
            // A clock that was set back is no reason to wait for it.
            Some(last) => {
                let passed = now.millis() - last.millis();
                passed < 0 || passed >= interval_millis + jitter(&store.id, interval_millis)
            }
            None => true,
        };
        connected.into_iter().filter(is_due).collect()
    }
}

/// Up to a tenth of the interval, another for each store: those that began together do not go on so.
fn jitter(id: &KeyStoreId, interval_millis: i64) -> i64 {
    let sum = id.as_str().bytes().fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % 1009);
    interval_millis / 10 * sum / 1009
}

impl Service {
    /// Checks the health of the external key stores whose time has come, and tells how many those were.
    pub async fn check_key_stores(&self) -> Result<usize, KmsError> {
        let interval_millis = i64::from(self.options.health_check_seconds) * 1000;
        if interval_millis == 0 {
            return Ok(0);
        }
        let stores = trent_database::read(&*self.database, |records| records.key_stores(None)).await?;
        let connected = stores.into_iter().filter(is_checked).collect();
        let due = self.health_checks.due(connected, interval_millis, self.now());
        let room = Semaphore::new(AT_ONCE);
        let checks = due.iter().map(async |store| {
            let _seat = room.acquire().await;
            self.check_key_store(store).await
        });
        let checked = side_by_side(checks.collect()).await;
        let count = checked.len();
        checked.into_iter().collect::<Result<(), _>>().map(|()| count)
    }

    async fn check_key_store(&self, store: &KeyStore) -> Result<(), KmsError> {
        self.health_checks.checked(&store.id, self.now());
        let credential = self.gate.open_key_store_secret(store)?;
        let behalf = Behalf::health(OPERATION, self.new_request_id());
        // What comes of it is counted, and logged, where proxies are asked.
        let _ = self.gate.proxy_health(store, &credential, behalf).await;
        // If it was disconnected meanwhile, the check may have opened a connection that nobody closes.
        let id = store.id.clone();
        let found = trent_database::read(&*self.database, move |records| records.key_store(&id)).await?;
        if !found.is_some_and(|store| is_checked(&store)) {
            self.gate.forget_key_store(&store.id);
        }
        Ok(())
    }
}

fn is_checked(store: &KeyStore) -> bool {
    store.connection == Connection::Connected && store.proxy().is_some()
}
