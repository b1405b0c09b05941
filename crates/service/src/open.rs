//! The service itself: opened once, shared by all who serve requests and run jobs.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify};
use trent_attestation::{Freshness, Roots};
use trent_audit::{Checkpoint, Recorder, Trail};
use trent_crypto::{Random, SecretBytes};
use trent_database::{Database, DatabaseError};
use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::{AccessKey, Account, Caller, Owner, Record, Rights, Status, User};
use trent_domain::key_store::{EndpointService, RegisteredCluster};
use trent_domain::limits::{
    CLUSTER_CONNECT_SECONDS, GRANTS_PER_KEY_MAX, KEY_STORES_PER_REGION_MAX, KEYS_PER_REGION_MAX,
    ON_DEMAND_ROTATIONS_MAX, POLICY_BYTES_MAX, SESSION_KEY_DAYS,
};
use trent_domain::time::{Clock, Timestamp};
use trent_gate::{Endpoint, FormerHsmKey, Gate, OpenError, Parts, Registry, Standing};
use trent_protocol::ErrorCode;
use uuid::Uuid;

use crate::error::KmsError;
use crate::identity::{
    ClientCertificate, Configured, Directory, IdentityProblem, SessionError, Shown, SigningIdentity, Spoken,
    Stored, assemble,
};
use crate::jobs::{HealthChecks, Settling};
use crate::quotas::{Desk as QuotaDesk, QuotaRules, Throttled};
use crate::sts::{Fetch, MfaAttempts, ProviderKeyCache};

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Options {
    /// Customer managed keys per account and Region.
    pub keys_per_region_max: u64,
    /// Grants per key.
    pub grants_per_key_max: u64,
    /// Custom key stores per account and Region.
    pub key_stores_per_region_max: usize,
    /// Bytes of a key policy.
    pub policy_bytes_max: usize,
    /// On-demand rotations of one key.
    pub on_demand_rotations_max: usize,
    /// The Regions that keys may be replicated to; none is every well-formed name.
    pub regions: Option<Arc<[Region]>>,
    /// Seconds that a replica stays `Creating`, and that a change of the primary Region leaves both keys `Updating`.
    pub settling_seconds: u32,
    /// Days after which another key seals session tokens; 0 is never.
    pub session_key_days: u32,
    /// Seconds between two checks of the health of a connected external key store; 0 for none.
    pub health_check_seconds: u32,
    /// Seconds that an attempt to connect to a cluster of HSMs may take.
    pub cluster_connect_seconds: u32,
    /// Whom to trust about enclaves.
    pub attestation_roots: Roots,
    /// How old attestation documents may be.
    pub attestation_freshness: Freshness,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keys_per_region_max: KEYS_PER_REGION_MAX,
            grants_per_key_max: GRANTS_PER_KEY_MAX,
            key_stores_per_region_max: KEY_STORES_PER_REGION_MAX,
            policy_bytes_max: POLICY_BYTES_MAX,
            on_demand_rotations_max: ON_DEMAND_ROTATIONS_MAX,
            regions: None,
            settling_seconds: 0,
            session_key_days: SESSION_KEY_DAYS,
            health_check_seconds: 300,
            cluster_connect_seconds: CLUSTER_CONNECT_SECONDS,
            attestation_roots: Roots::aws(),
            attestation_freshness: Freshness::default(),
        }
    }
}

/// What the first start makes; the database must be empty for it.
pub struct Bootstrap {
    /// The account.
    pub account: AccountId,
    /// The name of its administrator.
    pub user: String,
    /// The administrator's access key id.
    pub access_key_id: String,
    /// The administrator's secret.
    pub secret: SecretBytes,
}

/// Whether this was the first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The deployment was made just now.
    First,
    /// It had been there.
    Again,
}

/// Why identities could not be replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The database could not be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// They do not fit together.
    #[error(transparent)]
    Problem(#[from] IdentityProblem),
}

