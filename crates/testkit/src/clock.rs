//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use trent_domain::time::{Clock, Timestamp};

const START_MILLIS: i64 = 1_767_225_600_000;

/// A clock set by hand; it starts at 2026-01-01T00:00:00Z.
pub struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(START_MILLIS))
    }
}

impl TestClock {
    /// Moves the clock forward.
    pub fn advance_days(&self, days: i64) {
        self.advance_millis(days * 24 * 60 * 60 * 1000);
    }

    /// Moves the clock forward.
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
