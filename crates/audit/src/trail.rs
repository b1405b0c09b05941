//! The trail as the service holds it: opened once, with a recorder for each core.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use trent_domain::time::{Clock, Timestamp};
use uuid::Uuid;

use crate::ahead::replay;
use crate::chain::{Checkpoint, Signer};
use crate::event::Event;
use crate::files::{BeforeWrite, Bounds, Journal, make_dir};
use crate::internal::Internal;
use crate::lane::{Lane, Written};
use crate::record::{self, AdminRecord, CallRecord, Refused};
use crate::recovery::{OpenError, look};
use crate::shared::{Shared, Stats};
use crate::sts::{self, StsRecord};
use crate::writer::{Gather, Pace, Writer, standard_output};

/// Failed authentications that are recorded in a second. Whoever tries all day must not fill the disk.
const REFUSED_PER_SECOND_MAX: u64 = 100;

/// How a trail is kept.
#[derive(Clone)]
pub struct Settings {
    /// Where its files are.
    pub dir: PathBuf,
    /// Whether answers wait until their records are durable.
    pub strict: bool,
    /// How long records are gathered where answers do not wait.
    pub flush: Duration,
    /// How large a file grows.
    pub file_bytes: u64,
    /// How long a file is written to.
    pub file_age: Duration,
    /// How often there is a signed checkpoint, while there are records.
    pub checkpoint: Duration,
    /// Whether records are copied to standard output.
    pub stdout: bool,
    /// How often, while there are records, those are looked for that no core has told of.
    pub look: Duration,
    /// Asked before each write; tests make disks full with it.
    pub before_write: Option<BeforeWrite>,
}

impl Settings {
    /// The defaults, in a directory.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            strict: true,
            flush: Duration::from_millis(100),
            file_bytes: 128 << 20,
            file_age: Duration::from_secs(24 * 60 * 60),
            checkpoint: Duration::from_secs(60),
            stdout: false,
            look: Duration::from_millis(2),
            before_write: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("dir", &self.dir)
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

/// A trail. Clones are the same; the default one records nothing.
#[derive(Clone, Default)]
pub struct Trail(Option<Arc<Inner>>);

struct Inner {
    shared: Arc<Shared>,
    refusals: Arc<Refusals>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Trail {
    /// Opens the trail in a directory, or begins one there. `known` is its newest line as far as the database knows, and
    /// `node` names the chain of one that begins.
    ///
    /// # Errors
    /// The files cannot be read or written, or the last record is damaged.
    pub fn open(
        settings: Settings,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        known: Option<Checkpoint>,
        node: Uuid,
    ) -> Result<Self, OpenError> {
        let Settings {
            dir,
            strict,
            flush,
            file_bytes,
            file_age,
            checkpoint,
            stdout,
            look: look_every,
            before_write,
        } = settings;
        let failed = |error| OpenError::Files(dir.clone(), error);
        make_dir(&dir).map_err(failed)?;
        replay(&dir).map_err(failed)?;
        let found = look(&dir, known, node)?;
        if !found.is_whole() {
            tracing::warn!(?found, "the audit trail was not closed; its next record tells what was found");
        }
        let shared = Arc::new(Shared::new(strict));
        let bounds = Bounds { bytes: file_bytes, age: file_age };
        let journal = Journal::new(dir.clone(), bounds, strict, before_write);
        let gather = if strict { Gather::Crowd } else { Gather::Always(flush) };
        let pace = Pace { gather, checkpoint, look: look_every };
        let details = found.details(&signer.public_key());
        let mut writer = Writer::new(Arc::clone(&shared), journal, found.head, signer, clock, pace);
        if stdout {
            writer.output = Some(standard_output().map_err(failed)?);
        }
        writer.begin(&details).map_err(failed)?;
        let thread =
            thread::Builder::new().name("audit".to_owned()).spawn(|| writer.run()).map_err(failed)?;
        shared.set_writer(thread.thread().clone());
        let inner = Inner { shared, refusals: Arc::default(), writer: Mutex::new(Some(thread)) };
        Ok(Self(Some(Arc::new(inner))))
    }

    /// Whether anything is recorded.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether operations may run; see [`Recorder::accepts`].
    pub fn accepts(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.shared.accepts())
    }

    /// What a core records with.
    pub fn recorder(&self) -> Recorder {
        Recorder(self.0.as_ref().map(|inner| {
            let lane = Lane::new(Arc::clone(&inner.shared));
            inner.shared.lanes().push(lane.clone());
            (lane, Arc::clone(&inner.refusals))
        }))
    }

    /// The newest checkpoint that is durable.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.0.as_ref().and_then(|inner| *inner.shared.newest())
    }

