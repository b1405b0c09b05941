//! The server as a client of the web, over HTTPS, now and then: it asks providers of identities for their keys, which are
//! small documents, and posts to receivers what they want to know.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
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

/// A client of the web. It keeps no connections and follows no redirects.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebClient;

/// What is posted.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// Where to.
    pub url: &'a str,
    /// The certificates that the receiver's has to lead to, PEM; those of the system without.
    pub ca: Option<&'a str>,
    /// The type of the body.
    pub content_type: &'a str,
    /// Other headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
    /// How long it may take, connection and answer included.
    pub patience: Duration,
}

impl WebClient {
    /// Posts, and waits for an answer that says that it was taken: one of the statuses 200 to 299.
    ///
    /// # Errors
    /// There was no such answer; what was sent may have been taken all the same.
    pub async fn post(&self, post: Post<'_>) -> Result<(), String> {
        let headers = post.headers.iter().copied().chain([("content-type", post.content_type)]);
        let request =
            headers.fold(Request::post(post.url), |request, (name, value)| request.header(name, value));
        let request = request.body(Full::from(post.body.to_vec())).map_err(|error| error.to_string())?;
        let answered = timeout(post.patience, send(request, post.ca)).await;
        let (status, _) = answered.map_err(|_| "no answer in time".to_owned())??;
        if status.is_success() { Ok(()) } else { Err(format!("status {status}")) }
    }
}

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
    let request = Request::get(url).header(header::ACCEPT, "application/json");
    let request = request.body(Full::default()).map_err(|_| "not a URL".to_owned())?;
    match send(request, ca).await? {
        (StatusCode::OK, body) => Ok(body),
        (status, _) => Err(format!("status {status}")),
    }
}

async fn send(request: Request<Full<Bytes>>, ca: Option<&str>) -> Result<(StatusCode, Vec<u8>), String> {
    let uri = request.uri();
    let host = uri.host().ok_or("a URL without a host")?.trim_matches(['[', ']']).to_owned();
    let is_https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
    if !is_https {
        return ask(stream, request).await;
    }
    let name = ServerName::try_from(host).map_err(|_| "not a host name".to_owned())?;
    let connector = TlsConnector::from(Arc::new(configuration(ca)?));
    let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
    ask(stream, request).await
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    mut request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Vec<u8>), String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends when the sender is dropped.
    let connection = tokio::spawn(connection);
    let uri = std::mem::take(request.uri_mut());
    let host = uri.authority().map_or("", http::uri::Authority::as_str);
    let host = HeaderValue::from_str(host).map_err(|error| error.to_string())?;
    request.headers_mut().insert(header::HOST, host);
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    *request.uri_mut() = path.parse().map_err(|_| "not a URL".to_owned())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    connection.abort();
    body.map(|body| (status, body.to_bytes().to_vec())).map_err(|error| error.to_string())
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
