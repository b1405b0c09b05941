//! A running server: started from settings, reloaded, drained.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use trent_domain::time::Clock;
use trent_service::Service;

use crate::authenticate::Credentials;
use crate::body::Bodies;
use crate::core;
use crate::faults::Faults;
use crate::forwarded::TrustedProxies;
use crate::http::{Api, Kms};
use crate::limits::Limits;
use crate::metrics::{ConnectionMetrics, Metrics};
use crate::ops::Operations;
use crate::pool::{Bound, Pool, bind};
use crate::tls::{CertificateError, Tls};

/// A listener of the API.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// With which certificate; plain HTTP without. May be shared by listeners.
    pub tls: Option<Arc<Tls>>,
    /// The id of the private endpoint that it is, if it is one.
    pub endpoint: Option<Arc<str>>,
}

/// How to serve.
#[derive(Clone)]
pub struct Settings {
    /// The listeners of the API.
    pub listeners: Vec<Listen>,
    /// The listener for `/healthz`, `/readyz` and `/metrics`, plain HTTP.
    pub operations: Option<SocketAddr>,
    /// Threads that serve the API, each with a runtime of its own. Default: as many as the machine has.
    pub cores: usize,
    /// What clients may take.
    pub limits: Limits,
    /// A path before that of the API, such as `/kms`; it is part of what clients sign. Default: none.
    pub path_prefix: String,
    /// The proxies that are believed when they say whose request it is. Default: none.
    pub trusted_proxies: TrustedProxies,
    /// Whom to believe.
    pub credentials: Credentials,
    /// The clock that signatures are judged by and `Date` tells, where it is not the service's: clients sign by the
    /// time of the world, also when that of the service has been moved.
    pub clock: Option<Arc<dyn Clock>>,
    /// Faults that strike requests, for tests. Default: no such thing.
    pub faults: Option<Arc<Faults>>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            operations: None,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            limits: Limits::default(),
            path_prefix: String::new(),
            trusted_proxies: TrustedProxies::default(),
            credentials: Credentials::default(),
            clock: None,
            faults: None,
        }
    }
}

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// An address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// The system gives no thread or runtime.
    Threads(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Threads(error) => write!(f, "cannot start the threads of the server: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A running server. Dropping it stops it at once.
pub struct Server {
    api: Pool,
    operations: Option<Pool>,
    tls: Vec<Arc<Tls>>,
    draining: Arc<AtomicBool>,
}

impl Server {
    /// Binds all listeners and serves. When this returns, every listener answers.
    ///
    /// # Errors
    /// A listener cannot be bound, or a thread not be started; nothing is left running then.
    pub fn start(settings: Settings, service: Arc<Service>, metrics: &Metrics) -> Result<Self, StartError> {
        let Settings {
            listeners,
            operations,
            cores,
            limits,
            path_prefix,
            trusted_proxies,
            credentials,
            clock,
            faults,
        } = settings;
        let tls = listeners.iter().filter_map(|listen| listen.tls.clone()).collect();
        let bound = listeners.iter().map(bind_api).collect::<Result<Vec<_>, _>>()?;
        let draining = Arc::new(AtomicBool::new(false));
        let operations = match operations {
            Some(address) => {
                let endpoint = Operations {
                    ready: Arc::clone(&service) as _,
                    metrics: metrics.clone(),
                    limits: limits.clone(),
                    draining: Arc::clone(&draining),
                };
                Some(start_operations(address, &endpoint)?)
            }
            None => None,
        };
        let api = Arc::new(Api {
            faults,
            clock: clock.unwrap_or_else(|| service.clock()),
            service,
            credentials: Arc::new(credentials),
            bodies: Bodies::new(&limits),
            limits: limits.clone(),
            path_prefix: path_prefix.trim_end_matches('/').to_owned(),
            trusted_proxies,
            metrics: metrics.clone(),
        });
        let api = Pool::start("api", bound, cores, &limits, &metrics.connections, || Kms::new(&api))
            .map_err(StartError::Threads)?;
        Ok(Self { api, operations, tls, draining })
    }

    /// Where the API is served, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.api.addresses()
    }

    /// Where the operations listener is.
    #[must_use]
    pub fn operations_address(&self) -> Option<SocketAddr> {
        self.operations.as_ref().and_then(|pool| pool.addresses().first().copied())
    }

    /// Reads all certificates anew. Those that cannot be used are reported, and the old ones stay.
    #[must_use]
    pub fn reload(&self) -> Vec<CertificateError> {
        self.tls.iter().filter_map(|tls| tls.reload().err()).collect()
    }

    /// Accepts no more, lets requests in flight end and closes all else; waits until that is done, or cuts what
    /// is left at the deadline. Called a second time, also while the first waits, it ends everything at once.
    ///
    /// Gives the number of connections that were cut. Needs no particular runtime.
    pub async fn drain(&self, deadline: Duration) -> usize {
        if self.draining.swap(true, Relaxed) {
            self.api.stop();
        } else {
            self.api.drain(deadline);
        }
        let cut = self.api.ended().await;
        // To the last, the operations listener says that the server drains.
        if let Some(operations) = &self.operations {
            operations.stop();
            operations.ended().await;
        }
        cut
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

pub(crate) fn bind_api(listen: &Listen) -> Result<Bound, StartError> {
    let socket = bind(listen.address).map_err(|error| StartError::Bind(listen.address, error))?;
    let tls = listen.tls.as_ref().map(|tls| tls.acceptor());
    let on_loopback = listen.address.ip().to_canonical().is_loopback();
    let endpoint = listen.endpoint.clone();
    Ok(Bound { socket, listener: Arc::new(core::Listener { tls, on_loopback, endpoint }) })
}

pub(crate) fn start_operations(address: SocketAddr, endpoint: &Operations) -> Result<Pool, StartError> {
    let bound = bind_api(&Listen { address, tls: None, endpoint: None })?;
    // Few tools ask, and seldom; and they are not counted among the clients.
    let limits = Limits { connections_max: 256, body_bytes_max: 0, ..endpoint.limits.clone() };
    let metrics = Arc::new(ConnectionMetrics::default());
    Pool::start("ops", vec![bound], 1, &limits, &metrics, || endpoint.clone()).map_err(StartError::Threads)
}
