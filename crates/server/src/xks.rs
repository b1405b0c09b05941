//! An external key store proxy over HTTPS: what `trent_xks_proxy` answers, on the transport of the API.
//!
//! Beside the proxy API there is `GET /ping`, unsigned, for load balancers.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use trent_xks_proxy::{Api, ErrorName, Proxy};

use crate::authenticate::Wire;
use crate::body::{Bodies, BodyError};
use crate::date::Dates;
use crate::endpoint::{Answer, Endpoint, Origin};
use crate::guard::guarded;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::ops::Operations;
use crate::pool::Pool;
use crate::server::{Listen, StartError, bind_api, start_operations};
use crate::tls::{CertificateError, Tls};

/// How to serve a proxy.
#[derive(Debug, Clone)]
pub struct XksSettings {
    /// Where.
    pub addresses: Vec<SocketAddr>,
    /// Where health, readiness and metrics are, if anywhere.
    pub operations: Option<SocketAddr>,
    /// With which certificate; there is no plain HTTP.
    pub tls: Arc<Tls>,
    /// Threads, each with a runtime of its own.
    pub cores: usize,
    /// What clients may take.
    pub limits: Limits,
}

/// A proxy that serves. Dropping it stops it at once.
pub struct XksServer {
    pool: Pool,
    operations: Option<Pool>,
    tls: Arc<Tls>,
    draining: Arc<AtomicBool>,
}

impl XksServer {
    /// Binds all listeners and serves. When this returns, every listener answers.
    ///
    /// # Errors
    /// A listener cannot be bound, or a thread not be started; nothing is left running then.
    pub fn start(settings: XksSettings, proxy: &Arc<Proxy>, metrics: &Metrics) -> Result<Self, StartError> {
        let XksSettings { addresses, operations, tls, cores, limits } = settings;
        let bound = addresses
            .into_iter()
            .map(|address| bind_api(&Listen { address, tls: Some(Arc::clone(&tls)), endpoint: None }))
            .collect::<Result<Vec<_>, _>>()?;
        let draining = Arc::new(AtomicBool::new(false));
        let tools = Operations {
            ready: Arc::clone(proxy) as _,
            metrics: metrics.clone(),
            limits: limits.clone(),
            draining: Arc::clone(&draining),
        };
        let operations = operations.map(|address| start_operations(address, &tools)).transpose()?;
        let calls = Arc::new(Calls::default());
        metrics.register(|registry| calls.register(registry));
        let bodies = Bodies::new(&limits);
        let endpoint = || XksProxy {
            proxy: Arc::clone(proxy),
            bodies: Arc::clone(&bodies),
            limits: limits.clone(),
            dates: Dates::new(),
            calls: Arc::clone(&calls),
        };
        let pool = Pool::start("xks", bound, cores, &limits, &metrics.connections, endpoint)
            .map_err(StartError::Threads)?;
        Ok(Self { pool, operations, tls, draining })
    }

    /// Where it serves, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.pool.addresses()
    }

    /// Where the operations listener is.
    #[must_use]
    pub fn operations_address(&self) -> Option<SocketAddr> {
        self.operations.as_ref().and_then(|pool| pool.addresses().first().copied())
    }

    /// Reads the certificate anew. The old one stays where that fails.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn reload(&self) -> Result<(), CertificateError> {
        self.tls.reload()
    }

    /// Accepts no more, lets requests in flight end, and waits for that until the deadline. Gives the number of
    /// connections that were cut.
    pub async fn drain(&self, deadline: Duration) -> usize {
        self.draining.store(true, Relaxed);
        self.pool.drain(deadline);
        let cut = self.pool.ended().await;
        if let Some(operations) = &self.operations {
            operations.stop();
            operations.ended().await;
        }
        cut
    }
}

impl fmt::Debug for XksServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XksServer").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

/// The proxy, on one core.
struct XksProxy {
    proxy: Arc<Proxy>,
    bodies: Arc<Bodies>,
    limits: Limits,
    dates: Dates,
    calls: Arc<Calls>,
}

impl Endpoint for XksProxy {
    async fn answer(&self, request: Request<Incoming>, _origin: &Origin) -> Answer {
        let started = Instant::now();
        let deadline = started + self.limits.request;
        let (head, body) = request.into_parts();
        if head.uri.path() == "/ping" && matches!(head.method, Method::GET | Method::HEAD) {
            return self.respond(200, b"pong\n".to_vec(), "text/plain; charset=utf-8", false);
        }
        // Over HTTP/2 a byte is enough for a line that was sent before.
        if head.headers.len() > self.limits.headers_max {
            return self.respond(431, Vec::new(), JSON, head.version != Version::HTTP_2);
        }
        let body = match guarded(deadline, self.bodies.read(body)).await {
            Ok(Ok(body)) => Some(body),
            Ok(Err(BodyError::TooLarge)) => None,
            Ok(Err(BodyError::Busy)) => return self.respond(503, Vec::new(), JSON, true),
            Ok(Err(BodyError::Broken)) | Err(_) => return self.respond(408, Vec::new(), JSON, true),
        };
        let headers = Wire::of(&head);
        let request = trent_xks_proxy::Request {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &headers,
            body: body.as_ref().map(|body| &*body.bytes),
        };
        let closes = body.is_none() && head.version != Version::HTTP_2;
        match guarded(deadline, self.proxy.answer(request)).await {
            Ok(answer) => {
                self.calls.count(&answer, started.elapsed());
                self.respond(answer.status, answer.body, JSON, closes)
            }
            Err(_) => {
                self.calls.count_unanswered(started.elapsed());
                self.respond(500, INTERNAL.to_vec(), JSON, closes)
            }
        }
    }
}

/// What came of calls.
#[derive(Debug)]
struct Calls {
    ended: Family<[(&'static str, &'static str); 2], Counter>,
    took: Family<[(&'static str, &'static str); 1], Histogram>,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            ended: Family::default(),
            // KMS waits 250 ms, the network included.
            took: Family::new_with_constructor(|| {
                Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0])
            }),
        }
    }
}

impl Calls {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "xks_requests",
            "Calls of the proxy API by operation and result",
            self.ended.clone(),
        );
        registry.register(
            "xks_request_seconds",
            "Seconds from the head of a call to its answer",
            self.took.clone(),
        );
    }

    fn count(&self, answer: &trent_xks_proxy::Answer, took: Duration) {
        let result = match (answer.status, answer.error) {
            (200, _) => "OK",
            (_, Some(error)) => error.as_str(),
            (_, None) => "none",
        };
        self.note(answer.call.map_or("none", Api::name), result, took);
    }

    /// Counts a call that the proxy failed to answer.
    fn count_unanswered(&self, took: Duration) {
        self.note("none", ErrorName::InternalException.as_str(), took);
    }

    fn note(&self, operation: &'static str, result: &'static str, took: Duration) {
        self.ended.get_or_create(&[("operation", operation), ("result", result)]).inc();
        self.took.get_or_create(&[("operation", operation)]).observe(took.as_secs_f64());
    }
}

const JSON: &str = "application/json";
/// What is answered where the proxy gave nothing.
const INTERNAL: &[u8] = br#"{"errorName":"InternalException"}"#;

impl XksProxy {
    fn respond(&self, status: u16, body: Vec<u8>, kind: &'static str, closes: bool) -> Answer {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::DATE, self.dates.at(self.proxy.now()));
        if status == 405 {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
