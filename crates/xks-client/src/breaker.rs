//! A circuit breaker: after some failures in a row nobody but a probe asks a dead proxy, until it answers again.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::failure::Failure;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open at first; each probe that fails doubles it.
const REST: Duration = Duration::from_millis(500);
const REST_MAX: Duration = Duration::from_secs(15);
/// A probe that never came back, because its caller went away, is forgotten after this.
const PROBE: Duration = Duration::from_secs(5);

/// The breaker of one proxy.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    rest: Duration,
    /// Whether somebody asks, to find out.
    probing: bool,
    why: Failure,
}

impl Breaker {
    /// Whether to ask; if not, what the last who asked was told.
    pub(crate) fn admit(&self) -> Result<(), Failure> {
        let (now, mut state) = (Instant::now(), self.0.lock());
        match &mut state.open {
            Some(open) if now < open.until => Err(open.why.clone()),
            Some(open) => {
                // This one is the probe; others wait for what it finds.
                open.until = now + PROBE;
                open.probing = true;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Notes that the proxy answered, whatever it said.
    pub(crate) fn answered(&self) {
        *self.0.lock() = State::default();
    }

    /// Notes that it did not.
    pub(crate) fn failed(&self, why: &Failure) {
        let mut state = self.0.lock();
        state.failures = state.failures.saturating_add(1);
        let rest = match &state.open {
            Some(open) if open.probing => (open.rest * 2).min(REST_MAX),
            // Of one that was let in before it opened: hundreds may have been.
            Some(_) => return,
            None if state.failures >= FAILURES => REST,
            None => return,
        };
        let until = Instant::now() + rest;
        state.open = Some(Open { until, rest, probing: false, why: why.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_dead_proxy_is_probed_by_one_at_a_time_and_ever_more_seldom() {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.admit().unwrap();
            breaker.failed(&Failure::Timeout);
        }
        assert_eq!(breaker.admit(), Err(Failure::Timeout));
        tokio::time::advance(REST).await;
        breaker.admit().unwrap();
        assert_eq!(breaker.admit(), Err(Failure::Timeout));
        breaker.failed(&Failure::Timeout);
        tokio::time::advance(REST).await;
        assert_eq!(breaker.admit(), Err(Failure::Timeout));
        tokio::time::advance(REST).await;
        breaker.admit().unwrap();
        breaker.answered();
        breaker.admit().unwrap();
        breaker.failed(&Failure::Timeout);
        breaker.admit().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_were_asking_when_it_died_it_rests_no_longer() {
        let breaker = Breaker::default();
        (0..500).for_each(|_| breaker.failed(&Failure::Timeout));
        tokio::time::advance(REST).await;
        breaker.admit().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_never_came_back_is_forgotten() {
        let breaker = Breaker::default();
        (0..FAILURES).for_each(|_| breaker.failed(&Failure::Timeout));
        tokio::time::advance(REST).await;
        breaker.admit().unwrap();
        tokio::time::advance(PROBE).await;
        breaker.admit().unwrap();
    }
}
