//! Kills the binary with signal 9 at random moments of a concurrent load, and looks after each restart for every change
//! that was answered. What it knows of an object is in `model`, what is compared in `check`.
//!
//! The short form runs with all tests; `cargo xtask crash` runs it for as long as one likes, and from a seed. A seed
//! repeats what is asked for and when the kill comes, not how the threads of the server interleave.
//!
//! A killed process leaves what it wrote to the system, which only a power failure loses: that answers wait for the disk
//! is looked for in `sync`.

mod caller;
mod check;
mod copy;
mod deletion;
mod first_start;
mod life;
mod model;
mod sync;

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Instant;

use life::{Life, Tally};
use trent_testkit::{Dice, built_binary};

/// Kills of the short form.
const KILLS: usize = 40;
/// Kills of one data directory. All that was answered is looked at after each, so that more take longer and longer.
const KILLS_PER_LIFE: usize = 10;
const KILLS_OF_FIRST_STARTS: usize = 24;

/// A number that `cargo xtask crash` passes on.
#[expect(clippy::disallowed_methods, reason = "a test has no arguments")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn dice() -> (u64, Dice) {
    let seed = setting("TRENT_CRASH_SEED").unwrap_or_else(Dice::any_seed);
    println!("to repeat: cargo xtask crash --seed {seed}");
    (seed, Dice::new(seed))
}

#[test]
fn every_answered_change_outlives_a_kill() {
    let (begun, (seed, mut dice)) = (Instant::now(), dice());
    let binary = built_binary();
    let kills = setting("TRENT_CRASH_KILLS")
        .map_or(KILLS, |kills| usize::try_from(kills).expect("a number of kills"));
    let mut all = Tally::default();
    while all.kills < kills {
        let life = Life::new(&binary, dice.fork());
        match life.live(KILLS_PER_LIFE.min(kills - all.kills)) {
            Ok(tally) => all.add(&tally),
            Err(problem) => panic!("seed {seed}, {} kills before: {problem}", all.kills),
        }
        println!("{:.1} s: {all:?}", begun.elapsed().as_secs_f64());
    }
}

#[test]
fn a_first_start_that_is_killed_is_done_by_the_next() {
    let (seed, mut dice) = dice();
    if let Err(problem) = first_start::kill_first_starts(&built_binary(), KILLS_OF_FIRST_STARTS, &mut dice) {
        panic!("seed {seed}: {problem}");
    }
}

#[test]
fn keys_whose_waiting_period_is_over_go_whole_under_kills() {
    let (seed, mut dice) = dice();
    match deletion::kill_while_keys_are_deleted(&built_binary(), &mut dice) {
        Ok(amid) => println!("{amid} looks found some keys gone and others not"),
        Err(problem) => panic!("seed {seed}: {problem}"),
    }
}

/// What a database does that answers before it has written: the end of the write-ahead log is missing.
fn lose_the_last_commits(data: &Path) {
    const COMMITS: u64 = 8;
    const PAGE_BYTES: u64 = 4096 + 24;
    let log = OpenOptions::new().write(true).open(data.join("trent.db-wal")).unwrap();
    let bytes = log.metadata().unwrap().len();
    log.set_len(bytes.saturating_sub(COMMITS * 4 * PAGE_BYTES)).unwrap();
}

#[test]
fn a_server_that_loses_what_it_has_answered_is_caught() {
    let (seed, mut dice) = dice();
    let outcome = Life::sabotaged(&built_binary(), dice.fork(), lose_the_last_commits).live(1);
    let problem = outcome.expect_err("changes that were answered are gone");
    assert!(problem.contains("things are wrong") || problem.contains("lacks"), "seed {seed}: {problem}");
}

#[test]
fn the_model_takes_the_value_before_or_after_and_no_other() {
    let mut known = model::Known::new(1);
    assert!(known.found(2).is_err(), "nobody asked for it");
    known.ask(2);
    known.answered();
    assert!(known.found(1).is_err(), "it was answered");
    known.ask(3);
    assert!(known.clone().found(2).is_ok() && known.clone().found(3).is_ok());
    assert!(known.found(4).is_err());
}
