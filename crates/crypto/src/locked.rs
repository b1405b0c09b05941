//! Keys in memory that is kept out of swap.
//!
//! [`LockedKeys`] is an arena of chunks of 64 KiB, each locked into memory (`mlock`) once and holding 2,048 keys.
//! Locking works on whole pages and counts against `RLIMIT_MEMLOCK` (often 8 MiB, enough for 260,000 keys), so keys
//! share pages instead of having one each. A [`LockedKey`] is a handle to a slot; the last one wipes it and gives it back.
//!
//! What this does not cover: the short-lived copies that [`LockedKey::expose`] makes, and keys that AWS-LC has
//! prepared in its own heap. Both are wiped when freed, but could be swapped until then.
//!
//! Chunks are kept until the arena and all its handles are gone: a cache that was full once will be again.
//!
//! Invariant: a slot is written before its handle exists and wiped after the last handle is gone. So reading needs no
//! lock; slots are atomics only because that is how shared memory is written without `unsafe`.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use parking_lot::Mutex;

use crate::secret::Key256;

const CHUNK_BYTES: usize = 64 * 1024;
const KEY_BYTES: usize = 32;
const KEYS_PER_CHUNK: u16 = 2048;

/// An arena of keys in locked memory. Clones are the same arena.
#[derive(Clone, Default)]
pub struct LockedKeys(Arc<Mutex<Arena>>);

/// A key in the arena. Clones are the same key; dropping the last one wipes it.
#[derive(Clone)]
pub struct LockedKey(Arc<Slot>);

impl LockedKeys {
    /// An empty arena. Memory is taken and locked with the first key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies a key into locked memory.
    ///
    /// When memory cannot be locked it is used all the same, and [`Self::unlocked_bytes`] says so.
    #[must_use]
    pub fn insert(&self, key: &Key256) -> LockedKey {
        let place = self.0.lock().take();
        place.write(key.expose());
        LockedKey(Arc::new(Slot { place, arena: self.clone() }))
    }

    /// Bytes of key memory that the system refused to lock: raise `RLIMIT_MEMLOCK` when this is not 0.
    #[must_use]
    pub fn unlocked_bytes(&self) -> usize {
        self.0.lock().unlocked_chunks * CHUNK_BYTES
    }

    /// Bytes of key memory that are locked.
    #[must_use]
    pub fn locked_bytes(&self) -> usize {
        self.0.lock().locked_chunks * CHUNK_BYTES
    }
}

impl LockedKey {
    /// A short-lived copy of the key, on the stack. It wipes itself: drop it as soon as the computation is done.
    #[must_use]
    pub fn expose(&self) -> Key256 {
        self.0.place.read()
    }
}

impl fmt::Debug for LockedKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LockedKeys(..)")
    }
}

impl fmt::Debug for LockedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LockedKey(..)")
    }
}

/// The free places of all chunks. A chunk lives as long as one of its places is here or in a handle.
#[derive(Default)]
struct Arena {
    free: Vec<Place>,
    locked_chunks: usize,
    unlocked_chunks: usize,
}

impl Arena {
    fn take(&mut self) -> Place {
        loop {
            if let Some(place) = self.free.pop() {
                return place;
            }
            self.grow();
        }
    }

    fn grow(&mut self) {
        let chunk = Arc::new(Chunk::new());
        match chunk.lock {
            Some(_) => self.locked_chunks += 1,
            None => self.unlocked_chunks += 1,
        }
        self.free.extend((0..KEYS_PER_CHUNK).map(|index| Place { chunk: Arc::clone(&chunk), index }));
    }
}

/// A handle's hold on its place.
struct Slot {
    place: Place,
    arena: LockedKeys,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.place.write(&[0; KEY_BYTES]);
        self.arena.0.lock().free.push(self.place.clone());
    }
}

/// 32 bytes in a chunk.
#[derive(Clone)]
struct Place {
    chunk: Arc<Chunk>,
    /// Below [`KEYS_PER_CHUNK`].
    index: u16,
}

