//! Puts the parts together: database, root key, key ring, store, service.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use trent_crypto::{Key256, Random, SystemRandom};
use trent_database::{Database, Embedded};
use trent_domain::time::Clock;
use trent_gate::{Gate, OpenError, Parts};
use trent_keystore::{Keyring, SoftwareStore};
use trent_service::{Bootstrap, Options, Registry, Service, Started};

use crate::clock::SystemClock;
use crate::clusters::{HsmClusters, registered};
use crate::config::Config;
use crate::failure::misuse;
use crate::hsm_metrics::HsmMetrics;
use crate::proxies::{HttpsProxies, KeyStoreMetrics, Ways};
use crate::root_key::{Fingerprint, Places, Source, complete, hex};

/// The row of the database that tells which root key sealed it.
const FINGERPRINT: &str = "root-key-fingerprint";

/// Opens the database of a data directory.
pub(crate) fn open_database(data_dir: &Path) -> Result<Arc<Embedded>> {
    let database = Embedded::open(data_dir);
    Ok(Arc::new(
        database.with_context(|| format!("the database in {} cannot be opened", data_dir.display()))?,
    ))
}

/// Which root key the database was sealed with; nothing before the first start.
pub(crate) async fn sealed_with(database: &dyn Database) -> Result<Option<Fingerprint>> {
    fingerprint(trent_database::read(database, |records| records.setting(FINGERPRINT)).await?)
}

/// The same of the database of a directory that need not be this process's.
pub(crate) fn directory_sealed_with(data_dir: &Path) -> Result<Option<Fingerprint>> {
    fingerprint(Embedded::look(data_dir, |records| records.setting(FINGERPRINT))?)
}

fn fingerprint(row: Option<Vec<u8>>) -> Result<Option<Fingerprint>> {
    let fingerprint = |row: Vec<u8>| {
        row.try_into().map_err(|row: Vec<u8>| {
            anyhow::anyhow!("setting `{FINGERPRINT}` of the database is broken: {}", hex(&row))
        })
    };
    row.map(fingerprint).transpose()
}

/// A root key in force, and whether it was made just now.
pub(crate) struct RootKey {
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) made: bool,
}

/// Opens the root key of a database, after completing a rekeying that was interrupted.
pub(crate) async fn open_root_key(
    database: &dyn Database,
    source: &Source,
    places: &Places,
) -> Result<RootKey> {
    let sealed_with = sealed_with(database).await?;
    if let Some(fingerprint) = sealed_with
        && complete(places, fingerprint)?.is_some()
    {
        tracing::warn!("completed a rekeying that was interrupted");
    }
    let opened = source.open(places, sealed_with, &*random()).await?;
    Ok(RootKey { keyring: keyring(&opened.root), made: opened.made })
}

/// A key ring that has its root key only.
pub(crate) fn keyring(root: &Key256) -> Arc<Keyring> {
    Arc::new(Keyring::new(root, random()))
}

/// The randomness of the system.
pub(crate) fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom::new())
}

/// Has material ids of a new database made as in every other of `trent dev`, so that ciphertexts under keys of a seed
/// file can be kept with the tests that decrypt them.
pub(crate) async fn fix_material_ids(database: &dyn Database, keyring: &Arc<Keyring>) -> Result<()> {
    Ok(Gate::fix_material_ids(database, keyring, &Key256::new([0; 32])).await?)
}

/// What keys are with that are not here.
pub(crate) struct Outside {
    pub(crate) proxies: Arc<HttpsProxies>,
    pub(crate) clusters: Arc<HsmClusters>,
}

/// Opens the service; the first start makes what `bootstrap` says.
pub(crate) async fn open_service(
    database: Arc<dyn Database>,
    keyring: Arc<Keyring>,
    config: &Config,
    clock: Arc<dyn Clock>,
    trail: Option<trent_audit::Settings>,
    outside: Outside,
    bootstrap: impl FnOnce() -> Option<Bootstrap>,
) -> Result<(Arc<Service>, Started)> {
    let clusters = registered(&config.hsm)?;
    let parts = parts(database, keyring, config, clock, outside)?;
    let signatures = config.auth.signatures();
    let options = Options {
        keys_per_region_max: config.limits.keys_per_region.get(),
        grants_per_key_max: config.limits.grants_per_key.get(),
        regions: signatures.regions.map(Arc::from),
        settling_seconds: config.jobs.settling_seconds.as_u32(),
        session_key_days: config.auth.session_key_days.as_u32(),
        key_stores_per_region_max: config.limits.custom_key_stores.as_usize(),
        policy_bytes_max: config.limits.key_policy_bytes.as_usize(),
        on_demand_rotations_max: config.limits.on_demand_rotations.as_usize(),
        health_check_seconds: config.xks.health_check_seconds.as_u32(),
        cluster_connect_seconds: config.hsm.connect_seconds.as_u32(),
        attestation_roots: config.attestation.roots()?,
        attestation_freshness: config.attestation.freshness(signatures.skew_seconds),
    };
    let (service, started) = Service::open(parts, options, bootstrap).await.map_err(not_opened)?;
    service.limit_requests(config.quotas.rules());
    let services = config.xks.vpc_endpoint_service.clone();
    service.register(Registry { services, clusters });
    let service = match trail {
        Some(settings) => service.open_trail(settings).await.map_err(anyhow::Error::msg)?,
        None => service,
    };
    if started == Started::First {
        service.record_first_start().await?;
    }
    Ok((Arc::new(service), started))
}

/// Opens the gate of a deployment that is stopped, for those who need no service.
pub(crate) async fn open_gate(
    database: Arc<dyn Database>,
    keyring: Arc<Keyring>,
    config: &Config,
) -> Result<Gate> {
    let proxies = HttpsProxies::new(Ways::read(&config.xks)?, KeyStoreMetrics::default());
    let clusters = HsmClusters::new(&config.hsm, &registered(&config.hsm)?, &HsmMetrics::default());
    let outside = Outside { proxies: Arc::new(proxies), clusters: Arc::new(clusters) };
    let parts = parts(database, keyring, config, Arc::new(SystemClock), outside)?;
    Gate::open(parts).await.map_err(not_opened)
}

fn parts(
    database: Arc<dyn Database>,
    keyring: Arc<Keyring>,
    config: &Config,
    clock: Arc<dyn Clock>,
    outside: Outside,
) -> Result<Parts> {
    let store = SoftwareStore::new(Arc::clone(&keyring)).context("the key store cannot be opened")?;
    let Outside { proxies, clusters } = outside;
    let (store, bounds) = (Arc::new(store), config.cache.bounds());
    Ok(Parts { database, store, keyring, proxies, clusters, random: random(), clock, bounds })
}

fn not_opened(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::WrongRootKey => {
            misuse(format!("{error}; put the right one in place; nothing was changed"))
        }
        other => anyhow::Error::new(other).context("the service cannot be opened"),
    }
}
