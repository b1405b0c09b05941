//! Requests over connections that are kept: an HTTP/2 connection is shared, of HTTP/1.1 as many as are needed at once.
//!
//! Connections are driven by the thread that made them. Its own requests use them first: on one of another thread, a
//! request and its response would each wait until that thread is awake.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use trent_crypto::certificate::Certificate;
use trent_xks::BODY_BYTES_MAX;

use crate::connect::{Reached, Sender, connect};
use crate::network::Network;

/// Requests that may be under way at once to one proxy.
const IN_FLIGHT_MAX: usize = 512;
/// Connections of HTTP/1.1 that are kept idle.
const IDLE_MAX: usize = 64;
/// How long they are kept. Servers close them on their side sooner or later.
const IDLE: Duration = Duration::from_secs(55);

/// Who is talked to.
#[derive(Debug, Clone)]
pub struct Target {
    /// The host: in the request, its signature, and the certificate.
    pub host: String,
    /// Where connections may go.
    pub network: Arc<Network>,
    /// How TLS is spoken.
    pub tls: Arc<ClientConfig>,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// The method.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// Headers beside `Host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: Bytes,
}

/// A response, whole.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The content type, if there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// What is known of the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its certificate, as far as it is understood.
    pub certificate: Option<Certificate>,
    /// The version of TLS.
    pub tls: String,
    /// The cipher suite.
    pub suite: String,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// DNS or TCP.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// No TCP connection in time.
    #[error("no connection in time")]
    ConnectTimeout,
    /// TLS.
    #[error("no TLS: {0}")]
    Tls(String),
    /// The connection ended in the middle of the TLS handshake, and nobody said why.
    #[error("the connection was cut: {0}")]
    Cut(String),
    /// Connected, and then no answer in time.
    #[error("no answer in time")]
    Timeout,
    /// Connected, and then no HTTP, or the connection was closed.
    #[error("no HTTP response: {0}")]
    Broken(String),
    /// Too many requests are under way.
    #[error("too many requests are under way")]
    Busy,
}

/// Connections to one proxy.
pub struct Wire {
    target: Target,
    room: Semaphore,
    kept: Mutex<Kept>,
    peer: Mutex<Option<Peer>>,
}

#[derive(Default)]
struct Kept {
    /// One of HTTP/2 for each thread.
    shared: Vec<Shared>,
    /// Those of HTTP/1.1, and since when they are idle.
    idle: Vec<(Connection, Instant)>,
}

struct Shared {
    sender: SendRequest<Full<Bytes>>,
    made_by: ThreadId,
    used: Instant,
}

/// A connection, or one's share in it.
struct Connection {
    sender: Sender,
    made_by: ThreadId,
}

impl Kept {
    /// A connection to send on, if there is one that may still be open.
    fn take(&mut self) -> Option<Connection> {
        let own = thread::current().id();
        let now = Instant::now();
        // Those that nobody sends on are closed once nothing is under way on them.
        self.shared.retain(|shared| !shared.sender.is_closed() && now.duration_since(shared.used) < IDLE);
        if let Some(shared) = self.shared.iter_mut().find(|shared| shared.made_by == own) {
            shared.used = now;
            return Some(Connection { sender: Sender::Http2(shared.sender.clone()), made_by: own });
        }
        self.idle.retain(|(idle, since)| idle.sender.is_open() && now.duration_since(*since) < IDLE);
        let at = self.idle.iter().rposition(|(idle, _)| idle.made_by == own);
        let at = at.or_else(|| self.idle.len().checked_sub(1))?;
        Some(self.idle.remove(at).0)
    }

    /// Keeps a connection of HTTP/2 that this thread has made. Of two that were made at the same time the newer is kept.
    fn share(&mut self, sender: SendRequest<Full<Bytes>>) {
        let made_by = thread::current().id();
        self.shared.retain(|shared| shared.made_by != made_by);
        self.shared.push(Shared { sender, made_by, used: Instant::now() });
    }
}

