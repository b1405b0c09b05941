//! Proxies of the tests: TLS and HTTP/1.1 by hand, which answer always the same, or never.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use trent_crypto::SecretBytes;
use trent_domain::time::{Clock, Timestamp};
use trent_xks::request::{Encrypt, RequestMetadata};
use trent_xks::{Credential, SecretAccessKey};
use trent_xks_client::{
    Client, ClientCertificate, Endpoint, Network, Override, Settings, Target, TlsOptions, Version,
    client_config,
};

pub(crate) const HOST: &str = "proxy.example.test";

/// What signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name.
    pub(crate) fn issue(&self, name: &str) -> ClientCertificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        ClientCertificate { chain: certificate.pem().into_bytes(), key: key.serialize_pem().into_bytes() }
    }

    fn issue_for_server(&self) -> ServerConfigParts {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

type ServerConfigParts = (Vec<rustls_pki_types::CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What a proxy does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Answers,
    /// Takes connections and speaks TLS, and says nothing more until it babbles, which is not HTTP.
    HangsThenBabbles,
    /// Closes connections when TLS has begun.
    HangsUp,
    /// Closes connections at once, what they sent unread: they are reset.
    Resets,
    /// Agrees to HTTP/2, of which it speaks nothing.
    PrefersHttp2,
    /// Answers that it does not speak TLS.
    SpeaksHttp,
}

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    port: u16,
    pub(crate) requests: Arc<AtomicUsize>,
    pub(crate) babbles: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// One that lets everybody in, or those alone whose certificate `clients` has signed.
    pub(crate) async fn start(authority: &Authority, manner: Manner, clients: Option<&Authority>) -> Self {
        let builder =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let (chain, key) = authority.issue_for_server();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        if manner == Manner::PrefersHttp2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let babbles = Arc::new(AtomicBool::new(false));
        let (counted, babbling) = (Arc::clone(&requests), Arc::clone(&babbles));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let told = (Arc::clone(&counted), Arc::clone(&babbling));
                connections.spawn(serve(acceptor.clone(), stream, manner, told));
            }
        });
        Self { port, requests, babbles, task }
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.load(SeqCst)
    }

    /// A client of it.
    pub(crate) fn client(&self, with: ClientOf<'_>) -> Client {
        let versions = &[Version::Tls12, Version::Tls13];
        let roots = with.authority.pem();
        let options = TlsOptions { roots: roots.as_bytes(), versions, client: with.shows, http2: true };
        let known = Override { host: HOST.to_owned(), connect_to: vec![format!("127.0.0.1:{}", self.port)] };
        let target = Target {
            host: HOST.to_owned(),
            network: Arc::new(Network { overrides: vec![known], allow_private: false }),
            tls: client_config(options).unwrap(),
        };
        let endpoint = Endpoint {
            uri_path: "/one/kms/xks/v1".parse().unwrap(),
            region: "us-east-1".to_owned(),
            credential: Credential {
                access_key_id: "ABCDEFGHIJKLMNOPQRST".parse().unwrap(),
                secret: SecretAccessKey::new(SecretBytes::from(vec![b'a'; 43])).unwrap(),
            },
        };
        Client::new(endpoint, target, with.settings, with.clock, None)
    }
}

/// How a client is to be.
pub(crate) struct ClientOf<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) shows: Option<ClientCertificate>,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
}

impl<'a> ClientOf<'a> {
    /// One that is patient and has no certificate.
    pub(crate) fn new(authority: &'a Authority) -> Self {
        let settings = Settings { attempt: Duration::from_secs(20), ..Settings::default() };
        Self { authority, shows: None, settings, clock: Arc::new(Stopped::default()) }
    }
}

/// A clock that is set by hand, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Stopped(pub(crate) std::sync::atomic::AtomicI64);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + self.0.load(SeqCst))
    }
}

pub(crate) fn metadata(operation: &str) -> RequestMetadata {
    RequestMetadata {
        aws_principal_arn: Some("arn:aws:iam::111122223333:user/a".to_owned()),
        kms_key_arn: Some("arn:aws:kms:us-east-1:111122223333:key/a".to_owned()),
        kms_operation: operation.to_owned(),
        kms_request_id: "1".to_owned(),
        ..RequestMetadata::default()
    }
}

pub(crate) fn four_bytes() -> Encrypt {
    Encrypt {
        metadata: metadata("Encrypt"),
        plaintext: SecretBytes::from(b"text".to_vec()),
        aad: None,
        with_integrity: false,
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    manner: Manner,
    (requests, babbles): (Arc<AtomicUsize>, Arc<AtomicBool>),
) {
    let Some(stream) = handshake(&acceptor, stream, manner).await else { return };
    let mut stream = BufReader::new(stream);
    while let Some(path) = request(&mut stream).await {
        requests.fetch_add(1, SeqCst);
        if babbles.load(SeqCst) {
            // Whether it is heard makes no difference.
            let _ = stream.write_all(b"mumble\r\n\r\n").await;
            return;
        }
        if manner != Manner::Answers {
            std::future::pending::<()>().await;
        }
        let body = if path.ends_with("/health") { HEALTH } else { ENCRYPTED };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + body).as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn handshake(
    acceptor: &TlsAcceptor,
    mut stream: TcpStream,
    manner: Manner,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let mut hello = [0; 2048];
    match manner {
        Manner::Answers | Manner::HangsThenBabbles | Manner::PrefersHttp2 => {
            return acceptor.accept(stream).await.ok();
        }
        Manner::HangsUp => _ = stream.read(&mut hello).await,
        Manner::Resets => stream.readable().await.unwrap(),
        Manner::SpeaksHttp => {
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    }
    None
}

const HEALTH: &str = r#"{"xksProxyFleetSize":1,"xksProxyVendor":"a","xksProxyModel":"b","ekmVendor":"c",
    "ekmFleetDetails":[{"id":"1","model":"d","healthStatus":"ACTIVE"}]}"#;
const ENCRYPTED: &str = r#"{"ciphertext":"AAAAAA==","initializationVector":"AAAAAAAAAAAAAAAA",
    "authenticationTag":"AAAAAAAAAAAAAAAAAAAAAA=="}"#;

/// The path of the next request, which is read to its end.
async fn request(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.split("\r\n").next()?;
    let mut body = vec![0; length.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    head.split(' ').nth(1).map(str::to_owned)
}
