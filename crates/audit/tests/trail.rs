//! A trail on disk: durable, chained, recovered after crashes and full disks; and whatever is done to its files, found.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails a test")]

use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;
use trent_audit::{
    Checkpoint, Internal, Known, Problem, Recorder, Report, Settings, Signer, Trail, Unwritten, list, verify,
};
use trent_domain::time::{Clock, Timestamp};
use uuid::Uuid;

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/0b0b0b0b-0000-4000-8000-000000000001";

struct TestSigner(Ed25519KeyPair);

impl Signer for TestSigner {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    fn sign(&self, text: &[u8]) -> Option<[u8; 64]> {
        self.0.sign(text).as_ref().try_into().ok()
    }
}

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

fn signer() -> Arc<TestSigner> {
    Arc::new(TestSigner(Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()))
}

fn open(settings: Settings, known: Option<Checkpoint>) -> Trail {
    Trail::open(settings, signer(), Arc::new(FixedClock), known, Uuid::from_u128(1)).unwrap()
}

fn known(checkpoint: Option<Checkpoint>) -> Known {
    Known { public_key: Some(signer().public_key()), checkpoint, begins_at: 0 }
}

fn check(dir: &Path, checkpoint: Option<Checkpoint>) -> Report {
    verify(dir, &known(checkpoint)).unwrap()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

fn write(recorder: &Recorder, number: u128) -> Result<(), Unwritten> {
    let at = Timestamp::from_millis(1_700_000_000_000);
    wait(recorder.internal(&Internal::delete_key(ARN.to_owned()), at, Uuid::from_u128(number)))
}

/// A closed trail of this many records besides its own, and its last checkpoint.
fn closed(dir: &Path, records: u128) -> Option<Checkpoint> {
    let trail = open(Settings::in_dir(dir), None);
    let recorder = trail.recorder();
    (0..records).for_each(|number| write(&recorder, number).unwrap());
    trail.close();
    trail.checkpoint()
}

fn only_file(dir: &Path) -> PathBuf {
    let files = list(dir).unwrap();
    assert_eq!(files.len(), 1);
    files[0].path.clone()
}

fn lines(path: &Path) -> Vec<Vec<u8>> {
    fs::read(path).unwrap().split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn what_was_written_is_verified() {
    let dir = TempDir::new().unwrap();
    let checkpoint = closed(dir.path(), 3);
    let report = check(dir.path(), checkpoint);
    assert_eq!(report.faults, []);
    // The start, three, the end.
    assert_eq!((report.files, report.records, report.signatures, report.unsigned), (1, 5, 2, 0));
    assert_eq!(checkpoint.unwrap().sequence, 4);
}

/// All files of a directory, in another one.
fn copy_of(dir: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

#[test]
fn what_was_answered_survives_a_loss_of_power_that_its_file_does_not() {
    let dir = TempDir::new().unwrap();
    let trail = open(Settings::in_dir(dir.path()), None);
    let recorder = trail.recorder();
    (0..20).for_each(|number| write(&recorder, number).unwrap());
    let length = fs::read(only_file(dir.path())).unwrap().len();
    for left in [0, 1, length / 2, length - 1, length] {
        let copy = copy_of(dir.path());
        let file = fs::OpenOptions::new().write(true).open(only_file(copy.path())).unwrap();
        file.set_len(left as u64).unwrap();
        open(Settings::in_dir(copy.path()), None).close();
        let report = check(copy.path(), None);
        assert_eq!(report.faults, [], "of {length} bytes {left} were left");
        // The start, twenty, and those of the second time.
        assert_eq!(report.records, 23, "of {length} bytes {left} were left");
    }
    trail.close();
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 1, "after a stop there is nothing ahead: {names:?}");
}

#[test]
fn a_change_of_any_byte_is_found() {
    let dir = TempDir::new().unwrap();
    let checkpoint = closed(dir.path(), 1);
    let path = only_file(dir.path());
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for change in [0x01, 0x20] {
            let mut changed = whole.clone();
            changed[at] ^= change;
            fs::write(&path, &changed).unwrap();
            // Also for whoever has nothing but the files and the key.
            let report = check(dir.path(), None);
            assert!(!report.faults.is_empty(), "byte {at} of {}", whole.len());
        }
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(check(dir.path(), checkpoint).faults, []);
}

#[test]
fn lines_that_are_taken_away_repeated_or_exchanged_are_found() {
    let dir = TempDir::new().unwrap();
    let checkpoint = closed(dir.path(), 4);
    let path = only_file(dir.path());
    let whole = lines(&path);
    let problems = |lines: &[Vec<u8>]| -> Vec<Problem> {
        fs::write(&path, lines.concat()).unwrap();
        check(dir.path(), checkpoint).faults.into_iter().map(|fault| fault.problem).collect()
    };
    for at in 0..whole.len() {
        let mut less = whole.clone();
        less.remove(at);
        assert!(!problems(&less).is_empty(), "without line {at}");
        let mut twice = whole.clone();
        twice.insert(at, whole[at].clone());
        assert!(!problems(&twice).is_empty(), "line {at} twice");
        assert!(!problems(&whole[..at]).is_empty(), "no more than {at} lines");
    }
    for at in 1..whole.len() {
        let mut exchanged = whole.clone();
        exchanged.swap(at - 1, at);
        assert!(!problems(&exchanged).is_empty(), "lines {at} exchanged");
    }
    let mut less = whole.clone();
    less.remove(2);
    assert_eq!(problems(&less), [Problem::Missing { from: 2, to: 2 }]);
    assert_eq!(problems(&whole[..4]), [Problem::CutOff { from: 4, to: 5 }]);
    assert_eq!(problems(&whole), []);
}

#[test]
fn a_chain_that_was_made_anew_is_found() {
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let checkpoint = closed(dir.path(), 2);
    let forger = TestSigner(Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap());
    let forged = Trail::open(
        Settings::in_dir(other.path()),
        Arc::new(forger),
        Arc::new(FixedClock),
        None,
        Uuid::from_u128(1),
    );
    let forged = forged.unwrap();
    (0..2).for_each(|number| write(&forged.recorder(), number).unwrap());
    forged.close();
    let problems: Vec<_> =
        check(other.path(), checkpoint).faults.into_iter().map(|fault| fault.problem).collect();
    assert_eq!(problems, [Problem::Signature, Problem::Signature, Problem::Unknown]);
}

#[test]
fn files_follow_each_other_and_none_can_be_missing() {
    let dir = TempDir::new().unwrap();
    let trail = open(Settings { file_bytes: 1, ..Settings::in_dir(dir.path()) }, None);
    let recorder = trail.recorder();
    (0..8).for_each(|number| write(&recorder, number).unwrap());
    trail.close();
    let (files, checkpoint) = (list(dir.path()).unwrap(), trail.checkpoint());
    assert!(files.len() >= 4, "{files:?}");
    assert_eq!(check(dir.path(), checkpoint).faults, []);
    for file in &files {
        let content = fs::read(&file.path).unwrap();
        fs::remove_file(&file.path).unwrap();
        assert!(!check(dir.path(), checkpoint).faults.is_empty(), "without {}", file.name());
        fs::write(&file.path, "").unwrap();
        assert!(!check(dir.path(), checkpoint).faults.is_empty(), "{} emptied", file.name());
        fs::write(&file.path, content).unwrap();
    }
    let (one, other) = (&files[1].path, &files[2].path);
    let contents = (fs::read(one).unwrap(), fs::read(other).unwrap());
    fs::write(one, &contents.1).unwrap();
    fs::write(other, &contents.0).unwrap();
    assert!(!check(dir.path(), checkpoint).faults.is_empty(), "exchanged");
    fs::write(one, &contents.0).unwrap();
    fs::write(other, &contents.1).unwrap();
    // Old files may be moved away by whoever says where the rest begins.
    fs::remove_file(&files[0].path).unwrap();
    let rest = verify(dir.path(), &Known { begins_at: files[1].first, ..known(checkpoint) }).unwrap();
    assert_eq!(rest.faults, []);
}

#[test]
fn a_torn_record_is_kept_and_told_of() {
    let dir = TempDir::new().unwrap();
    closed(dir.path(), 2);
    let first = only_file(dir.path());
    let whole = fs::read(&first).unwrap();
    for cut in [1, 10, 400] {
        // As a kill in the middle of a write leaves it.
        fs::write(&first, &whole[..whole.len() - cut]).unwrap();
        let torn = check(dir.path(), None);
        assert_eq!(torn.faults.iter().map(|fault| &fault.problem).collect::<Vec<_>>(), [&Problem::Torn]);
        let trail = open(Settings::in_dir(dir.path()), None);
        write(&trail.recorder(), 9).unwrap();
        trail.close();
        let report = check(dir.path(), trail.checkpoint());
        assert_eq!((report.faults.as_slice(), report.files), (&[][..], 2), "{cut}");
        // What is torn can be changed no more than what is whole.
        fs::write(&first, &whole[..whole.len() - cut - 1]).unwrap();
        assert!(!check(dir.path(), None).faults.is_empty());
        fs::remove_file(&list(dir.path()).unwrap()[1].path).unwrap();
    }
}

#[test]
fn a_trail_that_lost_its_end_goes_on_with_a_gap() {
    let dir = TempDir::new().unwrap();
    let checkpoint = closed(dir.path(), 3);
    let path = only_file(dir.path());
    let kept: Vec<u8> = lines(&path)[..3].concat();
    fs::write(&path, kept).unwrap();
    let trail = open(Settings::in_dir(dir.path()), checkpoint);
    write(&trail.recorder(), 9).unwrap();
    trail.close();
    let problems: Vec<_> =
        check(dir.path(), trail.checkpoint()).faults.into_iter().map(|fault| fault.problem).collect();
    assert_eq!(problems, [Problem::Missing { from: 3, to: 4 }]);
    let second = String::from_utf8(lines(&list(dir.path()).unwrap()[1].path)[0].clone()).unwrap();
    assert!(second.contains(r#""missing":{"from":3,"to":4}"#), "{second}");
}

/// A trail on a disk that is full while the flag is set.
fn on_a_disk_that_may_be_full(dir: &TempDir, full: &Arc<AtomicBool>) -> Settings {
    let full = Arc::clone(full);
    let before_write =
        move || if full.load(SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) };
    Settings { before_write: Some(Arc::new(before_write)), ..Settings::in_dir(dir.path()) }
}

#[test]
fn a_full_disk_stops_answers_until_there_is_room() {
    let dir = TempDir::new().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let trail = open(on_a_disk_that_may_be_full(&dir, &full), None);
    let recorder = trail.recorder();
    write(&recorder, 0).unwrap();
    full.store(true, SeqCst);
    assert_eq!(write(&recorder, 1), Err(Unwritten));
    assert!(!recorder.accepts(), "nothing may be done unrecorded");
    assert!(trail.stats().failures > 0 && trail.stats().failing);
    full.store(false, SeqCst);
    for _ in 0..100 {
        if recorder.accepts() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    write(&recorder, 2).unwrap();
    trail.close();
    let report = check(dir.path(), trail.checkpoint());
    // The one that was not answered is recorded too: it was done.
    assert_eq!((report.faults.as_slice(), report.records), (&[][..], 5));
}

#[test]
fn many_wait_for_one_sync() {
    const CALLERS: u64 = 16;
    const EACH: u64 = 50;
    let dir = TempDir::new().unwrap();
    let trail = open(Settings::in_dir(dir.path()), None);
    thread::scope(|scope| {
        // Two to a lane, as tasks of one core are.
        for _ in 0..CALLERS / 2 {
            let recorder = trail.recorder();
            for _ in 0..2 {
                let recorder = recorder.clone();
                scope.spawn(move || {
                    (0..u128::from(EACH)).for_each(|number| write(&recorder, number).unwrap());
                });
            }
        }
    });
    trail.close();
    let stats = trail.stats();
    assert_eq!(stats.records, CALLERS * EACH + 2);
    assert!(stats.syncs < stats.records / 2, "{stats:?}");
    assert_eq!(check(dir.path(), trail.checkpoint()).faults, []);
}

#[test]
fn what_waits_is_never_counted_below_nothing() {
    let dir = TempDir::new().unwrap();
    let trail = open(Settings::in_dir(dir.path()), None);
    let done = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !done.load(SeqCst) {
                most = most.max(trail.stats().queued_bytes);
            }
            most
        });
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let recorder = trail.recorder();
                scope.spawn(move || (0..2_000).for_each(|number| write(&recorder, number).unwrap()))
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        done.store(true, SeqCst);
        watcher.join().unwrap()
    });
    // Four records of some hundred bytes: requests would be refused if it were counted as all there can be.
    assert!(most < 1 << 20, "{most}");
}

