//! Lines written ahead: the newest ones a second time, in files that have their length beforehand.
//!
//! A sync of a file that has grown makes the file system write its own journal too, which costs more than the lines do.
//! So lines are appended to their file, where everybody reads them, and written into one of these, past the system's
//! cache, while others wait. There are two: while one is filled, a thread syncs the file that the lines of the other
//! belong to. After a loss of power [`replay`] brings home what that file lacks.
//!
//! A file `ahead-0.bin` or `ahead-1.bin` holds frames, from its beginning, each at the next multiple of 4,096 bytes:
//!
//! ```text
//! "trent-a2"  first line of the lines' file: u64  where in it: u64  bytes: u64  SHA-256 of the last line  lines
//! ```
//!
//! Numbers are little-endian. A frame is whole if its lines link to each other and the last has that hash. The run of
//! frames ends where one is not whole or does not continue the one before it in the same file: what follows is older.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::fs::OFlags;

use crate::chain::{Hash, Link, hash};
use crate::files::{file_name, sync_dir};

const NAMES: [&str; 2] = ["ahead-0.bin", "ahead-1.bin"];
/// What a frame begins with; the last digit is the version.
const MAGIC: &[u8; 8] = b"trent-a2";
const HEADER: usize = 64;
/// How long a file grows. What is synced behind it is as much, and is in the way of the next batch for that long.
const CAPACITY: usize = 512 << 10;
/// What frames begin at multiples of, in their file and in memory: no disk has larger blocks.
const BLOCK: usize = 4 << 10;
/// How large a buffer is kept for the next frame.
const KEPT: usize = 64 << 10;
/// By how much a file grows at once.
const CHUNK: usize = 128 << 10;

/// Where lines stand in the file they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the first line of that file.
    pub(crate) file: u64,
    /// The bytes before them.
    pub(crate) offset: u64,
}

impl Place {
    fn after(self, lines: &[u8]) -> Self {
        Self { offset: self.offset + lines.len() as u64, ..self }
    }
}

/// The two files, being written.
pub(crate) struct Ahead {
    filling: Half,
    /// Full; what it has is on its way home.
    full: Half,
    coming_home: Option<JoinHandle<io::Result<()>>>,
    /// Whether a sync of what is home has failed: then the system may have forgotten it, and another sync would not tell.
    doubtful: bool,
    /// A frame before it is written.
    frame: Vec<u8>,
}

/// One of the files.
struct Half {
    path: PathBuf,
    file: Option<File>,
    /// Where the next frame goes.
    at: usize,
    /// The length of the file.
    laid_out: usize,
    /// Whether it is written through the system's cache, since it cannot be written past it.
    is_cached: bool,
}

impl Ahead {
    /// Files that begin anew; what others have left must have been replayed.
    pub(crate) fn new(dir: &Path) -> Self {
        let [filling, full] =
            NAMES.map(|name| Half { path: dir.join(name), file: None, at: 0, laid_out: 0, is_cached: false });
        Self { filling, full, coming_home: None, doubtful: false, frame: Vec::new() }
    }

    /// Makes lines durable, which have been appended to their file, `home`. `last` is the hash of the last of them.
    pub(crate) fn put(
        &mut self,
        home: &Arc<File>,
        place: Place,
        lines: &[u8],
        last: &Hash,
    ) -> io::Result<()> {
        let length = (HEADER + lines.len()).next_multiple_of(BLOCK);
        if length > CAPACITY {
            self.sync_home(home)?;
            return self.restart();
        }
        if self.filling.at + length > CAPACITY {
            self.turn(home)?;
        }
        let zeros = self.filling.missing(length);
        let start = aligned(&mut self.frame, length + zeros);
        self.frame.extend_from_slice(MAGIC);
        for number in [place.file, place.offset, lines.len() as u64] {
            self.frame.extend_from_slice(&number.to_le_bytes());
        }
        self.frame.extend_from_slice(last);
        self.frame.extend_from_slice(lines);
        self.frame.resize(start + length + zeros, 0);
        self.filling.put(self.frame.get(start..).unwrap_or_default(), length)?;
        self.frame.clear();
        self.frame.shrink_to(KEPT);
        Ok(())
    }

    /// Syncs the file that lines belong to.
    pub(crate) fn sync_home(&mut self, home: &File) -> io::Result<()> {
        home.sync_data().inspect_err(|_| self.doubtful = true)
    }

