//! Whether two classes of input take differently long: the test of dudect (Reparaz, Balasch, Verbauwhede 2017).
//!
//! Inputs of both classes are taken in random order, so that whatever else the machine does falls on both alike. The longest
//! times are cut off, and the means of the rest are compared by Welch's t.

use std::fmt::{self, Display};
use std::time::{Duration, Instant};

use anyhow::Result;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use crate::report::median;

/// Beyond this, chance is out of the question. dudect has 4.5 for a suspicion, 10 for certainty.
const T_MAX: f64 = 10.0;
/// What is kept of all times: those that nothing interrupted.
const KEPT: f64 = 0.6;
/// Differences that are seen and that count for nothing: below what a branch costs, and below this share of the whole.
const NANOS_MIN: f64 = 2.0;
const SHARE_MIN: f64 = 0.001;
/// A machine that does other things may disturb one round, hardly the same way in most of them.
const ROUNDS: usize = 3;

/// What came of one round.
#[derive(Debug, Clone, Copy)]
struct Round {
    difference_nanos: f64,
    t: f64,
    error_nanos: f64,
    mean_nanos: f64,
}

/// What came of all rounds.
#[derive(Debug)]
pub(crate) struct Finding {
    rounds: Vec<Round>,
    floor_nanos: f64,
}

impl Finding {
    /// Whether the time depends on the class: in most rounds, each time the same way.
    pub(crate) fn is_leak(&self) -> bool {
        let seen = |sign: f64| {
            let differs = |round: &&Round| {
                let least = self.floor_nanos.max(NANOS_MIN).max(SHARE_MIN * round.mean_nanos);
                round.t * sign >= T_MAX && round.difference_nanos.abs() >= least
            };
            self.rounds.iter().filter(differs).count() * 2 > self.rounds.len()
        };
        seen(1.0) || seen(-1.0)
    }

    fn middle(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(&self.rounds.iter().map(of).collect::<Vec<_>>())
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (difference, t) = (self.middle(|round| round.difference_nanos), self.middle(|round| round.t));
        // What would have been seen.
        let seen = self.middle(|round| T_MAX * round.error_nanos);
        let mean = self.middle(|round| round.mean_nanos);
        write!(f, "{difference:>9.1} ns of {mean:>9.0} ns, t {t:>6.1}; seen from {seen:.1} ns")
    }
}

/// Measures `work` on two classes of input, `count` times in each round.
///
/// `work` is given which class it is, and gives the time; what it does before that is not measured.
pub(crate) fn compare(
    count: usize,
    floor: Duration,
    mut work: impl FnMut(bool) -> Result<Duration>,
) -> Result<Finding> {
    let random = SystemRandom::new();
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let mut order = vec![0; count];
        random.fill(&mut order)?;
        let mut times = [Vec::new(), Vec::new()];
        for byte in order {
            let second = byte & 1 == 1;
            let nanos = work(second)?.as_secs_f64() * 1e9;
            let [first_times, second_times] = &mut times;
            if second { second_times.push(nanos) } else { first_times.push(nanos) }
        }
        // The first one is not counted: caches fill, and predictors learn.
        if round > 0 {
            rounds.push(welch(&times));
        }
    }
    Ok(Finding { rounds, floor_nanos: floor.as_secs_f64() * 1e9 })
}

/// The time of something.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn welch(times: &[Vec<f64>; 2]) -> Round {
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    let place = (all.len() as f64 * KEPT) as usize;
    let longest = all.get(place).copied().unwrap_or(f64::INFINITY);
    let [first, second] = times.each_ref().map(|class| {
        let kept: Vec<_> = class.iter().copied().filter(|time| *time <= longest).collect();
        let count = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / count;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    let (difference_nanos, error_nanos) = (first.0 - second.0, (first.1 + second.1).sqrt());
    // Times that are all the same differ by nothing or by everything.
    let t =
        if error_nanos > 0.0 { difference_nanos / error_nanos } else { difference_nanos.signum() * T_MAX };
    let t = if difference_nanos == 0.0 { 0.0 } else { t };
    Round { difference_nanos, t, error_nanos, mean_nanos: f64::midpoint(first.0, second.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times that jump about by up to 1 µs, and `more` for the second class.
    fn jumping(count: usize, more: f64) -> Finding {
        let mut seed = 1_u32;
        compare(count, Duration::ZERO, |second| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let nanos = 5000.0 + f64::from(seed >> 22) + if second { more } else { 0.0 };
            Ok(Duration::from_nanos(nanos as u64))
        })
        .unwrap()
    }

    #[test]
    fn a_difference_is_found_where_single_times_jump_by_ten_times_as_much() {
        assert!(jumping(20_000, 100.0).is_leak());
        assert!(jumping(20_000, -100.0).is_leak());
    }

    #[test]
    fn none_is_found_where_there_is_none_or_next_to_none() {
        for _ in 0..20 {
            let finding = jumping(20_000, 0.0);
            assert!(!finding.is_leak(), "{finding}");
        }
        assert!(!jumping(20_000, 1.0).is_leak());
    }

    #[test]
    fn interruptions_do_not_count() {
        let mut calls = 0;
        let finding = compare(10_000, Duration::ZERO, |second| {
            calls += 1;
            // One of twenty, more often in the second class.
            let interrupted = if second { calls % 15 == 0 } else { calls % 30 == 0 };
            Ok(Duration::from_nanos(if interrupted { 90_000 } else { 1000 + calls % 7 }))
        })
        .unwrap();
        assert!(!finding.is_leak(), "{finding}");
    }
}
