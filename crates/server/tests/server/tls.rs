//! TLS: versions, protocols, groups, and certificates that change.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::{ClientConfig, ClientConnection, NamedGroup, ProtocolVersion, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName};
use trent_server::{Limits, Pem, Settings, Tls};

use crate::support::{HOST, Running, exchange, is_closed, with_tls};

/// A certificate that signs itself, and its key.
pub(crate) struct Certificate {
    pub(crate) der: CertificateDer<'static>,
    chain: String,
    key: String,
}

pub(crate) fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    Certificate { der: made.cert.der().clone(), chain, key }
}

/// What a [`Tls`] reads: exchanged by tests.
#[derive(Clone)]
struct Files(Arc<Mutex<(String, String)>>);

impl Files {
    fn of(certificate: &Certificate) -> Self {
        Self(Arc::new(Mutex::new((certificate.chain.clone(), certificate.key.clone()))))
    }

    fn write(&self, chain: &str, key: &str) {
        *self.0.lock().unwrap() = (chain.to_owned(), key.to_owned());
    }

    fn tls(&self) -> Arc<Tls> {
        let files = self.clone();
        let read = move || {
            let (chain, key) = files.0.lock().unwrap().clone();
            Ok(Pem { chain: chain.into_bytes(), key: key.into_bytes() })
        };
        Arc::new(Tls::new(read).unwrap())
    }
}

pub(crate) fn tls_of(certificate: &Certificate) -> Arc<Tls> {
    Files::of(certificate).tls()
}

pub(crate) fn client(
    trusted: &[&Certificate],
    version: &'static rustls::SupportedProtocolVersion,
    alpn: &[&[u8]],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.der.clone()).unwrap();
    }
    // What SDKs send: a share for the hybrid group and one for the other.
    let kx_groups = vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1];
    let provider = CryptoProvider { kx_groups, ..default_provider() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

fn connect(running: &Running, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from(HOST).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), running.connect())
}

#[test]
fn both_versions_are_spoken_and_the_hybrid_group_is_preferred() {
    let certificate = certificate();
    let running = Running::start(with_tls(&tls_of(&certificate)));
    let request = running.request("ListKeys", "{}");
    for (version, spoken) in [
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let mut stream = connect(&running, &client(&[&certificate], version, &[b"http/1.1"]));
        assert_eq!(exchange(&mut stream, &request).status, 200);
        assert_eq!(exchange(&mut stream, &request).status, 200);
        assert_eq!(stream.conn.protocol_version(), Some(spoken));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        if spoken == ProtocolVersion::TLSv1_3 {
            let group = stream.conn.negotiated_key_exchange_group().unwrap().name();
            assert_eq!(group, NamedGroup::X25519MLKEM768);
        }
    }
    assert_eq!(running.metric(r#"trent_tls_handshakes_total{result="Success"}"#), Some(2));
}

#[test]
fn a_handshake_may_not_take_for_ever() {
    let limits = Limits { handshake: Duration::from_millis(200), ..Limits::default() };
    let settings = with_tls(&tls_of(&certificate()));
    let running = Running::start(Settings { limits, ..settings });
    assert!(is_closed(&mut running.connect()));
    assert!(running.comes_to(r#"trent_tls_handshakes_total{result="Timeout"}"#, 1));
}

#[test]
fn plain_http_on_a_tls_listener_ends_its_connection() {
    let running = Running::start(with_tls(&tls_of(&certificate())));
    let mut stream = running.connect();
    std::io::Write::write_all(&mut stream, &running.request("ListKeys", "{}")).unwrap();
    assert!(is_closed(&mut stream));
    assert!(running.comes_to(r#"trent_tls_handshakes_total{result="Failure"}"#, 1));
}

#[test]
fn a_certificate_is_exchanged_under_load_and_open_connections_stay() {
    let (old, new) = (certificate(), certificate());
    let files = Files::of(&old);
    let running = Running::start(with_tls(&files.tls()));
    let request = running.request("ListKeys", "{}");
    let tls13 = &rustls::version::TLS13;
    let mut open = connect(&running, &client(&[&old], tls13, &[]));
    assert_eq!(exchange(&mut open, &request).status, 200);
    let (both, stop) = (client(&[&old, &new], tls13, &[]), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let load: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut answered = 0;
                    while !stop.load(Ordering::Relaxed) {
                        // A session of its own each time: no resumption hides the certificate.
                        let mut stream = connect(&running, &both);
                        assert_eq!(exchange(&mut stream, &request).status, 200);
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        for certificate in [&new, &old, &new, &old, &new] {
            std::thread::sleep(Duration::from_millis(50));
            files.write(&certificate.chain, &certificate.key);
            assert!(running.server.reload().is_empty());
        }
        std::thread::sleep(Duration::from_millis(50));
        stop.store(true, Ordering::Relaxed);
        let answered: u32 = load.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(answered > 10, "{answered} requests on as many connections");
    });
    assert_eq!(exchange(&mut open, &request).status, 200);
    let mut fresh = connect(&running, &client(&[&new], tls13, &[]));
    assert_eq!(exchange(&mut fresh, &request).status, 200);
}

#[test]
fn a_bad_certificate_is_reported_and_the_old_one_stays() {
    let (old, other) = (certificate(), certificate());
    let files = Files::of(&old);
    let running = Running::start(with_tls(&files.tls()));
    for (chain, key) in
        [("", ""), ("nonsense", &*old.key), (&*old.chain, "nonsense"), (&*old.chain, &*other.key)]
    {
        files.write(chain, key);
        let errors = running.server.reload();
        assert_eq!(errors.len(), 1, "{chain} {key}");
        assert!(!errors[0].to_string().contains("BEGIN"));
    }
    let mut stream = connect(&running, &client(&[&old], &rustls::version::TLS13, &[]));
    assert_eq!(exchange(&mut stream, &running.request("ListKeys", "{}")).status, 200);
}
