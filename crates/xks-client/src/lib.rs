//! KMS as the client of external key store proxies: one [`Client`] for each key store.
//!
//! A call goes this way: `client` (signature, one more attempt after a time-out, what is accepted of a response) →
//! `breaker` (a dead proxy fails fast) → `wire` (connections, kept and shared) → `connect` (addresses, TCP, TLS).
//!
//! Not here: what KMS makes of ciphertexts, which stores there are and whether they are connected, polling.
//!
//! Invariants: HTTPS alone, and a certificate is always verified; no redirect is followed and no address is connected
//! to that [`Network`] does not allow; a call ends within its attempts' budgets; what one proxy does ties up nothing
//! that belongs to another; what a proxy says is logged, and never told to callers of KMS.

mod breaker;
mod client;
mod connect;
mod failure;
mod lookups;
mod network;
mod observer;
mod tls;
mod wire;

pub use client::{Client, Endpoint, Settings};
pub use failure::Failure;
pub use network::{Network, Override, covers, is_private};
pub use observer::{CallOutcome, Observer};
pub use rustls::ClientConfig;
pub use tls::{ClientCertificate, TlsError, TlsOptions, Version, client_config};
pub use wire::{Message, Peer, Reply, Target, Wire, WireError};
