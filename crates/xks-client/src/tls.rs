//! TLS as KMS speaks it: versions 1.2 and 1.3, four cipher suites, certificates verified by name and time.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// A certificate that a proxy may ask for.
pub struct ClientCertificate {
    /// PEM, the client's own certificate first.
    pub chain: Vec<u8>,
    /// PEM.
    pub key: Vec<u8>,
}

/// How to speak TLS.
pub struct TlsOptions<'a> {
    /// PEM files with the roots that are trusted, put together.
    pub roots: &'a [u8],
    /// The versions; in none there is nothing to be spoken.
    pub versions: &'a [Version],
    /// What to show a proxy that asks.
    pub client: Option<ClientCertificate>,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub http2: bool,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// What should be PEM is not.
    #[error("a certificate or key is not PEM: {0}")]
    Pem(rustls_pki_types::pem::Error),
    /// There is nothing to verify certificates by.
    #[error("there is no root certificate to verify proxies by")]
    NoRoots,
    /// The client certificate or the versions cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The configuration of connections. There is none that does not verify.
///
/// # Errors
/// See [`TlsError`].
pub fn client_config(options: TlsOptions<'_>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(options.roots) {
        // The platform's set may have one that the verifier does not understand; the others are as good without it.
        let root = root.map_err(TlsError::Pem)?;
        if let Err(error) = roots.add(root) {
            tracing::debug!(%error, "a root certificate is passed over");
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let versions: Vec<&SupportedProtocolVersion> = options
        .versions
        .iter()
        .map(|version| match version {
            Version::Tls12 => &rustls::version::TLS12,
            Version::Tls13 => &rustls::version::TLS13,
        })
        .collect();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&versions)?
        .with_root_certificates(roots);
    let mut config = match options.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let chain = CertificateDer::pem_slice_iter(&client.chain).collect::<Result<_, _>>();
            let key = PrivateKeyDer::from_pem_slice(&client.key).map_err(TlsError::Pem)?;
            builder.with_client_auth_cert(chain.map_err(TlsError::Pem)?, key)?
        }
    };
    // A session that is taken up again shows no certificate: one that has ended or changed would go unnoticed.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = match options.http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    Ok(Arc::new(config))
}

/// The suites of the specification, and no other.
fn provider() -> CryptoProvider {
    let cipher_suites = vec![
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ];
    CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() }
}