/// Callers that write one record after the other, of whom each says after every `each` that it has nothing to do. `look`
/// is how often the writer looks by itself.
fn callers_that_are_idle_after(each: usize, callers: usize, look: Duration) {
    const EACH: usize = 60;
    let dir = TempDir::new().unwrap();
    let trail = open(Settings { look, ..Settings::in_dir(dir.path()) }, None);
    thread::scope(|scope| {
        for caller in 0..callers {
            let recorder = trail.recorder();
            scope.spawn(move || {
                let idle = recorder.idle();
                idle();
                for number in 0..EACH {
                    let record = Internal::delete_key(ARN.to_owned());
                    let id = Uuid::from_u128((caller * EACH + number) as u128);
                    let written = recorder.internal(&record, Timestamp::from_millis(0), id);
                    if number % each == 0 {
                        idle();
                    }
                    wait(written).unwrap();
                    if number % 20 == 0 {
                        // The writer, which looks every 2 ms, may stop that meanwhile.
                        thread::sleep(Duration::from_millis(5));
                    }
                }
            });
        }
    });
    trail.close();
    let stats = trail.stats();
    assert_eq!((stats.records, stats.queued_records), ((callers * EACH) as u64 + 2, 0));
    assert_eq!(check(dir.path(), trail.checkpoint()).faults, []);
}

