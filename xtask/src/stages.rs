//! Runs the stages of a task in order: a heading and a time for each, a stop at the first failure, a summary.

use std::time::{Duration, Instant};

/// A part of a task, by name.
pub(crate) type Stage = (&'static str, fn() -> anyhow::Result<()>);

/// Runs the stages of `task` until one fails.
pub(crate) fn run(task: &str, stages: &[Stage]) -> anyhow::Result<()> {
    let mut done = Vec::new();
    for (number, (name, stage)) in (1..).zip(stages) {
        println!("\n=== {number}/{}: {name}", stages.len());
        let begun = Instant::now();
        let outcome = stage();
        done.push((name, begun.elapsed()));
        if let Err(error) = outcome {
            summarize(&done);
            return Err(error.context(format!("`cargo xtask {task}` failed in stage `{name}`")));
        }
    }
    summarize(&done);
    println!("\nOK: `cargo xtask {task}` passed");
    Ok(())
}

fn summarize(done: &[(&&str, Duration)]) {
    println!("\n=== summary");
    for (name, time) in done {
        println!("{:>8.1} s  {name}", time.as_secs_f64());
    }
    let total: Duration = done.iter().map(|(_, time)| *time).sum();
    println!("{:>8.1} s  in total", total.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_failure_is_not_run() {
        let stages: [Stage; 3] =
            [("fine", || Ok(())), ("bad", || anyhow::bail!("no")), ("after", || panic!("was run"))];
        let error = run("some", &stages).unwrap_err();
        assert!(format!("{error:#}").contains("stage `bad`"));
    }

    #[test]
    fn all_fine_is_fine() {
        run("some", &[("one", || Ok(())), ("two", || Ok(()))]).unwrap();
    }
}
