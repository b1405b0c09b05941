//! Hands the audit trail on to receivers: records to some, notifications about keys to others. Each has a thread that
//! reads the trail's files behind the writer, so that nobody who is answered waits for a receiver.
//!
//! A receiver gets every line at least once, in order: how far it has come is kept beside the trail's files, after it has
//! confirmed. While it does not, the same lines are sent again, ever later; meanwhile the files are the spool.

mod metrics;
mod receiver;
mod syslog;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use trent_audit::{Follower, Lines, Place, Trail, notifications};
use trent_server::Metrics;

use crate::config::Config;
use crate::failure::misuse;
use receiver::Receiver;
use syslog::Syslog;
pub(crate) use syslog::SyslogAddress;

/// How often to look whether there are new lines.
const LOOK: Duration = Duration::from_millis(200);
/// How long to wait after the first failure; doubled after each further one.
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// What receivers are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The lines themselves.
    Records,
    /// The same, to syslog.
    Syslog,
    /// What they say about keys that were deleted, rotated, or lost their material.
    Notifications,
    /// The same, to a file.
    NotificationsFile,
}

impl Kind {
    const fn label(self) -> &'static str {
        match self {
            Self::Records => "audit",
            Self::Syslog => "syslog",
            Self::Notifications => "notifications",
            Self::NotificationsFile => "notifications-file",
        }
    }

    /// The file that says how far it has come.
    const fn place(self) -> &'static str {
        match self {
            Self::Records => "delivered-audit",
            Self::Syslog => "delivered-syslog",
            Self::Notifications => "delivered-notifications",
            Self::NotificationsFile => "delivered-notifications-file",
        }
    }
}

/// What is counted of one receiver.
#[derive(Debug)]
struct Counts {
    kind: Kind,
    trail: Trail,
    /// The line that comes next.
    next: AtomicU64,
    sent: AtomicU64,
    failures: AtomicU64,
    gone: AtomicU64,
    failing: AtomicBool,
}

/// The threads, until they are told to stop.
pub(crate) struct Deliveries {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Deliveries {
    /// Starts a thread for each receiver of the configuration. `data_dir` is where the trail is by default.
    pub(crate) fn start(config: &Config, data_dir: &Path, trail: &Trail, metrics: &Metrics) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let dir = config.audit.dir(data_dir);
        let (records, notifications) = (&config.audit_webhook, &config.notifications);
        let syslog = config.audit_syslog.receiver();
        let syslog = syslog.map(|(address, facility, patience)| Syslog::new(address, facility, patience));
        let receivers = [
            (Kind::Records, records.webhook().map(Receiver::web)),
            (Kind::Syslog, syslog.map(|syslog| Ok(Receiver::Syslog(Box::new(syslog))))),
            (Kind::Notifications, notifications.webhook().map(Receiver::web)),
            (Kind::NotificationsFile, notifications.file.clone().map(|file| Ok(Receiver::File(file)))),
        ];
        let (mut threads, mut counted) = (Vec::new(), Vec::new());
        for (kind, receiver) in receivers {
            let Some(receiver) = receiver.transpose()? else { continue };
            let bytes_max = records.batch_bytes.as_usize();
            let delivery = Delivery::new(kind, receiver, bytes_max, &dir, trail, stopped.clone())?;
            counted.push(Arc::clone(&delivery.counts));
            let name = format!("to-{}", kind.label());
            let thread = std::thread::Builder::new().name(name).spawn(|| delivery.run());
            threads.push(thread.context("a thread for a receiver of the audit trail")?);
        }
        metrics::register(counted, metrics);
        Ok(Self { stop, threads })
    }

    /// Ends them. What was not confirmed is sent after the next start.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let join = || self.threads.into_iter().for_each(|thread| drop(thread.join()));
        // Joined where waiting holds up nobody.
        let _ = tokio::task::spawn_blocking(join).await;
    }
}

struct Delivery {
    receiver: Receiver,
    bytes_max: usize,
    follower: Follower,
    place: Place,
    counts: Arc<Counts>,
    stopped: watch::Receiver<bool>,
}