/// A deployment of trent in this process.
pub struct Service {
    pub(crate) gate: Gate,
    pub(crate) database: Arc<dyn Database>,
    pub(crate) options: Options,
    pub(crate) quotas: QuotaDesk,
    pub(crate) trail: Trail,
    /// Records what has no request.
    pub(crate) recorder: Recorder,
    /// The checkpoint that the database knows.
    pub(crate) kept_checkpoint: Mutex<Option<Checkpoint>>,
    event_ids: parking_lot::Mutex<Vec<Uuid>>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    directory: ArcSwap<Directory>,
    // Held while the directory is read and replaced: of two changes at once, the one that read before the other was
    // committed must not replace the directory after it, or an access key that was disabled would sign again.
    pub(crate) configured: Mutex<Arc<Configured>>,
    pub(crate) provider_keys: ProviderKeyCache,
    pub(crate) mfa_attempts: MfaAttempts,
    /// The way to the network, where there is one.
    pub(crate) fetch: OnceLock<Arc<dyn Fetch>>,
    pub(crate) key_stores_wanted: Notify,
    pub(crate) settling: Settling,
    /// What is to be destroyed in HSMs, and since when.
    pub(crate) former_hsm_keys: parking_lot::Mutex<Vec<(Timestamp, FormerHsmKey)>>,
    pub(crate) health_checks: HealthChecks,
}

impl Service {
    /// Opens the service on its parts; `bootstrap` is asked for only when there is no account yet.
    pub async fn open(
        parts: Parts,
        options: Options,
        bootstrap: impl FnOnce() -> Option<Bootstrap>,
    ) -> Result<(Self, Started), OpenError> {
        let (database, random, clock) =
            (Arc::clone(&parts.database), Arc::clone(&parts.random), Arc::clone(&parts.clock));
        let gate = Gate::open(parts).await?;
        // Key stores that are connected are logged in to their HSMs as soon as anybody looks.
        let wanted = Notify::new();
        wanted.notify_one();
        let service = Self {
            gate,
            database,
            options,
            quotas: QuotaDesk::default(),
            trail: Trail::default(),
            recorder: Recorder::default(),
            kept_checkpoint: Mutex::default(),
            event_ids: parking_lot::Mutex::default(),
            random,
            clock,
            directory: ArcSwap::default(),
            configured: Mutex::default(),
            provider_keys: ProviderKeyCache::default(),
            mfa_attempts: MfaAttempts::default(),
            fetch: OnceLock::new(),
            key_stores_wanted: wanted,
            settling: Settling::default(),
            former_hsm_keys: parking_lot::Mutex::default(),
            health_checks: HealthChecks::default(),
        };
        let known = trent_database::read(&*service.database, |records| records.accounts()).await?;
        let started = match known.is_empty().then(bootstrap).flatten() {
            Some(bootstrap) => {
                service.bootstrap(bootstrap).await?;
                Started::First
            }
            None => Started::Again,
        };
        service.reload_identities().await.map_err(|error| OpenError::Identities(error.to_string()))?;
        Ok((service, started))
    }

    /// Where the service has its time from.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The service with a trail that records what it does; without one nothing is recorded.
    #[must_use]
    pub fn with_trail(mut self, trail: Trail) -> Self {
        self.recorder = trail.recorder();
        self.trail = trail;
        self
    }

    /// Where what it does is recorded.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Asks for custom key stores to be settled now, rather than when their time has come.
    pub(crate) fn wake_key_stores(&self) {
        self.key_stores_wanted.notify_one();
    }

    /// Waits until custom key stores are to be settled before their time.
    pub async fn key_stores_wanted(&self) {
        self.key_stores_wanted.notified().await;
    }

    /// Limits the requests of callers, from now on by these rules.
    pub fn limit_requests(&self, rules: QuotaRules) {
        self.quotas.put(rules);
    }

    /// The requests that were refused by such rules since the start.
    pub fn throttled(&self) -> Vec<Throttled> {
        self.quotas.throttled()
    }

    /// Replaces what the operator says of the world behind custom key stores.
    pub fn register(&self, registry: Registry) {
        self.gate.register(registry);
    }

