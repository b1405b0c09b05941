//! Request quotas: a bucket of tokens for each store, which holds what may come within a second.

use parking_lot::Mutex;
use trent_domain::time::Timestamp;

/// A bucket.
#[derive(Debug, Default)]
pub(crate) struct Bucket(Mutex<Option<Level>>);

#[derive(Debug, Clone, Copy)]
struct Level {
    /// Thousandths of requests.
    left: i64,
    at: Timestamp,
}

impl Bucket {
    /// Takes a token out, if there is one. `per_second` is the quota; with none of it, there always is one.
    pub(crate) fn take(&self, per_second: u32, now: Timestamp) -> bool {
        if per_second == 0 {
            return true;
        }
        let full = i64::from(per_second) * 1000;
        let mut level = self.0.lock();
        let before = level.unwrap_or(Level { left: full, at: now });
        // A clock that was set back gives nothing; it must not take anything either.
        let passed = now.millis().saturating_sub(before.at.millis()).clamp(0, 1000);
        let left = before.left.min(full).saturating_add(passed * i64::from(per_second)).min(full);
        let taken = left >= 1000;
        *level = Some(Level { left: if taken { left - 1000 } else { left }, at: now });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_as_many_requests_as_the_quota_says() {
        let bucket = Bucket::default();
        let at = Timestamp::from_millis;
        assert_eq!((0..10).filter(|_| bucket.take(5, at(1000))).count(), 5);
        assert_eq!((0..10).filter(|_| bucket.take(5, at(1200))).count(), 1);
        assert_eq!((0..10).filter(|_| bucket.take(5, at(9000))).count(), 5);
        assert_eq!((0..10).filter(|_| bucket.take(5, at(8000))).count(), 0);
        assert!((0..1000).all(|_| bucket.take(0, at(9000))));
    }
}
