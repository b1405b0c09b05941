//! The tasks that are made of stages: `test`, `check`, `quick`.

use std::path::PathBuf;

use crate::process::{cargo, command, root, run, succeeds};
use crate::stages::{self, Stage};
use crate::{codegen, compare, fuzz, setup, tidy};

/// Cheapest first, so that a slip is told within seconds.
const CHECKS: [Stage; 5] = [
    ("format", format),
    ("generated files", codegen::check),
    ("tidy", tidy::check),
    ("lints", lints),
    ("docs", docs),
];

/// Everything: what CI runs.
pub(crate) fn test() -> anyhow::Result<()> {
    let mut all: Vec<Stage> = vec![("setup", setup::run)];
    all.extend(CHECKS);
    all.extend([
        ("build trent", build_trent as fn() -> anyhow::Result<()>),
        ("workspace tests", workspace_tests),
        ("doc tests", doc_tests),
        ("SM2, a feature of its own", sm2_tests),
        ("clients: Python, command lines", python_clients),
        ("clients: JavaScript", javascript_client),
        ("iam-rs: another evaluator of policies", compare::short),
        ("fuzz: 20 s each", short_fuzz),
    ]);
    stages::run("test", &all)
}

/// What to run before a commit.
pub(crate) fn check() -> anyhow::Result<()> {
    stages::run("check", &CHECKS)
}

/// The tests that need nothing but the toolchain.
pub(crate) fn quick() -> anyhow::Result<()> {
    stages::run("quick", &[("build trent", build_trent), ("workspace tests", workspace_tests)])
}

fn format() -> anyhow::Result<()> {
    run(&mut cargo(&["fmt", "--all", "--", "--check"]))
}

fn lints() -> anyhow::Result<()> {
    run(&mut cargo(&[
        "clippy",
        "--quiet",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn docs() -> anyhow::Result<()> {
    let arguments = ["doc", "--quiet", "--locked", "--workspace", "--no-deps", "--document-private-items"];
    run(cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

/// With nextest where it is installed: it runs tests of all crates side by side and times them.
fn workspace_tests() -> anyhow::Result<()> {
    if succeeds(&mut cargo(&["nextest", "--version"])) {
        return run(&mut cargo(&["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]));
    }
    run(&mut cargo(&["test", "--locked", "--workspace", "--all-targets", "--no-fail-fast"]))
}

/// Apart, because nextest runs none. The `compile_fail` ones keep key material behind the gate.
fn doc_tests() -> anyhow::Result<()> {
    run(&mut cargo(&["test", "--quiet", "--locked", "--workspace", "--doc"]))
}

/// What only a build with the feature `sm` has: the computation, the key store, and the API against OpenSSL.
fn sm2_tests() -> anyhow::Result<()> {
    let with_sm2 = |arguments: &[&str]| {
        run(cargo(&["test", "--quiet", "--locked", "--features", "sm", "--package"]).args(arguments))
    };
    with_sm2(&["trent-crypto", "--lib", "sm2"])?;
    with_sm2(&["trent-keystore", "--lib", "of_every_spec"])?;
    with_sm2(&["trent-tests", "--test", "api", "sm2"])?;
    run(&mut cargo(&["check", "--quiet", "--locked", "--package", "trent-cli", "--features", "sm"]))
}

/// Before the tests of the workspace: some of them run the binary.
pub(crate) fn build_trent() -> anyhow::Result<()> {
    run(&mut cargo(&["build", "--locked", "--package", "trent-cli", "--bin", "trent"]))
}

fn short_fuzz() -> anyhow::Result<()> {
    fuzz::run(&["--short"])
}

fn trent() -> anyhow::Result<PathBuf> {
    Ok(setup::target_folder()?.join("debug/trent"))
}

fn python_clients() -> anyhow::Result<()> {
    let python = setup::venv()?.join("bin/python");
    let mut tests = command(python, &["-m", "pytest", "-q", "--durations=5", "-p", "no:cacheprovider"]);
    // As many at once as there are cores; those of a file after one another, as they may share a server.
    tests.args(["--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile"]);
    tests.arg(root().join("tests/clients/python"));
    run(tests.env("TRENT_BINARY", trent()?).env("PYTHONDONTWRITEBYTECODE", "1"))
}

fn javascript_client() -> anyhow::Result<()> {
    let tools = setup::node_tools()?;
    let folder = setup::node_folder()?;
    // Copied beside the packages: a module finds packages only in folders above its own.
    std::fs::copy(root().join("tests/clients/javascript/kms.test.js"), folder.join("kms.test.js"))?;
    let mut tests = command(tools.node(), &["--test", "kms.test.js"]);
    run(tests.current_dir(folder).env("TRENT_BINARY", trent()?))
}
