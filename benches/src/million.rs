//! A million keys: the start, memory, pages of ListKeys, Encrypt on keys that were in use and on any.
//!
//! The keys are made by CreateKey, as everybody's are, in a data directory that is kept for the next time.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::compare::{CALLERS, Pairs, Side, sample};
use crate::load::{Load, Pace};
use crate::operations::{create_key, encrypt_with, make_keys};
use crate::process::Server;
use crate::report::{Figure, Promise, Report};
use crate::request::{Question, prepare};
use crate::suite::fresh_server;

const MIB: f64 = 1024.0 * 1024.0;
/// Made between two signings: a signature is good for 300 s.
const SLICE: u64 = 100_000;
/// Keys that are in use at one time.
const IN_USE: usize = 10_000;
/// Requests to any keys, each to another: so many that few keys are met in memory.
const SCATTERED: usize = 100_000;

/// What to run, and for how long.
pub(crate) struct Million {
    pub(crate) trent: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) keys: u64,
    pub(crate) pairs: usize,
    pub(crate) run: Duration,
}

impl Million {
    pub(crate) fn run(&self, report: &mut Report) -> Result<()> {
        self.make_sure_of_keys(report)?;
        let trent = self.start(report)?;
        let ids = self.list(&trent, report)?;
        self.encrypt(&trent, &ids, report)?;
        let resident = trent.resident_bytes()? as f64 / MIB;
        report.add(Figure::new("memory after use", resident, "MiB").promised(Promise::at_most(600.0)));
        trent.stop()
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.join(format!("keys-{}", self.keys))
    }

    /// A file beside the directory says that all of its keys are there.
    fn make_sure_of_keys(&self, report: &mut Report) -> Result<()> {
        let complete = self.data_dir().with_extension("complete");
        if complete.exists() {
            return Ok(());
        }
        let trent = fresh_server(&self.trent, &self.data_dir())?;
        let begun = Instant::now();
        let mut made = 0;
        while made < self.keys {
            let count = SLICE.min(self.keys - made);
            let pool = prepare(&create_key(), trent.address)?;
            Load { to: trent.address, connections: CALLERS, pool: &pool, pace: Pace::Count(count) }.run()?;
            made += count;
            println!("        {made} keys made, {:.0} a second", made as f64 / begun.elapsed().as_secs_f64());
        }
        trent.stop()?;
        let rate = self.keys as f64 / begun.elapsed().as_secs_f64();
        report.add(Figure::new("CreateKey, all of them", rate, "/s").promised(Promise::at_least(8000.0)));
        Ok(fs::write(complete, "")?)
    }

    fn start(&self, report: &mut Report) -> Result<Server> {
        let mut times = Vec::new();
        for _ in 0..3 {
            let trent = Server::trent(&self.trent, &self.data_dir())?;
            Client::connect(trent.address)?.call("GenerateRandom", &json!({"NumberOfBytes": 32}))?;
            times.push(trent.begun.elapsed().as_secs_f64());
            trent.stop()?;
        }
        let name = format!("start with {} keys, to the first answer", self.keys);
        report.add(Figure::of(name, &times, "s").promised(Promise::at_most(2.0)));
        let trent = Server::trent(&self.trent, &self.data_dir())?;
        let resident = trent.resident_bytes()? as f64 / MIB;
        report.add(Figure::new("memory after start", resident, "MiB").promised(Promise::at_most(600.0)));
        Ok(trent)
    }

    /// Walks through all keys, a page after the other, and gives their ids.
    fn list(&self, trent: &Server, report: &mut Report) -> Result<Vec<String>> {
        let mut client = Client::connect(trent.address)?;
        let (ids, times) = walk(&mut client, 1000, usize::MAX)?;
        ensure!(u64::try_from(ids.len())? == self.keys, "{} keys are listed", ids.len());
        let promise = Promise::at_most(5.0);
        report.add(Figure::of("ListKeys, page of 1000", &times, "ms").promised(promise));
        let (_, times) = walk(&mut client, 100, 200)?;
        report.add(Figure::of("ListKeys, page of 100 (the default)", &times, "ms").promised(promise));
        Ok(ids)
    }

