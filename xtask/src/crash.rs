//! `cargo xtask crash`: the long form of the crash test. It kills the binary as often as one likes, and prints the seed
//! by which it is repeated.

use anyhow::{Context, bail};

use crate::process::{cargo, run as run_program};
use crate::tasks::build_trent;

const USAGE: &str = "usage: cargo xtask crash [--kills N] [--seed S]";
const KILLS: u32 = 500;
const TEST: &str = "every_answered_change_outlives_a_kill";

/// Runs what the command line asks for; `arguments` are those after `crash`.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let (mut kills, mut seed) = (KILLS, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || rest.next().and_then(|number| number.parse::<u64>().ok()).context(USAGE);
        match *argument {
            "--kills" => kills = u32::try_from(number()?).context(USAGE)?,
            "--seed" => seed = Some(number()?),
            _ => bail!(USAGE),
        }
    }
    build_trent()?;
    // Not with nextest, which ends tests that take long.
    let mut test =
        cargo(&["test", "--quiet", "--locked", "--package", "trent-tests", "--test", "crash", "--"]);
    test.args([TEST, "--exact", "--nocapture"]).env("TRENT_CRASH_KILLS", kills.to_string());
    if let Some(seed) = seed {
        test.env("TRENT_CRASH_SEED", seed.to_string());
    }
    run_program(&mut test)
}
