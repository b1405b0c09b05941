//! One connection, from hand-over to close: TLS handshake, HTTP/1.1 or HTTP/2, time-outs, drain.
//!
//! hyper's own time-out for heads also runs while a connection lies idle between requests, and HTTP/2 has none
//! for idleness, so the times are kept here: one timer for each connection, moved only when it fires or when a
//! head arrives in pieces.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::activity::{Activity, Doing};
use crate::core::{Arrival, Core, Seat};
use crate::endpoint::{Answer, Endpoint, Origin};
use crate::limits::Limits;
use crate::metrics::{HandshakeLabel, HandshakeResult, TimeoutLabel};
use crate::respond::Reset;
use crate::stream::{Stream, Transport};
use crate::tls::{client_certificate, encrypted_with};

/// The builders of a core's connections, by what is known of the protocol.
pub(crate) struct Builders {
    either: auto::Builder<TokioExecutor>,
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
}

impl Builders {
    pub(crate) fn new(limits: &Limits) -> Self {
        let either = builder(limits);
        Self { http1: either.clone().http1_only(), http2: either.clone().http2_only(), either }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    /// Smallest buffer that hyper takes.
    const HEADER_BYTES_MIN: usize = 8 * 1024;
    /// What an HTTP/2 client may send ahead on a stream and on a connection. Small, since it is held for each.
    const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
    const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

    let mut builder = auto::Builder::new(TokioExecutor::new());
    let header_bytes_max = limits.header_bytes_max.max(HEADER_BYTES_MIN);
    // `Date` is the service's, by its own clock.
    builder.http1().auto_date_header(false).header_read_timeout(None).max_buf_size(header_bytes_max);
    if limits.headers_max != Limits::default().headers_max {
        // Setting it, even to the default, costs an allocation for each request.
        builder.http1().max_headers(limits.headers_max);
    }
    builder
        .http2()
        .auto_date_header(false)
        .max_concurrent_streams(limits.http2_streams_max)
        .max_header_list_size(u32::try_from(header_bytes_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(limits.http2_pending_resets_max)
        .max_local_error_reset_streams(limits.http2_errors_max)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(64 * 1024);
    builder
}

/// What the requests of one connection share.
struct Shared<E> {
    endpoint: Arc<E>,
    origin: Origin,
    activity: Arc<Activity>,
    _seat: Seat,
}

/// Serves a connection until its end.
pub(crate) async fn serve<E: Endpoint>(arrival: Arrival, core: Arc<Core<E>>) {
    let Arrival { stream, peer, listener, seat } = arrival;
    let _registered = poll_fn(|cx| Poll::Ready(core.register(cx.waker()))).await;
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let (mut encrypted, mut client) = (None, None);
    let (transport, builder, http2) = match &listener.tls {
        None => (Transport::Plain(stream), &core.builders.either, false),
        Some(tls) => {
            let Some(stream) = handshake(stream, tls, &core).await else { return };
            encrypted = encrypted_with(stream.get_ref().1);
            client = client_certificate(stream.get_ref().1).map(Arc::new);
            match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => (Transport::Tls(stream), &core.builders.http2, true),
                _ => (Transport::Tls(stream), &core.builders.http1, false),
            }
        }
    };
    let activity = Arc::new(Activity::new(core.epoch, http2));
    let io = TokioIo::new(Stream::new(transport, Arc::clone(&activity)));
    let shared = Arc::new(Shared {
        endpoint: Arc::clone(&core.endpoint),
        origin: Origin {
            source: peer.ip().to_canonical(),
            on_loopback: listener.on_loopback,
            tls: encrypted,
            client,
            endpoint: listener.endpoint.clone(),
        },
        activity: Arc::clone(&activity),
        _seat: seat,
    });
    let connection = pin!(builder.serve_connection(io, service_fn(move |request| answer(request, &shared))));
    let timer = pin!(sleep_until(Instant::now() + core.limits.idle));
    let end = auto::Connection::graceful_shutdown;
    let mut attended = Attended { connection, end, timer, activity: &activity, core: &core };
    poll_fn(|cx| attended.poll(cx)).await;
}

async fn handshake<E>(
    stream: TcpStream,
    tls: &TlsAcceptor,
    core: &Core<E>,
) -> Option<Box<TlsStream<TcpStream>>> {
    let mut accepting = pin!(timeout(core.limits.handshake, tls.accept(stream)));
    let accepted = poll_fn(|cx| match core.is_draining() {
        true => Poll::Ready(None),
        false => accepting.as_mut().poll(cx).map(Some),
    });
    let (result, stream) = match accepted.await? {
        Ok(Ok(stream)) => (HandshakeResult::Success, Some(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no TLS handshake");
            (HandshakeResult::Failure, None)
        }
        Err(_) => (HandshakeResult::Timeout, None),
    };
    core.metrics.handshakes.get_or_create(&HandshakeLabel { result }).inc();
    stream
}

/// One request of a connection.
fn answer<E: Endpoint>(
    request: Request<Incoming>,
    shared: &Arc<Shared<E>>,
) -> impl Future<Output = Result<Answer, Reset>> + Send + use<E> {
    let answering = Answering::begin(shared, request.version() == Version::HTTP_2);
    async move {
        let Answering(shared) = &answering;
        let answer = shared.endpoint.answer(request, &shared.origin).await;
        if let Some(reset) = answer.extensions().get::<Reset>() {
            shared.activity.reset();
            return Err(*reset);
        }
        if answer.headers().contains_key(header::CONNECTION) {
            shared.activity.leave_unread();
        }
        Ok(answer)
    }
}

/// Marks its connection as answering, for as long as it lives.
struct Answering<E>(Arc<Shared<E>>);

impl<E> Answering<E> {
    fn begin(shared: &Arc<Shared<E>>, http2: bool) -> Self {
        shared.activity.begin(http2);
        Self(Arc::clone(shared))
    }
}

impl<E> Drop for Answering<E> {
    fn drop(&mut self) {
        self.0.activity.end();
    }
}

/// A connection with its timer, told to end when its core drains or its time is over.
struct Attended<'c, C, E> {
    connection: Pin<&'c mut C>,
    end: fn(Pin<&mut C>),
    timer: Pin<&'c mut Sleep>,
    activity: &'c Activity,
    core: &'c Core<E>,
}

impl<C: Future, E> Attended<'_, C, E> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.activity.begin_turn();
        loop {
            if self.connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if self.core.is_draining() && self.activity.close_once() {
                (self.end)(self.connection.as_mut());
                continue;
            }
            match self.poll_timer(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Doing::Idle) if self.activity.close_once() => {
                    (self.end)(self.connection.as_mut());
                }
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    }

    /// Ready when what the connection is doing has taken too long.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Doing> {
        let limits = &self.core.limits;
        if self.activity.due(limits).is_some_and(|due| due < self.timer.deadline()) {
            self.reset_timer();
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.activity.due(limits).is_some_and(|due| due <= Instant::now()) {
                let doing = self.activity.doing();
                self.core.metrics.timeouts.get_or_create(&TimeoutLabel { doing: doing.into() }).inc();
                return Poll::Ready(doing);
            }
            self.reset_timer();
        }
        Poll::Pending
    }

    fn reset_timer(&mut self) {
        let limits = &self.core.limits;
        let due = self.activity.due(limits).unwrap_or_else(|| Instant::now() + limits.idle);
        self.timer.as_mut().reset(due);
    }
}