impl Place {
    #[expect(
        clippy::indexing_slicing,
        reason = "a made-up key would be worse than a panic that cannot happen"
    )]
    fn words(&self) -> &[AtomicU64; 4] {
        &self.chunk.pages.0[usize::from(self.index)]
    }

    fn write(&self, key: &[u8; KEY_BYTES]) {
        for (word, bytes) in self.words().iter().zip(key.as_chunks().0) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        // Whoever gets the handle gets it through something that synchronises; this only keeps the stores.
        compiler_fence(Ordering::SeqCst);
    }

    fn read(&self) -> Key256 {
        let Ok(key) = Key256::try_fill(|key| {
            for (word, bytes) in self.words().iter().zip(key.as_chunks_mut().0) {
                *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
            }
            Ok::<(), Infallible>(())
        });
        key
    }
}

struct Chunk {
    /// Before `pages`: fields drop in order, and what is unlocked must still be there.
    lock: Option<region::LockGuard>,
    pages: Box<Pages>,
}

/// Aligned to the largest page size in use (64 KiB on some ARM systems), so that locking and unlocking a chunk
/// touches nothing else.
#[repr(C, align(65536))]
struct Pages([[AtomicU64; 4]; KEYS_PER_CHUNK as usize]);

impl Chunk {
    fn new() -> Self {
        let pages = Box::new(Pages([const { [const { AtomicU64::new(0) }; 4] }; KEYS_PER_CHUNK as usize]));
        let lock = region::lock(&raw const *pages, CHUNK_BYTES).ok();
        Self { lock, pages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: usize) -> Key256 {
        Key256::new(std::array::from_fn(|at| u8::try_from((seed * 31 + at) % 256).unwrap()))
    }

    #[test]
    fn keys_come_back_as_they_went_in() {
        let arena = LockedKeys::new();
        // More than two chunks.
        let held = Vec::from_iter((0..5000).map(|seed| arena.insert(&key(seed))));
        assert!(held.iter().enumerate().all(|(seed, locked)| locked.expose() == key(seed)));
        assert_eq!(arena.locked_bytes() + arena.unlocked_bytes(), 3 * CHUNK_BYTES);
    }

    #[test]
    fn dropping_the_last_handle_wipes_the_slot_and_frees_it() {
        let arena = LockedKeys::new();
        let first = arena.insert(&key(1));
        let place = first.0.place.clone();
        let second = first.clone();
        drop(first);
        assert_eq!(place.read(), key(1));
        drop(second);
        assert_eq!(place.read(), Key256::new([0; 32]));

        let next = arena.insert(&key(2));
        assert_eq!(place.read(), key(2), "the slot is used again");
        assert_eq!(next.expose(), key(2));
    }

    #[test]
    fn full_chunks_are_filled_again_before_new_ones_are_taken() {
        let arena = LockedKeys::new();
        for _ in 0..3 {
            let held = Vec::from_iter((0..2048).map(|seed| arena.insert(&key(seed))));
            assert_eq!(held.len(), 2048);
        }
        assert_eq!(arena.locked_bytes() + arena.unlocked_bytes(), CHUNK_BYTES);
    }

    #[test]
    fn a_handle_outlives_its_arena() {
        let held = LockedKeys::new().insert(&key(1));
        assert_eq!(held.expose(), key(1));
    }

    #[test]
    fn chunks_are_whole_pages_of_their_own() {
        assert_eq!(size_of::<Pages>(), CHUNK_BYTES);
        assert_eq!(align_of::<Pages>(), CHUNK_BYTES);
        assert_eq!(CHUNK_BYTES % region::page::size(), 0);
    }

    #[test]
    fn threads_share_keys_and_slots() {
        let arena = LockedKeys::new();
        let shared = arena.insert(&key(1));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (arena, shared) = (&arena, shared.clone());
                scope.spawn(move || {
                    for round in 0..2000 {
                        let own = arena.insert(&key(thread + round));
                        assert_eq!(own.expose(), key(thread + round));
                        assert_eq!(shared.expose(), key(1));
                    }
                });
            }
        });
    }

    #[test]
    fn debug_output_has_no_content() {
        let arena = LockedKeys::new();
        assert_eq!(format!("{arena:?} {:?}", arena.insert(&key(1))), "LockedKeys(..) LockedKey(..)");
    }
}
