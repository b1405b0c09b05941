//! The way from the gate to the HSMs of clusters: a worker for each connected key store.

mod ask;
mod configured;
mod keys;
mod login;
mod open;
mod registry;
mod rejoin;
mod rotation;
mod unsettled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use trent_crypto::SecretBytes;
use trent_domain::identifier::HsmKeyId;
use trent_domain::key_store::{ClusterFailure, KeyStoreId, RegisteredCluster};
use trent_gate::{
    ClusterAnswer, ClusterTarget, Clusters, FromHsm, HsmAnswer, HsmCiphertext, HsmOutcomes, KeyInHsm, Settled,
};
use trent_hsm::{Error, IvMode, Limits, Observer, Pin, Program, Replication, Worker};

use crate::config::{ClusterSection, HsmSection, KeyReplication};
use crate::hsm_metrics::HsmMetrics;
use crate::root_key::crash_point;
use crate::token::{iv_mode, limits, program};
use configured::{Configured, Told};
use login::{failure, is_refusal};
use open::Open;
use unsettled::Unsettled;

pub(crate) use registry::registered;

const PASSWORD: &str = "{password}";
const USER: &str = "{user}";
/// How often it is looked whether HSMs have answered all that they were asked.
const ANSWERED: Duration = Duration::from_millis(5);
/// How long logging out of all HSMs may take.
const LOG_OUT: Duration = Duration::from_secs(2);
/// How long a call may take for which there is a worker of its own.
const LONG_CALL: Duration = Duration::from_secs(60);
/// How many calls, each as long as one may be, are waited for before keys that are being made or destroyed are given up.
const UNSETTLED_CALLS: u32 = 3;

/// How the HSMs of a cluster are reached.
#[derive(Clone)]
pub(crate) struct Reached {
    program: Program,
    limits: Limits,
    pin_format: String,
    pub(crate) iv_mode: IvMode,
    pub(crate) replication: Replication,
    observer: Option<Arc<dyn Observer>>,
    /// What a server was told of the cluster.
    told: Option<Arc<Told>>,
}

impl Reached {
    pub(crate) fn new(section: &HsmSection, cluster: &ClusterSection) -> Self {
        let (program, limits) = (program(&cluster.module, &cluster.module_environment), limits(section));
        let iv_mode = iv_mode(cluster.gcm_iv);
        let replication = match cluster.replication {
            KeyReplication::Shared => Replication::Shared,
            KeyReplication::OaepTransfer => Replication::OaepTransfer,
        };
        let pin_format = cluster.pin_format.replace(USER, &cluster.crypto_user);
        Self { program, limits, pin_format, iv_mode, replication, observer: None, told: None }
    }

    /// A process of its own, which starts when it is first needed.
    pub(crate) fn worker(&self) -> Result<Worker, Error> {
        self.worker_within(self.limits)
    }

    /// One that may take as long for a call as any: for what is asked seldom, and is much.
    fn patient_worker(&self) -> Result<Worker, Error> {
        self.worker_within(Limits { call: LONG_CALL.max(self.limits.call), ..self.limits })
    }

    fn worker_within(&self, limits: Limits) -> Result<Worker, Error> {
        let worker = Worker::new(self.program.clone(), limits);
        let worker = worker.map_err(|error| Error::NotStarted(error.to_string()))?;
        Ok(match &self.observer {
            Some(observer) => worker.watched_by(Arc::clone(observer)),
            None => worker,
        })
    }

    /// What the user with a password logs in with. A password that is no text is nobody's.
    pub(crate) fn pin(&self, password: &SecretBytes) -> Option<Pin> {
        let password = str::from_utf8(password.expose()).ok()?;
        let (before, after) = self.pin_format.split_once(PASSWORD)?;
        Some(Pin::of(&[before, password, after]))
    }
}

