//! The thread that starts a worker, and kills it when a call takes too long.
//!
//! Callers send to a worker that runs themselves: a thread in between would have to be woken. What reaches the supervisor
//! is what finds no worker, or no room.
//!
//! It is the parent of the worker for as long as that lives, since a worker asks to be killed with the thread that
//! started it.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};
use std::{io, iter};

use zeroize::Zeroizing;

use crate::backoff::Backoff;
use crate::line::{Current, Line, NotSent, Queued};
use crate::message::{Reply, Request};
use crate::pending::Waiting;
use crate::wire::{Buffer, Call, LANES_MAX, Socket};
use crate::worker::Error;

/// The call that loads the module, before there are any others.
const LOAD: Call = Call { lane: 0, number: 0 };

/// How long the supervisor waits for room before it looks after other things.
const ROOM: Duration = Duration::from_millis(50);
/// How long it waits in any case, before it tries again: without memory the system has nobody wait.
const NO_ROOM: Duration = Duration::from_millis(1);
/// How long a process that was killed is waited for.
const REAPED: Duration = Duration::from_secs(1);
/// Those that use a worker beside one for each core: what connects and disconnects, jobs, and what operators ask.
const OTHER_RUNTIMES: usize = 6;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To start and to load its module.
    pub start: Duration,
    /// To answer a call.
    pub call: Duration,
}

/// What reaches the supervisor.
pub(crate) enum Order {
    /// Somebody asks something that could not be sent at once.
    Call(Zeroizing<Vec<u8>>, Waiting, Option<Queued>),
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
    /// For whoever receives answers.
    pub(crate) sender: Sender<Order>,
    pub(crate) worker: Option<Running>,
    /// The way to that worker, for callers.
    pub(crate) current: Current,
    pub(crate) started: u64,
    pub(crate) backoff: Backoff,
    pub(crate) deaths: Arc<AtomicU64>,
}

/// A worker that runs.
pub(crate) struct Running {
    child: Child,
    line: Arc<Line>,
}

impl Supervisor {
    pub(crate) fn run(mut self) {
        loop {
            // Whatever else there is to do.
            if self.is_late() {
                self.bury_late();
            }
            match self.next() {
                Ok(Order::Call(message, waiting, _queued)) => self.call(&message, waiting),
                Ok(Order::Answered) => self.backoff.went_well(),
                Ok(Order::Closed(number)) => {
                    if self.worker.as_ref().is_some_and(|worker| worker.line.number == number) {
                        self.bury("it died");
                    }
                }
                // The call that was to be answered by now may have been.
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.end(false);
    }

    /// The next order, or that it is time to look whether a call has waited too long.
    fn next(&self) -> Result<Order, RecvTimeoutError> {
        let Some(Running { line, .. }) = &self.worker else {
            return self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected);
        };
        // Of calls that come while this sleeps nobody tells; none of them is late before all of a limit has passed.
        let now = Instant::now();
        let until = line.pending.first_until().unwrap_or(now + line.limit);
        self.orders.recv_timeout(until.saturating_duration_since(now))
    }

    fn is_late(&self) -> bool {
        let first = self.worker.as_ref().and_then(|worker| worker.line.pending.first_until());
        first.is_some_and(|until| until <= Instant::now())
    }

    fn call(&mut self, message: &[u8], mut waiting: Waiting) {
        loop {
            // Whoever asked may have gone while this waited.
            if waiting.answer.is_closed() {
                return;
            }
            if waiting.until <= Instant::now() {
                let _ = waiting.answer.send(Err(Error::Busy));
                return;
            }
            let worker = match self.worker() {
                Ok(worker) => worker,
                Err(error) => {
                    let _ = waiting.answer.send(Err(error));
                    return;
                }
            };
            match worker.line.send(message, waiting) {
                Ok(()) => return,
                Err(NotSent::Full(given_back)) => {
                    waiting = given_back;
                    if self.is_late() {
                        self.bury_late();
                    }
                    thread::sleep(NO_ROOM);
                }
                // Not while it is the one that runs.
                Err(NotSent::Ended(given_back)) => {
                    waiting = given_back;
                    self.bury("it was ended");
                }
                Err(NotSent::Broken(error)) => return self.bury(&format!("it takes no more calls: {error}")),
            }
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
                Ok(running) => {
                    *self.current.write() = Some(Arc::clone(&running.line));
                    self.worker = Some(running);
                }
                Err(error) => {
                    self.count_death();
                    tracing::error!(module = %self.program.module.display(), %error, "an HSM worker does not start");
                    return Err(error);
                }
            }
        }
        self.worker.as_mut().ok_or(Error::Died)
    }

