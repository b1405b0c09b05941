//! `cargo xtask fuzz`: builds the targets of `fuzz/` with the stable toolchain and runs them.
//!
//! cargo-fuzz wants a nightly compiler for its flags. The coverage instrumentation alone is in the stable one, and
//! that is what the fuzzer steers by; the address sanitizer is not, and is missed little where `unsafe` is denied.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};

const USAGE: &str = "usage: cargo xtask fuzz [TARGET] [--seconds N | --short | --input FILE]";
/// What a short run of all targets takes, were they run one after the other: 20 s each, and two at a time.
const SHORT_SECONDS_OF_ALL: u32 = 360;
const DEFAULT_SECONDS: u32 = 60;
/// How many targets run side by side: as many as the smallest machine has cores.
const AT_ONCE: usize = 2;
/// Longest time and most memory one input may take: inputs are at most a few KiB.
const LIMITS: [&str; 4] = ["-timeout=10", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1"];
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Runs what the command line asks for; `arguments` are those after `fuzz`.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let wish = Wish::read(arguments)?;
    let places = Places::find()?;
    let all = places.targets()?;
    let count = all.len();
    let chosen = match &wish.target {
        Some(name) => {
            ensure!(all.contains(name), "there is no target `{name}`, but {}", all.join(", "));
            vec![name.clone()]
        }
        None => all,
    };
    places.build(wish.target.as_deref())?;
    if let Some(input) = &wish.input {
        ensure!(chosen.len() == 1, "--input needs a target\n{USAGE}");
        return places.replay(chosen.first().map_or("", String::as_str), input);
    }
    // However many there are, a short run takes no longer.
    let share = SHORT_SECONDS_OF_ALL / u32::try_from(count.max(1))?;
    let span = if wish.short { Span::Short(share.max(1)) } else { Span::Seconds(wish.seconds) };
    let failed: Vec<&str> = chosen.chunks(AT_ONCE).flat_map(|some| fuzz_some(&places, some, span)).collect();
    ensure!(failed.is_empty(), "fuzzing failed: {}", failed.join(", "));
    Ok(())
}

/// Runs targets side by side, and gives those that failed.
fn fuzz_some<'t>(places: &Places, targets: &'t [String], span: Span) -> Vec<&'t str> {
    let seconds = span.seconds();
    let one = |target: &'t String| match places.fuzz(target, span) {
        Ok(runs) => {
            println!("fuzz: {target}: {runs} inputs in {seconds} s");
            None
        }
        Err(error) => {
            eprintln!("fuzz: {error:#}");
            Some(target.as_str())
        }
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = targets.iter().map(|target| scope.spawn(move || one(target))).collect();
        running.into_iter().filter_map(|thread| thread.join().unwrap_or(Some("a thread"))).collect()
    })
}

/// How long a target is fuzzed.
#[derive(Clone, Copy)]
enum Span {
    Seconds(u32),
    /// As CI does it.
    Short(u32),
}

impl Span {
    const fn seconds(self) -> u32 {
        match self {
            Self::Seconds(seconds) | Self::Short(seconds) => seconds,
        }
    }
}

/// What the command line asks for.
struct Wish {
    target: Option<String>,
    seconds: u32,
    short: bool,
    input: Option<PathBuf>,
}

impl Wish {
    fn read(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut wish = Self { target: None, seconds: DEFAULT_SECONDS, short: false, input: None };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--short" => wish.short = true,
                "--seconds" => wish.seconds = rest.next().context(USAGE)?.parse().context(USAGE)?,
                "--input" => wish.input = Some(rest.next().context(USAGE)?.into()),
                name if !name.starts_with('-') && wish.target.is_none() => {
                    wish.target = Some(name.to_owned());
                }
                _ => bail!(USAGE),
            }
        }
        Ok(wish)
    }
}

/// Where things lie.
struct Places {
    fuzz: PathBuf,
    /// A directory of its own, so that other flags do not throw away other builds.
    build: PathBuf,
    host: String,
}