impl Wire {
    /// No connection yet.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self { target, room: Semaphore::new(IN_FLIGHT_MAX), kept: Mutex::default(), peer: Mutex::default() }
    }

    /// The other end of the newest connection.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.peer.lock().clone()
    }

    /// Sends a request and reads the response, all of it within `budget`.
    ///
    /// # Errors
    /// See [`WireError`].
    pub async fn send(&self, message: &Message<'_>, budget: Duration) -> Result<Reply, WireError> {
        let _seat = self.room.try_acquire().map_err(|_| WireError::Busy)?;
        let reached = Reached::default();
        match timeout_at(Instant::now() + budget, self.exchange(message, &reached)).await {
            Ok(result) => result,
            Err(_) if reached.is_noted() => Err(WireError::Timeout),
            Err(_) => Err(WireError::ConnectTimeout),
        }
    }

    async fn exchange(&self, message: &Message<'_>, reached: &Reached) -> Result<Reply, WireError> {
        // One that was kept may have been closed meanwhile, which shows only when it is used.
        let kept = self.kept.lock().take();
        if let Some(mut kept) = kept {
            reached.note();
            let request = self.request(message, &kept.sender)?;
            match kept.sender.send(request).await {
                Ok(response) => return self.read(response, kept).await,
                Err(error) => tracing::debug!(error = %error.error(), "a kept connection was closed"),
            }
        }
        let (mut sender, peer) =
            connect(&self.target.host, &self.target.network, &self.target.tls, reached).await?;
        *self.peer.lock() = Some(peer);
        if let Sender::Http2(sender) = &sender {
            self.kept.lock().share(sender.clone());
        }
        let made_by = thread::current().id();
        let request = self.request(message, &sender)?;
        let response = sender.send(request).await;
        self.read(response.map_err(|error| broken(error.error()))?, Connection { sender, made_by }).await
    }

    fn request(&self, message: &Message<'_>, sender: &Sender) -> Result<Request<Full<Bytes>>, WireError> {
        let http2 = matches!(sender, Sender::Http2(_));
        let host = &self.target.host;
        // Over HTTP/2 the authority takes the place of `Host`.
        let uri = if http2 { format!("https://{host}{}", message.path) } else { message.path.to_owned() };
        let mut request = Request::builder().method(message.method).uri(uri);
        if !http2 {
            request = request.header(header::HOST, host);
        }
        for (name, value) in message.headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(message.body.clone());
        request.body(body).map_err(|error| WireError::Broken(format!("the request cannot be made: {error}")))
    }

    async fn read(&self, response: Response<Incoming>, used: Connection) -> Result<Reply, WireError> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| WireError::Broken(error.to_string()))?.to_bytes();
        if let Sender::Http1(_) = used.sender
            && used.sender.is_open()
            && !closes(&head.headers)
        {
            let mut kept = self.kept.lock();
            if kept.idle.len() < IDLE_MAX {
                kept.idle.push((used, Instant::now()));
            }
        }
        let content_type = head.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Reply { status: head.status.as_u16(), content_type, body })
    }
}

fn closes(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONNECTION).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.to_ascii_lowercase().contains("close"))
}

/// In TLS 1.3 a proxy that refuses the certificate of its client says so when that believes to be connected.
pub(crate) fn broken(error: &hyper::Error) -> WireError {
    let mut next = error.source();
    while let Some(cause) = next {
        let of_connection = cause.downcast_ref::<io::Error>();
        if let Some(error) = of_connection.filter(|error| is_of_tls(error)) {
            return WireError::Tls(error.to_string());
        }
        next = cause.source();
    }
    WireError::Broken(error.to_string())
}

/// Whether it is TLS that found what it was sent to be wrong, or was told so. Errors of rustls have this kind, and over HTTP/2
/// nothing but that and their text is left of them.
pub(crate) fn is_of_tls(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData
}
