//! TLS: versions, groups, and a certificate that can be exchanged while connections are open.

mod clients;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, Ticketer, kx_group};
use rustls::server::NoClientAuth;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use trent_service::ClientCertificate;

use crate::endpoint::EncryptedWith;

/// A certificate chain, the server's own certificate first, and its private key; both PEM.
pub struct Pem {
    /// The chain.
    pub chain: Vec<u8>,
    /// The key: PKCS#8, PKCS#1 or SEC1.
    pub key: Vec<u8>,
}

/// Decides about the certificate of a client, given as DER.
pub type Admits = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// Which certificates clients may show.
pub struct Clients {
    /// PEM, the certificates that theirs must chain to.
    pub roots: Vec<u8>,
    /// Whether a certificate that does, as DER, is one of those that are meant.
    pub admits: Admits,
    /// Whether clients without a certificate may connect too.
    pub optional: bool,
}

/// Why there is no certificate to serve with.
#[derive(Debug)]
pub enum CertificateError {
    /// It could not be read.
    Read(io::Error),
    /// The chain or the key is not PEM.
    Pem(rustls_pki_types::pem::Error),
    /// There is no certificate in the chain.
    Empty,
    /// There is nothing to check certificates of clients by.
    Clients(String),
    /// The key is not usable, or not that of the certificate.
    Key(rustls::Error),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "certificate or key cannot be read: {error}"),
            Self::Pem(error) => write!(f, "certificate or key is not PEM: {error}"),
            Self::Empty => f.write_str("there is no certificate in the chain"),
            Self::Clients(problem) => write!(f, "certificates of clients cannot be checked: {problem}"),
            Self::Key(error) => write!(f, "the private key does not serve for this certificate: {error}"),
        }
    }
}

impl std::error::Error for CertificateError {}

/// Where certificates come from, asked at start and at each reload.
type Source = Box<dyn Fn() -> io::Result<Pem> + Send + Sync>;

/// The TLS side of one or more listeners.
pub struct Tls {
    source: Source,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads a first certificate from `source`, which is asked again at each reload.
    ///
    /// # Errors
    /// There is none, or it does not fit its key.
    pub fn new(
        source: impl Fn() -> io::Result<Pem> + Send + Sync + 'static,
    ) -> Result<Self, CertificateError> {
        Self::make(Box::new(source), |_| Ok(Arc::new(NoClientAuth)))
    }

    /// The same, for clients with a certificate. Whom it takes is decided now, and not again at a reload.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and when there is nothing to check certificates of clients by.
    pub fn with_clients(
        source: impl Fn() -> io::Result<Pem> + Send + Sync + 'static,
        clients: Clients,
    ) -> Result<Self, CertificateError> {
        Self::make(Box::new(source), |provider| clients::verifier(clients, provider))
    }

    fn make(
        source: Source,
        verifier: impl FnOnce(&Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, CertificateError>,
    ) -> Result<Self, CertificateError> {
        let provider = Arc::new(provider());
        let current = Arc::new(Current(ArcSwap::from_pointee(load(&source, &provider)?)));
        let verifier = verifier(&provider)?;
        let config = config(provider, Arc::clone(&current), verifier).map_err(CertificateError::Key)?;
        Ok(Self { source, current, config: Arc::new(config) })
    }

    /// The certificate and key of two PEM files.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn from_files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, CertificateError> {
        let (chain, key) = (chain.into(), key.into());
        Self::new(move || Ok(Pem { chain: std::fs::read(&chain)?, key: std::fs::read(&key)? }))
    }

    /// Takes a new certificate for all handshakes to come; open connections are not touched.
    ///
    /// # Errors
    /// The new one cannot be used; the old one stays.
    pub fn reload(&self) -> Result<(), CertificateError> {
        self.current.0.store(Arc::new(load(&self.source, self.config.crypto_provider())?));
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// AWS-LC, with the hybrid group first: what is recorded today shall not be read with tomorrow's machines.
fn provider() -> CryptoProvider {
    let kx_groups =
        vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() }
}

fn config(
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Tickets instead of remembered sessions: resumption then needs no memory for each client.
    config.ticketer = Ticketer::new()?;
    Ok(config)
}

fn load(
    source: &dyn Fn() -> io::Result<Pem>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    let Pem { chain, key } = source().map_err(CertificateError::Read)?;
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>().map_err(CertificateError::Pem)?;
    if chain.is_empty() {
        return Err(CertificateError::Empty);
    }
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(CertificateError::Pem)?;
    CertifiedKey::from_der(chain, key, provider).map_err(CertificateError::Key)
}

/// The certificate that is served now.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The certificate that the client has shown, in this handshake or in the one that this one goes on from.
pub(crate) fn client_certificate(connection: &rustls::ServerConnection) -> Option<ClientCertificate> {
    ClientCertificate::read(connection.peer_certificates()?.first()?)
}

/// What a handshake has agreed on, by the names that CloudTrail has for it.
pub(crate) fn encrypted_with(connection: &rustls::ServerConnection) -> Option<EncryptedWith> {
    let version = match connection.protocol_version()? {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
        other => other.as_str()?,
    };
    let cipher = match connection.negotiated_cipher_suite()?.suite() {
        rustls::CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        rustls::CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.as_str()?,
    };
    let key_exchange = connection.negotiated_key_exchange_group().and_then(|group| group.name().as_str());
    Some(EncryptedWith { version, cipher, key_exchange })
}
