//! What keeps caches from answering with what has changed: a number for each place, counted up by every change.
//!
//! An entry carries the generation that its place had *before* its rows were read, and counts only while the place
//! still has it; a committed change counts it up before its answer is given. Places share their numbers with others: a
//! change elsewhere may make an entry be read again, never the other way round.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

const SHARDS: usize = 1 << 16;
const LOADING_LOCKS: usize = 256;

/// The generations of all places of a cache.
pub(crate) struct Generations {
    shards: Box<[AtomicU64]>,
    // Whoever loads rows holds one of these, so that many waiting for the same rows read them once.
    loading: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl Generations {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(),
            loading: (0..LOADING_LOCKS).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The generation of what is at `place`, to be taken before its rows are read.
    pub(crate) fn of(&self, place: &impl Hash) -> u64 {
        self.shard(place).map_or(0, |shard| shard.load(Ordering::SeqCst))
    }

    /// Begins the next generation of what is at `place`, and gives it.
    pub(crate) fn count_up(&self, place: &impl Hash) -> u64 {
        self.shard(place).map_or(0, |shard| shard.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Waits until nobody else loads what is at `place`.
    pub(crate) async fn load(&self, place: &impl Hash) -> Option<MutexGuard<'_, ()>> {
        match self.loading.get(self.index(place, LOADING_LOCKS)) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }

    fn shard(&self, place: &impl Hash) -> Option<&AtomicU64> {
        self.shards.get(self.index(place, SHARDS))
    }

    fn index(&self, place: &impl Hash, count: usize) -> usize {
        usize::try_from(self.hasher.hash_one(place)).unwrap_or_default() % count
    }
}
