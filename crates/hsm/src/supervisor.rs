//! The thread that starts a worker, hands calls to it, and kills it when one takes too long.
//!
//! It is the parent of the worker for as long as that lives, since a worker asks to be killed with the thread that
//! started it.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::message::{Reply, Request};
use crate::pending::{Pending, Waiting};
use crate::wire;
use crate::worker::Error;

/// The number of the call that loads the module; others count from there.
const LOAD: u64 = 0;

/// What a worker is started from.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program, as a rule this one.
    pub path: PathBuf,
    /// Its words.
    pub arguments: Vec<OsString>,
    /// All of its environment.
    pub environment: Vec<(String, String)>,
    /// The module that it loads.
    pub module: PathBuf,
}

/// How long a worker may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To start and to load its module.
    pub start: Duration,
    /// To answer a call.
    pub call: Duration,
}

/// What reaches the supervisor.
pub(crate) enum Order {
    /// Somebody asks something.
    Call(Request, Waiting),
    /// A worker has answered for the first time: it is well.
    Answered,
    /// The worker of this number has closed its end.
    Closed(u64),
    /// No more is wanted.
    Stop,
}

pub(crate) struct Supervisor {
    pub(crate) program: Program,
    pub(crate) limits: Limits,
    pub(crate) orders: Receiver<Order>,
    /// For the threads that read.
    pub(crate) sender: Sender<Order>,
    pub(crate) worker: Option<Running>,
    pub(crate) started: u64,
    pub(crate) backoff: Backoff,
    pub(crate) deaths: Arc<AtomicU64>,
}

/// A worker that runs.
pub(crate) struct Running {
    number: u64,
    child: Child,
    stream: UnixStream,
    pending: Arc<Pending>,
    calls: u64,
}

