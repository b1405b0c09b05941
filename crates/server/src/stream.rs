//! The bytes of one connection, plain or over TLS, watched: what arrives is noted in its [`Activity`].
//!
//! Also here: how a connection ends whose client is still sending. Closing a socket with unread bytes makes the
//! kernel send a reset, which can overtake the answer (413, say) in the client; so the rest is read for a
//! moment and thrown away.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use crate::activity::Activity;

/// How long, and for how many bytes, a client that is still sending is listened to after its answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 8 * 1024 * 1024;

pub(crate) enum Transport {
    Plain(TcpStream),
    // Boxed, so that plain connections do not carry the size of a TLS session.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection's bytes.
pub(crate) struct Stream {
    transport: Transport,
    activity: Arc<Activity>,
    linger: Option<Box<Linger>>,
}

struct Linger {
    until: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Stream {
    pub(crate) fn new(transport: Transport, activity: Arc<Activity>) -> Self {
        Self { transport, activity, linger: None }
    }

    fn socket(&mut self) -> Pin<&mut TcpStream> {
        match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket),
            Transport::Tls(tls) => Pin::new(tls.get_mut().0),
        }
    }

    fn inner(&mut self) -> Pin<&mut dyn Both> {
        match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket),
            Transport::Tls(tls) => Pin::new(&mut **tls),
        }
    }

    /// Reads and drops what still comes, until the client has no more, or enough.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut linger = self.linger.take().unwrap_or_else(|| {
            let until = Box::pin(tokio::time::sleep(LINGER));
            Box::new(Linger { until, bytes_left: LINGER_BYTES_MAX })
        });
        let mut scratch = [0; 4096];
        loop {
            if linger.until.as_mut().poll(cx).is_ready() || linger.bytes_left == 0 {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut scratch);
            match self.socket().poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    linger.bytes_left = linger.bytes_left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    self.linger = Some(linger);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.activity.is_reset() {
            // One that cannot be reset is closed.
            let _ = self.socket().set_zero_linger();
        }
    }
}

trait Both: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.activity.turn_is_over() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = ready!(this.inner().poll_read(cx, buf));
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            this.activity.received(bytes);
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().inner().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.activity.is_reset() {
            return Poll::Ready(Ok(()));
        }
        if this.linger.is_none() {
            ready!(this.inner().poll_shutdown(cx))?;
        }
        if this.activity.has_left_unread() {
            ready!(this.poll_discard(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().inner().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(socket) => socket.is_write_vectored(),
            Transport::Tls(tls) => tls.is_write_vectored(),
        }
    }
}