/// Reaches HSMs through the modules of the configuration.
pub(crate) struct HsmClusters {
    configured: ArcSwap<Configured>,
    metrics: HsmMetrics,
    open: Mutex<BTreeMap<KeyStoreId, Arc<Open>>>,
    /// Those that nothing new is asked of, and that wait to be logged out of.
    closing: Mutex<BTreeMap<KeyStoreId, Arc<Open>>>,
    /// The key stores whose HSMs were looked for since the start of this process, or since their configuration has changed,
    /// and until when one waits for that.
    looked_for: watch::Sender<BTreeSet<KeyStoreId>>,
    wait_until: Mutex<Instant>,
    unsettled: Unsettled,
    /// Where keys are made and destroyed: it outlives the requests, and the threads that answer them.
    runtime: Handle,
}

impl HsmClusters {
    /// Made where the process ends: what is begun with keys in HSMs goes on there.
    pub(crate) fn new(section: &HsmSection, clusters: &[RegisteredCluster], metrics: &HsmMetrics) -> Self {
        let configured = Configured::new(section, clusters, metrics);
        Self {
            wait_until: Mutex::new(Instant::now() + configured.patience),
            configured: ArcSwap::from_pointee(configured),
            metrics: metrics.clone(),
            open: Mutex::default(),
            closing: Mutex::default(),
            looked_for: watch::Sender::default(),
            unsettled: Unsettled::default(),
            runtime: Handle::current(),
        }
    }

    /// Brings another configuration into force. Key stores that are connected to HSMs of which it says something else are closed
    /// and opened again when they are looked for the next time; others notice nothing.
    pub(crate) fn configure(&self, section: &HsmSection, clusters: &[RegisteredCluster]) {
        let configured = Configured::new(section, clusters, &self.metrics);
        let patience = configured.patience;
        self.configured.store(Arc::new(configured));
        let all = self.open.lock();
        let calls = all.values().map(|open| open.reached.limits.call).max().unwrap_or_default();
        // Whoever asks meanwhile waits until what is under way is answered and settled, and they are opened again.
        let until = Instant::now() + calls * (2 * UNSETTLED_CALLS) + LOG_OUT + patience;
        let mut wait_until = self.wait_until.lock();
        *wait_until = until.max(*wait_until);
        let is_current =
            |store: &KeyStoreId| all.get(store).is_some_and(|open| self.is_configured(&open.reached));
        self.looked_for.send_modify(|stores| stores.retain(is_current));
    }

    /// Closes what is open by an older configuration, once its HSMs have answered what they were asked. Answers those that
    /// know none of the passwords.
    async fn close_outdated(&self, store: &KeyStoreId) -> Vec<String> {
        let outdated = self.open.lock().get(store).is_some_and(|open| !self.is_configured(&open.reached));
        if !outdated {
            return Vec::new();
        }
        let Some(open) = self.close_to_new(store) else { return Vec::new() };
        let answered = async {
            // One is this, the other is among those that are closing.
            while Arc::strong_count(&open) > 2 {
                sleep(ANSWERED).await;
            }
        };
        let _ = timeout(open.reached.limits.call * UNSETTLED_CALLS, answered).await;
        self.close(store).await;
        tracing::info!(key_store = %store, "HSMs are logged out of: their configuration has changed");
        open.rotation.refusing()
    }

    /// Whether HSMs are reached as the configuration says now.
    fn is_configured(&self, reached: &Reached) -> bool {
        let told = reached.told.as_ref();
        told.is_some_and(|told| self.configured.load().told(&told.section.cluster_id) == Some(&**told))
    }

    fn reached(&self, cluster: &str) -> Result<Reached, ClusterFailure> {
        self.configured.load().reached.get(cluster).cloned().ok_or(ClusterFailure::NotFound)
    }