impl Supervisor {
    pub(crate) fn run(mut self) {
        loop {
            match self.next() {
                Ok(Order::Call(request, waiting)) => self.call(&request, waiting),
                Ok(Order::Answered) => self.backoff.went_well(),
                Ok(Order::Closed(number)) => {
                    if self.worker.as_ref().is_some_and(|worker| worker.number == number) {
                        self.bury("it died");
                    }
                }
                // The call that was to be answered by now may have been.
                Err(RecvTimeoutError::Timeout) if !self.is_late() => {}
                Err(RecvTimeoutError::Timeout) => self.bury("a call took too long"),
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.end();
    }

    /// The next order, or that a call has waited too long.
    fn next(&self) -> Result<Order, RecvTimeoutError> {
        let first = self.worker.as_ref().and_then(|worker| worker.pending.first_until());
        match first {
            Some(until) => self.orders.recv_timeout(until.saturating_duration_since(Instant::now())),
            None => self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn is_late(&self) -> bool {
        let first = self.worker.as_ref().and_then(|worker| worker.pending.first_until());
        first.is_some_and(|until| until <= Instant::now())
    }

    fn call(&mut self, request: &Request, waiting: Waiting) {
        // Whoever asked may have gone while this waited.
        if waiting.answer.is_closed() {
            return;
        }
        let limit = self.limits.call;
        let worker = match self.worker() {
            Ok(worker) => worker,
            Err(error) => {
                let _ = waiting.answer.send(Err(error));
                return;
            }
        };
        if let Err(error) = worker.send(request, limit, waiting) {
            self.bury(&format!("it takes no more calls: {error}"));
        }
    }

    /// The worker that runs, or a new one.
    fn worker(&mut self) -> Result<&mut Running, Error> {
        if self.worker.is_none() {
            if !self.backoff.is_over(Instant::now()) {
                return Err(Error::Died);
            }
            self.started += 1;
            match self.start() {
                Ok(running) => self.worker = Some(running),
                Err(error) => {
                    self.died();
                    tracing::error!(module = %self.program.module.display(), %error, "an HSM worker does not start");
                    return Err(error);
                }
            }
        }
        self.worker.as_mut().ok_or(Error::Died)
    }

    fn start(&self) -> Result<Running, Error> {
        let failed = |error: io::Error| Error::NotStarted(error.to_string());
        let (stream, theirs) = UnixStream::pair().map_err(failed)?;
        let child = spawn(&self.program, theirs.into()).map_err(failed)?;
        let pending = Arc::<Pending>::default();
        let mut running = Running { number: self.started, child, stream, pending, calls: LOAD };
        let loaded = running.load(&self.program, self.limits);
        let reading = loaded.and_then(|()| running.read_on(self.sender.clone()).map_err(failed));
        match reading {
            Ok(()) => Ok(running),
            Err(error) => {
                running.kill();
                Err(error)
            }
        }
    }

    /// Ends a worker that is of no more use, and tells all that wait for it.
    fn bury(&mut self, why: &str) {
        if self.worker.is_some() {
            tracing::error!(module = %self.program.module.display(), why, "an HSM worker was ended");
            self.died();
        }
        self.end();
    }

    fn died(&mut self) {
        // Before anybody is told, so that whoever is finds it counted.
        self.deaths.fetch_add(1, Ordering::Release);
        self.backoff.died(Instant::now());
    }

    fn end(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            worker.kill();
            worker.pending.give_up(Instant::now());
        }
    }
}

impl Running {
    /// Has the module loaded, before anything else is asked.
    fn load(&mut self, program: &Program, limits: Limits) -> Result<(), Error> {
        let silent = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::TimedOut,
            _ => Error::NotStarted(error.to_string()),
        };
        self.stream.set_write_timeout(Some(limits.call)).map_err(silent)?;
        self.stream.set_read_timeout(Some(limits.start)).map_err(silent)?;
        let message = Request::Load(program.module.clone()).encode();
        wire::write(&mut self.stream, LOAD, &message).map_err(silent)?;
        let frame = wire::read(&mut self.stream).map_err(silent)?.ok_or(Error::Died)?;
        self.stream.set_read_timeout(None).map_err(silent)?;
        match Reply::decode(&frame.message) {
            Ok(Reply::Done) => Ok(()),
            Ok(Reply::Failed(error)) => Err(Error::Token(error)),
            Ok(_) | Err(_) => Err(Error::NotStarted("it answers something else".to_owned())),
        }
    }

    /// From here on, a thread takes what the worker answers to whoever asked.
    fn read_on(&self, sender: Sender<Order>) -> io::Result<()> {
        let mut stream = self.stream.try_clone()?;
        let (pending, number) = (Arc::clone(&self.pending), self.number);
        // It ends with the worker, whose end of the socket closes then.
        thread::Builder::new().name("hsm-answers".to_owned()).spawn(move || {
            let mut is_first = true;
            while let Ok(Some(frame)) = wire::read(&mut stream) {
                let Ok(reply) = Reply::decode(&frame.message) else { break };
                let answer = match reply {
                    Reply::Failed(error) => Err(Error::Token(error)),
                    other => Ok(other),
                };
                pending.answer(frame.call, answer);
                // Not each time: it would wake the supervisor for nothing.
                if std::mem::take(&mut is_first) {
                    let _ = sender.send(Order::Answered);
                }
            }
            let _ = sender.send(Order::Closed(number));
        })?;
        Ok(())
    }

    fn send(&mut self, request: &Request, limit: Duration, waiting: Waiting) -> io::Result<()> {
        self.calls += 1;
        // First, so that no answer comes before it is waited for.
        self.pending.add(self.calls, Instant::now() + limit, waiting);
        match wire::write(&mut self.stream, self.calls, &request.encode()) {
            // Nothing of it was written, and the worker is well.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.pending.answer(self.calls, Err(Error::TooLong));
                Ok(())
            }
            other => other,
        }
    }

    fn kill(&mut self) {
        // One that has ended already cannot be killed, and is waited for all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &Program, socket: OwnedFd) -> io::Result<Child> {
    let Program { path, arguments, environment, .. } = program;
    let mut command = Command::new(path);
    command.args(arguments).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    // What a module prints goes where the log goes, and nothing comes between the frames.
    command.stdin(Stdio::from(socket)).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()
}
