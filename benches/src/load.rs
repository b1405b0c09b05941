//! The load generator: one thread, many keep-alive connections, a request at a time on each.
//!
//! In the closed form every connection asks again as soon as it is answered. In the open form requests are due
//! at fixed times whether or not earlier ones have been answered, and a latency counts from when its request was
//! due: a server that stalls is charged for all that had to wait, not for the few that were under way.
//!
//! Plain sockets and epoll, since the generator shares the machine with what it measures. Every answer is
//! checked; the first wrong one ends the measurement.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::answer;
use crate::request::Prepared;

/// How long the last answers may take to come.
const GRACE: Duration = Duration::from_secs(20);
const READ_BYTES: usize = 64 * 1024;

/// A load.
pub(crate) struct Load<'p> {
    pub(crate) to: SocketAddr,
    pub(crate) connections: usize,
    /// Asked in turn.
    pub(crate) pool: &'p [Prepared],
    pub(crate) pace: Pace,
}

/// When requests are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// All the time, for so long.
    Closed(Duration),
    /// All the time, this many.
    Count(u64),
    /// So many each second, for so long.
    Open { per_second: f64, time: Duration },
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Answers, all of them right.
    pub(crate) answers: u64,
    /// Answers by the end of the time.
    in_time: u64,
    time: Duration,
    /// One for each answer, sorted.
    latencies: Vec<Duration>,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.in_time as f64 / self.time.as_secs_f64()
    }

    /// The latency on average.
    pub(crate) fn mean(&self) -> Duration {
        let answers = u32::try_from(self.latencies.len()).unwrap_or(u32::MAX).max(1);
        self.latencies.iter().sum::<Duration>() / answers
    }

    /// The latency that this share of answers did not exceed.
    pub(crate) fn latency(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        self.latencies.get(place).copied().unwrap_or_default()
    }
}

impl Load<'_> {
    /// Opens the connections, makes the requests and takes the answers.
    pub(crate) fn run(&self) -> Result<Outcome> {
        ensure!(!self.pool.is_empty(), "there is nothing to ask");
        // Times of the open form are far closer than the 50 us that the kernel else adds to any wait.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let mut generator = Generator::new(self)?;
        generator.run()?;
        let mut outcome = generator.outcome;
        outcome.latencies.sort_unstable();
        Ok(outcome)
    }
}

struct Generator<'l> {
    load: &'l Load<'l>,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    free: VecDeque<usize>,
    asked: u64,
    begun: Instant,
    outcome: Outcome,
    scratch: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// What has come of an answer that is not whole yet.
    partial: Vec<u8>,
    /// When the request under way was due, and which it is.
    under_way: Option<(Instant, usize)>,
}

