//! The promises that an empty or small installation is held to: the start, memory at rest, each operation
//! against the floor, durable creation of keys.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::answer::Expected;
use crate::client::Client;
use crate::compare::{Pairs, Sample, Side, sample};
use crate::load::Pace;
use crate::operations::{self, Measured};
use crate::process::Server;
use crate::report::{Figure, Promise, Report, median};
use crate::request::Question;

const MIB: f64 = 1024.0 * 1024.0;

/// What to run, and for how long.
pub(crate) struct Suite {
    pub(crate) trent: PathBuf,
    pub(crate) floor: PathBuf,
    /// Where data directories are made; on the disk that counts.
    pub(crate) folder: PathBuf,
    /// Of operations, only this one.
    pub(crate) only: Option<String>,
    pub(crate) starts: usize,
    pub(crate) pairs: usize,
    pub(crate) run: Duration,
}

impl Suite {
    pub(crate) fn run(&self, report: &mut Report) -> Result<()> {
        if self.only.is_none() {
            self.start_and_rest(report)?;
        }
        let (floor, trent) = (Server::floor(&self.floor)?, self.fresh("small")?);
        let all = operations::prepare(&mut Client::connect(trent.address)?)?;
        for measured in all.iter().filter(|measured| self.wants(measured.name)) {
            self.against_floor(measured, &floor, &trent, report)?;
        }
        if self.wants("CreateKey") {
            self.create_keys(&trent, report)?;
        }
        let name = "memory after all of this";
        report.add(Figure::new(name, trent.resident_bytes()? as f64 / MIB, "MiB"));
        trent.stop()
    }