    async fn connect(&self, target: ClusterTarget) -> Result<(), ClusterFailure> {
        let store = target.store.clone();
        self.close(&store).await;
        self.was_looked_for(&store);
        let reached = self.reached(&target.cluster)?;
        let attempt = login::to_all(&reached, &target.tokens).await?;
        attempt.overall?;
        self.put(&store, reached, &target, attempt);
        crash_point("logged-in-to-hsms");
        Ok(())
    }

    async fn close(&self, store: &KeyStoreId) {
        let Some(open) = self.close_to_new(store) else { return };
        let patience = open.reached.limits.call * UNSETTLED_CALLS;
        if timeout(patience, self.unsettled.settled(Some(store))).await.is_err() {
            tracing::error!(key_store = %store, "keys that are being made or destroyed in HSMs are given up");
        }
        self.closing.lock().remove(store);
        self.metrics.forget(store);
        let worker = open.worker();
        open.is_closed.store(true, Ordering::SeqCst);
        let log_out = async {
            for member in open.members() {
                // Whoever logs in now has looked before it was closed.
                let _alone = open.login_of(&member.serial).await;
                if let Err(error) = worker.log_out(&member.serial).await {
                    tracing::warn!(token = member.serial, %error, "an HSM could not be logged out of");
                }
            }
        };
        // Its process ends in any case, and whoever was logged in through it with that.
        if timeout(LOG_OUT, log_out).await.is_err() {
            tracing::warn!(key_store = %store, "HSMs were not logged out of in time");
        }
    }

    /// Lets nothing new be asked of the HSMs behind a key store.
    fn close_to_new(&self, store: &KeyStoreId) -> Option<Arc<Open>> {
        let mut all = self.open.lock();
        let mut closing = self.closing.lock();
        if let Some(open) = all.remove(store) {
            closing.insert(store.clone(), open);
        }
        // Or what somebody else has begun to close, and was cut at.
        closing.get(store).cloned()
    }

    /// Has nobody wait any more.
    fn was_looked_for(&self, store: &KeyStoreId) {
        self.looked_for.send_if_modified(|stores| stores.insert(store.clone()));
    }

    /// The HSMs behind a key store, for what has to end there.
    fn open_or_closing(&self, store: &KeyStoreId) -> Option<Arc<Open>> {
        let all = self.open.lock();
        all.get(store).cloned().or_else(|| self.closing.lock().get(store).cloned())
    }

    async fn change(&self, store: &KeyStoreId, new: &SecretBytes) -> Result<Vec<String>, ClusterFailure> {
        let open = self.open.lock().get(store).cloned().ok_or(ClusterFailure::Internal)?;
        crash_point("password-kept");
        let mut have = Vec::new();
        let mut last = ClusterFailure::Internal;
        for member in open.members() {
            let pin = open.reached.pin(new).ok_or(ClusterFailure::Internal)?;
            match open.change_pin(&member, pin, !have.is_empty()).await {
                Ok(()) => have.push(member.serial.clone()),
                Err(error) => {
                    tracing::error!(token = member.serial, %error, "an HSM did not take the new password");
                    if !is_refusal(&error) {
                        // It may have taken it all the same: both are tried, as after a start.
                        open.rotation.is_unsure(&member.serial, Instant::now());
                    }
                    last = failure(&error);
                }
            }
        }
        crash_point("passwords-changed");
        if have.is_empty() { Err(last) } else { Ok(have) }
    }
}

