//! The server under attack, and an honest client who goes on asking it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use trent_testkit::{HttpAnswer, Server, Signer, built_binary, connect, receive, serve};

/// What the honest client may have to wait, 99 times of 100.
const P99_MAX: Duration = Duration::from_secs(1);
/// Between two of its requests.
const PAUSE: Duration = Duration::from_millis(4);

// Attacks slow each other down: one at a time, whoever runs these tests.
static ONE: Mutex<()> = Mutex::new(());

/// A server that is attacked.
pub(crate) struct Victim {
    pub(crate) server: Server,
    pub(crate) signer: Signer,
    /// KiB in memory before the attack.
    quiet_kib: u64,
    _data: TempDir,
    _one: MutexGuard<'static, ()>,
}

/// What the honest client met with during an attack.
#[derive(Debug)]
pub(crate) struct Met {
    requests: usize,
    p50: Duration,
    p99: Duration,
    max: Duration,
    /// MiB in memory that the attack took at its worst.
    grown_mib: u64,
}

/// Makes a connection, on which the honest client then asks.
pub(crate) type Connect<S> = Arc<dyn Fn() -> S + Send + Sync>;

impl Victim {
    /// Starts one with these settings in its environment and these arguments.
    pub(crate) fn start(settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let data = tempfile::tempdir().expect("a folder");
        let mut command = serve(&built_binary(), data.path());
        let server = Server::start(command.envs(settings.iter().copied()).args(arguments));
        let mut victim = Self { server, signer: Signer::default(), quiet_kib: 0, _data: data, _one: one };
        // What the first requests need, such as the stacks of threads, is not the attackers' doing.
        if arguments.is_empty() {
            for _ in 0..200 {
                let mut stream = victim.connect();
                assert_eq!(victim.ask(&mut stream).status, 200);
            }
        }
        victim.quiet_kib = victim.server.memory_kib("VmRSS");
        victim
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.server.kms).expect("it listens")
    }

    /// A request that succeeds.
    pub(crate) fn request(&self) -> Vec<u8> {
        request(&self.signer)
    }

    /// One honest request.
    pub(crate) fn ask(&self, stream: &mut (impl Read + Write)) -> HttpAnswer {
        stream.write_all(&self.request()).expect("it is sent");
        receive(stream).expect("an answer")
    }

    /// Attacks while the honest client asks, on a connection that it keeps and on new ones in turn.
    pub(crate) fn under<R>(&self, attack: impl FnOnce() -> R) -> (R, Met) {
        let address = self.server.kms;
        self.under_as(
            &(Arc::new(move || connect(address).expect("it listens")) as Connect<TcpStream>),
            attack,
        )
    }

    /// The same, with connections made some other way.
    pub(crate) fn under_as<S: Read + Write + 'static, R>(
        &self,
        connect: &Connect<S>,
        attack: impl FnOnce() -> R,
    ) -> (R, Met) {
        let honest = Honest::start(self.signer.clone(), Arc::clone(connect));
        let memory = Watch::start(self.server.id());
        let result = attack();
        let worst_kib = memory.end();
        let grown_mib = worst_kib.saturating_sub(self.quiet_kib) / 1024;
        (result, honest.end(grown_mib))
    }

    /// Whether it still is what it was.
    pub(crate) fn is_unharmed(&mut self) {
        assert!(self.server.is_running(), "{}", self.server.log());
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

fn request(signer: &Signer) -> Vec<u8> {
    signer.request("localhost", "GenerateRandom", br#"{"NumberOfBytes":32}"#)
}

impl Met {
    /// Others were answered in time, and memory grew by no more than this.
    #[track_caller]
    pub(crate) fn is_fine(&self, attack: &str, grown_mib_max: u64) {
        let Self { requests, p50, p99, max, grown_mib } = self;
        println!(
            "{attack}: {requests} honest requests, p50 {p50:.1?}, p99 {p99:.1?}, max {max:.1?}; grown by {grown_mib} MiB"
        );
        assert!(*requests >= 5, "{attack}: only {requests} honest requests");
        assert!(*p99 < P99_MAX, "{attack}: p99 is {p99:?}");
        assert!(*grown_mib <= grown_mib_max, "{attack}: grown by {grown_mib} MiB, not {grown_mib_max}");
    }
}

/// The honest client.
struct Honest {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Honest {
    fn start<S: Read + Write + 'static>(signer: Signer, connect: Connect<S>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (mut times, mut kept) = (Vec::new(), connect());
            while !stopped.load(Ordering::SeqCst) {
                let request = request(&signer);
                let begun = Instant::now();
                let mut fresh = (times.len() % 2 == 1).then(|| connect());
                let stream = fresh.as_mut().unwrap_or(&mut kept);
                stream.write_all(&request).expect("the honest client can send");
                let answer = receive(stream).expect("the honest client is answered");
                times.push(begun.elapsed());
                assert_eq!(answer.status, 200, "{answer:?}");
                thread::sleep(PAUSE);
            }
            times
        });
        Self { stop, thread }
    }

    fn end(self, grown_mib: u64) -> Met {
        self.stop.store(true, Ordering::SeqCst);
        let mut times = self.thread.join().expect("the honest client is served");
        times.sort();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        Met { requests: times.len(), p50: at(50), p99: at(99), max: at(100), grown_mib }
    }
}

/// Looks at the memory of a process from time to time.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    fn start(process: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut worst = 0;
            loop {
                let ends = stopped.load(Ordering::SeqCst);
                worst = worst.max(resident_kib(process));
                if ends {
                    return worst;
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        Self { stop, thread }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("it is watched")
    }
}

fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Whether the other side has closed, by a reset or in order.
pub(crate) fn is_closed(stream: &mut impl Read) -> bool {
    let mut rest = [0; 4096];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
                return matches!(error.kind(), ConnectionReset | BrokenPipe);
            }
        }
    }
}

/// How many of these connections the server has closed, all within this time.
pub(crate) fn closed_within(streams: &mut [TcpStream], time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut closed = 0;
    for stream in streams {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).expect("a time");
        closed += usize::from(is_closed(stream));
    }
    closed
}
