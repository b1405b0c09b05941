//! An external key store proxy over HTTPS: what `trent_xks_proxy` answers, on the transport of the API.
//!
//! Beside the proxy API there is `GET /ping`, unsigned, for load balancers.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;
use trent_xks_proxy::Proxy;

use crate::authenticate::Wire;
use crate::body::{Bodies, BodyError};
use crate::date::Dates;
use crate::endpoint::{Answer, Endpoint, Origin};
use crate::guard::guarded;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::server::{Listen, StartError, bind_api};
use crate::tls::{CertificateError, Tls};

/// How to serve a proxy.
#[derive(Debug, Clone)]
pub struct XksSettings {
    /// Where.
    pub addresses: Vec<SocketAddr>,
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
    tls: Arc<Tls>,
}

impl XksServer {
    /// Binds all listeners and serves. When this returns, every listener answers.
    ///
    /// # Errors
    /// A listener cannot be bound, or a thread not be started; nothing is left running then.
    pub fn start(settings: XksSettings, proxy: &Arc<Proxy>, metrics: &Metrics) -> Result<Self, StartError> {
        let XksSettings { addresses, tls, cores, limits } = settings;
        let bound = addresses
            .into_iter()
            .map(|address| bind_api(&Listen { address, tls: Some(Arc::clone(&tls)), endpoint: None }))
            .collect::<Result<Vec<_>, _>>()?;
        let bodies = Bodies::new(&limits);
        let endpoint = || XksProxy {
            proxy: Arc::clone(proxy),
            bodies: Arc::clone(&bodies),
            limits: limits.clone(),
            dates: Dates::new(),
        };
        let pool = Pool::start("xks", bound, cores, &limits, &metrics.connections, endpoint)
            .map_err(StartError::Threads)?;
        Ok(Self { pool, tls })
    }

    /// Where it serves, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.pool.addresses()
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
        self.pool.drain(deadline);
        self.pool.ended().await
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
}

impl Endpoint for XksProxy {
    async fn answer(&self, request: Request<Incoming>, _origin: &Origin) -> Answer {
        let deadline = Instant::now() + self.limits.request;
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
            Ok(answer) => self.respond(answer.status, answer.body, JSON, closes),
            Err(_) => self.respond(500, INTERNAL.to_vec(), JSON, closes),
        }
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
