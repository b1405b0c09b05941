//! The binary `trent` as a process: started on free ports, waited for, killed at the end whatever happens.
//!
//! Which file the binary is, the caller says: cargo tells the tests of `crates/cli` alone.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take for what it does at once.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The access key that [`serve`] has the first start make.
pub const FIRST_ACCESS_KEY: &str = "AKIAFIRSTFIRSTFIRST0";
/// Its secret.
pub const FIRST_SECRET: &str = "a-secret-of-tests-40-characters-long-000";

/// The binary that cargo built beside the test that runs, or the one that `TRENT_BINARY` names.
#[expect(clippy::disallowed_methods, reason = "where the binary is, a test is told by nothing else")]
pub fn built_binary() -> PathBuf {
    let named = std::env::var_os("TRENT_BINARY").map(PathBuf::from);
    let binary = named.unwrap_or_else(|| {
        let test = std::env::current_exe().expect("the path of this test");
        // The test is `target/<profile>/deps/<name>-<hash>`.
        test.ancestors().nth(2).expect("the folder that cargo builds into").join("trent")
    });
    let shown = binary.display();
    assert!(binary.is_file(), "there is no {shown}: run `cargo build -p trent-cli`, or set TRENT_BINARY");
    binary
}

/// `trent` with these arguments, and nothing of this process's environment that it would read.
pub fn command<A: AsRef<OsStr>>(binary: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRENT_")) {
        command.env_remove(name);
    }
    command
}

/// `trent serve` on free ports and this data directory, all that its first start makes left to chance.
pub fn serve_at_random(binary: &Path, data_dir: &Path) -> Command {
    let mut command = command(binary, ["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(data_dir);
    command
}

/// `trent serve` on free ports and this data directory; the first start makes [`crate::ACCOUNT`] and
/// [`FIRST_ACCESS_KEY`].
pub fn serve(binary: &Path, data_dir: &Path) -> Command {
    let mut command = serve_at_random(binary, data_dir);
    command.args(["--account-id", crate::ACCOUNT]);
    command.env("TRENT_BOOTSTRAP_ACCESS_KEY_ID", FIRST_ACCESS_KEY);
    command.env("TRENT_BOOTSTRAP_SECRET_ACCESS_KEY", FIRST_SECRET);
    command
}

/// What a command that ends printed: exit code (-1 for one that was killed), standard output, standard error.
pub fn finish(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A server that was started and may not be ready yet; killed when dropped.
pub struct Starting {
    child: Child,
    log: Log,
    collecting: Option<JoinHandle<()>>,
    lines: mpsc::Receiver<String>,
}

impl Starting {
    /// Starts it and does not wait.
    pub fn new(command: &mut Command) -> Self {
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Log::default();
        let collecting = Some(log.collect(child.stderr.take().expect("standard error is piped")));
        let stdout = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log, collecting, lines }
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// How it ended, and its log, when it is not ready in time.
    pub fn ready(mut self) -> Result<Server, String> {
        let Ok(ready) = self.lines.recv_timeout(PATIENCE) else {
            // It may have ended.
            let _ = self.child.kill();
            let code = self.child.wait();
            return Err(format!("not ready, {code:?}: {}", self.log.text()));
        };
        let (kms, ops) = (address(&ready, "kms"), address(&ready, "ops"));
        Ok(Server { process: self, ready, kms, ops })
    }

    /// Kills it with signal 9, which it cannot see coming.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ended");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of what it writes to standard error, after its own end, and gives all of it.
    fn last_words(&mut self) -> String {
        self.collecting.take().map(JoinHandle::join).transpose().expect("its log is collected");
        self.log.text()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(ready: &str, kind: &str) -> SocketAddr {
    let after = ready.split_once(&format!(" {kind} http")).and_then(|(_, rest)| rest.split_once("://"));
    let address =
        after.and_then(|(_, rest)| rest.split([' ', '/']).next()).and_then(|text| text.parse().ok());
    address.unwrap_or_else(|| panic!("no address of {kind} in `{ready}`"))
}

/// A server that is ready; killed when dropped.
pub struct Server {
    process: Starting,
    /// The line that says so.
    pub ready: String,
    /// Where the API is.
    pub kms: SocketAddr,
    /// Where `/healthz` and its like are.
    pub ops: SocketAddr,
}

impl Server {
    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        match Starting::new(command).ready() {
            Ok(server) => server,
            Err(problem) => panic!("{problem}"),
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.child), signal).expect("it can be signalled");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end, and gives its exit code.
    pub fn stop(mut self) -> i32 {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end, and gives its exit code.
    pub fn wait(&mut self) -> i32 {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.process.child.try_wait().expect("it is a child") {
                Some(status) => return status.code().unwrap_or(-1),
                None if Instant::now() > end => panic!("it does not end: {}", self.log()),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Kills it with signal 9.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Sends it a signal that ends it; gives its exit code and all that it wrote to standard error.
    pub fn end_with(mut self, signal: Signal) -> (i32, String) {
        self.signal(signal);
        (self.wait(), self.process.last_words())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.child.try_wait().expect("it is a child").is_none()
    }

    /// What it has written to standard error, but for what is still on its way.
    pub fn log(&self) -> String {
        self.process.log.text()
    }

    /// Waits until the log has this text.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "no `{text}` in: {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A figure of `/proc/PID/status`, such as `VmRSS`, in KiB.
    pub fn memory_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let figure = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        figure.unwrap_or_else(|| panic!("no {name} in {status}"))
    }
}

/// What a process writes to standard error.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn collect(&self, mut from: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                log.bytes().extend(buffer.iter().take(read));
            }
        })
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}
