//! Token buckets, as many as are in use, in a table of fixed size that is read and written without a lock.
//!
//! A bucket is one number: the time at which it is full again (the generic cell rate algorithm). One that is full is
//! like one that is not there, so its place is given away; no more is kept than what has been used of late.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use trent_domain::time::Timestamp;

/// Places that a bucket may be in.
const WAYS: usize = 8;
const SETS: u64 = 1024;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// A bucket that lacks this much more than it can hold was emptied by a clock that has been set back since. Less may
/// come from requests that read the clock in another order.
const SLACK: i64 = 5 * NANOS_PER_SECOND;

/// How fast a bucket fills, and how much it holds: what comes in a second, and one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    interval: i64,
    holds: i64,
}

impl Rate {
    /// So many a second; nothing if there is to be no limit.
    pub(super) fn per_second(rate: f64) -> Option<Self> {
        /// One a day; what is less is none.
        const INTERVAL_MAX: f64 = 86_400e9;
        let interval = 1e9 / rate;
        if !(interval.is_finite() && interval > 0.0) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "within these bounds it is exact enough")]
        let interval = interval.clamp(1.0, INTERVAL_MAX).floor() as i64;
        Some(Self { interval, holds: interval.max(NANOS_PER_SECOND) })
    }
}

#[derive(Debug, Default)]
struct Slot {
    /// The hash of what the bucket is for; 0 where there is none.
    tag: AtomicU64,
    /// When it is full again, in nanoseconds since 1970.
    full_at: AtomicI64,
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
        let now = now.millis().saturating_mul(1_000_000);
        let Some(slot) = self.slot(self.hasher.hash_one(owner).max(1), now) else { return true };
        let taken = slot.full_at.fetch_update(Relaxed, Relaxed, |full_at| {
            let lacks = full_at.saturating_sub(now);
            let from = if lacks > rate.holds + SLACK { now } else { full_at.max(now) };
            let next = from + rate.interval;
            (next - now <= rate.holds).then_some(next)
        });
        taken.is_ok()
    }

    /// The place of a bucket. If all where it may be are taken by buckets in use, it shares the fullest.
    fn slot(&self, tag: u64, now: i64) -> Option<&Slot> {
        let set = self.sets.get(usize::try_from(tag % SETS).unwrap_or_default())?;
        loop {
            if let Some(slot) = set.iter().find(|slot| slot.tag.load(Relaxed) == tag) {
                return Some(slot);
            }
            let fullest = set.iter().min_by_key(|slot| slot.full_at.load(Relaxed))?;
            let before = fullest.tag.load(Relaxed);
            if fullest.full_at.load(Relaxed) > now
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
    fn a_bucket_holds_a_second_and_fills_with_time() {
        let table = Table::new();
        assert_eq!(taken(&table, "a", 5.0, at(0)), 5);
        assert_eq!(taken(&table, "a", 5.0, at(199)), 0);
        assert_eq!(taken(&table, "a", 5.0, at(200)), 1);
        assert_eq!(taken(&table, "a", 5.0, at(60_000)), 5);
    }

    #[test]
    fn less_than_one_a_second_is_one_now_and_then() {
        let table = Table::new();
        assert_eq!(taken(&table, "a", 0.1, at(0)), 1);
        assert_eq!(taken(&table, "a", 0.1, at(9_999)), 0);
        assert_eq!(taken(&table, "a", 0.1, at(10_000)), 1);
    }

    #[test]
    fn buckets_are_apart() {
        let table = Table::new();
        assert_eq!(taken(&table, "a", 3.0, at(0)), 3);
        assert_eq!(taken(&table, "b", 7.0, at(0)), 7);
    }

    #[test]
    fn a_clock_that_is_set_back_empties_no_bucket_for_long() {
        let table = Table::new();
        assert_eq!(taken(&table, "a", 5.0, at(0)), 5);
        // Requests of two cores that read the clock in another order do not fill it.
        assert_eq!(taken(&table, "a", 5.0, at(-10)), 0);
        assert_eq!(taken(&table, "a", 5.0, at(-86_400_000)), 5);
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

    #[test]
    fn threads_take_no_more_than_there_is() {
        let table = Table::new();
        let rate = Rate::per_second(10_000.0).unwrap();
        let taken = std::thread::scope(|scope| {
            let take = || (0..10_000).filter(|_| table.take("a", rate, at(0))).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(taken, 10_000);
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert_eq!(Rate::per_second(0.0), None);
        assert_eq!(Rate::per_second(f64::INFINITY), None);
        assert_eq!(Rate::per_second(f64::NAN), None);
    }
}
