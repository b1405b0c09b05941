//! Nothing that is secret stands in clear in what the binary leaves behind: data directory, backups, temporary files,
//! log, output. And what a process that holds keys asks of its system is in force.
//!
//! The secrets are learned afterwards, from the binary's own database with its root key (`learn`), and looked for in
//! all forms in which programs write bytes down (`needles`). That the search finds what is there is shown by the
//! root key file and the credentials file, where it has to find something, and by secrets that are planted.

mod learn;
mod needles;
mod process;
mod story;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use needles::{Found, Needles};
use story::Told;
use trent_testkit::built_binary;

/// All that is found, but for what has to be there: root keys in their files, the first access key in the
/// credentials file.
fn search(told: &Told) -> Vec<Found> {
    let folders = ["data", "killed", "tmp"].map(|name| told.folder.path().join(name));
    let log = fs::metadata(told.folder.path().join("killed/trent.db-wal")).unwrap().len();
    assert!(log > 100_000, "the write-ahead log of the killed is searched as well: {log} bytes");
    let mut found: Vec<_> = folders.iter().flat_map(|folder| told.needles.search_folder(folder)).collect();
    let backup = fs::read(told.folder.path().join("backup.db")).unwrap();
    found.extend(told.needles.search("backup.db", &backup));
    for (place, text) in &told.output {
        found.extend(told.needles.search(place, text.as_bytes()));
    }
    found
}

fn is_allowed(found: &Found) -> bool {
    let root = found.secret.starts_with("root key") && found.place.starts_with("root.key");
    root || found.secret.ends_with("AKIAFIRSTFIRSTFIRST0") && found.place == "aws-credentials"
        || found.secret == "the administrator's secret" && found.place == "aws-credentials"
}

/// Lives through a story, learns its secrets, and searches its traces.
fn lived(level: &str) -> Told {
    let mut told = story::live(&built_binary(), level);
    let data = told.folder.path().join("data");
    let mut root_files = 0;
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("root.key") || name == "aws-credentials" {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
        if name.starts_with("root.key") {
            told.needles.add(&format!("root key of {name}"), learn::root_of(&path).expose());
            root_files += 1;
        }
    }
    assert_eq!(root_files, 2, "the two before the passphrase");
    learn(&mut told);
    told
}

fn learn(told: &mut Told) {
    let data = told.folder.path().join("data");
    // Opening it writes to it: a copy leaves the traces as they are.
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("trent.db") {
            fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let root = learn::root_of_passphrase(&data.join("root.passphrase"), story::PASSPHRASE);
    told.needles.add("the root key of the passphrase", root.expose());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let learned = runtime.block_on(learn::learn(copy.path(), &root));
    let (blob, plaintext) = &told.sample;
    assert!(learned.decrypts(blob, plaintext), "what was learned are the keys in use");
    assert!(learned.materials.len() >= 40 && learned.ring.len() >= 4 && learned.access_keys.len() >= 2);
    learned.add_to(&mut told.needles);
}

fn nothing_is_in_clear(level: &str) {
    let told = lived(level);
    let found = search(&told);
    let (allowed, forbidden): (Vec<_>, Vec<_>) = found.into_iter().partition(is_allowed);
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    for place in ["root.key.replaced-by", "aws-credentials"] {
        let is_found = allowed.iter().any(|found| found.place.starts_with(place));
        assert!(is_found, "the search must find what is in {place}: {allowed:?}");
    }
    let log: usize = told.output.iter().map(|(_, text)| text.len()).sum();
    println!("{} secrets, none in clear; {log} bytes of output at level {level}", told.needles.secrets);
    let lines = told.output.iter().flat_map(|(_, text)| text.lines()).filter(|line| line.contains("DEBUG"));
    assert!(lines.count() > 50, "the level {level} is in force");
    assert!(told.output.iter().any(|(_, text)| text.contains("h2::")), "the HTTP/2 library logs as well");
}

#[test]
fn nothing_is_in_clear_when_all_is_logged() {
    nothing_is_in_clear("trace");
}

#[test]
fn nothing_is_in_clear_in_a_debug_log() {
    nothing_is_in_clear("debug");
}

#[test]
fn a_secret_that_is_planted_is_found() {
    let mut needles = Needles::default();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("deeper")).unwrap();
    needles.add("a key", b"0123456789abcdefghijklmnopqrstuv");
    fs::write(folder.path().join("innocent"), [0x5a; 4096]).unwrap();
    assert_eq!(needles.search_folder(folder.path()), []);
    let leak = format!("DEBUG opened key={:?}", b"0123456789abcdefghijklmnopqrstuv");
    fs::write(folder.path().join("deeper/log"), leak).unwrap();
    let found = needles.search_folder(folder.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].place.as_str(), found[0].form), ("log", "a list"));
}