    /// Measures a change: this trent against one from before it, as both are against the floor otherwise.
    pub(crate) fn run_against(&self, before: &Path, report: &mut Report) -> Result<()> {
        let before = fresh_server(before, &self.folder.join("before"))?;
        let after = self.fresh("small")?;
        let prepare = |server: &Server| {
            let mut all = operations::prepare(&mut Client::connect(server.address)?)?;
            all.retain(|measured| self.wants(measured.name));
            let questions = all.into_iter().map(|measured| measured.questions);
            Ok::<_, anyhow::Error>(questions.chain(self.wants("CreateKey").then(operations::create_key)))
        };
        for (base, other) in prepare(&before)?.zip(prepare(&after)?) {
            let name = other.first().map_or("", |question| question.operation);
            let base = Side { server: &before, questions: &base };
            let other = Side { server: &after, questions: &other };
            Pairs::run(base, other, 1, [Pace::Closed(self.run / 4); 2])?;
            let pairs = Pairs::run(base, other, self.pairs, [Pace::Closed(self.run); 2])?;
            let [was, is] = pairs.medians(|sample| sample.cpu_micros);
            println!("        {name}: {was:.1} us of CPU per request, now {is:.1}");
            let cpu = pairs.ratios(|sample| sample.cpu_micros);
            report.add(Figure::of(format!("{name}: CPU per request"), &cpu, "x before"));
            let rate = pairs.ratios(|sample| sample.per_second);
            report.add(Figure::of(format!("{name}: requests per second"), &rate, "x before"));
            // Callers with a pace of their own, which both can keep up with.
            let per_second =
                pairs.medians(|sample| sample.per_second).into_iter().fold(f64::MAX, f64::min) / 2.0;
            let half = Pairs::run(base, other, self.pairs, [Pace::Open { per_second, time: self.run }; 2])?;
            for (what, of) in LATENCIES {
                let [was, is] = half.medians(of);
                println!("        {name}: {what} at {per_second:.0}/s {was:.0} us, now {is:.0}");
                report.add(Figure::of(format!("{name}: {what} at half load"), &half.ratios(of), "x before"));
            }
        }
        before.stop()?;
        after.stop()
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    /// A trent on an empty data directory.
    fn fresh(&self, name: &str) -> Result<Server> {
        fresh_server(&self.trent, &self.folder.join(name))
    }

    fn start_and_rest(&self, report: &mut Report) -> Result<()> {
        let (mut times, mut cpu) = (Vec::new(), Vec::new());
        for _ in 0..self.starts {
            let trent = self.fresh("cold")?;
            Client::connect(trent.address)?.call("GenerateRandom", &json!({"NumberOfBytes": 32}))?;
            times.push(trent.begun.elapsed().as_secs_f64() * 1e3);
            cpu.push(trent.cpu()?.as_secs_f64() * 1e3);
        }
        let name = "cold start, empty data directory, to the first answer";
        report.add(Figure::of(name, &times, "ms").promised(Promise::at_most(50.0)));
        // Says what the start takes where others have the processors for most of its time.
        report.add(Figure::of("  its CPU time", &cpu, "ms"));

        let trent = self.fresh("cold")?;
        Client::connect(trent.address)?.call("GenerateRandom", &json!({"NumberOfBytes": 32}))?;
        thread::sleep(Duration::from_secs(1));
        let resident = trent.resident_bytes()? as f64 / MIB;
        report.add(Figure::new("memory at rest", resident, "MiB").promised(Promise::at_most(25.0)));
        trent.stop()
    }

    fn against_floor(
        &self,
        measured: &Measured,
        floor: &Server,
        trent: &Server,
        report: &mut Report,
    ) -> Result<()> {
        let name = measured.name;
        let floor_questions = floor_questions(&measured.questions);
        let base = Side { server: floor, questions: &floor_questions };
        let other = Side { server: trent, questions: &measured.questions };
        // Not counted: caches fill, and the floor's and trent's connections have been dealt out once.
        Pairs::run(base, other, 1, [Pace::Closed(self.run / 4); 2])?;

        let pairs = Pairs::run(base, other, self.pairs, [Pace::Closed(self.run); 2])?;
        println!("\n{name}, the floor's figures and trent's");
        for (what, unit, of) in ABSOLUTE {
            let [floor, trent] = pairs.medians(of);
            println!("        {what:<40} {floor:>12.1} {trent:>12.1} {unit}");
        }
        let cpu = Figure::of(format!("{name}: CPU per request"), &pairs.ratios(|s| s.cpu_micros), "x floor");
        report.add(cpu.promised(measured.cpu));
        let rate =
            Figure::of(format!("{name}: requests per second"), &pairs.ratios(|s| s.per_second), "x floor");
        report.add(match measured.per_second {
            Some(promise) => rate.promised(promise),
            None => rate,
        });
        let paces =
            pairs.medians(|s| s.per_second).map(|full| Pace::Open { per_second: full / 2.0, time: self.run });
        let half = Pairs::run(base, other, self.pairs, paces)?;
        let [floor, trent] = half.medians(|s| s.p99_micros);
        println!("        {:<40} {floor:>12.1} {trent:>12.1} us", "p99 at half of the saturating load");
        let tail = Figure::of(format!("{name}: p99 at half load"), &half.ratios(|s| s.p99_micros), "x floor");
        report.add(tail.promised(Promise::at_most(3.0)));
        Ok(())
    }

    fn create_keys(&self, trent: &Server, report: &mut Report) -> Result<()> {
        let questions = operations::create_key();
        sample(trent, &questions, Pace::Closed(self.run / 4))?;
        let samples = (0..self.pairs).map(|_| sample(trent, &questions, Pace::Closed(self.run)));
        let samples = samples.collect::<Result<Vec<_>>>()?;
        let all = |of: fn(&Sample) -> f64| samples.iter().map(of).collect::<Vec<_>>();
        println!("\nCreateKey, durable, {} callers", crate::compare::CALLERS);
        for (what, unit, of) in ABSOLUTE {
            println!("        {what:<40} {:>12.1} {unit}", median(&all(of)));
        }
        println!("        {:<40} {:>12.1} us", "one append and fdatasync on this disk", self.sync_micros()?);
        let name = "CreateKey: requests per second";
        report.add(Figure::of(name, &all(|s| s.per_second), "/s").promised(Promise::at_least(8000.0)));
        Ok(())
    }

    /// What the disk takes for the least that is durable: the figure to read those of CreateKey beside.
    fn sync_micros(&self) -> Result<f64> {
        let path = self.folder.join("sync");
        let mut file = File::create(&path)?;
        let mut times = Vec::new();
        for _ in 0..100 {
            let begun = Instant::now();
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        fs::remove_file(path)?;
        Ok(median(&times))
    }
}

type Absolute = (&'static str, &'static str, fn(&Sample) -> f64);

const ABSOLUTE: [Absolute; 4] = [
    ("CPU per request", "us", |sample| sample.cpu_micros),
    ("requests per second, 32 callers", "/s", |sample| sample.per_second),
    ("p50 at saturation", "us", |sample| sample.p50_micros),
    ("p99 at saturation", "us", |sample| sample.p99_micros),
];

type Latency = (&'static str, fn(&Sample) -> f64);

const LATENCIES: [Latency; 2] = [("p50", |sample| sample.p50_micros), ("p99", |sample| sample.p99_micros)];

/// A trent on a data directory that is made anew.
pub(crate) fn fresh_server(trent: &Path, data_dir: &Path) -> Result<Server> {
    if data_dir.exists() {
        fs::remove_dir_all(data_dir)?;
    }
    Server::trent(trent, data_dir)
}

/// The same requests, with what the floor answers to everything.
pub(crate) fn floor_questions(questions: &[Question]) -> Vec<Question> {
    questions.iter().map(|question| Question { expected: Expected::Bytes(400), ..question.clone() }).collect()
}
