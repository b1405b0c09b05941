//! The way to a worker that runs, and back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tokio::runtime::{Handle, Id};

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
            lanes: Mutex::new(lanes),
            has_answered: AtomicBool::default(),
            supervisor,
        }
    }

    /// Sends a call from the runtime that its answer is waited for in, if there is room for it.
    pub(crate) fn send_at_once(self: &Arc<Self>, message: &[u8], waiting: Waiting) -> Result<(), NotSent> {
        self.send_by(Socket::send_at_once, self.lane(), message, waiting)
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
            runtime.spawn(Arc::clone(self).receive_over(socket));
            Some(lane)
        });
        let lane = lane.unwrap_or(OF_NO_RUNTIME);
        lanes.of_runtimes.push((id, lane));
        lane
    }

    /// Takes what comes over a lane to whoever asked, until there will be no more.
    async fn receive_over(self: Arc<Self>, socket: AsyncSocket) {
        let mut buffer = Buffer::new();
        while socket.readable().await.is_ok() {
            match self.receive(|| socket.receive(&mut buffer)) {
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(false) | Err(_) => break,
            }
        }
        let _ = self.supervisor.send(Order::Closed(self.number));
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
        self.pending.answer(message.call.number, answer);
        // Not each time: it would wake the supervisor for nothing.
        if !self.has_answered.swap(true, Ordering::Relaxed) {
            let _ = self.supervisor.send(Order::Answered);
        }
        Ok(true)
    }
}