    /// Goes on in the other file, once all that it has is home.
    fn turn(&mut self, home: &Arc<File>) -> io::Result<()> {
        self.wait()?;
        let syncing = Arc::clone(home);
        let thread = thread::Builder::new().name("audit-sync".to_owned());
        self.coming_home = Some(thread.spawn(move || syncing.sync_data())?);
        std::mem::swap(&mut self.filling, &mut self.full);
        self.filling.at = 0;
        Ok(())
    }

    /// Waits until what the full file has is home, which it mostly is.
    fn wait(&mut self) -> io::Result<()> {
        if let Some(thread) = self.coming_home.take() {
            self.doubtful |= !matches!(thread.join(), Ok(Ok(())));
        }
        if self.doubtful {
            for half in [&self.full, &self.filling] {
                half.bring_home()?;
            }
            self.doubtful = false;
        }
        Ok(())
    }

    /// Begins at the start again, when all lines are durable where they belong.
    fn restart(&mut self) -> io::Result<()> {
        self.wait()?;
        (self.filling.at, self.full.at) = (0, 0);
        Ok(())
    }

    /// Removes the files, when all lines are durable where they belong. The next lines make them anew.
    pub(crate) fn remove(&mut self) -> io::Result<()> {
        self.wait()?;
        let is_any_gone = self.filling.remove()? | self.full.remove()?;
        match self.filling.path.parent() {
            // They must not come back: the file that their lines belong to may be moved away.
            Some(dir) if is_any_gone => sync_dir(dir),
            _ => Ok(()),
        }
    }
}

impl Half {
    /// By how much a frame of this length has to be longer for the file to grow as it should: with zeros that are
    /// written, not a hole, since blocks that exist already need no entry in the file system's journal.
    fn missing(&self, length: usize) -> usize {
        let end = self.at + length;
        if end > self.laid_out { end.next_multiple_of(CHUNK) - end } else { 0 }
    }

    /// Writes a frame of this length and the zeros behind it; when this returns it is durable.
    fn put(&mut self, frame: &[u8], length: usize) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(create(&self.path, self.is_cached)?),
        };
        match file.write_all_at(frame, self.at as u64) {
            // A disk whose blocks are larger than any that is known.
            Err(error) if error.kind() == ErrorKind::InvalidInput && !self.is_cached => {
                self.is_cached = true;
                let flags = flags(OFlags::DSYNC)?;
                let file = OpenOptions::new().write(true).custom_flags(flags).open(&self.path)?;
                self.file.insert(file).write_all_at(frame, self.at as u64)?;
            }
            written => written?,
        }
        self.laid_out = self.laid_out.max(self.at + frame.len());
        self.at += length;
        Ok(())
    }

    /// Writes all frames to where they belong once more.
    fn bring_home(&self) -> io::Result<()> {
        let (Some(_), Some(dir)) = (&self.file, self.path.parent()) else { return Ok(()) };
        let mut bytes = fs::read(&self.path)?;
        bytes.truncate(self.at);
        replay_run(dir, &bytes)
    }

    /// Says whether there was a file.
    fn remove(&mut self) -> io::Result<bool> {
        (self.at, self.laid_out) = (0, 0);
        match self.file.take() {
            Some(_) => fs::remove_file(&self.path).map(|()| true),
            None => Ok(false),
        }
    }
}

/// Makes a file each write to which is durable when it returns.
fn create(path: &Path, is_cached: bool) -> io::Result<File> {
    let open = |wanted: OFlags| {
        let flags = flags(wanted)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(path)
    };
    let past_cache = if is_cached { OFlags::empty() } else { OFlags::DIRECT };
    let file = match open(OFlags::DSYNC | past_cache) {
        // A file system that always caches.
        Err(error) if error.kind() == ErrorKind::InvalidInput => open(OFlags::DSYNC)?,
        file => file?,
    };
    sync_dir(path.parent().unwrap_or(Path::new(".")))?;
    Ok(file)
}

fn flags(flags: OFlags) -> io::Result<i32> {
    i32::try_from(flags.bits()).map_err(io::Error::other)
}

/// Empties a buffer but for as many bytes that what is appended begins at a multiple of [`BLOCK`] in memory, and makes
/// room for as many bytes behind them. Gives where that is.
fn aligned(buffer: &mut Vec<u8>, length: usize) -> usize {
    buffer.clear();
    buffer.reserve(length + BLOCK);
    let start = buffer.as_ptr().align_offset(BLOCK);
    buffer.resize(start, 0);
    start
}

