//! What is to be checked.

use std::sync::Arc;
use std::time::Duration;

use trent_domain::time::Clock;
use trent_xks::{ExternalKeyId, ProxyConfiguration};
use trent_xks_client::Network;

/// A proxy, and what is known of it.
pub struct Plan {
    /// The host of its endpoint.
    pub host: String,
    /// Path and credential of the store.
    pub configuration: ProxyConfiguration,
    /// The Region to sign for.
    pub region: String,
    /// Keys of the store.
    pub keys: Keys,
    /// The same store with another credential that is valid too.
    pub second: Option<ProxyConfiguration>,
    /// Another store of the same proxy.
    pub other_store: Option<ProxyConfiguration>,
    /// Where connections may go.
    pub network: Arc<Network>,
    /// PEM, the roots that are trusted.
    pub roots: Vec<u8>,
    /// PEM, chain and key of a client certificate; with it, the proxy is expected to demand one.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
    /// Encryptions by which latency is measured.
    pub samples: usize,
    /// Encryptions whose initialization vectors must differ.
    pub iv_samples: usize,
    /// How long an answer may take; KMS waits 250 ms.
    pub budget: Duration,
    /// How long to wait for one where that is not what is checked.
    pub patience: Duration,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Keys of the store; checks of keys that are not named are skipped.
pub struct Keys {
    /// Encrypts and decrypts.
    pub ordinary: ExternalKeyId,
    /// Encrypts only.
    pub encrypt_only: Option<ExternalKeyId>,
    /// Decrypts only.
    pub decrypt_only: Option<ExternalKeyId>,
    /// Does neither, though enabled.
    pub neither: Option<ExternalKeyId>,
    /// Is disabled.
    pub disabled: Option<ExternalKeyId>,
    /// Is not there.
    pub absent: ExternalKeyId,
    /// Is a key of the other store alone.
    pub of_other_store: Option<ExternalKeyId>,
}
