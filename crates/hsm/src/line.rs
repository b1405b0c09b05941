//! The way to a worker that runs, and back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tokio::runtime::{Handle, Id};
use tokio::task::coop::consume_budget;

use crate::message::Reply;
use crate::pending::{Pending, Waiting};
use crate::supervisor::Order;
use crate::wire::{AsyncSocket, Buffer, Call, Message, Socket};
use crate::worker::Error;

/// The lane over which answers come to a thread of its own, and which tells the end of the worker.
const OF_NO_RUNTIME: u8 = 0;

/// A worker that runs, and the calls that it is at.
pub(crate) struct Line {
    /// Which of those that were started.
    pub(crate) number: u64,
    pub(crate) socket: Socket,
    pub(crate) pending: Pending,
    /// How long it may take to answer a call.
    pub(crate) limit: Duration,
    calls: AtomicU64,
    /// Calls that the supervisor has to send, since there was no room for them.
    queued: AtomicUsize,
    lanes: Mutex<Lanes>,
    has_answered: AtomicBool,
    supervisor: Sender<Order>,
}

/// Answers go straight to the runtime that waits for them, as long as there are lanes: a thread in between would have to be
/// woken for each.
struct Lanes {
    free: Vec<(u8, Socket)>,
    /// Which one a runtime has. A runtime that has ended may leave its number to another, and a lane where nobody waits;
    /// the worker then answers over the first.
    of_runtimes: Vec<(Id, u8)>,
}

/// The worker that runs now, if one does. Set by its supervisor.
pub(crate) type Current = Arc<RwLock<Option<Arc<Line>>>>;

/// Why a call was not sent.
pub(crate) enum NotSent {
    /// The worker has been ended. Whoever waits is given back.
    Ended(Waiting),
    /// It would have to wait for room. Whoever waits is given back.
    Full(Waiting),
    /// The worker takes nothing any more. Whoever waits is told so once the worker is ended.
    Broken(io::Error),
}

/// A call that the supervisor is to send. As long as it has not, nobody else sends: the system has those wait who wait for
/// room until there is much of it, and others would take it as soon as there is any.
pub(crate) struct Queued(Arc<Line>);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Line {
    /// A way over this socket, and back over it and over these, which are lanes from 1 on.
    pub(crate) fn new(
        number: u64,
        socket: Socket,
        lanes: Vec<Socket>,
        limit: Duration,
        supervisor: Sender<Order>,
    ) -> Self {
        let lanes = Lanes { free: (1..).zip(lanes).collect(), of_runtimes: Vec::new() };
        Self {
            number,
            socket,
            pending: Pending::default(),
            limit,
            calls: AtomicU64::default(),
            queued: AtomicUsize::default(),
            lanes: Mutex::new(lanes),
            has_answered: AtomicBool::default(),
            supervisor,
        }
    }

    /// Sends a call from the runtime that its answer is waited for in, if there is room for it.
    pub(crate) fn send_at_once(self: &Arc<Self>, message: &[u8], waiting: Waiting) -> Result<(), NotSent> {
        if self.queued.load(Ordering::Relaxed) > 0 {
            return Err(NotSent::Full(waiting));
        }
        self.send_by(Socket::send_at_once, self.lane(), message, waiting)
    }

    /// Counts a call as one that the supervisor is to send.
    pub(crate) fn queue(self: &Arc<Self>) -> Queued {
        self.queued.fetch_add(1, Ordering::Relaxed);
        Queued(Arc::clone(self))
    }

    /// Sends a call, and waits until there is room for it.
    pub(crate) fn send(&self, message: &[u8], waiting: Waiting) -> Result<(), NotSent> {
        self.send_by(Socket::send, OF_NO_RUNTIME, message, waiting)
    }

    fn send_by(
        &self,
        send: impl FnOnce(&Socket, Call, &[u8]) -> io::Result<()>,
        lane: u8,
        message: &[u8],
        waiting: Waiting,
    ) -> Result<(), NotSent> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        // First, so that no answer comes before it is waited for.
        self.pending.add(number, Instant::now() + self.limit, waiting).map_err(NotSent::Ended)?;
        match send(&self.socket, Call { lane, number }, message) {
            Ok(()) => Ok(()),
            // Who is no longer among those that wait has been told.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.pending.take(number).map_or(Ok(()), |waiting| Err(NotSent::Full(waiting)))
            }
            // Longer than this system sends at once.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.pending.answer(number, Err(Error::TooLong));
                Ok(())
            }
            Err(error) => Err(NotSent::Broken(error)),
        }
    }

    /// The lane of the runtime that this is called in.
    fn lane(self: &Arc<Self>) -> u8 {
        let Ok(runtime) = Handle::try_current() else { return OF_NO_RUNTIME };
        let (id, mut lanes) = (runtime.id(), self.lanes.lock());
        if let Some((_, lane)) = lanes.of_runtimes.iter().find(|(known, _)| *known == id) {
            return *lane;
        }
        let lane = lanes.free.pop().and_then(|(lane, socket)| {
            let socket = socket.into_async().ok()?;
            // Made here: a runtime may end before it has begun with this.
            let receiving = Lane { line: Arc::clone(self), socket, buffer: Buffer::new() };
            runtime.spawn(receiving.receive());
            Some(lane)
        });
        let lane = lane.unwrap_or(OF_NO_RUNTIME);
        lanes.of_runtimes.push((id, lane));
        lane
    }

    /// Takes what comes over the socket of calls to whoever asked, until there will be no more.
    pub(crate) fn receive_all(&self) {
        let mut buffer = Buffer::new();
        while matches!(self.receive(|| self.socket.receive(&mut buffer)), Ok(true)) {}
        let _ = self.supervisor.send(Order::Closed(self.number));
    }

    /// Takes an answer to whoever asked; says whether there may be more.
    fn receive<'a>(&self, receive: impl FnOnce() -> io::Result<Option<Message<'a>>>) -> io::Result<bool> {
        let Some(message) = receive()? else { return Ok(false) };
        let Ok(reply) = Reply::decode(message.bytes) else { return Ok(false) };
        let answer = match reply {
            Reply::Failed(error) => Err(Error::Token(error)),
            other => Ok(other),
        };
        // Nobody is answered twice, and nobody who has not asked.
        if !self.pending.answer(message.call.number, answer) {
            return Ok(false);
        }
        // Not each time: it would wake the supervisor for nothing.
        if !self.has_answered.swap(true, Ordering::Relaxed) {
            let _ = self.supervisor.send(Order::Answered);
        }
        Ok(true)
    }
}

/// A lane that a runtime receives over.
struct Lane {
    line: Arc<Line>,
    socket: AsyncSocket,
    buffer: Buffer,
}

impl Lane {
    /// Takes what comes to whoever asked, until there will be no more.
    async fn receive(mut self) {
        while self.socket.readable().await.is_ok() {
            let Self { line, socket, buffer } = &mut self;
            match line.receive(|| socket.receive(buffer)) {
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(false) | Err(_) => break,
            }
            // However much comes, others have their turn.
            consume_budget().await;
        }
        let _ = self.line.supervisor.send(Order::Closed(self.line.number));
    }
}

impl Drop for Lane {
    /// When its runtime ends: what has come is taken to whoever asked, else the worker would count as late. What comes later
    /// comes over the first lane.
    fn drop(&mut self) {
        self.socket.close();
        let Self { line, socket, buffer } = self;
        while matches!(line.receive(|| socket.receive_rest(buffer)), Ok(true)) {}
    }
}
