//! The operations listener: `/healthz`, `/readyz`, `/metrics`. Plain HTTP, meant for a local or private address.
//!
//! It has a core of its own, so that it answers when the others are busy, and while they drain.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;
use trent_service::Service;
use trent_xks_proxy::Proxy;

use crate::endpoint::{Answer, Endpoint, Origin};
use crate::guard::guarded;
use crate::limits::Limits;
use crate::metrics::Metrics;

/// Whoever can tell whether requests can be answered, and otherwise why not.
pub(crate) trait Readiness: Send + Sync {
    fn ready(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;
}

impl Readiness for Service {
    fn ready(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(self.ready())
    }
}

impl Readiness for Proxy {
    fn ready(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(self.ready())
    }
}

/// Answers the operator's tools.
#[derive(Clone)]
pub(crate) struct Operations {
    pub(crate) ready: Arc<dyn Readiness>,
    pub(crate) metrics: Metrics,
    pub(crate) limits: Limits,
    pub(crate) draining: Arc<AtomicBool>,
}

impl Endpoint for Operations {
    async fn answer(&self, request: Request<Incoming>, _origin: &Origin) -> Answer {
        let mut answer = if matches!(*request.method(), Method::GET | Method::HEAD) {
            self.page(request.uri().path()).await
        } else {
            plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")
        };
        if !request.body().is_end_stream() {
            // Nothing here takes a body.
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

impl Operations {
    async fn page(&self, path: &str) -> Answer {
        match path {
            // Alive: this thread answers. Whether the service does is what readiness tells.
            "/healthz" => plain(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness().await,
            "/metrics" => self.metrics(),
            _ => plain(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
        }
    }

    async fn readiness(&self) -> Answer {
        if self.draining.load(Relaxed) {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        match guarded(Instant::now() + self.limits.request, self.ready.ready()).await {
            Ok(Ok(())) => plain(StatusCode::OK, "ready\n"),
            Ok(Err(why)) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
            Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready: no answer in time\n"),
        }
    }

    fn metrics(&self) -> Answer {
        const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        match self.metrics.encode() {
            Ok(text) => page(StatusCode::OK, OPEN_METRICS, text),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
        }
    }
}

fn plain(status: StatusCode, text: impl Into<String>) -> Answer {
    page(status, "text/plain; charset=utf-8", text.into())
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
