//! The one writer of a journal: takes what all lanes have, chains it, appends it, and syncs once for all.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use trent_domain::time::Clock;
use uuid::Uuid;

use crate::chain::{Checkpoint, Head, Signer};
use crate::files::Journal;
use crate::lane::Lane;
use crate::record;
use crate::shared::Shared;

/// How long to wait before a journal that could not be written is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// A batch of as many records was that of a crowd: callers who send the next request when they have the answer. To
/// wait for them costs each a moment, and a sync costs as much of the processor as two requests.
const CROWD: usize = 12;
/// How long the writer waits for a crowd, whatever its size, and for each of it: longer than it takes two cores to answer as many
/// callers and to do what they send next.
const CROWD_RETURNS: (Duration, Duration) = (Duration::from_micros(200), Duration::from_micros(25));
/// How long it waits at most.
const CROWD_RETURNS_MAX: Duration = Duration::from_millis(2);
/// How many bytes are gathered at most: far fewer than those beyond which requests are refused.
const GATHERED_BYTES_MAX: usize = 8 << 20;
/// Batches that standard output may be behind.
const OUTPUT_BATCHES_MAX: usize = 256;

/// See the module.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) journal: Journal,
    pub(crate) head: Head,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pace: Pace,
    pub(crate) output: Option<SyncSender<Vec<u8>>>,
    batch: Batch,
    /// How many records lanes had for the batch that was written last; 0 where nobody is waited for after it.
    crowd: usize,
    /// Whether the last crowd that was waited for did not come back.
    is_crowd_gone: bool,
    since_checkpoint: u64,
    last_checkpoint: Instant,
}

/// How long records are gathered before they are written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gather {
    /// Answers wait for them: only if there was a crowd, and until that is back.
    Crowd,
    /// Nobody waits for them.
    Always(Duration),
}

/// When things are done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) gather: Gather,
    /// How often there is a checkpoint, while there are records.
    pub(crate) checkpoint: Duration,
    /// How often lanes are looked at while there are records: for those of cores that never have nothing to do, and while
    /// records are gathered for a while.
    pub(crate) look: Duration,
}