    /// The number of the first line that is not durable yet: those before stand in the files.
    pub fn durable(&self) -> u64 {
        self.0.as_ref().map_or(0, |inner| inner.shared.durable.load(Acquire))
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        let unrecorded = |inner: &Arc<Inner>| inner.refusals.unrecorded_ever.load(Relaxed);
        let stats = |inner: &Arc<Inner>| Stats { unrecorded: unrecorded(inner), ..inner.shared.stats() };
        self.0.as_ref().map(stats).unwrap_or_default()
    }

    /// Writes what waits and a last signed record. Nothing is recorded afterwards. Blocks until that is on disk.
    pub fn close(&self) {
        if let Some(inner) = &self.0 {
            inner.close();
        }
    }
}

impl Inner {
    fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            self.shared.stop();
            // It does not panic; were it to, there would be nothing to do about it here.
            let _ = writer.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trail").field("on", &self.is_on()).finish()
    }
}

/// Records for one core. Clones share its lane.
#[derive(Clone, Default)]
pub struct Recorder(Option<(Lane, Arc<Refusals>)>);

impl Recorder {
    /// Whether anything is recorded.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether operations may run. While the journal cannot be written none may: what they did could not be recorded.
    pub fn accepts(&self) -> bool {
        self.0.as_ref().is_none_or(|(lane, _)| lane.shared.accepts())
    }

    /// Records a call and what followed from it. Ids of further records are drawn by the caller.
    pub fn call(&self, call: &CallRecord<'_>, event: &Event, new_id: impl FnMut() -> Uuid) -> Written {
        let Some((lane, _)) = &self.0 else { return Written::now() };
        let mut written = Written::now();
        // In order: when the last is durable, all are.
        record::call(call, event, new_id, |write| written = lane.push(|out| write(out)));
        written
    }

    /// For a thread that records much: what it calls whenever it has nothing more to do, so that the writer need not be told
    /// of each record. Nobody else may call it.
    pub fn idle(&self) -> impl Fn() + Send + Sync + 'static {
        let lane = self.0.as_ref().map(|(lane, _)| lane.clone());
        move || {
            if let Some(lane) = &lane {
                lane.idle();
            }
        }
    }

    /// Records what the service did by itself.
    pub fn internal(&self, event: &Internal, at: Timestamp, event_id: Uuid) -> Written {
        self.push(|out| record::internal(event, at, event_id, out))
    }

    /// Records a request to STS.
    pub fn sts(&self, record: &StsRecord<'_>, new_id: impl Fn() -> Uuid) -> Written {
        let Some((lane, _)) = &self.0 else { return Written::now() };
        let mut written = Written::now();
        sts::sts(record, new_id, |write| written = lane.push(|out| write(out)));
        written
    }

    /// The same for one whose sender is not established, unless there were too many of those in this second.
    pub fn sts_refused(&self, record: &StsRecord<'_>, new_id: impl Fn() -> Uuid) -> Written {
        let Some((lane, refusals)) = &self.0 else { return Written::now() };
        let Some(unrecorded) = refusals.admit(record.at, lane.shared.accepts()) else {
            return Written::now();
        };
        // The next record that has a member for their number tells it.
        refusals.unrecorded.fetch_add(unrecorded, Relaxed);
        self.sts(record, new_id)
    }

    /// Records a command of an operator.
    pub fn admin(&self, command: &AdminRecord<'_>, event_id: Uuid) -> Written {
        self.push(|out| record::admin(command, event_id, out))
    }

    /// Records a request whose sender is not established, unless there were too many in this second. Nobody waits for it.
    pub fn refused(&self, refused: Refused<'_>, event_id: Uuid) {
        let Some((lane, refusals)) = &self.0 else { return };
        if let Some(unrecorded) = refusals.admit(refused.at, lane.shared.accepts()) {
            drop(lane.push(|out| record::refused(&Refused { unrecorded, ..refused }, event_id, out)));
        }
    }

    fn push(&self, write: impl FnOnce(&mut Vec<u8>)) -> Written {
        match &self.0 {
            Some((lane, _)) => lane.push(write),
            None => Written::now(),
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("on", &self.is_on()).finish()
    }
}

/// How many failed authentications were recorded lately.
#[derive(Default)]
struct Refusals {
    // The second, and how many in it.
    recent: Mutex<(i64, u64)>,
    unrecorded: AtomicU64,
    unrecorded_ever: AtomicU64,
}

impl Refusals {
    /// How many were not recorded since the last that was; none if this one is not either.
    fn admit(&self, at: Timestamp, accepts: bool) -> Option<u64> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.0 != at.seconds() {
            *recent = (at.seconds(), 0);
        }
        recent.1 += 1;
        if recent.1 > REFUSED_PER_SECOND_MAX || !accepts {
            self.unrecorded.fetch_add(1, Relaxed);
            self.unrecorded_ever.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.unrecorded.swap(0, Relaxed))
    }
}
