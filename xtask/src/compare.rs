//! `cargo xtask compare`: asks iam-rs, an evaluator by other people, the same as trent. What is compared, and what cannot
//! be, stands in `compare/`, which is a workspace of its own.

use crate::process::{cargo, command, root, run};
use crate::setup::target_folder;

/// Builds the comparison and runs it; `arguments` are passed on.
pub(crate) fn run_with(arguments: &[&str]) -> anyhow::Result<()> {
    // Beside other builds, so that they share nothing: its dependencies are not theirs.
    let build = target_folder()?.join("compare");
    let mut building = cargo(&["build", "--quiet", "--release", "--locked", "--manifest-path"]);
    run(building.arg(root().join("compare/Cargo.toml")).arg("--target-dir").arg(&build))?;
    run(&mut command(build.join("release/trent-compare"), arguments))
}

/// The short form, as CI runs it.
pub(crate) fn short() -> anyhow::Result<()> {
    run_with(&[])
}
