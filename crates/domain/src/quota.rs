//! How many requests a second are answered: buckets that hold what may come within one, and fill with time.
//!
//! A bucket is one number: the time at which it is full again, in nanoseconds since 1970 (the generic cell rate
//! algorithm).

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use crate::time::Timestamp;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// A bucket that lacks this much more than it can hold was emptied by a clock that has been set back since. Less may
/// come from requests that read the clock in another order.
const SLACK: i64 = 5 * NANOS_PER_SECOND;

/// How fast a bucket fills, and how much it holds: what comes in a second, and one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval: i64,
    holds: i64,
}

impl Rate {
    /// So many a second; nothing if there is to be no limit.
    pub fn per_second(rate: f64) -> Option<Self> {
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

/// A bucket. A new one is full.
#[derive(Debug, Default)]
pub struct Bucket(AtomicI64);

impl Bucket {
    /// Takes a request out, if there is one.
    pub fn take(&self, rate: Rate, now: Timestamp) -> bool {
        let now = nanos(now);
        let taken = self.0.fetch_update(Relaxed, Relaxed, |full_at| {
            let lacks = full_at.saturating_sub(now);
            let from = if lacks > rate.holds + SLACK { now } else { full_at.max(now) };
            let next = from.saturating_add(rate.interval);
            (next.saturating_sub(now) <= rate.holds).then_some(next)
        });
        taken.is_ok()
    }

    /// When it is full again, in nanoseconds since 1970; it is so already if that has passed.
    pub fn full_at(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

const fn nanos(now: Timestamp) -> i64 {
    now.millis().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    fn taken(bucket: &Bucket, rate: f64, now: Timestamp) -> usize {
        let rate = Rate::per_second(rate).unwrap();
        (0..1000).take_while(|_| bucket.take(rate, now)).count()
    }

    #[test]
    fn a_bucket_holds_a_second_and_fills_with_time() {
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, 5.0, at(0)), 5);
        assert_eq!(taken(&bucket, 5.0, at(199)), 0);
        assert_eq!(taken(&bucket, 5.0, at(200)), 1);
        assert_eq!(taken(&bucket, 5.0, at(60_000)), 5);
    }

    #[test]
    fn less_than_one_a_second_is_one_now_and_then() {
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, 0.1, at(0)), 1);
        assert_eq!(taken(&bucket, 0.1, at(9_999)), 0);
        assert_eq!(taken(&bucket, 0.1, at(10_000)), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_empties_no_bucket_for_long() {
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, 5.0, at(0)), 5);
        // Requests of two cores that read the clock in another order do not fill it.
        assert_eq!(taken(&bucket, 5.0, at(-10)), 0);
        assert_eq!(taken(&bucket, 5.0, at(-86_400_000)), 5);
    }

    #[test]
    fn threads_take_no_more_than_there_is() {
        let bucket = Bucket::default();
        let rate = Rate::per_second(10_000.0).unwrap();
        let taken = std::thread::scope(|scope| {
            let take = || (0..10_000).filter(|_| bucket.take(rate, at(0))).count();
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