impl Places {
    fn find() -> anyhow::Result<Self> {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?.join("fuzz");
        // Beside the build of this program, wherever the user keeps builds: `target/debug/xtask`.
        let program = std::env::current_exe()?;
        let build = program.ancestors().nth(2).context("no target directory")?.join("fuzz");
        let version = Command::new("rustc").arg("-vV").output().context("rustc")?;
        let version = String::from_utf8(version.stdout)?;
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc -vV names no host")?;
        Ok(Self { fuzz, build, host: host.to_owned() })
    }

    /// The names of all targets, which are those of their files.
    fn targets(&self) -> anyhow::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.fuzz.join("targets"))? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).context("a target without a name")?;
            names.push(name.to_owned());
        }
        names.sort();
        Ok(names)
    }

    fn build(&self, target: Option<&str>) -> anyhow::Result<()> {
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--locked", "--manifest-path"]).arg(self.fuzz.join("Cargo.toml"));
        // An explicit target keeps the flags from build scripts and procedural macros.
        cargo.args(["--target", &self.host, "--target-dir"]).arg(&self.build);
        match target {
            Some(name) => cargo.args(["--bin", name]),
            None => cargo.arg("--bins"),
        };
        cargo.env("RUSTFLAGS", RUSTFLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
        ensure!(cargo.status().context("cargo")?.success(), "the fuzz targets do not build");
        Ok(())
    }

    fn program(&self, target: &str) -> Command {
        Command::new(self.build.join(&self.host).join("release").join(target))
    }

    /// Gives how many inputs were tried. New ones go to `corpus-run/`, which is not checked in; `corpus/` is only read.
    fn fuzz(&self, target: &str, span: Span) -> anyhow::Result<u64> {
        let found = self.fuzz.join("corpus-run").join(target);
        let crashes = self.build.join("crashes").join(target);
        std::fs::create_dir_all(&found)?;
        std::fs::create_dir_all(&crashes)?;
        let before = newest(&crashes)?;
        let mut program = self.program(target);
        let seeds = self.fuzz.join("corpus").join(target);
        ensure!(seeds.is_dir(), "no corpus in {}", seeds.display());
        program.arg(&found).arg(seeds);
        program.args(LIMITS).arg(format!("-max_total_time={}", span.seconds())).arg("-max_len=8192");
        if let Span::Short(_) = span {
            // CI tells whether a change broke something, and tells the same each time; what is new is found by longer runs.
            program.arg("-seed=1");
        }
        program.arg(joined("-artifact_prefix=", &crashes.join("")));
        let dictionary = self.fuzz.join("dictionaries").join(format!("{target}.dict"));
        if dictionary.exists() {
            program.arg(joined("-dict=", &dictionary));
        }
        let done = program.output().with_context(|| target.to_owned())?;
        let told = String::from_utf8_lossy(&done.stderr);
        if done.status.success() {
            let runs = told.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
            return runs
                .and_then(|runs| runs.trim().parse().ok())
                .context("the fuzzer does not tell what it did");
        }
        eprintln!("{told}");
        match newest(&crashes)?.filter(|now| Some(now) != before.as_ref()) {
            Some((_, input)) => bail!(
                "{target} failed on {input}\nreproduce: cargo xtask fuzz {target} --input {input}",
                input = input.display()
            ),
            None => bail!("{target} failed without leaving an input"),
        }
    }

    fn replay(&self, target: &str, input: &Path) -> anyhow::Result<()> {
        let status = self.program(target).arg(input).status().with_context(|| target.to_owned())?;
        ensure!(status.success(), "{target} fails on {}", input.display());
        println!("fuzz: {target} passes on {}", input.display());
        Ok(())
    }
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

/// The file written last in a directory.
fn newest(directory: &Path) -> anyhow::Result<Option<(SystemTime, PathBuf)>> {
    let mut newest = None;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        newest = newest.max(Some((entry.metadata()?.modified()?, entry.path())));
    }
    Ok(newest)
}
