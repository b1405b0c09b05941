//! What the lanes and the writer share.

use std::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
    Ordering::SeqCst,
};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

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
    /// Bytes of records that are not durable.
    queued: AtomicUsize,
    /// Records that wait for the writer.
    waiting: AtomicUsize,
    /// How many of them the writer waits for; 0 while it waits for none.
    awaited: AtomicUsize,
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
    /// Records that wait for the writer.
    pub queued_records: u64,
    /// Bytes of records that are not durable: of those, and of what the writer has.
    pub queued_bytes: u64,
    /// Microseconds that the last batch took from the writer's last look to the end of the sync.
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

    /// Counts a record of as many bytes that waits from now on. Gives whether it is the last that the writer waits for, which
    /// is to be woken then.
    pub(crate) fn queue(&self, bytes: usize) -> bool {
        self.queued.fetch_add(bytes, Relaxed);
        self.waiting.fetch_add(1, SeqCst) + 1 == self.awaited.load(SeqCst)
    }

    /// Tells the writer that something waits. It need not be woken while it waits for more: it looks afterwards.
    pub(crate) fn announce(&self) {
        if !self.pending.swap(true, SeqCst) && self.awaited.load(SeqCst) == 0 {
            self.wake();
        }
    }

    /// Lets the writer wait until as many records wait for it, but no longer than this. Gives whether they do.
    pub(crate) fn await_records(&self, count: usize, longest: Duration) -> bool {
        let began = Instant::now();
        self.awaited.store(count, SeqCst);
        while self.waiting.load(SeqCst) < count && !self.is_stopping() {
            let Some(left) = longest.checked_sub(began.elapsed()) else { break };
            thread::park_timeout(left);
        }
        self.awaited.store(0, SeqCst);
        self.waiting.load(SeqCst) >= count
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
        self.pending.swap(false, SeqCst)
    }

    /// The writer has as many records.
    pub(crate) fn taken(&self, records: usize) {
        self.waiting.fetch_sub(records, SeqCst);
    }

    /// As many bytes of records have become durable.
    pub(crate) fn stored(&self, bytes: usize) {
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
            queued_records: self.waiting.load(Relaxed) as u64,
            queued_bytes: self.queued.load(Relaxed) as u64,
            lag_micros: lag_micros.load(Relaxed),
            failing: self.failing.load(Relaxed),
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const NEVER: Duration = Duration::from_secs(60);

    /// What a writer does that waits for as many records, and how long it has waited.
    fn waiting(count: usize, longest: Duration) -> (Arc<Shared>, thread::JoinHandle<(bool, Duration)>) {
        let shared = Arc::new(Shared::new(true));
        let writer = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            writer.set_writer(thread::current());
            let began = Instant::now();
            (writer.await_records(count, longest), began.elapsed())
        });
        while shared.awaited.load(SeqCst) == 0 && !thread.is_finished() {
            thread::yield_now();
        }
        (shared, thread)
    }

    #[test]
    fn the_writer_waits_until_as_many_records_wait() {
        let (shared, writer) = waiting(3, NEVER);
        for _ in 0..2 {
            assert!(!shared.queue(100), "two are not three");
            shared.announce();
        }
        thread::sleep(Duration::from_millis(100));
        assert!(!writer.is_finished());
        assert!(shared.queue(100));
        shared.wake();
        let (are_there, waited) = writer.join().unwrap();
        assert!(are_there && waited < NEVER / 2);
        assert!(!shared.queue(100), "it is told once");
        // What was announced meanwhile is not forgotten, and what comes from now on is told at once.
        assert!(shared.take_pending());
        assert_eq!(shared.awaited.load(SeqCst), 0);
        shared.taken(4);
        shared.stored(400);
        let stats = shared.stats();
        assert_eq!((stats.queued_records, stats.queued_bytes), (0, 0));
    }

    #[test]
    fn the_writer_waits_no_longer_than_it_is_to_nor_when_it_is_to_stop() {
        let longest = Duration::from_millis(50);
        let (shared, writer) = waiting(3, longest);
        shared.queue(100);
        let (are_there, waited) = writer.join().unwrap();
        assert!(!are_there && (longest..NEVER).contains(&waited));
        let (shared, writer) = waiting(3, NEVER);
        shared.stop();
        let (are_there, waited) = writer.join().unwrap();
        assert!(!are_there && waited < NEVER / 2);
    }
}
