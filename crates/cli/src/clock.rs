//! The clock of the system: the one place of trent that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use trent_domain::time::{Clock, Timestamp};

/// The clock of the system.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is passed in everywhere else")]
    fn now(&self) -> Timestamp {
        // Before 1970 is an unset clock; the epoch then, which no signature fits.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
