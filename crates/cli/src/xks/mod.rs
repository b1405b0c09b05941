//! A proxy that serves: from an open data directory to the last signal.

mod tokens;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use trent_crypto::Random;
use trent_server::{Limits, Metrics, Settings, Tls, XksServer, XksSettings};
use trent_xks_proxy::{OpenError, Parts, Proxy, Reply};

use crate::admin_socket::{AdminSocket, Clerk, not_a_command};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::failure::misuse;
use crate::hsm_metrics::HsmMetrics;
use crate::instance::{Asked, Signals};
use crate::jobs::Jobs;
use crate::logging::LogLevel;
use crate::root_key::{Places, Source};
use crate::wiring;
use tokens::ConfiguredTokens;

pub(crate) use tokens::place_of;

/// What a proxy is made of, all of it checked as far as that is possible without opening anything.
pub(crate) struct Plan {
    pub(crate) config: Config,
    /// Reads the configuration again, as it was read for this one.
    pub(crate) read_again: Box<dyn Fn() -> Result<Config>>,
    pub(crate) data_dir: PathBuf,
    pub(crate) root_key: Source,
    pub(crate) tls: Arc<Tls>,
    pub(crate) level: LogLevel,
}

impl Plan {
    /// Serves until a signal ends it.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let data_dir = DataDir::open(&self.data_dir)?;
        // One thread for signals, jobs and the admin socket; requests have threads of their own.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.serve(&data_dir))
    }

    async fn serve(self, data_dir: &DataDir) -> Result<ExitCode> {
        // Before anything else, so that no signal that comes early takes its default course.
        let mut signals = Signals::new()?;
        let (metrics, hsms) = (Metrics::new(), HsmMetrics::default());
        hsms.register(&metrics);
        let proxy = Arc::new(self.open(data_dir, &hsms).await?);
        if proxy.unlocked_bytes() > 0 {
            let bytes = proxy.unlocked_bytes();
            tracing::warn!(bytes, "keys are in memory that could not be locked and may be swapped");
        }
        let server = XksServer::start(self.settings(), &proxy, &metrics).map_err(|error| {
            misuse(format!("{error}; is another proxy running? --listen names another address"))
        })?;
        let admin = AdminSocket::of(data_dir.path(), Desk(Arc::clone(&proxy)))?;
        let jobs = Jobs::start(self.config.jobs.interval_seconds.seconds(), {
            let proxy = Arc::clone(&proxy);
            move || delete_due_keys(Arc::clone(&proxy))
        });
        say_ready(&server);

        while let Asked::Reload = signals.next().await {
            self.reload(&server);
        }
        tracing::info!("draining");
        let ending = async {
            let cut = server.drain(self.config.xks_proxy.drain_seconds.seconds()).await;
            if cut > 0 {
                tracing::warn!(connections = cut, "requests that took too long were cut");
            }
            drop(admin);
            jobs.stop().await;
        };
        tokio::select! {
            () = ending => {
                tracing::info!("stopped");
                Ok(ExitCode::SUCCESS)
            }
            () = signals.stop_at_once() => {
                tracing::warn!("stopped at once: a second signal came");
                Ok(ExitCode::FAILURE)
            }
        }
    }

    async fn open(&self, data_dir: &DataDir, hsms: &HsmMetrics) -> Result<Proxy> {
        let database = wiring::open_database(data_dir.path())?;
        let places = Places::of(&self.config.root_key, data_dir.path());
        let root_key = wiring::open_root_key(&*database, &self.root_key, &places).await?;
        if root_key.made {
            tracing::warn!("{}", self.root_key.advice(&places));
        }
        let random: Arc<dyn Random> = wiring::random();
        let model = format!("trent xks-proxy {}", env!("CARGO_PKG_VERSION"));
        let keyring = root_key.keyring;
        let clock = Arc::new(SystemClock);
        let tokens = Arc::new(ConfiguredTokens::of(&self.config, Arc::clone(&random), hsms)?);
        let parts = Parts { database, keyring, random, tokens: Arc::clone(&tokens) as _, clock, model };
        let proxy = Proxy::open(parts).await.map_err(|error| match error {
            OpenError::WrongRootKey | OpenError::NotOfAProxy => {
                misuse(format!("{error}; nothing was changed"))
            }
            other => anyhow::Error::new(other).context("the proxy cannot be opened"),
        })?;
        tokens.open();
        Ok(proxy)
    }

    fn settings(&self) -> XksSettings {
        let section = &self.config.xks_proxy;
        XksSettings {
            addresses: section.listen.0.clone(),
            operations: section.ops_listen,
            tls: Arc::clone(&self.tls),
            cores: match section.threads.as_usize() {
                0 => Settings::default().cores,
                threads => threads,
            },
            limits: Limits { body_bytes_max: trent_xks::BODY_BYTES_MAX, ..Limits::default() },
        }
    }

    fn reload(&self, server: &XksServer) {
        match (self.read_again)().and_then(|config| self.level.set(&config.log.level)) {
            Ok(()) => tracing::info!("the log level was read anew"),
            Err(error) => tracing::error!("the log level stays as it was: {error:#}"),
        }
        match server.reload() {
            Ok(()) => tracing::info!("the certificate was read anew"),
            Err(error) => tracing::error!("the certificate stays as it was: {error}"),
        }
    }
}

async fn delete_due_keys(proxy: Arc<Proxy>) {
    if let Err(error) = proxy.delete_due_keys().await {
        tracing::error!(error, "external keys that are due could not be deleted; it is tried again");
    }
}

/// The line that others wait for.
fn say_ready(server: &XksServer) {
    let ops = server.operations_address().map(|address| format!(" ops http://{address}"));
    let served = server.addresses().iter().map(|address| format!(" xks https://{address}"));
    let line: String = served.chain(ops).collect();
    // Nobody need be listening.
    let _ = writeln!(io::stdout(), "trent is ready:{line}");
    let _ = io::stdout().flush();
}

/// Does what `trent admin` asks of a proxy.
struct Desk(Arc<Proxy>);

impl Clerk for Desk {
    async fn answer(&self, line: &[u8]) -> serde_json::Result<Vec<u8>> {
        let reply = match serde_json::from_slice(line) {
            Ok(command) => self.0.administer(command).await,
            // The text of the parser would repeat what may be key material.
            Err(error) if error.is_data() => {
                Reply::Refused { problem: "not a command of a proxy".to_owned() }
            }
            Err(error) => Reply::Refused { problem: not_a_command(&error) },
        };
        serde_json::to_vec(&reply)
    }
}
