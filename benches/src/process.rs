//! Servers under measurement: started, asked what they took of the machine, stopped.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::request::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs; killed when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Where it tells of itself, if it does.
    pub(crate) operations: Option<SocketAddr>,
    /// When it was started, just before the program was run.
    pub(crate) begun: Instant,
    child: Child,
}

impl Server {
    /// The floor.
    pub(crate) fn floor(program: &Path) -> Result<Self> {
        Self::start(Command::new(program).stderr(Stdio::inherit()), "kms http")
    }

    /// `trent serve` on a data directory, with its log beside it.
    pub(crate) fn trent(program: &Path, data_dir: &Path) -> Result<Self> {
        Self::trent_with(program, data_dir, &[])
    }

    /// The same with settings, by the names of their environment variables.
    pub(crate) fn trent_with(program: &Path, data_dir: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        Self::serve(command(program).arg("serve").envs(settings.iter().copied()), data_dir)
    }

    /// The same with a configuration file.
    pub(crate) fn trent_configured(program: &Path, data_dir: &Path, file: &Path) -> Result<Self> {
        Self::serve(command(program).args(["serve", "--config"]).arg(file), data_dir)
    }

    fn serve(command: &mut Command, data_dir: &Path) -> Result<Self> {
        let log = File::create(data_dir.with_extension("log"))?;
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir).stderr(log);
        command.env("TRENT_BOOTSTRAP_ACCESS_KEY_ID", ACCESS_KEY_ID);
        command.env("TRENT_BOOTSTRAP_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
        // The quota is no part of what is measured.
        command.env("TRENT_LIMITS__KEYS_PER_REGION", "1000000000");
        Self::start(command, "kms http").with_context(|| {
            let log = fs::read_to_string(data_dir.with_extension("log")).unwrap_or_default();
            format!("trent does not start: {}", log.trim())
        })
    }

    /// `trent xks-proxy` in a folder with its certificate, and with its data and log in it.
    pub(crate) fn proxy(program: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.args([
            "xks-proxy",
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            "proxy.pem",
            "--tls-key",
            "proxy.key",
        ]);
        command.current_dir(folder).env_clear().stderr(File::create(folder.join("proxy.log"))?);
        Self::start(&mut command, "xks https").context("the proxy does not start")
    }

    fn start(command: &mut Command, named: &str) -> Result<Self> {
        let begun = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { address, operations: None, begun, child };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            // Read to the end: a server whose output nobody takes would wait for that.
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let ready = lines.recv_timeout(PATIENCE).context("it did not say that it is ready")?;
        let find = |named: &str| {
            let (_, rest) = ready.split_once(&format!(" {named}://"))?;
            rest.split([' ', '/']).next()?.parse().ok()
        };
        server.address = find(named).context("it says no address")?;
        server.operations = find("ops http");
        Ok(server)
    }

    /// The time of processors that its threads have taken so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // Of threads that end meanwhile nothing is left to read.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanos += text.split(' ').next().context("`schedstat` is empty")?.parse::<u64>()?;
        }
        ensure!(nanos > 0, "the system does not tell the time that threads take (`schedstat`)");
        Ok(Duration::from_nanos(nanos))
    }

    /// Bytes of memory that it occupies.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no `VmRSS`")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// Of a histogram in its metrics, the lines with this label: their sum, and how many values there were.
    pub(crate) fn histogram(&self, name: &str, label: &str) -> Result<(f64, f64)> {
        let mut stream = TcpStream::connect(self.operations.context("no operations listener")?)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let of = |name: String| {
            let lines = answer.lines().filter(|line| line.starts_with(&name) && line.contains(label));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        Ok((of(format!("{name}_sum")), of(format!("{name}_count"))))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                bail!("the server does not end");
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// A program of which the environment says nothing but settings of trent, for who measures what a setting costs.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let settings = env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| name.starts_with("TRENT_") && name.contains("__"))
    });
    command.env_clear().envs(settings);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