    /// Replaces what the operator says of the ways to proxies, and nothing else.
    pub fn register_services(&self, services: Vec<EndpointService>) {
        let clusters = self.gate.registered().clusters.clone();
        self.gate.register(Registry { services, clusters });
    }

    /// Replaces what the operator says of clusters, and nothing else. The key stores of those are to be settled now, also
    /// where that is being done.
    pub fn register_clusters(&self, clusters: Vec<RegisteredCluster>) {
        let services = self.gate.registered().services.clone();
        self.gate.register(Registry { services, clusters });
        self.settling.want_again();
        self.wake_key_stores();
    }

    /// What the operator says of clusters.
    pub fn registered_clusters(&self) -> Vec<RegisteredCluster> {
        self.gate.registered().clusters.clone()
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The access key with this id, if it may sign. From memory.
    pub fn access_key(&self, id: &str) -> Option<Arc<SigningIdentity>> {
        self.directory.load().access_key(id)
    }

    /// Who signs with a temporary access key and its token. From memory, but for a token not seen before.
    pub fn session(&self, access_key_id: &str, token: &str) -> Result<Arc<SigningIdentity>, SessionError> {
        self.directory.load().session(access_key_id, token, self.now(), &self.gate)
    }

    /// The private endpoint that a listener is, if it is one. From memory.
    ///
    /// # Errors
    /// It is one that was taken out of the identity file: nothing passes through it.
    pub fn endpoint(&self, id: Option<&str>) -> Result<Option<Arc<Endpoint>>, KmsError> {
        let Some(id) = id else { return Ok(None) };
        match self.directory.load().endpoint(id) {
            Some(endpoint) => Ok(Some(endpoint)),
            None => {
                let text = format!("The VPC endpoint {id} does not exist.");
                Err(KmsError::new(ErrorCode::AccessDenied, text))
            }
        }
    }

    /// Whose API token this is. From memory.
    pub fn api_token(&self, token: &str) -> Result<Shown, SessionError> {
        self.directory.load().api_token(token, self.now())
    }

    /// For whom the holder of a certificate speaks. From memory. Certificates go by the time of the world, as the
    /// TLS library has it.
    pub fn certificate(
        &self,
        certificate: &ClientCertificate,
        now: Timestamp,
    ) -> Result<Shown, SessionError> {
        self.directory.load().certificate(certificate, now)
    }

    /// Who calls when a service does, and what bears on them; for everybody else themselves, whatever they say.
    ///
    /// # Errors
    /// A service may not speak for whom it names, or there is nobody of that name.
    pub fn spoken_for(
        &self,
        identity: &SigningIdentity,
        spoken: Spoken<'_>,
        region: Region,
    ) -> Result<(Arc<Caller>, Arc<Standing>), KmsError> {
        let Some(service) = &identity.service else {
            return Ok((Arc::clone(&identity.caller), Arc::clone(&identity.standing)));
        };
        let found = self.directory.load().spoken_for(identity, service, spoken, region);
        found.ok_or_else(|| {
            let text =
                format!("Service: {} is not authorized to act on behalf of this principal", service.name);
            KmsError::new(ErrorCode::AccessDenied, text)
        })
    }

    /// Lets providers of identities be asked for their keys. The first way that is given stays.
    pub fn fetch_with(&self, fetch: Arc<dyn Fetch>) {
        let _ = self.fetch.set(fetch);
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// A request id.
    pub fn new_request_id(&self) -> Uuid {
        // Without randomness the nil id is answered; every operation that matters fails by itself then.
        self.random_uuid().unwrap_or_default()
    }

    /// The id of an event. Drawn many at a time, since there is one for each use of a key.
    pub fn new_event_id(&self) -> Uuid {
        let mut ids = self.event_ids.lock();
        if ids.is_empty() {
            ids.extend(self.new_request_ids());
        }
        ids.pop().unwrap_or_default()
    }

    /// Request ids, many at once: that takes little longer than one.
    pub fn new_request_ids(&self) -> [Uuid; 64] {
        let mut bytes = [[0; 16]; 64];
        // As for one: without randomness the nil id is answered.
        let drawn = self.random.fill(bytes.as_flattened_mut());
        drawn.map_or([Uuid::nil(); 64], |()| {
            bytes.map(|bytes| uuid::Builder::from_random_bytes(bytes).into_uuid())
        })
    }

    /// Whether requests can be answered; otherwise why not.
    pub async fn ready(&self) -> Result<(), String> {
        if !self.trail.accepts() {
            return Err("the audit trail cannot be written".to_owned());
        }
        let read = trent_database::read(&*self.database, |records| records.setting("ready")).await;
        read.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Replaces what the identity file says. On an error everything stays as it was.
    pub async fn configure(&self, next: Configured) -> Result<(), ReloadError> {
        let mut configured = self.configured.lock().await;
        self.publish(&next).await?;
        *configured = Arc::new(next);
        Ok(())
    }

    /// How many bytes of key material could not be locked into memory.
    pub fn unlocked_bytes(&self) -> usize {
        self.gate.unlocked_bytes()
    }

    /// Waits until no key is being made or destroyed in HSMs.
    pub async fn hsm_keys_settled(&self) {
        self.gate.hsm_keys_settled().await;
    }

    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    pub(crate) fn random_array<const N: usize>(&self) -> Result<[u8; N], KmsError> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).map_err(|error| KmsError::internal(&error))?;
        Ok(bytes)
    }

    pub(crate) fn random_uuid(&self) -> Result<Uuid, KmsError> {
        Ok(uuid::Builder::from_random_bytes(self.random_array()?).into_uuid())
    }

    /// Takes changed identities into memory. On an error those in memory stay.
    pub(crate) async fn reload_identities(&self) -> Result<(), ReloadError> {
        let configured = self.configured.lock().await;
        self.publish(&configured).await
    }

    /// Puts the database and the file together and publishes the outcome. The caller holds the lock of `configured`.
    pub(crate) async fn publish(&self, configured: &Configured) -> Result<(), ReloadError> {
        let stored = trent_database::read(&*self.database, |records| Stored::read(records)).await?;
        self.directory.store(Arc::new(assemble(&stored, configured, &self.gate)?));
        Ok(())
    }

    /// The accounts of the identity file.
    pub(crate) async fn configured_accounts(&self) -> std::collections::BTreeSet<AccountId> {
        self.configured.lock().await.accounts.iter().map(|account| account.account.id).collect()
    }

    async fn bootstrap(&self, bootstrap: Bootstrap) -> Result<(), OpenError> {
        let Bootstrap { account, user, access_key_id, secret } = bootstrap;
        let sealed_secret = self.gate.seal_access_key_secret(&access_key_id, secret.expose())?;
        let created = self.now();
        let key = AccessKey {
            id: access_key_id,
            account,
            owner: Owner::User(user.clone()),
            status: Status::Active,
            created,
            sealed_secret,
        };
        let unique_id = self.unique_id("AIDA")?;
        let rights = Rights::administrator();
        let user = Record::User(User { rights, ..User::new(account, &user, &unique_id, created) });
        trent_database::write(&*self.database, "first start", move |transaction| {
            transaction.put_account(&Account { id: account, name: "main".into(), status: Status::Active })?;
            transaction.put_identity(&user)?;
            transaction.put_access_key(&key)?;
            Ok::<_, DatabaseError>(())
        })
        .await??;
        Ok(())
    }

    /// An id such as `AIDA` and 17 characters of base 32.
    pub(crate) fn unique_id(&self, prefix: &str) -> Result<String, OpenError> {
        const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut bytes = [0; 17];
        self.random.fill(&mut bytes).map_err(|error| OpenError::Store(error.into()))?;
        let letters = bytes.iter().filter_map(|byte| BASE_32.get(usize::from(byte % 32)).copied());
        Ok(prefix.chars().chain(letters.map(char::from)).collect())
    }
}
