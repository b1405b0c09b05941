//! The files of a journal: named by the number of their first line, `audit-00000000000000000000.jsonl`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ahead::{Ahead, Place};
use crate::chain::Hash;

const PREFIX: &str = "audit-";
const SUFFIX: &str = ".jsonl";
const NUMBER_DIGITS: usize = 20;

/// A file of a journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalFile {
    /// The number of its first line, as its name tells it.
    pub first: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl JournalFile {
    /// Its name without the directory.
    pub fn name(&self) -> String {
        file_name(self.first)
    }
}

/// The files of a directory in the order of the chain. Others are not looked at.
///
/// # Errors
/// The directory cannot be read.
pub fn list(dir: &Path) -> io::Result<Vec<JournalFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let first = path.file_name().and_then(|name| first_of(name.to_str()?));
        files.extend(first.map(|first| JournalFile { first, path }));
    }
    files.sort();
    Ok(files)
}

pub(crate) fn file_name(first: u64) -> String {
    format!("{PREFIX}{first:020}{SUFFIX}")
}

fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    if digits.len() != NUMBER_DIGITS { None } else { digits.parse().ok() }
}

/// Makes the directory of a journal, for its owner alone.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// How a file ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// The last line that has its line feed, without it.
    pub(crate) line: Option<Vec<u8>>,
    /// What stands after the last line feed.
    pub(crate) torn: Vec<u8>,
}

/// Reads how a file ends, without reading all of it.
pub(crate) fn end_of(path: &Path) -> io::Result<End> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut window = 1 << 16;
    loop {
        let start = length.saturating_sub(window);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        (&mut file).take(length - start).read_to_end(&mut tail)?;
        let whole = start == 0;
        if let Some(end) = split_end(&tail, whole) {
            return Ok(end);
        }
        window *= 8;
    }
}

/// None where the tail does not reach back far enough.
fn split_end(tail: &[u8], whole: bool) -> Option<End> {
    let feed = |bytes: &[u8]| bytes.iter().rposition(|&byte| byte == b'\n');
    let Some(last) = feed(tail) else {
        return whole.then(|| End { line: None, torn: tail.to_vec() });
    };
    let (before, torn) = (tail.get(..last)?, tail.get(last + 1..)?.to_vec());
    let start = match feed(before) {
        Some(at) => at + 1,
        None if whole => 0,
        None => return None,
    };
    Some(End { line: Some(before.get(start..)?.to_vec()), torn })
}

/// How large and how old files grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: u64,
    pub(crate) age: std::time::Duration,
}

/// The files of a journal, being written.
pub(crate) struct Journal {
    dir: PathBuf,
    bounds: Bounds,
    current: Option<Current>,
    /// Absent where nobody waits for lines to be durable: then there are few syncs, of the files themselves.
    ahead: Option<Ahead>,
    /// Asked before each write: tests make disks full with it.
    before_write: Option<BeforeWrite>,
}

/// Asked before each write: tests make disks full with it.
pub type BeforeWrite = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

struct Current {
    file: Arc<File>,
    /// The number of its first line.
    first: u64,
    /// Bytes of lines that are durable, here or ahead.
    durable: u64,
    /// Whether there may be more bytes than that, of a write that failed.
    ragged: bool,
    opened: std::time::Instant,
}

impl Journal {
    /// A journal that goes on in a new file. `is_waited_for` says whether somebody waits for each line to be durable.
    pub(crate) fn new(
        dir: PathBuf,
        bounds: Bounds,
        is_waited_for: bool,
        before_write: Option<BeforeWrite>,
    ) -> Self {
        let ahead = is_waited_for.then(|| Ahead::new(&dir));
        Self { dir, bounds, current: None, ahead, before_write }
    }

    /// Whether the next batch should go to another file.
    pub(crate) fn is_full(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            current.durable >= self.bounds.bytes || current.opened.elapsed() >= self.bounds.age
        })
    }

    /// Lets the next batch go to another file. All lines are durable in their files then.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        match (&self.current, &mut self.ahead) {
            (Some(current), Some(ahead)) => {
                ahead.sync_home(&current.file)?;
                // What is ahead belongs to a file that may be moved away now, and must not come back.
                ahead.remove()?;
            }
            (Some(current), None) => current.file.sync_data()?,
            (None, _) => {}
        }
        self.current = None;
        Ok(())
    }

    /// Appends lines, the first of which has this number and the last this hash; when this returns they are durable.
    /// After an error nothing of them is, and all of them may be appended again.
    pub(crate) fn append(&mut self, first: u64, lines: &[u8], last: &Hash) -> io::Result<()> {
        if let Some(before_write) = &self.before_write {
            before_write()?;
        }
        let current = match &mut self.current {
            Some(current) => current,
            none => none.insert(create(&self.dir, first)?),
        };
        current.append(lines, last, self.ahead.as_mut())
    }
}

impl Current {
    fn append(&mut self, lines: &[u8], last: &Hash, ahead: Option<&mut Ahead>) -> io::Result<()> {
        if self.ragged {
            self.file.set_len(self.durable)?;
        }
        self.ragged = true;
        let written = (&*self.file).write_all(lines).and_then(|()| self.make_durable(lines, last, ahead));
        match written {
            Ok(()) => self.durable += u64::try_from(lines.len()).unwrap_or_default(),
            // What a failed sync has left in memory is written again rather than believed.
            Err(_) => self.file.set_len(self.durable)?,
        }
        self.ragged = false;
        written
    }

    fn make_durable(&self, lines: &[u8], last: &Hash, ahead: Option<&mut Ahead>) -> io::Result<()> {
        let place = Place { file: self.first, offset: self.durable };
        match ahead {
            Some(ahead) => ahead.put(&self.file, place, lines, last),
            None => self.file.sync_data(),
        }
    }
}

fn create(dir: &Path, first: u64) -> io::Result<Current> {
    let path = dir.join(file_name(first));
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    // What a start that failed has left here was never a line.
    file.set_len(0)?;
    sync_dir(dir)?;
    Ok(Current { file: Arc::new(file), first, durable: 0, ragged: false, opened: std::time::Instant::now() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers() {
        assert_eq!(first_of(&file_name(12)), Some(12));
        for other in ["audit-12.jsonl", "audit-00000000000000000012.json", "x"] {
            assert_eq!(first_of(other), None);
        }
    }

    #[test]
    fn the_end_of_a_file_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let long = "x".repeat(100_000);
        for (content, line, torn) in [
            (String::new(), None, ""),
            ("torn".to_owned(), None, "torn"),
            ("one\n".to_owned(), Some("one"), ""),
            ("one\ntwo\nto".to_owned(), Some("two"), "to"),
            (format!("one\n{long}\n"), Some(&*long), ""),
            (format!("{long}\nto"), Some(&*long), "to"),
        ] {
            fs::write(&path, &content).unwrap();
            let end = End { line: line.map(|line| line.as_bytes().to_vec()), torn: torn.as_bytes().to_vec() };
            assert_eq!(end_of(&path).unwrap(), end);
        }
    }
}