impl Delivery {
    fn new(
        kind: Kind,
        receiver: Receiver,
        bytes_max: usize,
        dir: &Path,
        trail: &Trail,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self> {
        if !trail.is_on() {
            return Err(misuse(
                "what is sent to receivers is read from the audit trail, and audit.mode is \"off\"",
            ));
        }
        let place = Place::new(dir, kind.place());
        let next = begin(&place, trail.durable())?;
        let counts = Counts {
            kind,
            trail: trail.clone(),
            next: AtomicU64::new(next),
            sent: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        };
        let follower = Follower::at(PathBuf::from(dir), next);
        Ok(Self { receiver, bytes_max, follower, place, counts: Arc::new(counts), stopped })
    }

    fn run(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.deliver()),
            Err(error) => tracing::error!(%error, to = self.label(), "nothing is sent"),
        }
    }

    async fn deliver(&mut self) {
        while !self.is_stopped() {
            let lines = match self.follower.read(self.counts.trail.durable(), self.bytes_max) {
                Ok(lines) => lines,
                Err(error) => {
                    tracing::error!(%error, to = self.label(), "the audit trail cannot be read");
                    self.wait(BACK_OFF_MAX).await;
                    continue;
                }
            };
            if lines.gone > 0 {
                self.counts.gone.fetch_add(lines.gone, Relaxed);
                let gone = lines.gone;
                tracing::error!(gone, to = self.label(), "records were removed before they were sent");
            }
            if lines.count == 0 {
                self.wait(LOOK).await;
            } else if self.send(&lines).await {
                self.confirm(&lines);
            }
        }
    }

    /// Sends lines until the receiver has confirmed them; gives whether it has, rather than that it is time to stop.
    async fn send(&mut self, lines: &Lines) -> bool {
        let (body, count) = match self.counts.kind {
            Kind::Records | Kind::Syslog => (lines.bytes.clone(), lines.count),
            Kind::Notifications | Kind::NotificationsFile => notifications(&lines.bytes),
        };
        if count == 0 {
            return true;
        }
        let mut back_off = BACK_OFF_FIRST;
        loop {
            let outcome = tokio::select! {
                outcome = self.receiver.take(&body) => outcome,
                _ = self.stopped.wait_for(|stopped| *stopped) => return false,
            };
            match outcome {
                Ok(()) => break,
                Err(error) => {
                    self.counts.failures.fetch_add(1, Relaxed);
                    if !self.counts.failing.swap(true, Relaxed) {
                        tracing::error!(
                            error,
                            to = self.label(),
                            "a receiver of the audit trail fails; it is tried again"
                        );
                    }
                }
            }
            if self.wait(back_off).await {
                return false;
            }
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
        if self.counts.failing.swap(false, Relaxed) {
            tracing::info!(to = self.label(), "a receiver of the audit trail takes what it is sent again");
        }
        self.counts.sent.fetch_add(count, Relaxed);
        true
    }

    fn confirm(&self, lines: &Lines) {
        let next = self.follower.next();
        self.counts.next.store(next, Relaxed);
        if let Err(error) = self.place.store(next) {
            let count = lines.count;
            tracing::error!(%error, count, to = self.label(), "records that were sent will be sent again after a restart");
        }
    }

    /// Waits, but not when it is time to stop; gives whether it is.
    async fn wait(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.stopped.wait_for(|stopped| *stopped)).await.is_ok()
    }

    /// Whether it is time to stop, or nobody is left to say so.
    fn is_stopped(&self) -> bool {
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    fn label(&self) -> &'static str {
        self.counts.kind.label()
    }
}

/// Where to go on: a receiver that is new begins with what comes from now on. A trail that is shorter than what was
/// confirmed is another one, and is sent from its beginning.
fn begin(place: &Place, durable: u64) -> Result<u64> {
    let kept = place.load().context("how far a receiver of the audit trail has come cannot be read")?;
    let next = match kept {
        Some(next) if next <= durable => return Ok(next),
        Some(_) => 0,
        None => durable,
    };
    place.store(next).context("how far a receiver of the audit trail has come cannot be kept")?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_begins_where_it_was_and_a_new_one_with_what_comes() {
        let dir = tempfile::tempdir().unwrap();
        let place = || Place::new(dir.path(), Kind::Records.place());
        assert_eq!(begin(&place(), 7).unwrap(), 7);
        assert_eq!(begin(&place(), 9).unwrap(), 7);
        // The trail is another one than was confirmed.
        assert_eq!(begin(&place(), 3).unwrap(), 0);
        assert_eq!(begin(&place(), 3).unwrap(), 0);
    }
}