/// Lines that are not durable yet.
#[derive(Default)]
struct Batch {
    first: u64,
    lines: Vec<u8>,
    count: u64,
    /// How many bytes of them came from lanes.
    queued: usize,
    /// The last signed line among them.
    checkpoint: Option<Checkpoint>,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        journal: Journal,
        head: Head,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        pace: Pace,
    ) -> Self {
        Self {
            shared,
            journal,
            head,
            signer,
            clock,
            pace,
            output: None,
            batch: Batch { first: head.sequence, ..Batch::default() },
            crowd: 0,
            is_crowd_gone: false,
            since_checkpoint: 0,
            last_checkpoint: Instant::now(),
        }
    }

    /// Writes the signed record that a file begins with.
    pub(crate) fn begin(&mut self, details: &[u8]) -> io::Result<()> {
        self.sign("AuditStarted", details);
        self.commit()
    }

    /// Writes until the trail is closed.
    pub(crate) fn run(mut self) {
        // Whether lanes are looked at now and then, and whether at once.
        let (mut looks, mut looks_now) = (false, false);
        while !self.shared.is_stopping() {
            if !self.batch.lines.is_empty() {
                thread::park_timeout(RETRY);
            } else if !looks_now && !self.shared.take_pending() && !self.checkpoint_is_due() {
                thread::park_timeout(if looks { self.pace.look } else { self.until_checkpoint() });
                if !looks {
                    continue;
                }
            }
            self.gather();
            let is_any = self.round(false);
            let is_back = self.await_crowd();
            // Once more after saying that no more is looked: see `Lane::push`.
            looks_now = is_back || (looks && !is_any);
            looks = is_any;
            self.shared.set_looking(looks);
        }
        self.round(true);
        if let Err(error) = self.journal.rotate() {
            tracing::error!(%error, "the files of the audit trail could not be synced; the next start does it");
        }
        self.shared.lanes().clear();
    }

    /// Lets more records come, where nobody waits for them. They are taken from the lanes while they are in the processor's
    /// caches, and before lanes need larger buffers for them.
    fn gather(&mut self) {
        let Gather::Always(time) = self.pace.gather else { return };
        let began = Instant::now();
        while let Some(left) = time.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
            thread::sleep(left.min(self.pace.look));
            self.take();
            if self.shared.is_stopping() || self.batch.lines.len() >= GATHERED_BYTES_MAX {
                break;
            }
        }
    }

    /// Lets those come back who were just answered, if they were many; gives whether as many records wait. Where they do not
    /// come in time, callers have a pace of their own: they are not waited for after the next batch.
    fn await_crowd(&mut self) -> bool {
        let crowd = std::mem::take(&mut self.crowd);
        if !matches!(self.pace.gather, Gather::Crowd) || crowd < CROWD {
            return false;
        }
        let (all, each) = CROWD_RETURNS;
        let each = each.saturating_mul(u32::try_from(crowd).unwrap_or(u32::MAX));
        let is_back = self.shared.await_records(crowd, all.saturating_add(each).min(CROWD_RETURNS_MAX));
        self.is_crowd_gone = !is_back;
        is_back
    }

    /// Writes what there is; says whether a lane had anything.
    fn round(&mut self, last: bool) -> bool {
        let started = Instant::now();
        // Before the lanes are looked at: what is announced from here on is looked at in the next round.
        self.shared.take_pending();
        let (taken, records) = self.take();
        if last {
            self.sign("AuditStopped", b"");
        } else if self.checkpoint_is_due() || (self.journal.is_full() && self.batch.checkpoint.is_none()) {
            self.sign("AuditCheckpoint", b"");
        }
        if self.batch.lines.is_empty() {
            return false;
        }
        let outcome = self.commit();
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.counters.lag_micros.store(micros, Relaxed);
        let was_failing = self.shared.set_failing(outcome.is_err());
        match outcome {
            Ok(()) => {
                if was_failing {
                    tracing::info!("the audit trail can be written again; requests are answered again");
                }
                taken.iter().for_each(|(lane, upto)| lane.publish(*upto));
                self.crowd = if std::mem::take(&mut self.is_crowd_gone) { 0 } else { records };
            }
            Err(error) => {
                self.shared.counters.failures.fetch_add(1, Relaxed);
                if !was_failing {
                    tracing::error!(%error, "the audit trail cannot be written; requests are refused until it can");
                }
                taken.iter().for_each(|(lane, upto)| lane.publish_failure(*upto));
            }
        }
        !taken.is_empty()
    }

    /// Takes the records of all lanes into the batch; gives up to which of each lane, and how many they are.
    fn take(&mut self) -> (Vec<(Lane, u64)>, usize) {
        let lanes = self.shared.lanes().clone();
        let (mut taken, mut count) = (Vec::with_capacity(lanes.len()), 0);
        for lane in lanes {
            let mut queue = lane.queue();
            if queue.ends.is_empty() {
                continue;
            }
            let (records, ends) = queue.take();
            let upto = queue.pushed;
            drop(queue);
            let mut start = 0;
            for &end in &ends {
                let line = self.batch.lines.len();
                self.batch.lines.extend_from_slice(records.get(start..end).unwrap_or_default());
                self.head.close(&mut self.batch.lines, line);
                self.batch.count += 1;
                self.since_checkpoint += 1;
                start = end;
            }
            self.shared.taken(ends.len());
            self.batch.queued += start;
            count += ends.len();
            lane.queue().give_back((records, ends));
            taken.push((lane, upto));
        }
        (taken, count)
    }

    /// Appends a signed event of the trail itself.
    fn sign(&mut self, name: &str, details: &[u8]) {
        let line = self.batch.lines.len();
        record::of_trail(name, details, self.clock.now(), event_id(), &mut self.batch.lines);
        let sequence = self.head.sequence;
        self.head.close_signed(&mut self.batch.lines, line, &*self.signer);
        self.batch.count += 1;
        self.batch.checkpoint = Some(Checkpoint { node: self.head.node, sequence, hash: self.head.previous });
        (self.since_checkpoint, self.last_checkpoint) = (0, Instant::now());
    }

    /// Makes the batch durable. After an error it is kept, and grows until it can be written.
    fn commit(&mut self) -> io::Result<()> {
        let rotates = self.journal.is_full();
        self.journal.append(self.batch.first, &self.batch.lines, &self.head.previous)?;
        if rotates && let Err(error) = self.journal.rotate() {
            tracing::error!(%error, "a file of the audit trail could not be synced; it is written to further");
        }
        self.shared.stored(self.batch.queued);
        let lines = std::mem::take(&mut self.batch.lines);
        let counters = &self.shared.counters;
        counters.records.fetch_add(self.batch.count, Relaxed);
        counters.bytes.fetch_add(u64::try_from(lines.len()).unwrap_or_default(), Relaxed);
        counters.syncs.fetch_add(1, Relaxed);
        if let Some(checkpoint) = self.batch.checkpoint {
            *self.shared.newest() = Some(checkpoint);
        }
        self.batch = Batch { first: self.head.sequence, ..Batch::default() };
        self.shared.durable.store(self.head.sequence, Release);
        match &self.output {
            Some(output) => {
                if output.try_send(lines).is_err() {
                    counters.undelivered.fetch_add(1, Relaxed);
                }
            }
            None => self.batch.lines = emptied(lines),
        }
        Ok(())
    }

    fn checkpoint_is_due(&self) -> bool {
        self.since_checkpoint > 0 && self.last_checkpoint.elapsed() >= self.pace.checkpoint
    }

    fn until_checkpoint(&self) -> Duration {
        if self.since_checkpoint == 0 {
            return Duration::from_secs(3600);
        }
        self.pace.checkpoint.saturating_sub(self.last_checkpoint.elapsed())
    }
}

/// A buffer to be filled again, unless it has grown large.
fn emptied(mut buffer: Vec<u8>) -> Vec<u8> {
    if buffer.capacity() > 1 << 20 {
        return Vec::new();
    }
    buffer.clear();
    buffer
}

fn event_id() -> Uuid {
    let mut bytes = [0; 16];
    // Without randomness the nil id stands there; the link tells events of the trail apart all the same.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// A thread that copies lines to standard output, and never holds anybody up.
pub(crate) fn standard_output() -> io::Result<SyncSender<Vec<u8>>> {
    let (sender, lines) = sync_channel::<Vec<u8>>(OUTPUT_BATCHES_MAX);
    thread::Builder::new().name("audit-stdout".to_owned()).spawn(move || {
        for lines in lines {
            let mut output = io::stdout().lock();
            // Nobody need be reading; the journal has them.
            let _ = output.write_all(&lines).and_then(|()| output.flush());
        }
    })?;
    Ok(sender)
}
