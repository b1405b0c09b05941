//! A new connection: addresses in their order, TCP, TLS, HTTP/2 or 1.1 as TLS has agreed.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trent_crypto::certificate::Certificate;

use crate::network::Network;
use crate::wire::{Peer, WireError, broken, is_of_tls};

/// One end of an open connection.
pub(crate) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    /// Shared: each clone sends on the same connection.
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Whether it still can be used, as far as is known.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Http1(sender) => !sender.is_closed(),
            Self::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request; where it could not be sent it comes back.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        match self {
            Self::Http1(sender) => {
                if sender.ready().await.is_err() {
                    // It comes back from here too: a closed connection takes nothing.
                    return sender.try_send_request(request).await;
                }
                sender.try_send_request(request).await
            }
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

/// Opens a connection.
pub(crate) async fn connect(
    host: &str,
    network: &Network,
    tls: &Arc<ClientConfig>,
    reached: &Reached,
) -> Result<(Sender, Peer), WireError> {
    let addresses =
        network.addresses(host).await.map_err(|error| WireError::Unreachable(error.to_string()))?;
    let stream = dial(&addresses).await?;
    reached.note();
    // One request at a time is written, whole.
    let _ = stream.set_nodelay(true);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| WireError::Tls("the host is no name that a certificate can have".to_owned()))?;
    let connecting = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
    let stream = connecting.map_err(|error| not_secured(&error))?;
    let peer = peer(&stream);
    let sender = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => over_http2(stream).await,
        _ => over_http1(stream).await,
    };
    sender.map(|sender| (sender, peer)).map_err(|error| broken(&error))
}

/// Whether a TCP connection was made, for whoever gives up waiting.
#[derive(Debug, Default)]
pub(crate) struct Reached(std::sync::atomic::AtomicBool);

impl Reached {
    pub(crate) fn note(&self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn is_noted(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Connects to the first address that answers. None but the last may take all the time that there is.
async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, WireError> {
    let mut why = "the host has no address".to_owned();
    for (position, address) in (1..).zip(addresses) {
        let connecting = TcpStream::connect(address);
        let connected = match position == addresses.len() {
            true => connecting.await,
            false => timeout(DIAL, connecting).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => why = format!("{address}: {error}"),
        }
    }
    Err(WireError::Unreachable(why))
}

/// Why a handshake failed: TLS says why, or else the connection was cut, as by a proxy that dies or a balancer with
/// none behind it.
fn not_secured(error: &std::io::Error) -> WireError {
    // What is wrong at this end, before anything is sent, has no kind of its own.
    match is_of_tls(error) || error.kind() == ErrorKind::Other {
        true => WireError::Tls(error.to_string()),
        false => WireError::Cut(error.to_string()),
    }
}

fn peer(stream: &TlsStream<TcpStream>) -> Peer {
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(|chain| Certificate::read(chain.first()?));
    Peer {
        certificate,
        tls: session.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default(),
        suite: session
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default(),
        http2: session.alpn_protocol() == Some(b"h2"),
    }
}

async fn over_http1(stream: TlsStream<TcpStream>) -> hyper::Result<Sender> {
    let (sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream)).await?;
    // Ends with the sender, or when the other end closes.
    tokio::spawn(connection);
    Ok(Sender::Http1(sender))
}

async fn over_http2(stream: TlsStream<TcpStream>) -> hyper::Result<Sender> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(16 * 1024)
        // A host that has vanished says nothing: without being asked, the connection would count as good for a quarter of an hour.
        .keep_alive_interval(LIFE_SIGN)
        .keep_alive_timeout(LIFE_SIGN_PATIENCE)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(connection);
    Ok(Sender::Http2(sender))
}

/// How long an address is waited for while there is another.
const DIAL: Duration = Duration::from_millis(80);
/// How often the other end of an HTTP/2 connection is asked whether it is there, and how long for an answer.
const LIFE_SIGN: Duration = Duration::from_secs(5);
const LIFE_SIGN_PATIENCE: Duration = Duration::from_secs(2);
/// What the head of a response may take.
const HEAD_BYTES_MAX: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn an_address_that_is_silent_does_not_keep_others_from_being_tried() {
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let silent = silent.listen(1).unwrap();
        let full = silent.local_addr().unwrap();
        // Nobody accepts: once the queue is full the system answers nothing.
        let mut queued = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(full)).await {
            queued.push(stream.unwrap());
        }
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [full, there.local_addr().unwrap()];
        let stream = timeout(Duration::from_secs(10), dial(&addresses)).await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
    }
}