    /// Against ten keys in a database that has no others.
    fn encrypt(&self, trent: &Server, ids: &[String], report: &mut Report) -> Result<()> {
        let few = fresh_server(&self.trent, &self.folder.join("ten"))?;
        let few_keys = make_keys(&mut Client::connect(few.address)?, 10)?;
        let few_questions = encrypt_on(&few_keys);
        let base = Side { server: &few, questions: &few_questions };
        for in_use in [10, IN_USE] {
            let questions = encrypt_on(&scattered(ids, in_use));
            let other = Side { server: trent, questions: &questions };
            // Twice through: once to take the keys into memory.
            Pairs::run(base, other, 1, [Pace::Count(u64::try_from(IN_USE * 2)?); 2])?;
            let pairs = Pairs::run(base, other, self.pairs, [Pace::Closed(self.run); 2])?;
            let name = format!("Encrypt on {in_use} of the keys");
            let cpu = pairs.ratios(|sample| sample.cpu_micros);
            report.add(Figure::of(format!("{name}: CPU per request"), &cpu, "x of 10 keys"));
            let rate = pairs.ratios(|sample| sample.per_second);
            let rate = Figure::of(format!("{name}: requests per second"), &rate, "x of 10 keys");
            // Runs differ by as much on a machine that is shared.
            report.add(rate.promised(Promise::at_least(0.9)));
        }
        few.stop()?;

        let cold = encrypt_with(&scattered(ids, SCATTERED));
        let cold = sample(trent, &cold, Pace::Count(u64::try_from(SCATTERED)?))?;
        report.add(Figure::new("Encrypt on any keys, most of them cold", cold.per_second, "/s"));
        report.add(Figure::new("  its CPU per request", cold.cpu_micros, "us"));
        Ok(())
    }
}

/// As many requests however few the keys: what the generator walks through is part of the load on the machine.
fn encrypt_on(keys: &[String]) -> Vec<Question> {
    encrypt_with(&keys.iter().cycle().take(IN_USE).cloned().collect::<Vec<_>>())
}

/// Pages of keys: the ids on them, and the time of each in milliseconds.
fn walk(client: &mut Client, limit: usize, pages_max: usize) -> Result<(Vec<String>, Vec<f64>)> {
    let (mut ids, mut times, mut marker) = (Vec::new(), Vec::new(), None);
    while times.len() < pages_max {
        let mut body = json!({"Limit": limit});
        if let (Some(marker), Some(body)) = (marker.take(), body.as_object_mut()) {
            body.insert("Marker".into(), marker);
        }
        let question = Question::new("ListKeys", &body);
        let pool = prepare(&[question], client.address())?;
        let (answer, took) = client.exchange(pool.first().context("nothing was signed")?)?;
        times.push(took.as_secs_f64() * 1e3);
        let answer: Value = serde_json::from_slice(&answer)?;
        for key in answer.pointer("/Keys").and_then(Value::as_array).context("no `Keys`")? {
            ids.push(text(key, "/KeyId")?.to_owned());
        }
        if answer.pointer("/Truncated") != Some(&Value::Bool(true)) {
            break;
        }
        marker = answer.pointer("/NextMarker").cloned();
    }
    Ok((ids, times))
}

/// So many different ids, far from each other in the list.
fn scattered(ids: &[String], count: usize) -> Vec<String> {
    // Each step goes past most of the list, and a prime step visits all before it repeats.
    const STEP: usize = 611_953;
    let places = (0..count.min(ids.len())).map(|number| number.wrapping_mul(STEP) % ids.len());
    places.filter_map(|place| ids.get(place).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattered_ids_are_different() {
        let ids: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let mut some = scattered(&ids, 1000);
        some.sort();
        some.dedup();
        assert_eq!(some.len(), 1000);
    }
}
