//! Two servers under the same load, in turn: what counts is the ratio within a pair of short runs.
//!
//! The machine may be shared, and its speed may change by half within a minute; runs that follow each other
//! closely see the same machine, and the median of their ratios is stable where no absolute figure is.

use std::time::Duration;

use anyhow::Result;

use crate::load::{Load, Outcome, Pace};
use crate::process::Server;
use crate::report::median;
use crate::request::{Question, prepare};

/// Callers, each with a connection of its own.
pub(crate) const CALLERS: usize = 32;

/// One run against one server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    /// Time of processors that the server took for one answer.
    pub(crate) cpu_micros: f64,
    pub(crate) p50_micros: f64,
    pub(crate) p99_micros: f64,
}

/// Puts a load on a server; the requests are signed now.
pub(crate) fn sample(server: &Server, questions: &[Question], pace: Pace) -> Result<Sample> {
    let pool = prepare(questions, server.address)?;
    let before = server.cpu()?;
    let outcome = Load { to: server.address, connections: CALLERS, pool: &pool, pace }.run()?;
    Ok(Sample::of(&outcome, server.cpu()?.saturating_sub(before)))
}

impl Sample {
    fn of(outcome: &Outcome, cpu: Duration) -> Self {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        Self {
            per_second: outcome.per_second(),
            cpu_micros: micros(cpu) / outcome.answers as f64,
            p50_micros: micros(outcome.latency(0.5)),
            p99_micros: micros(outcome.latency(0.99)),
        }
    }
}

/// A server, and what it is asked.
#[derive(Clone, Copy)]
pub(crate) struct Side<'s> {
    pub(crate) server: &'s Server,
    pub(crate) questions: &'s [Question],
}

/// Pairs of runs.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    base: Vec<Sample>,
    other: Vec<Sample>,
}

impl Pairs {
    /// Runs `base` and `other` in turn, so many times; each at its own pace.
    pub(crate) fn run(base: Side<'_>, other: Side<'_>, count: usize, paces: [Pace; 2]) -> Result<Self> {
        let [base_pace, other_pace] = paces;
        let mut pairs = Self::default();
        for _ in 0..count {
            pairs.base.push(sample(base.server, base.questions, base_pace)?);
            pairs.other.push(sample(other.server, other.questions, other_pace)?);
        }
        Ok(pairs)
    }

    /// What `other` is of `base`, in each pair.
    pub(crate) fn ratios(&self, of: impl Fn(&Sample) -> f64) -> Vec<f64> {
        self.base.iter().zip(&self.other).map(|(base, other)| of(other) / of(base)).collect()
    }

    /// The medians of both.
    pub(crate) fn medians(&self, of: impl Fn(&Sample) -> f64) -> [f64; 2] {
        [&self.base, &self.other].map(|samples| median(&samples.iter().map(&of).collect::<Vec<_>>()))
    }
}
