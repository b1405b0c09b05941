//! Measures trent against its promises: `cargo xtask bench`.
//!
//! Starts the binary `trent` and the floor beside this one, loads them over real sockets with signed requests,
//! and prints each figure beside its promise. Fails when an answer is wrong, never because a figure is: figures
//! are for people, who know how busy the machine was.

mod answer;
mod client;
mod compare;
mod external;
mod hsm;
mod kinds;
mod load;
mod million;
mod operations;
mod primitives;
mod process;
mod report;
mod request;
mod suite;
mod timing;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

use external::External;
use hsm::Hsm;
use kinds::Kinds;
use million::Million;
use report::Report;
use suite::Suite;
use timing::Counts;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures trent against its promises.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    /// Takes half a minute instead of a few: for a look, and for whether all answers are right.
    #[arg(long)]
    short: bool,
    /// Measures with a million keys, which takes minutes to make the first time.
    #[arg(long)]
    million: bool,
    /// Measures signing, authentication, agreement and encapsulation with keys of each spec.
    #[arg(long, conflicts_with_all = ["million", "against"])]
    kinds: bool,
    /// Measures keys in an external key store, whose proxy is another trent.
    #[arg(long, conflicts_with_all = ["million", "against", "kinds"])]
    external: bool,
    /// Measures keys in HSMs, against the tokens alone.
    #[arg(long, conflicts_with_all = ["million", "against", "kinds", "external"])]
    hsm: bool,
    /// Looks for times that tell where wrong input is wrong, and fails if there are any: `cargo xtask timing`.
    #[arg(long, conflicts_with_all = ["million", "against", "kinds", "external", "hsm", "only", "json"])]
    timing: bool,
    /// With --million: another number of keys.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// Measures only this operation.
    #[arg(long, value_name = "OPERATION", conflicts_with = "million")]
    only: Option<String>,
    /// Measures a change instead: against this `trent`, built before it.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "million")]
    against: Option<PathBuf>,
    /// Writes the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let own = std::env::current_exe()?;
    let beside = own.parent().context("no folder of programs")?;
    // Beside the builds, and so on a real disk: in a file system in memory nothing is durable, and all is fast.
    let folder = beside.join("bench-data");
    fs::create_dir_all(&folder)?;
    let mut report = Report::default();
    measure(&arguments, beside, &folder, &mut report)?;
    report.summarize();
    if let Some(file) = &arguments.json {
        fs::write(file, report.json()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn measure(arguments: &Arguments, programs: &Path, folder: &Path, report: &mut Report) -> Result<()> {
    let (trent, folder) = (programs.join("trent"), folder.to_owned());
    let (pairs, millis) = if arguments.short { (3, 400) } else { (9, 1000) };
    let run = Duration::from_millis(millis);
    if arguments.million {
        return Million { trent, folder, keys: arguments.keys, pairs, run }.run(report);
    }
    if arguments.timing {
        return timing::run(&trent, &folder, if arguments.short { Counts::SHORT } else { Counts::LONG });
    }
    let floor = programs.join("trent-floor");
    if arguments.external {
        return External { trent, floor, folder, only: arguments.only.clone(), pairs, run }.run(report);
    }
    if arguments.hsm {
        let (token, only) = (programs.join("trent-bench-token"), arguments.only.clone());
        return Hsm { trent, floor, token, folder, only, pairs, run }.run(report);
    }
    if arguments.kinds {
        let only = arguments.only.clone();
        return Kinds { trent, floor, folder, only, pairs, run }.run(report);
    }
    let starts = if arguments.short { 3 } else { 9 };
    let suite = Suite { trent, floor, folder, only: arguments.only.clone(), starts, pairs, run };
    match &arguments.against {
        Some(before) => suite.run_against(before, report),
        None => suite.run(report),
    }
}
