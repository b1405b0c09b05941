//! How many records a second a strict trail takes, and what one costs: each caller records a call and waits until it is durable.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use trent_audit::{CallRecord, Client, Event, Known, Recorder, Settings, Signer, Trail, verify};
use trent_domain::identity::Caller;
use trent_domain::time::{Clock, Timestamp};
use trent_protocol::Operation;
use uuid::Uuid;

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/0b0b0b0b-0000-4000-8000-000000000001";
const MEASURED: Duration = Duration::from_secs(2);
/// Threads that record, as a server on two cores has.
const THREADS: usize = 2;

struct Key(Ed25519KeyPair);

impl Signer for Key {
    fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        key
    }

    fn sign(&self, text: &[u8]) -> Option<[u8; 64]> {
        self.0.sign(text).as_ref().try_into().ok()
    }
}

/// What a record costs does not depend on the time.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

fn main() -> Result<()> {
    // On a real disk: in a file system in memory nothing is durable.
    let dir = Path::new("target/bench-audit");
    for callers in [2, 32, 256] {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        measure(dir, callers)?;
    }
    Ok(fs::remove_dir_all(dir)?)
}

fn measure(dir: &Path, callers: usize) -> Result<()> {
    let key =
        Arc::new(Key(Ed25519KeyPair::from_seed_unchecked(&[9; 32]).ok().context("a key of 32 bytes")?));
    let known = Known { public_key: Some(key.public_key()), checkpoint: None, begins_at: 0 };
    let trail = Trail::open(Settings::in_dir(dir), key, Arc::new(Still), None, Uuid::from_u128(1))?;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let before = (trail.stats(), cpu()?, Instant::now());
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (recorder, stop, done) = (trail.recorder(), Arc::clone(&stop), Arc::clone(&done));
            thread::spawn(move || record(&recorder, callers / THREADS, &stop, &done))
        })
        .collect();
    thread::sleep(MEASURED);
    let (stats, took) = (trail.stats(), before.2.elapsed());
    let used = cpu()? - before.1;
    stop.store(true, Relaxed);
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a caller panicked"))??;
    }
    trail.close();
    let report = verify(dir, &known)?;
    ensure!(report.faults.is_empty(), "the trail is not whole: {:?}", report.faults);
    ensure!(
        report.records >= done.load(Relaxed),
        "{} records of {} are there",
        report.records,
        done.load(Relaxed)
    );
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (records, syncs) = ((stats.records - before.0.records) as f64, (stats.syncs - before.0.syncs) as f64);
    println!(
        "{callers:>4} callers  {:>8.0} records/s  {:>6.1} in a batch  {:>6.1} us of CPU each, callers included",
        records / took.as_secs_f64(),
        records / syncs,
        used.as_secs_f64() * 1e6 / records,
    );
    Ok(())
}

/// Callers that record one call after the other.
fn record(recorder: &Recorder, callers: usize, stop: &Arc<AtomicBool>, done: &Arc<AtomicU64>) -> Result<()> {
    let caller = Arc::new(Caller::root("111122223333".parse()?, "AKIAIOSFODNN7EXAMPLE"));
    let region = "eu-central-1".parse()?;
    let local = LocalSet::new();
    for _ in 0..callers {
        let (recorder, caller) = (recorder.clone(), Arc::clone(&caller));
        let (stop, done) = (Arc::clone(stop), Arc::clone(done));
        local.spawn_local(async move {
            let mut number = 0;
            while !stop.load(Relaxed) {
                number += 1;
                let event = Event::new(Uuid::from_u128(number), true);
                event.resource(ARN);
                let call = CallRecord {
                    operation: Operation::Encrypt,
                    caller: &caller,
                    region,
                    request_id: Uuid::from_u128(number),
                    at: Still.now(),
                    client: Client { user_agent: Some("aws-sdk-rust/1.0"), ..Client::default() },
                    error: None,
                };
                if recorder.call(&call, &event, || Uuid::from_u128(1)).await.is_ok() {
                    done.fetch_add(1, Relaxed);
                }
                // As a server does, which looks for other requests.
                tokio::task::yield_now().await;
            }
        });
    }
    Builder::new_current_thread().build()?.block_on(local);
    Ok(())
}

/// What all threads of this process took.
fn cpu() -> Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanos += text.split(' ').next().context("`schedstat` is empty")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}
