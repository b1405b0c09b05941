//! A trent that serves: from an open data directory to the last signal.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use trent_database::Database;
use trent_domain::time::Clock;
use trent_server::{Credentials, Faults, Listen, Metrics, Server, Settings, Tls, WebClient};
use trent_service::{Configured, Service, Started};

use crate::admin_socket::AdminSocket;
use crate::clock::SystemClock;
use crate::clusters::{HsmClusters, registered};
use crate::commands::serve::check_plain_http;
use crate::config::{Config, Environment, HsmSection, HttpSection, IdentityFile, place_of};
use crate::data_dir::DataDir;
use crate::deliveries::Deliveries;
use crate::dev::seed::Seed;
use crate::dev::{Desk as DevDesk, MovableClock};
use crate::failure::misuse;
use crate::first_start::{self, FirstAccessKey, credentials_file};
use crate::hsm_metrics::HsmMetrics;
use crate::jobs::Jobs;
use crate::logging::LogLevel;
use crate::metrics::{AuditMetrics, ProcessMetrics, QuotaMetrics};
use crate::proxies::{HttpsProxies, KeyStoreMetrics, Ways};
use crate::root_key::{Places, Source};
use crate::wiring::{self, Outside};

/// What an instance is made of, all of it checked as far as that is possible without opening anything.
pub(crate) struct Plan {
    pub(crate) config: Config,
    /// Reads the configuration again, as it was read for this one.
    pub(crate) read_again: Box<dyn Fn() -> Result<Config>>,
    pub(crate) environment: Environment,
    pub(crate) data_dir: PathBuf,
    pub(crate) root_key: Source,
    pub(crate) first_access_key: FirstAccessKey,
    /// Of `trent dev` alone.
    pub(crate) seed: Option<Seed>,
    pub(crate) mode: Mode,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) level: LogLevel,
}

/// What an instance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Keys that count.
    Serve,
    /// Tests, with the access key `test`.
    Dev,
    /// Tests, with whatever credentials come.
    DevAnyCredentials,
}

/// What serving needs of an open data directory.
struct Opened {
    service: Arc<Service>,
    started: Started,
    proxies: Arc<HttpsProxies>,
    clusters: Arc<HsmClusters>,
    /// Of `trent dev` alone.
    clock: Option<Arc<MovableClock>>,
}

