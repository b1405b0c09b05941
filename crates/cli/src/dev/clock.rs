//! The clock of `trent dev`: that of the system, and as far ahead of it as somebody has asked for.
//!
//! It never goes back, not even over a restart on data that is kept: what was written would be in the future then.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use anyhow::Result;
use trent_database::{Database, DatabaseError};
use trent_domain::time::{Clock, Timestamp};

/// The row of the database that tells how far the clock is ahead.
const AHEAD: &str = "dev-clock-ahead";

/// A clock that goes, and can be moved on.
pub(crate) struct MovableClock {
    wall: Arc<dyn Clock>,
    /// Milliseconds that it is ahead of the other.
    ahead: AtomicI64,
    /// The latest time that it has told: the clock of the system may be set back.
    told: AtomicI64,
    database: Arc<dyn Database>,
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        let now = self.wall.now().millis().saturating_add(self.ahead.load(SeqCst));
        Timestamp::from_millis(now.max(self.told.fetch_max(now, SeqCst)))
    }
}

impl MovableClock {
    /// The clock of a database, as far ahead as it was.
    pub(crate) async fn of(database: Arc<dyn Database>, wall: Arc<dyn Clock>) -> Result<Self> {
        let row = trent_database::read(&*database, |records| records.setting(AHEAD)).await?;
        let ahead = row.and_then(|row| Some(i64::from_be_bytes(row.try_into().ok()?))).unwrap_or_default();
        Ok(Self { wall, ahead: AtomicI64::new(ahead), told: AtomicI64::new(i64::MIN), database })
    }

    /// How far it is ahead of the system's, in milliseconds.
    pub(crate) fn ahead(&self) -> i64 {
        self.ahead.load(SeqCst)
    }

    /// How far it is ahead of the system's when it tells `to` now, in milliseconds.
    pub(crate) fn ahead_at(&self, to: Timestamp) -> i64 {
        to.millis().saturating_sub(self.wall.now().millis()).max(self.ahead())
    }

    /// Notes for the next start how far it will be ahead. Before it is moved: of a process that ends on the way,
    /// nothing may be left that is later than its clock.
    pub(crate) async fn announce(&self, ahead: i64) -> Result<(), String> {
        let ahead = ahead.to_be_bytes();
        trent_database::write(&*self.database, "move the clock", move |transaction| {
            transaction.put_setting(AHEAD, &ahead)
        })
        .await
        .and_then(|done: Result<(), DatabaseError>| done)
        .map_err(|error| error.to_string())
    }

    /// Moves it on; never back.
    pub(crate) fn be_ahead(&self, ahead: i64) {
        self.ahead.fetch_max(ahead, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use trent_database::Embedded;
    use trent_testkit::TestClock;

    use super::*;

    #[tokio::test]
    async fn it_is_moved_on_and_never_back_not_even_by_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let database: Arc<dyn Database> = Arc::new(Embedded::open(dir.path()).unwrap());
        let wall = Arc::new(TestClock::default());
        let clock = MovableClock::of(Arc::clone(&database), Arc::clone(&wall) as _).await.unwrap();
        let start = wall.now();
        assert_eq!(clock.now(), start);
        let later = start.plus_days(8);
        let ahead = clock.ahead_at(later);
        clock.announce(ahead).await.unwrap();
        clock.be_ahead(ahead);
        assert_eq!(clock.now(), later);
        clock.be_ahead(clock.ahead_at(start));
        clock.be_ahead(0);
        assert_eq!(clock.now(), later);
        wall.advance_millis(5000);
        assert_eq!(clock.now(), later.plus_seconds(5));
        let again = MovableClock::of(database, wall).await.unwrap();
        assert_eq!(again.now(), later.plus_seconds(5));
    }
}
