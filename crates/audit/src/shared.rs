//! What the lanes and the writer share.

use std::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
    Ordering::Release,
};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use crate::chain::Checkpoint;
use crate::lane::Lane;

/// What may wait for the writer before requests are refused: a disk that is slower than callers are fast.
const QUEUED_BYTES_MAX: usize = 64 << 20;

/// See the module.
#[derive(Default)]
pub(crate) struct Shared {
    /// Whether answers wait until their records are durable.
    pub(crate) waits: bool,
    pending: AtomicBool,
    looking: AtomicBool,
    failing: AtomicBool,
    stopping: AtomicBool,
    queued: AtomicUsize,
    writer: OnceLock<Thread>,
    lanes: Mutex<Vec<Lane>>,
    newest: Mutex<Option<Checkpoint>>,
    /// The number of the first line that is not durable yet.
    pub(crate) durable: AtomicU64,
    pub(crate) counters: Counters,
}

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) unrecorded: AtomicU64,
    pub(crate) undelivered: AtomicU64,
    pub(crate) lag_micros: AtomicU64,
}

/// What a trail has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records that were written, those of the trail itself included.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Times that the journal was synced.
    pub syncs: u64,
    /// Times that it could not be written.
    pub failures: u64,
    /// Failed authentications that were not recorded, there being too many.
    pub unrecorded: u64,
    /// Batches that standard output did not take.
    pub undelivered: u64,
    /// Bytes that wait for the writer.
    pub queued_bytes: u64,
    /// Microseconds that the last batch took from the writer's first look to the end of the sync.
    pub lag_micros: u64,
    /// Whether the journal cannot be written, so that requests are refused.
    pub failing: bool,
}

impl Shared {
    pub(crate) fn new(waits: bool) -> Self {
        Self { waits, ..Self::default() }
    }

    /// Whether operations may run: not while their records could not be written.
    pub(crate) fn accepts(&self) -> bool {
        !self.failing.load(Relaxed) && self.queued.load(Relaxed) < QUEUED_BYTES_MAX
    }

    /// Counts bytes that wait from now on.
    pub(crate) fn queue(&self, bytes: usize) {
        self.queued.fetch_add(bytes, Relaxed);
    }

    /// Tells the writer that something waits.
    pub(crate) fn announce(&self) {
        if !self.pending.swap(true, AcqRel) {
            self.wake();
        }
    }

    /// Whether the writer looks at the lanes every now and then without being told. Read with a lane locked.
    pub(crate) fn looks_by_itself(&self) -> bool {
        self.looking.load(Relaxed)
    }

    /// Says whether the writer does. After it has ended that, it looks at each lane once more.
    pub(crate) fn set_looking(&self, looking: bool) {
        self.looking.store(looking, Relaxed);
    }

    /// Whether anything was announced since the last time.
    pub(crate) fn take_pending(&self) -> bool {
        self.pending.swap(false, AcqRel)
    }

    pub(crate) fn taken(&self, bytes: usize) {
        self.queued.fetch_sub(bytes, Relaxed);
    }

    pub(crate) fn set_writer(&self, writer: Thread) {
        // There is one.
        let _ = self.writer.set(writer);
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Release);
        self.wake();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Acquire)
    }

    /// Gives what it was before.
    pub(crate) fn set_failing(&self, failing: bool) -> bool {
        self.failing.swap(failing, Relaxed)
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, Vec<Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn newest(&self) -> MutexGuard<'_, Option<Checkpoint>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stats(&self) -> Stats {
        let Counters { records, bytes, syncs, failures, unrecorded, undelivered, lag_micros } =
            &self.counters;
        Stats {
            records: records.load(Relaxed),
            bytes: bytes.load(Relaxed),
            syncs: syncs.load(Relaxed),
            failures: failures.load(Relaxed),
            unrecorded: unrecorded.load(Relaxed),
            undelivered: undelivered.load(Relaxed),
            queued_bytes: self.queued.load(Relaxed) as u64,
            lag_micros: lag_micros.load(Relaxed),
            failing: self.failing.load(Relaxed),
        }
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}
