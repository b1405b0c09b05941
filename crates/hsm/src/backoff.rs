//! How long a worker that keeps dying is left alone.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Deaths since something last went well.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    deaths: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// A worker died, or did not start. The first time the next one may start at once.
    pub(crate) fn died(&mut self, now: Instant) {
        let pause = match self.deaths {
            0 => Duration::ZERO,
            deaths => FIRST.saturating_mul(1 << (deaths - 1).min(16)).min(LONGEST),
        };
        self.deaths = self.deaths.saturating_add(1);
        self.until = Some(now + pause);
    }

    /// A worker did something.
    pub(crate) fn went_well(&mut self) {
        *self = Self::default();
    }

    /// Whether another one may start.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_something_goes_well() {
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..10 {
            backoff.died(now);
            let ends = backoff.until.unwrap();
            assert!(backoff.is_over(ends) && (ends == now || !backoff.is_over(now)));
            pauses.push((ends - now).as_millis());
            now = ends;
        }
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        backoff.went_well();
        assert!(backoff.is_over(now));
        backoff.died(now);
        assert_eq!(backoff.until, Some(now));
    }
}