impl Plan {
    /// Serves until a signal ends it.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let data_dir = DataDir::open(&self.data_dir)?;
        // One thread for signals, jobs and the admin socket; requests have threads of their own.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(self.serve(&data_dir));
        // Without waiting for its threads: what the system is asked about names may take it minutes.
        runtime.shutdown_background();
        let (code, service) = served?;
        // Threads of the server may hold the service a moment longer than the drain.
        if let Some(service) = service {
            service.close_database();
        }
        Ok(code)
    }

    async fn serve(mut self, data_dir: &DataDir) -> Result<(ExitCode, Option<Arc<Service>>)> {
        // Before anything else, so that no signal that comes early takes its default course.
        let mut signals = Signals::new()?;
        let mut identities = IdentityFile::of(&self.config.identity);
        let configured = identities.read(&self.environment)?;
        let endpoints = endpoints_of(&configured);
        check_plain_http(&self.config.http, endpoints.iter().map(|(_, address)| *address))?;
        let (key_stores, hsms) = (KeyStoreMetrics::default(), HsmMetrics::default());
        let Opened { service, started, proxies, clusters, clock } =
            self.open(data_dir.path(), &configured, key_stores.clone(), hsms.clone()).await?;
        service.fetch_with(Arc::new(WebClient));
        configure(&service, &identities, configured).await?;
        if let Some(seed) = self.seed.take() {
            seed.apply(&service).await?;
        }
        warn_of_unlocked_memory(&service);
        let (metrics, process) = (Metrics::new(), ProcessMetrics::default());
        process.register(&metrics);
        AuditMetrics::register(service.trail(), &metrics);
        QuotaMetrics::register(&service, &metrics);
        key_stores.register(&metrics);
        hsms.register_with_key_stores(&metrics);
        process.look_at_memory(&service);
        process.look_at_certificate(self.config.http.tls_certificate.as_deref());
        let deliveries = Deliveries::start(&self.config, data_dir.path(), service.trail(), &metrics)?;
        // Of `trent dev` alone.
        let faults = clock.as_ref().map(|_| Arc::new(Faults::default()));
        let settings = Settings { faults: faults.clone(), ..self.settings(&service, &endpoints)? };
        let server = Server::start(settings, Arc::clone(&service), &metrics).map_err(|error| {
            misuse(format!("{error}; is another trent running? --listen names another address"))
        })?;
        let dev = clock.zip(faults).map(|(clock, faults)| DevDesk::new(clock, faults, Arc::clone(&service)));
        let admin = AdminSocket::serve(data_dir.path(), Arc::clone(&service), dev)?;
        let jobs = self.start_jobs(&service, &process);
        self.say_how_to_use(data_dir.path(), &server, started);
        say_ready(&self.config.http, &server, &endpoints);

        let drain = self.config.http.drain_seconds.seconds();
        let reloaded = Arc::clone(&service);
        let mut reload =
            Reload { plan: self, service: reloaded, proxies, clusters, identities, endpoints, process };
        reload.until_stopped(&mut signals, &server).await;
        tracing::info!("draining");
        let ending = async {
            let cut = server.drain(drain).await;
            if cut > 0 {
                tracing::warn!(connections = cut, "requests that took too long were cut");
            }
            drop(admin);
            deliveries.stop().await;
            end_work(jobs, &service, drain).await;
            if let Err(error) = service.flush_last_usage().await {
                tracing::error!(%error, "the last usages of keys could not be written");
            }
            if let Err(error) = service.close_trail().await {
                tracing::error!(%error, "the end of the audit trail could not be noted in the database");
            }
        };
        tokio::select! {
            () = ending => {
                tracing::info!("stopped");
                Ok((ExitCode::SUCCESS, Some(Arc::clone(&service))))
            }
            () = signals.stop_at_once() => {
                tracing::warn!("stopped at once: a second signal came");
                Ok((ExitCode::FAILURE, None))
            }
        }
    }

    fn start_jobs(&self, service: &Arc<Service>, process: &ProcessMetrics) -> [Jobs; 3] {
        let interval = self.config.jobs.interval_seconds.seconds();
        let jobs = Jobs::start(interval, {
            let (service, process) = (Arc::clone(service), process.clone());
            move || run_jobs(Arc::clone(&service), process.clone())
        });
        // Apart from the others: no proxy, and no HSM, keeps a deletion waiting.
        let checks = Jobs::start(interval, {
            let service = Arc::clone(service);
            move || check_key_stores(Arc::clone(&service))
        });
        let wanted = {
            let service = Arc::clone(service);
            move || {
                let service = Arc::clone(&service);
                async move { service.key_stores_wanted().await }
            }
        };
        let settling = Jobs::start_side_by_side(interval, wanted, {
            let service = Arc::clone(service);
            move || settle_key_stores(Arc::clone(&service))
        });
        [jobs, checks, settling]
    }

    async fn open(
        &self,
        data_dir: &Path,
        configured: &Configured,
        key_stores: KeyStoreMetrics,
        hsms: HsmMetrics,
    ) -> Result<Opened> {
        let database = wiring::open_database(data_dir)?;
        let places = Places::of(&self.config.root_key, data_dir);
        let root_key = wiring::open_root_key(&*database, &self.root_key, &places).await?;
        if root_key.made && self.mode == Mode::Serve {
            tracing::warn!("{}", self.root_key.advice(&places));
        }
        let mut failure = None;
        let bootstrap = || {
            if !first_start::is_wanted(configured, &self.config, &self.first_access_key) {
                return None;
            }
            let account = self.config.data.account_id;
            let prepared =
                first_start::prepare(data_dir, account, &self.first_access_key, &*wiring::random());
            prepared.map_err(|error| failure = Some(error)).ok()
        };
        if self.mode != Mode::Serve {
            wiring::fix_material_ids(&*database, &root_key.keyring).await?;
        }
        let clock = self.movable_clock(Arc::clone(&database) as _).await?;
        let time: Arc<dyn Clock> = match &clock {
            Some(clock) => Arc::clone(clock) as _,
            None => Arc::new(SystemClock),
        };
        let trail = self.config.audit.settings(data_dir, self.mode != Mode::Serve);
        let proxies = Arc::new(HttpsProxies::new(Ways::read(&self.config.xks)?, key_stores));
        let registered = registered(&self.config.hsm)?;
        let clusters = Arc::new(HsmClusters::new(&self.config.hsm, &registered, &hsms));
        let (service, started) = wiring::open_service(
            database,
            root_key.keyring,
            &self.config,
            time,
            trail,
            Outside { proxies: Arc::clone(&proxies), clusters: Arc::clone(&clusters) as _ },
            bootstrap,
        )
        .await?;
        failure.map_or(Ok(Opened { service, started, proxies, clusters, clock }), Err)
    }

    /// The clock of `trent dev`.
    async fn movable_clock(&self, database: Arc<dyn Database>) -> Result<Option<Arc<MovableClock>>> {
        if self.mode == Mode::Serve {
            return Ok(None);
        }
        let clock = MovableClock::of(database, Arc::new(SystemClock)).await?;
        Ok(Some(Arc::new(clock)))
    }

    fn settings(&self, service: &Service, endpoints: &Endpoints) -> Result<Settings> {
        let http = &self.config.http;
        let listen = |address| Listen { address, tls: self.tls.clone(), endpoint: None };
        let private = endpoints
            .iter()
            .map(|(id, address)| Listen { endpoint: Some(id.as_str().into()), ..listen(*address) });
        let defaults = Settings::default();
        Ok(Settings {
            listeners: http.listen.0.iter().copied().map(listen).chain(private).collect(),
            operations: self.config.ops.enabled.then_some(self.config.ops.listen),
            cores: match http.threads.as_usize() {
                0 => defaults.cores,
                threads => threads,
            },
            limits: http.limits(),
            path_prefix: http.path_prefix.clone(),
            trusted_proxies: http.trusted_proxies.0.clone(),
            clock: Some(Arc::new(SystemClock)),
            faults: None,
            credentials: self.credentials(service)?,
        })
    }

    fn credentials(&self, service: &Service) -> Result<Credentials> {
        let test = service.access_key(first_start::TEST);
        match (self.mode, test) {
            (Mode::Serve, test) => {
                if test.is_some() {
                    tracing::warn!(
                        "this data directory was made by `trent dev`: everybody knows the access key `test`"
                    );
                }
                Ok(Credentials::Signed(self.config.auth.signatures()))
            }
            (Mode::Dev, Some(_)) => Ok(Credentials::Signed(self.config.auth.signatures())),
            (Mode::DevAnyCredentials, Some(test)) => {
                let root = trent_domain::identity::Caller::root(test.caller.account, first_start::TEST);
                Ok(Credentials::Any(Arc::new(root)))
            }
            // Else the keys of a production server would be open to whoever reaches this machine.
            (Mode::Dev | Mode::DevAnyCredentials, None) => {
                Err(misuse("this data directory was not made by `trent dev`; `trent serve` serves it"))
            }
        }
    }

    fn say_how_to_use(&self, data_dir: &Path, server: &Server, started: Started) {
        let endpoint = urls(&self.config.http, server).into_iter().next().unwrap_or_default();
        let file = credentials_file(data_dir);
        let (made, credentials) = match self.mode {
            Mode::DevAnyCredentials | Mode::Dev => {
                (String::new(), "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test".to_owned())
            }
            Mode::Serve if started == Started::First => {
                let file = file.display();
                let made =
                    format!("Made an account and its administrator `admin`; the access key is in {file}.\n");
                (made, format!("AWS_SHARED_CREDENTIALS_FILE={file}"))
            }
            Mode::Serve => return,
        };
        let move_the_clock = match self.mode {
            Mode::Serve => String::new(),
            Mode::Dev | Mode::DevAnyCredentials => {
                format!("\n  trent admin --data-dir {} clock advance 8d", data_dir.display())
            }
        };
        // Nobody need be reading.
        let _ = writeln!(
            io::stderr(),
            "{made}To use it:\n  export AWS_ENDPOINT_URL_KMS={endpoint} AWS_REGION=us-east-1 {credentials}\n  aws kms \
             create-key{move_the_clock}"
        );
    }
}

