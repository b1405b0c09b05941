//! The way from the gate to the HSMs of clusters: a worker for each connected key store.

mod ask;
mod keys;
mod login;
mod registry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use trent_crypto::SecretBytes;
use trent_domain::identifier::HsmKeyId;
use trent_domain::key_store::{ClusterFailure, KeyStoreId};
use trent_domain::quota::{Bucket, Rate};
use trent_gate::{ClusterAnswer, ClusterTarget, Clusters, HsmAnswer, HsmCiphertext};
use trent_hsm::{Error, IvMode, Limits, Observer, Pin, Program, Replication, TokenError, Worker};

use crate::config::{ClusterSection, HsmSection, KeyReplication};
use crate::hsm_metrics::HsmMetrics;
use crate::token::{iv_mode, limits, program};
use ask::{Ask, Random};
use login::{Member, failure};

pub(crate) use registry::registered;

const PASSWORD: &str = "{password}";
const USER: &str = "{user}";

/// How the HSMs of a cluster are reached.
#[derive(Clone)]
pub(crate) struct Reached {
    program: Program,
    limits: Limits,
    pin_format: String,
    pub(crate) iv_mode: IvMode,
    pub(crate) replication: Replication,
    observer: Option<Arc<dyn Observer>>,
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
        Self { program, limits, pin_format, iv_mode, replication, observer: None }
    }

    /// The same, with all that its HSMs are asked counted and logged.
    fn counted(self, cluster: &ClusterSection, metrics: &HsmMetrics) -> Self {
        let names = cluster.hsms.iter().map(|hsm| (hsm.token_serial.clone(), hsm.id.clone()));
        let observer = metrics.of(&cluster.cluster_id, names.collect());
        Self { observer: Some(observer), ..self }
    }

    /// A process of its own, which starts when it is first needed.
    pub(crate) fn worker(&self) -> Result<Worker, Error> {
        let worker = Worker::new(self.program.clone(), self.limits);
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
    reached: BTreeMap<String, Reached>,
    /// What may be encrypted and decrypted in the HSMs behind one key store.
    rate: Option<Rate>,
    open: Mutex<BTreeMap<KeyStoreId, Arc<Open>>>,
    /// Those whose password is not taken: trying again on one's own would lock the user out.
    refused: Mutex<BTreeSet<KeyStoreId>>,
}

/// A key store that is logged in to its HSMs.
struct Open {
    reached: Reached,
    worker: Worker,
    /// How often the worker had died when they let the user in.
    deaths: u64,
    members: Mutex<Vec<Arc<Member>>>,
    /// Counts calls, so that the HSMs take turns.
    calls: AtomicUsize,
    /// Held by whoever makes a key or destroys one: what is destroyed has been made to its end.
    making: tokio::sync::Mutex<()>,
    quota: Bucket,
}

impl HsmClusters {
    pub(crate) fn new(section: &HsmSection, metrics: &HsmMetrics) -> Self {
        let reached = section.cluster.iter();
        let reached = reached.map(|cluster| {
            let reached = Reached::new(section, cluster).counted(cluster, metrics);
            (cluster.cluster_id.clone(), reached)
        });
        let rate = Rate::per_second(f64::from(section.requests_per_second.as_u32()));
        Self { reached: reached.collect(), rate, open: Mutex::default(), refused: Mutex::default() }
    }

    async fn open(&self, target: ClusterTarget) -> Result<(), ClusterFailure> {
        let ClusterTarget { store, cluster, tokens } = target;
        self.close(&store).await;
        self.refused.lock().remove(&store);
        let reached = self.reached.get(&cluster).ok_or(ClusterFailure::NotFound)?.clone();
        let logged_in = login::to_all(&reached, &tokens).await;
        if logged_in.as_ref().err().is_some_and(|failure| needs_help(*failure)) {
            self.refused.lock().insert(store.clone());
        }
        let (worker, members) = logged_in?;
        let (deaths, members) = (worker.deaths(), Mutex::new(members.into_iter().map(Arc::new).collect()));
        let (calls, making) = (AtomicUsize::default(), tokio::sync::Mutex::default());
        let open = Open { reached, worker, deaths, members, calls, making, quota: Bucket::default() };
        self.open.lock().insert(store, Arc::new(open));
        Ok(())
    }

    async fn close(&self, store: &KeyStoreId) {
        let open = self.open.lock().remove(store);
        if let Some(open) = open {
            for member in open.members() {
                // Its process ends in any case, and whoever was logged in through it with that.
                if let Err(error) = open.worker.log_out(&member.serial).await {
                    tracing::warn!(token = member.serial, %error, "an HSM could not be logged out of");
                }
            }
        }
    }