#[test]
fn a_core_tells_the_writer_when_it_has_nothing_more_to_do() {
    // It looks once in an hour: without being told it would be waited for in vain.
    callers_that_are_idle_after(1, 4, Duration::from_secs(3600));
    // A crowd, which is waited for.
    callers_that_are_idle_after(1, 32, Duration::from_secs(3600));
}

#[test]
fn records_of_a_core_that_never_says_so_are_written_all_the_same() {
    let look = Duration::from_millis(2);
    callers_that_are_idle_after(7, 1, look);
    callers_that_are_idle_after(usize::MAX, 4, look);
}

#[test]
fn a_waiter_that_goes_away_wakes_the_others() {
    let dir = TempDir::new().unwrap();
    let trail = open(Settings::in_dir(dir.path()), None);
    let recorder = trail.recorder();
    let at = Timestamp::from_millis(0);
    for number in 0..200 {
        let mut first = Box::pin(recorder.internal(&Internal::delete_key(ARN.to_owned()), at, Uuid::nil()));
        let _ = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let second = recorder.internal(&Internal::delete_key(ARN.to_owned()), at, Uuid::from_u128(number));
        let waiting = thread::spawn(move || wait(second));
        thread::sleep(Duration::from_micros(number as u64 * 7));
        drop(first);
        waiting.join().unwrap().unwrap();
    }
}

