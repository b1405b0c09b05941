//! Token buckets, as many as are in use, in a table of fixed size that is read and written without a lock.
//!
//! A bucket that is full is like one that is not there, so its place is given away; no more is kept than what has been
//! used of late.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use trent_domain::quota::{Bucket, Rate};
use trent_domain::time::Timestamp;

/// Places that a bucket may be in.
const WAYS: usize = 8;
const SETS: u64 = 1024;

#[derive(Debug, Default)]
struct Slot {
    /// The hash of what the bucket is for; 0 where there is none.
    tag: AtomicU64,
    bucket: Bucket,
}

/// See the top of the file.
#[derive(Debug)]
pub(super) struct Table {
    // Of its own, so that nobody can choose names that fall together.
    hasher: RandomState,
    sets: Box<[[Slot; WAYS]]>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), sets: (0..SETS).map(|_| Default::default()).collect() }
    }

    /// Takes one from the bucket of `owner`, if there is one in it.
    pub(super) fn take(&self, owner: impl Hash, rate: Rate, now: Timestamp) -> bool {
        match self.slot(self.hasher.hash_one(owner).max(1), now.millis().saturating_mul(1_000_000)) {
            Some(slot) => slot.bucket.take(rate, now),
            None => true,
        }
    }

    /// The place of a bucket. If all where it may be are taken by buckets in use, it shares the fullest.
    fn slot(&self, tag: u64, now: i64) -> Option<&Slot> {
        let set = self.sets.get(usize::try_from(tag % SETS).unwrap_or_default())?;
        loop {
            if let Some(slot) = set.iter().find(|slot| slot.tag.load(Relaxed) == tag) {
                return Some(slot);
            }
            let fullest = set.iter().min_by_key(|slot| slot.bucket.full_at())?;
            let before = fullest.tag.load(Relaxed);
            if fullest.bucket.full_at() > now
                || fullest.tag.compare_exchange(before, tag, Relaxed, Relaxed).is_ok()
            {
                return Some(fullest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    fn taken(table: &Table, owner: &str, rate: f64, now: Timestamp) -> usize {
        let rate = Rate::per_second(rate).unwrap();
        (0..1000).take_while(|_| table.take(owner, rate, now)).count()
    }

    #[test]
    fn buckets_are_apart() {
        let table = Table::new();
        assert_eq!(taken(&table, "a", 3.0, at(0)), 3);
        assert_eq!(taken(&table, "b", 7.0, at(0)), 7);
    }

    #[test]
    fn many_that_come_and_go_find_a_place() {
        let table = Table::new();
        let rate = Rate::per_second(1.0).unwrap();
        // Each second others than before, as many as there are places.
        for second in 0..20 {
            let refused =
                (0..1000).filter(|number| !table.take((second, *number), rate, at(second * 1000))).count();
            assert!(refused < 10, "{refused} of 1000 share a place in second {second}");
        }
    }
}