    async fn change(&self, store: &KeyStoreId, new: &SecretBytes) -> Result<Vec<String>, ClusterFailure> {
        let open = self.open.lock().get(store).cloned().ok_or(ClusterFailure::Internal)?;
        let mut have = Vec::new();
        let mut last = ClusterFailure::Internal;
        for member in open.members() {
            let pin = open.reached.pin(new).ok_or(ClusterFailure::Internal)?;
            let mut changed = open.worker.change_pin(&member.serial, &member.pin, &pin).await;
            if open.lets_in_again(&member, &changed).await {
                changed = open.worker.change_pin(&member.serial, &member.pin, &pin).await;
            }
            match changed {
                Ok(()) => {
                    have.push(member.serial.clone());
                    open.replace(Member { serial: member.serial.clone(), pin });
                }
                Err(error) => {
                    tracing::error!(token = member.serial, %error, "an HSM did not take the new password");
                    last = failure(&error);
                }
            }
        }
        if have.is_empty() { Err(last) } else { Ok(have) }
    }
}

/// What time alone does not put right.
const fn needs_help(failure: ClusterFailure) -> bool {
    matches!(
        failure,
        ClusterFailure::InvalidCredentials | ClusterFailure::UserLockedOut | ClusterFailure::UserNotFound
    )
}

impl Open {
    /// The HSMs that have let the user in.
    fn members(&self) -> Vec<Arc<Member>> {
        self.members.lock().clone()
    }

    fn replace(&self, new: Member) {
        let mut members = self.members.lock();
        if let Some(old) = members.iter_mut().find(|member| member.serial == new.serial) {
            *old = Arc::new(new);
        }
    }

    /// Whether a call was refused for want of a login that another HSM has taken along with the worker, and the user is
    /// let in again: then it is worth another try.
    async fn lets_in_again<T: Sync>(&self, member: &Member, outcome: &Result<T, Error>) -> bool {
        matches!(outcome, Err(Error::Token(TokenError::NotLoggedIn)))
            && self.worker.log_in(&member.serial, &member.pin).await.is_ok()
    }

    /// The HSMs in the order in which they are to be asked: they take turns.
    fn in_turn(&self) -> Vec<Arc<Member>> {
        let mut members = self.members();
        let first = self.calls.fetch_add(1, Ordering::Relaxed) % members.len().max(1);
        members.rotate_left(first);
        members
    }

    /// Asks the HSMs, which take turns, until one has an answer that another one would not change.
    async fn in_any<A: Ask>(&self, what: &A) -> Result<A::Answer, Error> {
        let mut last = Error::Token(TokenError::TokenNotPresent);
        for member in self.in_turn() {
            let mut answer = what.ask(&self.worker, &member.serial).await;
            if self.lets_in_again(&member, &answer).await {
                answer = what.ask(&self.worker, &member.serial).await;
            }
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error @ Error::Token(TokenError::InvalidCiphertext)) => return Err(error),
                Err(error) => {
                    tracing::error!(token = member.serial, %error, "an HSM failed; the next one is asked");
                    last = error;
                }
            }
        }
        Err(last)
    }

    async fn random(&self, length: u64) -> Result<SecretBytes, ClusterFailure> {
        self.in_any(&Random(length)).await.map_err(|error| failure(&error))
    }
}

impl Clusters for HsmClusters {
    fn log_in(&self, target: ClusterTarget) -> ClusterAnswer<'_, ()> {
        Box::pin(self.open(target))
    }

    fn change_password<'a>(
        &'a self,
        store: &'a KeyStoreId,
        new: SecretBytes,
    ) -> ClusterAnswer<'a, Vec<String>> {
        Box::pin(async move { self.change(store, &new).await })
    }

    fn random<'a>(&'a self, store: &'a KeyStoreId, length: usize) -> ClusterAnswer<'a, SecretBytes> {
        Box::pin(async move {
            let open = self.open.lock().get(store).cloned().ok_or(ClusterFailure::NoHsm)?;
            open.random(length as u64).await
        })
    }

    fn answering<'a>(&'a self, store: &'a KeyStoreId) -> HsmAnswer<'a, Vec<String>> {
        Box::pin(async move { Ok(self.logged_in(store)?.answering().await) })
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
    ) -> HsmAnswer<'a, HsmCiphertext> {
        Box::pin(async move { self.within_quota(store)?.encrypt(key, plaintext, additional_data).await })
    }

    fn decrypt<'a>(
        &'a self,
        store: &'a KeyStoreId,
        key: HsmKeyId,
        ciphertext: HsmCiphertext,
        additional_data: &'a [u8],
    ) -> HsmAnswer<'a, SecretBytes> {
        Box::pin(async move { self.within_quota(store)?.decrypt(key, ciphertext, additional_data).await })
    }

    fn destroy_key<'a>(
        &'a self,
        store: &'a KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
    ) -> HsmAnswer<'a, ()> {
        Box::pin(async move { self.logged_in(store)?.destroy(&serials, key).await })
    }

    fn discard_key(&self, store: &KeyStoreId, key: HsmKeyId) {
        self.discard(store, key);
    }

    fn wants_login(&self, store: &KeyStoreId) -> bool {
        let open = self.open.lock();
        let lost = open.get(store).is_none_or(|open| open.worker.deaths() != open.deaths);
        lost && !self.refused.lock().contains(store)
    }

    fn log_out<'a>(&'a self, store: &'a KeyStoreId) -> ClusterAnswer<'a, ()> {
        Box::pin(async move {
            self.refused.lock().remove(store);
            self.close(store).await;
            Ok(())
        })
    }
}