    fn start(&self) -> Result<Running, Error> {
        let failed = |error: io::Error| Error::NotStarted(error.to_string());
        let (socket, theirs) = Socket::pair().map_err(failed)?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let lanes = iter::repeat_with(Socket::pair).take((cores + OTHER_RUNTIMES).min(LANES_MAX));
        let (lanes, ends): (Vec<_>, Vec<_>) =
            lanes.collect::<io::Result<Vec<_>>>().map_err(failed)?.into_iter().unzip();
        let child = spawn(&self.program, theirs).map_err(failed)?;
        let line = Line::new(self.started, socket, lanes, self.limits.call, self.sender.clone());
        let running = Running { child, line: Arc::new(line) };
        let loaded = running.load(&self.program, self.limits, &ends);
        match loaded.and_then(|()| running.read_on().map_err(failed)) {
            Ok(()) => Ok(running),
            Err(error) => {
                running.kill();
                Err(error)
            }
        }
    }

    /// Ends a worker that is of no more use, and tells all that wait for it.
    fn bury(&mut self, why: &str) {
        self.died(why);
        self.end(false);
    }

    /// Ends one that has not answered in time.
    fn bury_late(&mut self) {
        self.died("a call took too long");
        self.end(true);
    }

    /// Before anybody is told, so that whoever is finds it counted.
    fn died(&mut self, why: &str) {
        if self.worker.is_some() {
            tracing::error!(module = %self.program.module.display(), why, "an HSM worker was ended");
            self.count_death();
        }
    }

    fn count_death(&mut self) {
        self.deaths.fetch_add(1, Ordering::Release);
        self.backoff.died(Instant::now());
    }

    fn end(&mut self, took_too_long: bool) {
        if let Some(mut worker) = self.worker.take() {
            *self.current.write() = None;
            // One that has ended already cannot be killed.
            let _ = worker.child.kill();
            worker.line.pending.give_up(took_too_long);
            reap(worker.child);
        }
    }
}

impl Running {
    /// Hands over the lanes and has the module loaded, before anything else is asked.
    fn load(&self, program: &Program, limits: Limits, lanes: &[OwnedFd]) -> Result<(), Error> {
        let silent = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::TimedOut,
            _ => Error::NotStarted(error.to_string()),
        };
        let socket = &self.line.socket;
        socket.limit(Some(limits.call), Some(limits.start)).map_err(silent)?;
        let lanes: Vec<_> = lanes.iter().map(AsFd::as_fd).collect();
        let message = Request::Load(program.module.clone()).encode();
        socket.send_ends(LOAD, &message, &lanes).map_err(silent)?;
        let mut buffer = Buffer::new();
        let answer = socket.receive(&mut buffer).map_err(silent)?.ok_or(Error::Died)?;
        socket.limit(Some(ROOM), None).map_err(silent)?;
        match Reply::decode(answer.bytes) {
            Ok(Reply::Done) => Ok(()),
            Ok(Reply::Failed(error)) => Err(Error::Token(error)),
            Ok(_) | Err(_) => Err(Error::NotStarted("it answers something else".to_owned())),
        }
    }

    /// From here on, a thread takes what the worker answers to those that no runtime receives for. It ends with the
    /// worker, whose end of the socket closes then.
    fn read_on(&self) -> io::Result<()> {
        let line = Arc::clone(&self.line);
        thread::Builder::new().name("hsm-answers".to_owned()).spawn(move || line.receive_all())?;
        Ok(())
    }

    fn kill(mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        reap(self.child);
    }
}

/// Waits until a process that was killed has ended, in a thread if that takes longer: one that waits for a device may not end.
fn reap(mut child: Child) {
    let until = Instant::now() + REAPED;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() >= until {
            // Without a thread it stays as it is until this process ends.
            let _ = thread::Builder::new().name("hsm-reaper".to_owned()).spawn(move || child.wait());
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn spawn(program: &Program, socket: OwnedFd) -> io::Result<Child> {
    let Program { path, arguments, environment, .. } = program;
    let mut command = Command::new(path);
    command.args(arguments).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    // What a module prints goes where the log goes, and nothing comes between messages.
    command.stdin(Stdio::from(socket)).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()
}
