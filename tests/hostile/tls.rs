//! TLS handshakes that do not go on.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::victim::{Connect, Victim, closed_within};

/// A certificate for `localhost` in two files.
fn certificate(folder: &std::path::Path) -> (String, String, rustls::pki_types::CertificateDer<'static>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    std::fs::write(path("chain.pem"), certificate.pem()).unwrap();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    (path("chain.pem"), path("key.pem"), certificate.der().clone())
}

/// What a client sends first.
fn client_hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut connection =
        ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn a_thousand_half_open_handshakes_are_cut_and_delay_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key, root) = certificate(folder.path());
    let settings = [("TRENT_HTTP__HANDSHAKE_SECONDS", "1")];
    let mut victim = Victim::start(&settings, &["--tls-cert", &chain, "--tls-key", &key]);
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let config = Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
    let (address, honest) = (victim.server.kms, Arc::clone(&config));
    let connect: Connect<StreamOwned<ClientConnection, TcpStream>> = Arc::new(move || {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::clone(&honest), name).unwrap();
        StreamOwned::new(connection, trent_testkit::connect(address).unwrap())
    });
    let hello = client_hello(&config);
    let (closed, met) = victim.under_as(&connect, || {
        let mut streams: Vec<TcpStream> = (0..1000).map(|_| victim.connect()).collect();
        for (number, stream) in streams.iter_mut().enumerate() {
            let sent = match number % 4 {
                0 => stream.write_all(b""),
                1 => stream.write_all(&hello[..hello.len() / 2]),
                // The server answers this one, and waits in vain.
                2 => stream.write_all(&hello),
                _ => stream.write_all(b"GET / HTTP/1.1\r\n\r\n"),
            };
            sent.unwrap();
        }
        closed_within(&mut streams, Duration::from_secs(5))
    });
    assert_eq!(closed, 1000);
    met.is_fine("1000 half-open handshakes", 64);
    victim.is_unharmed();
}