#[test]
fn buffered_records_are_there_soon_and_after_a_stop() {
    let dir = TempDir::new().unwrap();
    let flush = Duration::from_millis(20);
    let trail = open(Settings { strict: false, flush, ..Settings::in_dir(dir.path()) }, None);
    let recorder = trail.recorder();
    (0..10).for_each(|number| write(&recorder, number).unwrap());
    for _ in 0..100 {
        if trail.stats().records == 11 {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(trail.stats().records, 11);
    write(&recorder, 10).unwrap();
    trail.close();
    assert_eq!(check(dir.path(), trail.checkpoint()).records, 13);
}

#[test]
fn many_buffered_records_are_not_kept_until_their_time_is_over() {
    let dir = TempDir::new().unwrap();
    let flush = Duration::from_secs(3600);
    let trail = open(Settings { strict: false, flush, ..Settings::in_dir(dir.path()) }, None);
    let recorder = trail.recorder();
    let began = Instant::now();
    // Were none of them written, requests would be refused after 64 MiB, until the hour is over.
    while trail.stats().bytes < 8 << 20 {
        assert!(recorder.accepts() && began.elapsed() < Duration::from_secs(60), "{:?}", trail.stats());
        match trail.stats().queued_bytes < 16 << 20 {
            true => write(&recorder, 0).unwrap(),
            // The disk is slow.
            false => thread::sleep(Duration::from_millis(1)),
        }
    }
    trail.close();
    assert_eq!(check(dir.path(), trail.checkpoint()).faults, []);
}

#[test]
fn what_a_full_disk_keeps_from_being_written_stays_counted_and_is_written_later() {
    let dir = TempDir::new().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let flush = Duration::from_millis(20);
    let settings = Settings { strict: false, flush, ..on_a_disk_that_may_be_full(&dir, &full) };
    let trail = open(settings, None);
    let recorder = trail.recorder();
    full.store(true, SeqCst);
    write(&recorder, 0).unwrap();
    let until = |holds: &dyn Fn() -> bool| {
        for _ in 0..500 {
            if holds() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{:?}", trail.stats());
    };
    until(&|| !recorder.accepts());
    let kept = trail.stats();
    // The writer has it: it does not wait for that any more, and is not on disk.
    assert!(kept.queued_records == 0 && kept.queued_bytes > 100, "{kept:?}");
    full.store(false, SeqCst);
    until(&|| recorder.accepts() && trail.stats().records == 2);
    assert_eq!(trail.stats().queued_bytes, 0);
    trail.close();
    assert_eq!(check(dir.path(), trail.checkpoint()).faults, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_file_of_any_content_is_judged(content in vec(any::<u8>(), 1..2000)) {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("audit-00000000000000000000.jsonl"), content).unwrap();
        prop_assert!(!check(dir.path(), None).faults.is_empty());
    }

    #[test]
    fn any_edit_is_found(at in any::<Index>(), removed in 0_usize..50, put in vec(any::<u8>(), 0..50)) {
        let dir = TempDir::new().unwrap();
        closed(dir.path(), 3);
        let path = only_file(dir.path());
        let whole = fs::read(&path).unwrap();
        let at = at.index(whole.len());
        let mut edited = whole.clone();
        edited.splice(at..whole.len().min(at + removed), put);
        fs::write(&path, &edited).unwrap();
        prop_assert_eq!(check(dir.path(), None).faults.is_empty(), edited == whole);
    }
}