impl Clusters for HsmClusters {
    fn log_in(&self, target: ClusterTarget) -> ClusterAnswer<'_, ()> {
        Box::pin(self.connect(target))
    }

    fn rejoin(&self, target: ClusterTarget) -> ClusterAnswer<'_, Vec<String>> {
        Box::pin(async move {
            let store = target.store.clone();
            let found = self.find_again(target).await;
            let outdated =
                self.open.lock().get(&store).is_some_and(|open| !self.is_configured(&open.reached));
            // Else it is looked for once more, and who waits for it waits on.
            if !outdated {
                self.was_looked_for(&store);
            }
            found
        })
    }

    fn refusing(&self, store: &KeyStoreId) -> Option<Vec<String>> {
        self.open.lock().get(store).map(|open| open.rotation.refusing())
    }

    fn unreachable<'a>(&'a self, store: &'a KeyStoreId) -> ClusterAnswer<'a, ()> {
        Box::pin(async move {
            self.close_outdated(store).await;
            self.was_looked_for(store);
            Ok(())
        })
    }

    fn forgive(&self, store: &KeyStoreId) {
        if let Some(open) = self.open.lock().get(store) {
            open.rotation.forgive(Instant::now());
        }
    }

    fn change_password<'a>(
        &'a self,
        store: &'a KeyStoreId,
        new: SecretBytes,
    ) -> ClusterAnswer<'a, Vec<String>> {
        Box::pin(async move { self.change(store, &new).await })
    }

    fn random<'a>(&'a self, store: &'a KeyStoreId, length: usize) -> ClusterAnswer<'a, FromHsm<SecretBytes>> {
        Box::pin(async move {
            let open = self.logged_in(store).await.map_err(|_| ClusterFailure::NoHsm)?;
            open.random(length as u64).await
        })
    }

    fn answering<'a>(&'a self, store: &'a KeyStoreId) -> HsmAnswer<'a, Vec<String>> {
        Box::pin(async move { Ok(self.logged_in(store).await?.answering().await) })
    }

    fn generate_key<'a>(
        &'a self,
        store: &'a KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
        label: String,
    ) -> HsmAnswer<'a, ()> {
        Box::pin(self.generate(store, serials, key, label))
    }

    fn encrypt<'a>(
        &'a self,
        store: &'a KeyStoreId,
        key: HsmKeyId,
        plaintext: &'a [u8],
        additional_data: &'a [u8],
    ) -> HsmAnswer<'a, FromHsm<HsmCiphertext>> {
        Box::pin(
            async move { self.within_quota(store).await?.encrypt(key, plaintext, additional_data).await },
        )
    }

    fn decrypt<'a>(
        &'a self,
        store: &'a KeyStoreId,
        key: HsmKeyId,
        ciphertext: HsmCiphertext,
        additional_data: &'a [u8],
    ) -> HsmAnswer<'a, FromHsm<Option<SecretBytes>>> {
        Box::pin(
            async move { self.within_quota(store).await?.decrypt(key, ciphertext, additional_data).await },
        )
    }

    fn throttled(&self, store: &KeyStoreId, operation: &'static str) {
        self.metrics.throttled(store, operation);
    }

    fn destroy_key<'a>(
        &'a self,
        store: &'a KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
    ) -> HsmOutcomes<'a> {
        Box::pin(self.destroy(store, serials, key))
    }

    fn discard_key(&self, store: &KeyStoreId, key: HsmKeyId) {
        self.discard(store, key);
    }

    fn keep_key(&self, key: HsmKeyId) {
        self.unsettled.end(key);
    }

    fn unsettled_keys(&self) -> BTreeSet<HsmKeyId> {
        self.unsettled.keys()
    }

    fn settled(&self) -> Settled<'_> {
        Box::pin(self.unsettled.settled(None))
    }

    fn keys_in<'a>(&'a self, store: &'a KeyStoreId, serial: &'a str) -> HsmAnswer<'a, Vec<KeyInHsm>> {
        Box::pin(self.list(store, serial))
    }

    fn wants_login(&self, store: &KeyStoreId) -> bool {
        self.open.lock().get(store).is_none_or(|open| {
            !self.is_configured(&open.reached) || !open.rotation.due(Instant::now()).is_empty()
        })
    }

    fn log_out<'a>(&'a self, store: &'a KeyStoreId) -> ClusterAnswer<'a, ()> {
        Box::pin(async move {
            self.close(store).await;
            Ok(())
        })
    }
}
