//! Asks providers of identities for their keys: small documents, over HTTPS, now and then.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use trent_service::Fetch;

/// How long a provider may take, connection included.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that it may answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A client for documents of the web. It keeps no connections and follows no redirects.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebClient;

impl Fetch for WebClient {
    fn get<'a>(
        &'a self,
        url: &'a str,
        ca: Option<&'a str>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>> {
        Box::pin(
            async move { timeout(PATIENCE, get(url, ca)).await.map_err(|_| "no answer in time".to_owned())? },
        )
    }
}

async fn get(url: &str, ca: Option<&str>) -> Result<Vec<u8>, String> {
    let uri: Uri = url.parse().map_err(|_| "not a URL".to_owned())?;
    let host = uri.host().ok_or("a URL without a host")?.trim_matches(['[', ']']).to_owned();
    let is_https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
    if !is_https {
        return ask(stream, &uri).await;
    }
    let name = ServerName::try_from(host).map_err(|_| "not a host name".to_owned())?;
    let connector = TlsConnector::from(Arc::new(configuration(ca)?));
    let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
    ask(stream, &uri).await
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    uri: &Uri,
) -> Result<Vec<u8>, String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends when the sender is dropped.
    let connection = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let host = uri.authority().map_or("", http::uri::Authority::as_str);
    let request = Request::get(path).header(header::HOST, host).header(header::ACCEPT, "application/json");
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("status {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    connection.abort();
    body.map(|body| body.to_bytes().to_vec()).map_err(|error| error.to_string())
}

/// What is trusted: these certificates, or those of the system.
fn configuration(ca: Option<&str>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| format!("the provider's `ca`: {error}"))?;
                roots.add(certificate).map_err(|error| format!("the provider's `ca`: {error}"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err("no certificates are trusted; give the provider's `ca`".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