/// Writes what the files in `dir` hold to where it belongs, and removes them.
pub(crate) fn replay(dir: &Path) -> io::Result<()> {
    let mut runs = Vec::new();
    for path in NAMES.map(|name| dir.join(name)) {
        match fs::read(&path) {
            Ok(bytes) if is_of_another_version(&bytes) => {
                let path = path.display();
                let message =
                    format!("{path} is of another version of trent; start and stop that version first");
                return Err(io::Error::new(ErrorKind::InvalidData, message));
            }
            Ok(bytes) => runs.push((path, bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    // The older lines first: the newer ones stand behind them.
    runs.sort_by_key(|(_, bytes)| {
        Frame::read(bytes).map(|(frame, _)| (frame.place.file, frame.place.offset))
    });
    for (_, bytes) in &runs {
        replay_run(dir, bytes)?;
    }
    for (path, _) in &runs {
        fs::remove_file(path)?;
    }
    if runs.is_empty() { Ok(()) } else { sync_dir(dir) }
}

fn is_of_another_version(bytes: &[u8]) -> bool {
    MAGIC.split_last().is_some_and(|(version, name)| {
        bytes.strip_prefix(name).and_then(|rest| rest.first()).is_some_and(|other| other != version)
    })
}

fn replay_run(dir: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut rest, mut next) = (bytes, None);
    while let Some((frame, after)) = Frame::read(rest) {
        if next.is_some_and(|next| frame.place != next) {
            break;
        }
        if !bring_home(dir, &frame)? {
            let file = file_name(frame.place.file);
            tracing::warn!(file, "a file of the audit trail lacks its beginning, and is left alone");
            break;
        }
        (rest, next) = (after, Some(frame.place.after(frame.lines)));
    }
    Ok(())
}

/// Says whether there was anything to bring it home to.
fn bring_home(dir: &Path, frame: &Frame<'_>) -> io::Result<bool> {
    let path = dir.join(file_name(frame.place.file));
    // A file whose first lines were lost before anybody saw it is made again.
    let begins = frame.place.offset == 0;
    let file = match OpenOptions::new()
        .read(true)
        .write(true)
        .create(begins)
        .truncate(false)
        .mode(0o600)
        .open(&path)
    {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    if file.metadata()?.len() < frame.place.offset {
        return Ok(false);
    }
    // Also where they seem to be there: they may be in memory alone, and never get to the disk after a sync that failed.
    file.write_all_at(frame.lines, frame.place.offset)?;
    file.sync_data()?;
    Ok(true)
}

/// A frame that is whole.
#[derive(Debug, PartialEq, Eq)]
struct Frame<'f> {
    place: Place,
    lines: &'f [u8],
}

impl<'f> Frame<'f> {
    /// The frame that `bytes` begin with, and what follows.
    fn read(bytes: &'f [u8]) -> Option<(Self, &'f [u8])> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (file, rest) = number(rest)?;
        let (offset, rest) = number(rest)?;
        let (length, rest) = number(rest)?;
        let (last, rest) = rest.split_first_chunk::<32>()?;
        let length = usize::try_from(length).ok()?;
        let lines = rest.get(..length)?;
        let rest = bytes.get(HEADER.checked_add(length)?.checked_next_multiple_of(BLOCK)?..)?;
        (last_hash(lines)? == *last).then_some((Self { place: Place { file, offset }, lines }, rest))
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u64::from_le_bytes(*number), rest))
}

/// The hash of the last of lines that link to each other.
fn last_hash(lines: &[u8]) -> Option<Hash> {
    let mut previous = None;
    for line in lines.strip_suffix(b"\n")?.split(|&byte| byte == b'\n') {
        let link = Link::read(line)?;
        if previous.is_some_and(|previous| previous != link.previous) {
            return None;
        }
        previous = Some(hash(line));
    }
    previous
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::chain::Head;

    const FIRST: Place = Place { file: 0, offset: 0 };

    /// Batches of lines, each with the hash of its last.
    fn batches(count: usize) -> Vec<(Vec<u8>, Hash)> {
        let mut head = Head::new(Uuid::from_u128(7));
        (0..count)
            .map(|batch| {
                let mut lines = Vec::new();
                for _ in 0..=batch {
                    let start = lines.len();
                    lines.extend_from_slice(b"{\"a\":1");
                    head.close(&mut lines, start);
                }
                (lines, head.previous)
            })
            .collect()
    }

    /// A file to sync.
    fn home() -> Arc<File> {
        Arc::new(tempfile::tempfile().unwrap())
    }

    /// Puts batches one after the other; gives all their lines.
    fn put(ahead: &mut Ahead, batches: &[(Vec<u8>, Hash)]) -> Vec<u8> {
        let mut all = Vec::new();
        for (lines, last) in batches {
            ahead.put(&home(), Place { file: 0, offset: all.len() as u64 }, lines, last).unwrap();
            all.extend_from_slice(lines);
        }
        all
    }

    /// What the first file of the trail has after a replay.
    fn replayed(dir: &Path) -> Vec<u8> {
        replay(dir).unwrap();
        assert!(NAMES.iter().all(|name| !dir.join(name).exists()));
        fs::read(dir.join(file_name(0))).unwrap_or_default()
    }

    #[test]
    fn what_the_files_lack_is_brought_home() {
        let batches = batches(3);
        for (lost, what) in [(0, "nothing"), (1, "a byte"), (usize::MAX, "the file"), (400, "lines")] {
            let dir = tempfile::tempdir().unwrap();
            let all = put(&mut Ahead::new(dir.path()), &batches);
            if lost <= all.len() {
                fs::write(dir.path().join(file_name(0)), &all[..all.len() - lost]).unwrap();
            }
            assert_eq!(replayed(dir.path()), all, "{what} was lost");
        }
    }

    #[test]
    fn what_was_damaged_on_its_way_is_brought_home() {
        let (dir, batches) = (tempfile::tempdir().unwrap(), batches(2));
        let all = put(&mut Ahead::new(dir.path()), &batches);
        let zeros = [&all[..100], &vec![0; all.len() - 50]].concat();
        fs::write(dir.path().join(file_name(0)), &zeros).unwrap();
        let found = replayed(dir.path());
        assert_eq!(
            (&found[..all.len()], found.len()),
            (&*all, zeros.len()),
            "what follows is not known here"
        );
    }

    #[test]
    fn a_frame_that_is_not_whole_ends_the_run() {
        let batches = batches(3);
        let two = batches[0].0.len() + batches[1].0.len();
        let third = 2 * BLOCK;
        for (at, value) in [(0, b'T'), (8, 1), (24, 1), (32, 0), (HEADER + 3, b'b'), (HEADER + 450, 0)] {
            let dir = tempfile::tempdir().unwrap();
            let all = put(&mut Ahead::new(dir.path()), &batches);
            let file = OpenOptions::new().write(true).open(dir.path().join(NAMES[0])).unwrap();
            file.write_all_at(&[value], (third + at) as u64).unwrap();
            assert_eq!(replayed(dir.path()), all[..two], "byte {at} of the third frame");
        }
    }

    #[test]
    fn frames_of_an_earlier_round_are_not_taken_for_later_ones() {
        let (dir, batches) = (tempfile::tempdir().unwrap(), batches(3));
        let mut ahead = Ahead::new(dir.path());
        let all = put(&mut ahead, &batches[..2]);
        fs::write(dir.path().join(file_name(0)), &all).unwrap();
        ahead.restart().unwrap();
        let (lines, last) = &batches[2];
        ahead.put(&home(), FIRST.after(&all), &lines[..], last).unwrap();
        assert_eq!(replayed(dir.path()), [&all, &lines[..]].concat());
    }

    #[test]
    fn what_a_failed_sync_may_have_lost_is_written_again() {
        let (dir, batches) = (tempfile::tempdir().unwrap(), batches(3));
        let mut ahead = Ahead::new(dir.path());
        let all = put(&mut ahead, &batches);
        fs::write(dir.path().join(file_name(0)), vec![b' '; all.len()]).unwrap();
        ahead.coming_home = Some(thread::spawn(|| Err(io::Error::other("the disk"))));
        ahead.remove().unwrap();
        assert_eq!(fs::read(dir.path().join(file_name(0))).unwrap(), all);
        assert!(!dir.path().join(NAMES[0]).exists());
    }

    #[test]
    fn files_of_another_version_are_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        put(&mut Ahead::new(dir.path()), &batches(1));
        let path = dir.path().join(NAMES[0]);
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"1", 7).unwrap();
        assert!(replay(dir.path()).unwrap_err().to_string().contains("another version"));
        assert!(path.exists());
    }

    #[test]
    fn what_cannot_be_written_past_the_cache_is_written_through_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut ahead, batches) = (Ahead::new(dir.path()), batches(4));
        put(&mut ahead, &batches[..2]);
        // Not where a block may begin in memory: most file systems refuse that, as they do blocks that are too small.
        let odd = vec![b'x'; BLOCK + 9];
        ahead.filling.put(&odd[1..=BLOCK], BLOCK).unwrap();
        let file = fs::read(dir.path().join(NAMES[0])).unwrap();
        assert_eq!(&file[2 * BLOCK..3 * BLOCK], &odd[1..=BLOCK]);
        ahead.filling.at -= BLOCK;
        let home = batches[..2].iter().map(|(lines, _)| lines.len()).sum::<usize>();
        for (at, (lines, last)) in [home, home + batches[2].0.len()].into_iter().zip(&batches[2..]) {
            ahead.put(&self::home(), Place { file: 0, offset: at as u64 }, lines, last).unwrap();
        }
        let all: Vec<u8> = batches.iter().flat_map(|(lines, _)| lines.clone()).collect();
        assert_eq!(replayed(dir.path()), all);
    }

    #[test]
    fn frames_begin_at_blocks() {
        let (dir, batches) = (tempfile::tempdir().unwrap(), batches(40));
        let mut ahead = Ahead::new(dir.path());
        let all = put(&mut ahead, &batches);
        assert!(batches.iter().any(|(lines, _)| HEADER + lines.len() > BLOCK), "a frame has several blocks");
        let file = fs::read(dir.path().join(NAMES[0])).unwrap();
        assert_eq!(file.len() % CHUNK, 0);
        assert_eq!(file.chunks(BLOCK).filter(|block| block.starts_with(MAGIC)).count(), batches.len());
        assert_eq!(replayed(dir.path()), all);
    }

    #[test]
    fn a_file_without_its_beginning_is_left_alone() {
        let (dir, batches) = (tempfile::tempdir().unwrap(), batches(1));
        let (lines, last) = &batches[0];
        Ahead::new(dir.path()).put(&home(), Place { file: 0, offset: 10 }, lines, last).unwrap();
        assert_eq!(replayed(dir.path()), b"");
        fs::write(dir.path().join(file_name(0)), b"short").unwrap();
        Ahead::new(dir.path()).put(&home(), Place { file: 0, offset: 10 }, lines, last).unwrap();
        assert_eq!(replayed(dir.path()), b"short");
    }

    #[test]
    fn a_file_has_its_length_beforehand() {
        let (dir, batches) = (tempfile::tempdir().unwrap(), batches(20));
        let mut ahead = Ahead::new(dir.path());
        put(&mut ahead, &batches);
        let length = fs::metadata(dir.path().join(NAMES[0])).unwrap().len();
        assert_eq!(length, CHUNK as u64);
        ahead.restart().unwrap();
        put(&mut ahead, &batches[..1]);
        assert_eq!(fs::metadata(dir.path().join(NAMES[0])).unwrap().len(), length);
        ahead.remove().unwrap();
        assert!(!dir.path().join(NAMES[0]).exists());
    }

    #[test]
    fn the_files_take_turns_and_what_is_not_home_is_in_one_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file_name(0));
        let home = Arc::new(OpenOptions::new().append(true).create(true).open(&path).unwrap());
        let mut ahead = Ahead::new(dir.path());
        let batches = batches(140);
        let (mut all, mut turns) = (Vec::new(), 0);
        for (lines, last) in &batches {
            io::Write::write_all(&mut &*home, lines).unwrap();
            let before = ahead.filling.path.clone();
            ahead.put(&home, Place { file: 0, offset: all.len() as u64 }, lines, last).unwrap();
            turns += usize::from(ahead.filling.path != before);
            all.extend_from_slice(lines);
        }
        assert!(turns >= 2, "{} bytes are more than two files", all.len());
        // As much as two files have may be lost: all but what was synced at the turn before the last.
        home.set_len(all.len() as u64 - CAPACITY as u64).unwrap();
        assert_eq!(replayed(dir.path()), all);
    }

    #[test]
    fn what_fits_into_no_file_is_synced_where_it_belongs() {
        let (dir, batches) = (tempfile::tempdir().unwrap(), batches(2));
        let mut ahead = Ahead::new(dir.path());
        let first = put(&mut ahead, &batches[..1]);
        let all = [&first[..], &vec![b'x'; CAPACITY]].concat();
        ahead.put(&home(), FIRST.after(&first), &all[first.len()..], &[0; 32]).unwrap();
        let (lines, last) = &batches[1];
        ahead.put(&home(), FIRST.after(&all), lines, last).unwrap();
        fs::write(dir.path().join(file_name(0)), &all).unwrap();
        assert_eq!(replayed(dir.path()), [&all, &lines[..]].concat(), "what comes after it is known");
    }
}
