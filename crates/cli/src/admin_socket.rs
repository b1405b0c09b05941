//! The admin socket, `admin.sock` in the data directory: a command and its reply are one line of JSON each.
//!
//! Its mode, and that of the directory, let its owner alone reach it; there is no other check. It
//! is the service that says what may be changed.

use std::fs;
use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use trent_service::Service;
use trent_service::admin::{Command, Reply};

use crate::dev::{Desk as DevDesk, DevCommand, DevReply};
use crate::failure::misuse;

const NAME: &str = "admin.sock";
/// Commands are small; a reply may list many objects.
const COMMAND_BYTES_MAX: u64 = 64 * 1024;
const REPLY_BYTES_MAX: u64 = 256 * 1024 * 1024;
const CONNECTIONS_MAX: usize = 16;
/// How long a connection may lie idle, or a reply take to be read.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client waits for its reply.
const REPLY_PATIENCE: Duration = Duration::from_secs(60);

const NOT_DEV: &str = "this server is none of `trent dev`, and only those have a clock that can be moved, and faults; \
                       start one with `trent dev`, and name its data directory with --data-dir";

/// Where the socket of a data directory is.
pub(crate) fn place(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// Whoever does what a line asks, and gives the reply as JSON.
pub(crate) trait Clerk: Send + Sync + 'static {
    /// Does it.
    fn answer(&self, line: &[u8]) -> impl Future<Output = serde_json::Result<Vec<u8>>> + Send;
}

/// The served socket; gone when dropped.
pub(crate) struct AdminSocket {
    path: PathBuf,
    accepting: JoinHandle<()>,
}

impl AdminSocket {
    /// Serves the socket of a data directory, which must be locked: what is left of another socket is removed.
    pub(crate) fn serve(data_dir: &Path, service: Arc<Service>, dev: Option<DevDesk>) -> Result<Self> {
        Self::of(data_dir, Desk { service, dev })
    }

    /// Serves the socket of a data directory by whoever knows its commands.
    pub(crate) fn of(data_dir: &Path, clerk: impl Clerk) -> Result<Self> {
        let path = place(data_dir);
        let listener = bind(&path).map_err(|error| {
            misuse(format!(
                "the admin socket {} cannot be made: {error}; a shorter --data-dir may help",
                path.display()
            ))
        })?;
        Ok(Self { path, accepting: tokio::spawn(accept(listener, Arc::new(clerk))) })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        self.accepting.abort();
        // One that stays is removed by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn accept(listener: UnixListener, desk: Arc<impl Clerk>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(seat) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = Arc::clone(&desk);
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &*desk).await {
                        tracing::debug!(%error, "an admin connection ended early");
                    }
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept admin connections");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, desk: &impl Clerk) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut reader).take(COMMAND_BYTES_MAX);
        if timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await?? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            let problem = format!("a command is a line of at most {COMMAND_BYTES_MAX} bytes");
            return send(&mut writer, serde_json::to_vec(&Reply::Refused { problem })?).await;
        }
        send(&mut writer, desk.answer(&line).await?).await?;
    }
}

pub(crate) fn not_a_command(error: &serde_json::Error) -> String {
    format!("not a command: {error}")
}

async fn send(writer: &mut (impl AsyncWriteExt + Unpin), mut line: Vec<u8>) -> io::Result<()> {
    line.push(b'\n');
    timeout(PATIENCE, writer.write_all(&line)).await?
}

/// Does what is asked.
struct Desk {
    service: Arc<Service>,
    /// Of `trent dev` alone.
    dev: Option<DevDesk>,
}

impl Clerk for Desk {
    async fn answer(&self, line: &[u8]) -> serde_json::Result<Vec<u8>> {
        if DevCommand::is_meant_by(line) {
            return match self.answer_dev(line).await {
                Ok(reply) => serde_json::to_vec(&reply),
                Err(problem) => serde_json::to_vec(&Reply::Refused { problem }),
            };
        }
        let reply = match serde_json::from_slice(line) {
            Ok(command) => self.administer(command).await,
            Err(error) => Reply::Refused { problem: not_a_command(&error) },
        };
        serde_json::to_vec(&reply)
    }
}

impl Desk {
    async fn answer_dev(&self, line: &[u8]) -> Result<DevReply, String> {
        let command = serde_json::from_slice(line).map_err(|error| not_a_command(&error))?;
        match &self.dev {
            Some(desk) => desk.answer(command).await,
            None => Err(NOT_DEV.to_owned()),
        }
    }

    async fn administer(&self, command: Command) -> Reply {
        if !command.only_reads() {
            // Secrets in it are of a type that does not print.
            tracing::info!(?command, "an operator changes identities");
        }
        self.service.administer(command).await
    }
}

/// Sends a command to the server of a data directory.
pub(crate) fn ask<R: DeserializeOwned>(data_dir: &Path, command: &impl Serialize) -> Result<R> {
    let path = place(data_dir);
    let mut stream = BlockingStream::connect(&path).with_context(|| {
        let shown = data_dir.display();
        format!(
            "no server runs on the data directory {shown}; start it, or name the right one with --data-dir"
        )
    })?;
    stream.set_read_timeout(Some(REPLY_PATIENCE))?;
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reply = Vec::new();
    io::BufRead::read_until(
        &mut io::BufReader::new(io::Read::take(&stream, REPLY_BYTES_MAX)),
        b'\n',
        &mut reply,
    )
    .context("the server did not answer")?;
    const NOT_UNDERSTOOD: &str = "the server's answer is not understood";
    let reply: Value = serde_json::from_slice(&reply).context(NOT_UNDERSTOOD)?;
    if let Ok(Reply::Refused { problem }) = serde_json::from_value(reply.clone()) {
        bail!("{problem}");
    }
    serde_json::from_value(reply).context(NOT_UNDERSTOOD)
}
