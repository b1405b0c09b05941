//! What was found.

use std::time::Duration;

use serde::Serialize;

use crate::bench::Bench;

/// What came of all checks.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The host.
    pub host: String,
    /// The path of the store.
    pub path: String,
    /// Version and suite of TLS, and the version of HTTP.
    pub transport: String,
    /// The checks, in their order.
    pub checks: Vec<Outcome>,
    /// How many were as they must be.
    pub passed: usize,
    /// How many were not.
    pub failed: usize,
    /// How many are allowed, but may be trouble.
    pub warned: usize,
    /// How many could not be made.
    pub skipped: usize,
    /// How long answers took; absent without enough of them.
    pub latency: Option<Latency>,
}

/// How long encryptions took, one after the other, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// How many.
    pub samples: usize,
    /// Half of them took at most this.
    pub p50_ms: f64,
    /// 95 of 100 took at most this.
    pub p95_ms: f64,
    /// 99 of 100 took at most this.
    pub p99_ms: f64,
    /// All took at most this.
    pub max_ms: f64,
}

impl Latency {
    /// Of some times, which are sorted here.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let at = |part: usize| {
            let rank = (times.len() * part).div_ceil(100).max(1) - 1;
            times.get(rank).map(|time| time.as_secs_f64() * 1000.0)
        };
        Some(Self {
            samples: times.len(),
            p50_ms: at(50)?,
            p95_ms: at(95)?,
            p99_ms: at(99)?,
            max_ms: at(100)?,
        })
    }
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What is checked: the group.
    pub group: &'static str,
    /// What is checked.
    pub check: String,
    /// Whether it is so.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Whether something is as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// It is.
    Passed,
    /// It is not.
    Failed {
        /// What was found.
        found: String,
        /// What is demanded.
        demanded: String,
        /// Where.
        specification: &'static str,
    },
    /// It may be so, but it may be trouble.
    Warned {
        /// What was found.
        found: String,
        /// What it may lead to.
        advice: String,
        /// Where.
        specification: &'static str,
    },
    /// It could not be checked.
    Skipped {
        /// Why.
        why: String,
    },
}

/// What a check demands, and where that is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) text: &'static str,
    pub(crate) section: &'static str,
}

/// The result of a check: what was found instead, if it is not so.
pub(crate) type Found = Result<(), String>;

/// Gathers outcomes.
pub(crate) struct Suite<'t> {
    tell: &'t mut (dyn FnMut(&Outcome) + Send),
    group: &'static str,
    started: tokio::time::Instant,
    checks: Vec<Outcome>,
    times: Vec<Duration>,
    hopeless: bool,
}

impl<'t> Suite<'t> {
    pub(crate) fn new(tell: &'t mut (dyn FnMut(&Outcome) + Send)) -> Self {
        let started = tokio::time::Instant::now();
        Self { tell, group: "", started, checks: Vec::new(), times: Vec::new(), hopeless: false }
    }

    /// Begins a group.
    pub(crate) fn group(&mut self, group: &'static str) {
        self.group = group;
        self.started = tokio::time::Instant::now();
    }

    /// Notes a check.
    pub(crate) fn must(&mut self, check: impl Into<String>, demand: Demand, found: Found) {
        let failed = |found| Verdict::Failed {
            found,
            demanded: demand.text.to_owned(),
            specification: demand.section,
        };
        self.note(check.into(), found.map_or_else(failed, |()| Verdict::Passed));
    }

    /// Notes a check of what is advice only.
    pub(crate) fn should(&mut self, check: impl Into<String>, demand: Demand, found: Found) {
        let warned =
            |found| Verdict::Warned { found, advice: demand.text.to_owned(), specification: demand.section };
        self.note(check.into(), found.map_or_else(warned, |()| Verdict::Passed));
    }

    /// Notes a check that cannot be made.
    pub(crate) fn skip(&mut self, check: impl Into<String>, why: &str) {
        self.note(check.into(), Verdict::Skipped { why: why.to_owned() });
    }

    fn note(&mut self, check: String, verdict: Verdict) {
        let took_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.started = tokio::time::Instant::now();
        let outcome = Outcome { group: self.group, check, verdict, took_ms };
        (self.tell)(&outcome);
        self.checks.push(outcome);
    }

    pub(crate) fn measured(&mut self, times: Vec<Duration>) {
        self.times = times;
    }

    pub(crate) fn give_up(&mut self) {
        self.hopeless = true;
    }

    pub(crate) fn is_hopeless(&self) -> bool {
        self.hopeless
    }

    pub(crate) fn into_report(self, bench: &Bench<'_>) -> Report {
        let count = |is: fn(&Verdict) -> bool| self.checks.iter().filter(|check| is(&check.verdict)).count();
        Report {
            host: bench.plan.host.clone(),
            path: bench.plan.configuration.uri_path.to_string(),
            transport: bench.transport(),
            passed: count(|verdict| matches!(verdict, Verdict::Passed)),
            failed: count(|verdict| matches!(verdict, Verdict::Failed { .. })),
            warned: count(|verdict| matches!(verdict, Verdict::Warned { .. })),
            skipped: count(|verdict| matches!(verdict, Verdict::Skipped { .. })),
            latency: Latency::of(self.times),
            checks: self.checks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(times).unwrap();
        assert_eq!(
            (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms),
            (100.0, 190.0, 198.0, 200.0)
        );
        assert_eq!(Latency::of(Vec::new()), None);
    }
}
