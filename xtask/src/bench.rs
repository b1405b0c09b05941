//! `cargo xtask bench` and `cargo xtask timing`: build what is shipped, and measure it.
//!
//! What is measured, and how, is in `benches/`; its arguments are passed on.

use crate::process::{cargo, command, run};
use crate::setup::target_folder;

/// Builds `trent`, the floor and the load generator, and runs the measurements.
pub(crate) fn run_with(arguments: &[&str]) -> anyhow::Result<()> {
    let packages = ["--package", "trent-cli", "--package", "trent-benches"];
    run(cargo(&["build", "--release", "--locked"]).args(packages))?;
    // What needs no server has a program of its own.
    let (program, arguments) = match arguments {
        ["--audit"] => ("trent-bench-audit", &[][..]),
        ["--decision"] => ("trent-bench-decision", &[][..]),
        arguments => ("trent-bench", arguments),
    };
    run(&mut command(target_folder()?.join("release").join(program), arguments))
}

/// The same, to look for times that tell where wrong input is wrong.
pub(crate) fn timing(arguments: &[&str]) -> anyhow::Result<()> {
    run_with(&[&["--timing"], arguments].concat())
}
