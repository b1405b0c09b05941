//! The service over HTTP: sockets, TLS, authentication, dispatch, error rendering, metrics.
//!
//! A request takes this way, a plain call from each file to the next: `acceptor` (one thread deals connections
//! to cores) → `core` → `connection` (TLS, HTTP/1.1 or HTTP/2, time-outs) → `http` (route, body, target) →
//! `authenticate` → `dispatch` → `trent_service` → `respond`. Requests to STS leave it in `http` and take that of `sts`.
//!
//! Not here: what operations do, who may call them, configuration files, signals. This crate alone knows HTTP
//! statuses.
//!
//! Invariants: a body is decoded only after its sender is known; no body and no `Authorization` header is ever
//! logged; no lock is shared between cores on the way of a request; a panic in an operation ends its request,
//! not its connection.

mod acceptor;
mod activity;
mod authenticate;
mod body;
mod connection;
mod core;
mod date;
mod dispatch;
mod endpoint;
mod faults;
mod fetch;
mod forwarded;
mod guard;
mod http;
mod limits;
mod metrics;
mod ops;
mod pool;
mod request_ids;
mod respond;
mod server;
mod sources;
mod stream;
mod sts;
#[cfg(test)]
mod tests;
mod tls;
mod unsigned;
mod xks;

pub use authenticate::{Credentials, Signatures};
pub use dispatch::dispatch;
pub use faults::{Fault, FaultKind, Faults, NoFault, StandingFault};
pub use fetch::{Post, WebClient};
pub use forwarded::TrustedProxies;
pub use limits::Limits;
pub use metrics::Metrics;
pub use prometheus_client;
pub use server::{Listen, Server, Settings, StartError};
pub use tls::{Admits, CertificateError, Clients, Pem, Tls};
pub use xks::{XksServer, XksSettings};
