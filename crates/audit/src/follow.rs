//! Follows a trail in its files, for whoever hands its lines on: reads what is durable, in order, and keeps on disk how
//! far it has come. The files are the spool: nothing is kept besides, and nobody who writes them is waited for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::files::{JournalFile, list, sync_dir};

/// Lines of a trail that follow each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// The lines, each with its line feed.
    pub bytes: Vec<u8>,
    /// How many they are.
    pub count: u64,
    /// How many before them are gone, since their files were taken away.
    pub gone: u64,
}

/// A place in a trail, which moves on as lines are read.
#[derive(Debug)]
pub struct Follower {
    dir: PathBuf,
    next: u64,
    reader: Option<BufReader<File>>,
    /// The number of the first line of the file that is read, or was last.
    file: u64,
}

impl Follower {
    /// At the line of this number.
    pub fn at(dir: impl Into<PathBuf>, next: u64) -> Self {
        Self { dir: dir.into(), next, reader: None, file: 0 }
    }

    /// The number of the line that is read next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Reads lines up to that of number `durable`, which is the first that is not on disk yet: as many as fit into
    /// `bytes_max`, but at least one.
    ///
    /// # Errors
    /// The files cannot be read. The place stays where it was.
    pub fn read(&mut self, durable: u64, bytes_max: usize) -> io::Result<Lines> {
        let (before, mut lines) = (self.next, Lines::default());
        let outcome = self.read_into(&mut lines, durable, bytes_max);
        if outcome.is_err() {
            (self.next, self.reader) = (before, None);
        }
        outcome.map(|()| lines)
    }

    fn read_into(&mut self, lines: &mut Lines, durable: u64, bytes_max: usize) -> io::Result<()> {
        while self.next < durable && lines.bytes.len() < bytes_max {
            let start = lines.bytes.len();
            let Some(reader) = &mut self.reader else {
                if !self.open(lines)? {
                    return Ok(());
                }
                continue;
            };
            reader.read_until(b'\n', &mut lines.bytes)?;
            if lines.bytes.len() > start && lines.bytes.ends_with(b"\n") {
                (self.next, lines.count) = (self.next + 1, lines.count + 1);
                continue;
            }
            // The end of a file: the line is in the next one, whatever a crash has left of another here.
            lines.bytes.truncate(start);
            self.reader = None;
            let files = list(&self.dir)?;
            match files.iter().find(|file| file.first >= self.next) {
                // The file that was just read to its end has nothing more, whatever has become of its lines.
                Some(file) if file.first == self.next && file.first != self.file => {}
                Some(file) if lines.count == 0 => self.pass_over(file.first, lines),
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Opens the file with the next line, or with the oldest that is left; gives whether there is one.
    fn open(&mut self, lines: &mut Lines) -> io::Result<bool> {
        let files = list(&self.dir)?;
        let holds = |file: &&JournalFile| file.first <= self.next;
        let Some(file) = files.iter().rfind(holds).or(files.first()) else { return Ok(false) };
        if file.first > self.next {
            // What was taken up of the lines before belongs to a batch of its own.
            if lines.count > 0 {
                return Ok(false);
            }
            self.pass_over(file.first, lines);
        }
        let mut reader = BufReader::new(File::open(&file.path)?);
        for _ in file.first..self.next {
            reader.skip_until(b'\n')?;
        }
        (self.reader, self.file) = (Some(reader), file.first);
        Ok(true)
    }

    /// Goes on behind lines that are gone.
    fn pass_over(&mut self, next: u64, lines: &mut Lines) {
        lines.gone += next - self.next;
        self.next = next;
    }
}

/// How far a follower has come, in a file beside those of the trail.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    name: &'static str,
}

impl Place {
    /// The file of this name.
    pub fn new(dir: impl Into<PathBuf>, name: &'static str) -> Self {
        Self { dir: dir.into(), name }
    }

    /// The number of the line that comes next; none where none was ever kept.
    ///
    /// # Errors
    /// The file cannot be read, or is none of these.
    pub fn load(&self) -> io::Result<Option<u64>> {
        let text = match fs::read_to_string(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let number = text.trim().parse().map_err(|_| {
            io::Error::other(format!("{} is not the number of a record", self.path().display()))
        })?;
        Ok(Some(number))
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// The file cannot be written; the one before stays.
    pub fn store(&self, next: u64) -> io::Result<()> {
        let new = self.dir.join(format!("{}.new", self.name));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(format!("{next}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path())?;
        sync_dir(&self.dir)
    }

    fn path(&self) -> PathBuf {
        Path::new(&self.dir).join(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::file_name;

    fn write(dir: &Path, first: u64, content: &str) {
        fs::write(dir.join(file_name(first)), content).unwrap();
    }

    fn text(lines: &Lines) -> &str {
        str::from_utf8(&lines.bytes).unwrap()
    }

    #[test]
    fn lines_are_read_once_in_order_over_files_and_no_further_than_they_are_durable() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 0, "a\nb\n");
        // What a crash has left of a line.
        write(dir.path(), 2, "c\ntor");
        write(dir.path(), 3, "d\ne\n");
        let mut follower = Follower::at(dir.path(), 0);
        assert_eq!(text(&follower.read(1, 100).unwrap()), "a\n");
        assert_eq!(text(&follower.read(4, 100).unwrap()), "b\nc\nd\n");
        assert_eq!(follower.read(4, 100).unwrap(), Lines::default());
        assert_eq!(text(&follower.read(5, 100).unwrap()), "e\n");
        // Durable, says the writer, and not here: it comes.
        assert_eq!(follower.read(6, 100).unwrap(), Lines::default());
        write(dir.path(), 3, "d\ne\nf\n");
        assert_eq!(text(&follower.read(6, 100).unwrap()), "f\n");
        assert_eq!(text(&Follower::at(dir.path(), 4).read(6, 100).unwrap()), "e\nf\n");
    }

    #[test]
    fn a_batch_ends_with_the_line_that_fills_it() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 0, "aaaa\nbbbb\ncccc\n");
        let mut follower = Follower::at(dir.path(), 0);
        assert_eq!(text(&follower.read(3, 1).unwrap()), "aaaa\n");
        assert_eq!(text(&follower.read(3, 6).unwrap()), "bbbb\ncccc\n");
        assert_eq!(follower.next(), 3);
    }

    #[test]
    fn files_that_were_taken_away_are_told_of() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 7, "h\n");
        let mut follower = Follower::at(dir.path(), 2);
        let lines = follower.read(8, 100).unwrap();
        assert_eq!((text(&lines), lines.gone), ("h\n", 5));
        write(dir.path(), 10, "k\n");
        let lines = follower.read(11, 100).unwrap();
        assert_eq!((text(&lines), lines.gone), ("k\n", 2));
        assert_eq!(
            Follower::at(tempfile::tempdir().unwrap().path(), 2).read(8, 100).unwrap(),
            Lines::default()
        );
    }

    #[test]
    fn a_place_is_kept_and_damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path(), "place");
        assert_eq!(place.load().unwrap(), None);
        place.store(12).unwrap();
        place.store(13).unwrap();
        assert_eq!(Place::new(dir.path(), "place").load().unwrap(), Some(13));
        fs::write(dir.path().join("place"), "x").unwrap();
        assert!(place.load().is_err());
    }
}