/// Brings what the identity file says into force, or says where in it what is wrong.
async fn configure(service: &Service, file: &IdentityFile, configured: Configured) -> Result<()> {
    let places = configured.places();
    service.configure(configured).await.map_err(|error| {
        let place = place_of(&places, &error);
        file.locate(&error, place)
    })
}

/// Lets jobs end, and keys that are being made or destroyed in HSMs. Whoever asked for those may have gone: else they would be
/// left there with nobody who knows.
async fn end_work(jobs: [Jobs; 3], service: &Service, limit: Duration) {
    for jobs in jobs {
        jobs.stop().await;
    }
    if timeout(limit, service.hsm_keys_settled()).await.is_err() {
        tracing::error!("keys that were being made or destroyed in HSMs are left in the middle");
    }
}

fn warn_of_unlocked_memory(service: &Service) {
    let bytes = service.unlocked_bytes();
    if bytes > 0 {
        tracing::warn!(
            bytes,
            "keys are in memory that could not be locked and may be swapped; see `trent doctor`"
        );
    }
}

/// The private endpoints that there are, and where they listen.
type Endpoints = Vec<(String, SocketAddr)>;

fn endpoints_of(configured: &Configured) -> Endpoints {
    configured.endpoints.iter().map(|endpoint| (endpoint.vpce_id.clone(), endpoint.listener)).collect()
}

/// Where the listeners are: those of `http.listen`, and then those of private endpoints.
fn urls(http: &HttpSection, server: &Server) -> Vec<String> {
    let scheme = if http.tls_certificate.is_some() { "https" } else { "http" };
    server.addresses().iter().map(|address| format!("{scheme}://{address}{}", http.path_prefix)).collect()
}

