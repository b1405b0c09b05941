//! HTTP/2, over TLS by ALPN and in plain by prior knowledge.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use crate::support::{Draft, HOST, Running, plain, with_tls};
use crate::tls::{certificate, client, tls_of};

/// A body that waits for its second half.
struct Late {
    first: Option<Bytes>,
    second: Option<oneshot::Receiver<Bytes>>,
}

impl Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some(second) = &mut self.second else { return Poll::Ready(None) };
        let bytes = ready!(Pin::new(second).poll(cx)).unwrap_or_default();
        self.second = None;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

fn request<B>(running: &Running, body: &[u8], send: B) -> http::Request<B> {
    let mut request = http::Request::post(format!("https://{HOST}/"));
    for (name, value) in running.headers(&Draft { body, ..Draft::new(running) }) {
        if name != "host" {
            request = request.header(name, value);
        }
    }
    request.body(send).unwrap()
}

async fn plain_client<B>(running: &Running) -> SendRequest<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(running.address()).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[test]
fn http2_is_chosen_by_alpn_and_requests_share_a_connection() {
    let certificate = certificate();
    let running = Running::start(with_tls(&tls_of(&certificate)));
    running.runtime.block_on(async {
        let config = client(&[&certificate], &rustls::version::TLS13, &[b"h2", b"http/1.1"]);
        let stream = TcpStream::connect(running.address()).await.unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        let stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut asked = Vec::new();
        for _ in 0..50 {
            let mut sender: SendRequest<Full<Bytes>> = sender.clone();
            let request = request(&running, b"{}", Full::from("{}"));
            asked.push(tokio::spawn(async move { sender.send_request(request).await.unwrap() }));
        }
        for answer in asked {
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()["content-type"], "application/x-amz-json-1.1");
            assert!(answer.headers().contains_key("date"));
        }
    });
    assert_eq!(running.metric("trent_connections_accepted_total"), Some(1));
}

#[test]
fn a_body_that_is_too_large_is_refused_and_the_connection_goes_on() {
    let running = Running::start(plain());
    running.runtime.block_on(async {
        let mut sender = plain_client::<Full<Bytes>>(&running).await;
        let body = vec![b' '; 1024 * 1024 + 1];
        let answer = sender.send_request(request(&running, &body, Full::from(body.clone()))).await.unwrap();
        assert_eq!(answer.status(), 413);
        assert!(!answer.headers().contains_key("connection"));
        let answer = sender.send_request(request(&running, b"{}", Full::from("{}"))).await.unwrap();
        assert_eq!(answer.status(), 200);
        let body = vec![b' '; 1024 * 1024];
        let answer = sender.send_request(request(&running, &body, Full::from(body.clone()))).await.unwrap();
        assert_eq!(answer.status(), 400);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, r#"{"__type":"SerializationException"}"#);
    });
}

#[test]
fn a_drain_lets_streams_in_flight_end() {
    let running = Arc::new(Running::start(plain()));
    let clients = tokio::runtime::Runtime::new().unwrap();
    clients.block_on(async {
        let mut sender = plain_client::<Late>(&running).await;
        let (rest, second) = oneshot::channel();
        let body = Late { first: Some(Bytes::from_static(b"{")), second: Some(second) };
        let mut other = sender.clone();
        let request_ = request(&running, b"{}", body);
        let asked = tokio::spawn(async move { sender.send_request(request_).await.unwrap() });
        tokio::time::sleep(Duration::from_millis(100)).await;
        let draining = Arc::clone(&running);
        let drain = tokio::spawn(async move { draining.server.drain(Duration::from_secs(20)).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        let late = Late { first: Some(Bytes::from_static(b"{}")), second: None };
        assert!(other.send_request(request(&running, b"{}", late)).await.is_err(), "GOAWAY was sent");
        assert!(!drain.is_finished());
        rest.send(Bytes::from_static(b"}")).unwrap();
        assert_eq!(asked.await.unwrap().status(), 200);
        assert_eq!(drain.await.unwrap(), 0);
    });
}

#[test]
fn a_flood_of_resets_ends_its_connection() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    // `POST`, `/`, `http`, and the authority `a`: the first three by their number in the static table.
    const HEAD: &[u8] = &[0x83, 0x84, 0x86, 0x41, 0x01, b'a'];
    let running = Running::start(plain());
    let mut stream = running.connect();
    stream.write_all(PREFACE).unwrap();
    let mut flood = Vec::new();
    for number in 0..5_000_u32 {
        let id = (2 * number + 1).to_be_bytes();
        flood.extend([0, 0, 6, 1, 4]);
        flood.extend(id);
        flood.extend(HEAD);
        flood.extend([0, 0, 4, 3, 0]);
        flood.extend(id);
        flood.extend(8_u32.to_be_bytes());
    }
    // The server may well close before it has all of it.
    let _ = stream.write_all(&flood);
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    assert_eq!(running.ask(&running.request("ListKeys", "{}")).status, 200);
}

#[test]
fn more_header_lines_than_allowed_are_refused_before_the_body_is_waited_for() {
    let running = Running::start(plain());
    running.runtime.block_on(async {
        let mut client = plain_client::<Late>(&running).await;
        let (never, second) = oneshot::channel();
        let mut request = request(&running, b"{}", Late { first: None, second: Some(second) });
        for _ in 0..100 {
            request.headers_mut().append("a", "".parse().unwrap());
        }
        let answer = client.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 431);
        drop(never);
    });
}