impl<'l> Generator<'l> {
    fn new(load: &'l Load<'l>) -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for number in 0..load.connections {
            let stream = TcpStream::connect(load.to)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(u64::try_from(number)?), EventFlags::IN)?;
            connections.push(Connection { stream, partial: Vec::new(), under_way: None });
        }
        let free = (0..connections.len()).collect();
        let (begun, outcome) = (Instant::now(), Outcome::default());
        Ok(Self { load, epoll, connections, free, asked: 0, begun, outcome, scratch: vec![0; READ_BYTES] })
    }

    fn run(&mut self) -> Result<()> {
        self.begun = Instant::now();
        let end = match self.load.pace {
            Pace::Closed(time) | Pace::Open { time, .. } => Some(self.begun + time),
            Pace::Count(_) => None,
        };
        loop {
            let due = self.ask_what_is_due(end)?;
            if due.is_none() && self.free.len() == self.connections.len() {
                break;
            }
            let now = Instant::now();
            if end.is_some_and(|end| now > end + GRACE) {
                bail!("the server does not keep up: {} of {} answered", self.outcome.answers, self.asked);
            }
            let patience = due.map_or(GRACE, |due| due.saturating_duration_since(now));
            let answered = self.take_answers(patience, end)?;
            ensure!(answered > 0 || patience < GRACE, "the server answers nothing any more");
        }
        self.outcome.time = match self.load.pace {
            Pace::Closed(time) | Pace::Open { time, .. } => time,
            Pace::Count(_) => self.begun.elapsed(),
        };
        Ok(())
    }

    /// Makes requests while some are due and connections are free. When the next is due; none if there is none.
    fn ask_what_is_due(&mut self, end: Option<Instant>) -> Result<Option<Instant>> {
        loop {
            let now = Instant::now();
            let due = match self.load.pace {
                Pace::Closed(_) => now,
                Pace::Count(count) if self.asked >= count => return Ok(None),
                Pace::Count(_) => now,
                Pace::Open { per_second, .. } => {
                    self.begun + Duration::from_secs_f64(self.asked as f64 / per_second)
                }
            };
            if end.is_some_and(|end| due >= end) {
                return Ok(None);
            }
            if due > now {
                return Ok(Some(due));
            }
            let Some(number) = self.free.pop_front() else {
                // As good as never: an answer will come first.
                return Ok(Some(now + GRACE));
            };
            self.ask(number, due)?;
        }
    }

    fn ask(&mut self, number: usize, due: Instant) -> Result<()> {
        let which = usize::try_from(self.asked)? % self.load.pool.len();
        let prepared = self.load.pool.get(which).context("no such request")?;
        let connection = self.connections.get_mut(number).context("no such connection")?;
        // A request is far smaller than the buffer of an idle connection.
        let written = connection.stream.write(&prepared.bytes)?;
        ensure!(written == prepared.bytes.len(), "a request did not fit into its socket");
        connection.under_way = Some((due, which));
        self.asked += 1;
        Ok(())
    }

    /// Takes what has come, or what comes next; from how many connections.
    fn take_answers(&mut self, patience: Duration, end: Option<Instant>) -> Result<usize> {
        let mut events = Vec::with_capacity(64);
        self.wait(&mut events, patience)?;
        for event in &events {
            let number = usize::try_from(event.data.u64())?;
            self.take_answer(number, end)?;
        }
        Ok(events.len())
    }

    /// The epoll descriptor is itself waited for: unlike `epoll_wait`, `ppoll` knows times below a millisecond.
    fn wait(&self, events: &mut Vec<Event>, patience: Duration) -> Result<()> {
        const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&AT_ONCE))?;
        if events.is_empty() {
            let mut descriptors = [PollFd::new(&self.epoll, PollFlags::IN)];
            match poll(&mut descriptors, Some(&patience.try_into()?)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&AT_ONCE))?;
        }
        Ok(())
    }

    fn take_answer(&mut self, number: usize, end: Option<Instant>) -> Result<()> {
        let connection = self.connections.get_mut(number).context("no such connection")?;
        let read = match connection.stream.read(&mut self.scratch) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(read) => self.scratch.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // Nearly all come whole; they are looked at where they lie.
        let bytes = if connection.partial.is_empty() {
            read
        } else {
            connection.partial.extend_from_slice(read);
            &connection.partial
        };
        let Some(answer) = answer::read(bytes)? else {
            if connection.partial.is_empty() {
                connection.partial.extend_from_slice(read);
            }
            return Ok(());
        };
        let (due, which) = connection.under_way.take().context("an answer that nobody asked for")?;
        self.load.pool.get(which).context("no such request")?.expected.check(&answer)?;
        connection.partial.clear();
        let now = Instant::now();
        self.outcome.answers += 1;
        self.outcome.in_time += u64::from(end.is_none_or(|end| now <= end));
        self.outcome.latencies.push(now.duration_since(due));
        self.free.push_back(number);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::answer::Expected;

    /// A server that does not answer from 100 ms to 300 ms after its start.
    fn stalling() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let begun = Instant::now();
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || answer_all(stream.unwrap(), begun));
            }
        });
        address
    }

    fn answer_all(mut stream: TcpStream, begun: Instant) {
        stream.set_nodelay(true).unwrap();
        let mut request = [0; 16];
        while stream.read(&mut request).is_ok_and(|read| read > 0) {
            let stall = Duration::from_millis(100)..Duration::from_millis(300);
            if stall.contains(&begun.elapsed()) {
                thread::sleep(stall.end - begun.elapsed());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").unwrap();
            stream.write_all(b"{}").unwrap();
        }
    }

    fn outcome(expected: Expected, pace: Pace) -> Result<Outcome> {
        let pool = [Prepared { bytes: b"ask".to_vec(), expected }];
        Load { to: stalling(), connections: 4, pool: &pool, pace }.run()
    }

    #[test]
    fn a_stall_is_charged_for_all_that_were_due() {
        let time = Duration::from_millis(500);
        let open = outcome(Expected::Bytes(2), Pace::Open { per_second: 1000.0, time }).unwrap();
        assert_eq!(open.answers, 500);
        // Those due in the first half of the stall waited for the second half, and more.
        assert!(open.latency(0.85) >= Duration::from_millis(80), "{:?}", open.latency(0.85));
    }

    #[test]
    fn all_answers_are_counted() {
        let counted = outcome(Expected::Success, Pace::Count(100)).unwrap();
        assert_eq!((counted.answers, counted.latencies.len()), (100, 100));
        let closed = outcome(Expected::Success, Pace::Closed(Duration::from_millis(50))).unwrap();
        assert!(closed.answers > 4 && closed.per_second() > 80.0);
    }

    #[test]
    fn a_wrong_answer_ends_it() {
        let wrong = outcome(Expected::Bytes(3), Pace::Count(100)).unwrap_err();
        assert_eq!(wrong.to_string(), "answered 200 with {}");
    }
}