/// The line that others wait for.
fn say_ready(http: &HttpSection, server: &Server, endpoints: &Endpoints) {
    let urls = urls(http, server);
    let (public, private) = urls.split_at(http.listen.0.len().min(urls.len()));
    let kms = public.iter().map(|url| format!(" kms {url}"));
    let private = endpoints.iter().zip(private).map(|((id, _), url)| format!(" {id} {url}"));
    let ops = server.operations_address().map(|address| format!(" ops http://{address}"));
    let line: String = kms.chain(ops).chain(private).collect();
    // Nobody need be listening.
    let _ = writeln!(io::stdout(), "trent is ready:{line}");
    let _ = io::stdout().flush();
}

/// The signals a server knows.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal asks for.
pub(crate) enum Asked {
    Reload,
    Stop,
}

impl Signals {
    pub(crate) fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    pub(crate) async fn stop_at_once(&mut self) {
        while let Asked::Reload = self.next().await {}
    }
}

async fn run_jobs(service: Arc<Service>, process: ProcessMetrics) {
    let outcome = service.run_jobs().await;
    process.jobs_have_run(&outcome, &service);
    if let Err(error) = outcome {
        tracing::error!(%error, "a job failed; it is run again");
    }
}

async fn settle_key_stores(service: Arc<Service>) {
    if let Err(error) = service.settle_key_stores().await {
        tracing::error!(%error, "custom key stores could not be connected or disconnected; it is tried again");
    }
}

async fn check_key_stores(service: Arc<Service>) {
    if let Err(error) = service.check_key_stores().await {
        tracing::error!(%error, "custom key stores could not be looked after; it is tried again");
    }
}

/// SIGHUP.
struct Reload {
    plan: Plan,
    service: Arc<Service>,
    proxies: Arc<HttpsProxies>,
    clusters: Arc<HsmClusters>,
    identities: IdentityFile,
    /// Those that are listened on.
    endpoints: Endpoints,
    process: ProcessMetrics,
}

impl Reload {
    /// Answers signals and looks after the identity file, until a signal says to stop.
    async fn until_stopped(&mut self, signals: &mut Signals, server: &Server) {
        let every = self.plan.config.identity.check_seconds.seconds();
        loop {
            // Without an interval the file is looked at when a signal asks for it.
            let next =
                if every.is_zero() { Ok(signals.next().await) } else { timeout(every, signals.next()).await };
            match next {
                Ok(Asked::Reload) => self.run(server).await,
                Ok(Asked::Stop) => return,
                Err(_) if self.identities.has_changed() => self.read_identities().await,
                Err(_) => {}
            }
        }
    }

    /// Brings a changed identity file into force; one that is wrong changes nothing.
    async fn read_identities(&mut self) {
        match self.configure_identities().await {
            Ok(()) => tracing::info!("identity file reloaded"),
            Err(error) => tracing::error!("identities stay as they were: {error:#}"),
        }
    }

    async fn configure_identities(&mut self) -> Result<()> {
        let configured = self.identities.read(&self.plan.environment)?;
        if endpoints_of(&configured) != self.endpoints {
            tracing::warn!(
                "other endpoints are listened on after a restart; those that are gone let nothing through"
            );
        }
        configure(&self.service, &self.identities, configured).await
    }

    /// Brings a changed configuration and changed certificates into force; of what is wrong, the old stays.
    async fn run(&mut self, server: &Server) {
        match self.configure().await {
            Ok(()) => tracing::info!("configuration reloaded"),
            Err(error) => tracing::error!("the configuration stays as it was: {error:#}"),
        }
        let failed = server.reload();
        for error in &failed {
            tracing::error!("the certificate stays as it was: {error}");
        }
        if failed.is_empty() {
            self.process.look_at_certificate(self.plan.config.http.tls_certificate.as_deref());
        }
    }

    async fn configure(&mut self) -> Result<()> {
        let config = (self.plan.read_again)()?;
        let ways = Ways::read(&config.xks)?;
        let clusters = registered(&config.hsm)?;
        self.configure_identities().await?;
        self.proxies.put(ways);
        self.service.register_services(config.xks.vpc_endpoint_service.clone());
        self.plan.level.set(&config.log.level)?;
        if config.quotas != self.plan.config.quotas {
            self.service.limit_requests(config.quotas.rules());
            self.plan.config.quotas = config.quotas.clone();
        }
        let connect_seconds = self.plan.config.hsm.connect_seconds;
        let hsm = HsmSection { connect_seconds, ..config.hsm.clone() };
        if hsm != self.plan.config.hsm || clusters != self.service.registered_clusters() {
            self.clusters.configure(&hsm, &clusters);
            self.service.register_clusters(clusters);
            self.plan.config.hsm = hsm;
        }
        let restart = config.needs_restart_for(&self.plan.config);
        if !restart.is_empty() {
            tracing::warn!(sections = restart.join(", "), "changes in these sections need a restart");
        }
        Ok(())
    }
}
