//! Tasks of the project: `cargo xtask <task>`.
//!
//! One line a task; what a task does is in the module of its name.

mod bench;
mod codegen;
mod compare;
mod crash;
mod fuzz;
mod process;
mod setup;
mod stages;
mod tasks;
mod tidy;

use std::process::ExitCode;

use anyhow::bail;

const USAGE: &str = "usage: cargo xtask <task>

  test             everything, as CI runs it; installs what it needs
  ci               the same
  check            format, generated files, tidy, lints, docs: what to run before a commit
  quick            the tests of the workspace, without clients
  tidy [--bless]   the rules that compilers do not know; --bless records the lengths of long functions
  codegen [--check]  writes the files made from model/, or says which are stale
  setup            installs what the client tests need
  fuzz [TARGET] [--seconds N | --short | --input FILE]
                   throws random input at the parsers: 60 s each, or 20 with --short
  compare [CASES [SEED]]
                   asks iam-rs, another evaluator of policies, the same as trent: 20,000 cases, each time the same
  bench [--short] [--million | --kinds | --external | --hsm] [--only OPERATION] [--json FILE]
  bench --audit | --decision
                   measures the release build against its promises; --million with a million keys, --kinds with
                   keys of each spec, --external with keys in an external key store, --hsm with keys in HSMs
  timing [--short] looks for answers to wrong input whose time tells where it is wrong, and fails if there are any
  crash [--kills N] [--seed S]
                   kills the binary under load, 500 times by default, and looks for what was answered";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> anyhow::Result<()> {
    match arguments {
        ["test" | "ci"] => tasks::test(),
        ["check"] => tasks::check(),
        ["quick"] => tasks::quick(),
        ["tidy"] => tidy::check(),
        ["tidy", "--bless"] => tidy::bless(),
        ["codegen"] => codegen::write(),
        ["codegen", "--check"] => codegen::check(),
        ["setup"] => setup::run(),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["compare", rest @ ..] => compare::run_with(rest),
        ["crash", rest @ ..] => crash::run(rest),
        ["bench", rest @ ..] => bench::run_with(rest),
        ["timing", rest @ ..] => bench::timing(rest),
        _ => bail!("{USAGE}"),
    }
}
