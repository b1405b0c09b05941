//! A core: a thread with a runtime of its own, which owns every connection dealt to it until the end.
//!
//! Nothing here is shared with another core but the counters of who is connected.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;

use crate::connection::{self, Builders};
use crate::endpoint::Endpoint;
use crate::limits::Limits;
use crate::metrics::ConnectionMetrics;
use crate::sources::Guest;

/// What a connection knows of the listener that took it.
pub(crate) struct Listener {
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) on_loopback: bool,
    /// The id of the private endpoint that it is.
    pub(crate) endpoint: Option<Arc<str>>,
}

/// A new connection on its way to a core.
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) listener: Arc<Listener>,
    pub(crate) seat: Seat,
}

/// What a core is told.
pub(crate) enum Message {
    /// Serve this connection.
    Serve(Arrival),
    /// Serve no new connection, and end when the last is gone or at this time.
    Drain(Instant),
    /// End.
    Stop,
}

/// Who is on a core; seen by the acceptor too.
#[derive(Debug, Default)]
pub(crate) struct Load {
    open: AtomicUsize,
    left: Notify,
}

impl Load {
    pub(crate) fn open(&self) -> usize {
        self.open.load(Relaxed)
    }
}

/// A connection's place on a core, given back when dropped.
pub(crate) struct Seat {
    load: Arc<Load>,
    _guest: Guest,
}

impl Seat {
    pub(crate) fn take(load: &Arc<Load>, guest: Guest) -> Self {
        load.open.fetch_add(1, Relaxed);
        Self { load: Arc::clone(load), _guest: guest }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.load.open.fetch_sub(1, Relaxed);
        self.load.left.notify_one();
    }
}

/// What the connections of a core share.
pub(crate) struct Core<E> {
    pub(crate) endpoint: Arc<E>,
    pub(crate) limits: Limits,
    pub(crate) builders: Builders,
    pub(crate) metrics: Arc<ConnectionMetrics>,
    pub(crate) epoch: Instant,
    load: Arc<Load>,
    draining: AtomicBool,
    next_id: AtomicU64,
    // Taken when a connection opens, closes, and at drain; never for a request.
    wakers: Mutex<HashMap<u64, Waker>>,
}

impl<E: Endpoint> Core<E> {
    pub(crate) fn new(endpoint: E, limits: Limits, metrics: Arc<ConnectionMetrics>, load: Arc<Load>) -> Self {
        Self {
            endpoint: Arc::new(endpoint),
            builders: Builders::new(&limits),
            limits,
            metrics,
            epoch: Instant::now(),
            load,
            draining: AtomicBool::new(false),
            next_id: AtomicU64::new(0),
            wakers: Mutex::default(),
        }
    }

    /// Serves until told to end. Connections that are still open then are dropped with the runtime; their number
    /// is given back.
    pub(crate) async fn run(self, mut messages: mpsc::UnboundedReceiver<Message>) -> usize {
        let core = Arc::new(self);
        let mut drain_ends: Option<Instant> = None;
        loop {
            if drain_ends.is_some() && core.load.open() == 0 {
                return 0;
            }
            tokio::select! {
                message = messages.recv() => match message {
                    Some(Message::Serve(arrival)) if drain_ends.is_none() => {
                        tokio::spawn(connection::serve(arrival, Arc::clone(&core)));
                    }
                    Some(Message::Serve(_)) => {}
                    Some(Message::Drain(end)) => {
                        drain_ends = Some(end);
                        core.drain();
                    }
                    Some(Message::Stop) | None => return core.load.open(),
                },
                () = core.load.left.notified(), if drain_ends.is_some() => {}
                () = sleep_until(drain_ends.unwrap_or(core.epoch)), if drain_ends.is_some() => {
                    return core.load.open();
                }
            }
        }
    }

    fn drain(&self) {
        self.draining.store(true, Relaxed);
        for waker in self.wakers.lock().unwrap_or_else(PoisonError::into_inner).values() {
            waker.wake_by_ref();
        }
    }
}

impl<E> Core<E> {
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Has a task woken when the core drains, for as long as the result lives.
    pub(crate) fn register(&self, waker: &Waker) -> Registered<'_, E> {
        let id = self.next_id.fetch_add(1, Relaxed);
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).insert(id, waker.clone());
        Registered { core: self, id }
    }
}

/// See [`Core::register`].
pub(crate) struct Registered<'c, E> {
    core: &'c Core<E>,
    id: u64,
}

impl<E> Drop for Registered<'_, E> {
    fn drop(&mut self) {
        self.core.wakers.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
