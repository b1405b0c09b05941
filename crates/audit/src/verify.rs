//! Verifying a trail from its files: is every record that was written there, as it was written, in its order?
//!
//! Every byte of a line is covered by the hash in the next one; the last line by its signature, where the trail was
//! closed, or else by nothing yet. That nothing is cut off at the end shows against a checkpoint from elsewhere.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use crate::chain::{Checkpoint, Hash, Head, Link, from_hex, hash, hex};
use crate::files::{JournalFile, list};
use crate::record::TRAIL_SOURCE;

/// What is known of a trail besides its files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// What checkpoints are signed with. Without it that of the first record is believed, which whoever made the files could
    /// have chosen.
    pub public_key: Option<[u8; 32]>,
    /// A line that is known to have been written.
    pub checkpoint: Option<Checkpoint>,
    /// The number of the first record; others were moved away.
    pub begins_at: u64,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files.
    pub files: u64,
    /// Records, those of the trail itself included.
    pub records: u64,
    /// Valid signatures.
    pub signatures: u64,
    /// Records after the last valid signature: whoever can write the files could have changed them.
    pub unsigned: u64,
    /// The key that signatures were checked with.
    pub public_key: Option<[u8; 32]>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a trail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The line is none that trent writes.
    #[error("this is no record of an audit trail")]
    NoRecord,
    /// There is a gap before the line.
    #[error("the records {from} to {to} are missing before this one")]
    Missing {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The line's number is one of the past.
    #[error("this is record {found}, and {expected} was due: it stands in the wrong place, or twice")]
    Misplaced {
        /// Its number.
        found: u64,
        /// What was due.
        expected: u64,
    },
    /// The line before is not the one that this one was written after.
    #[error("the record before this one was changed")]
    Changed,
    /// The line is of another chain.
    #[error("this is a record of another node")]
    Foreign,
    /// The signature is absent, or not of the key.
    #[error("the signature is not valid")]
    Signature,
    /// It is not the line that the database knows.
    #[error("this is not the record that the database knows by this number")]
    Unknown,
    /// The name is not that of the first line's number.
    #[error("the file is named for record {0}, and begins with another")]
    Name(u64),
    /// There is no line.
    #[error("the file has no records")]
    Empty,
    /// The last line is not whole, and no later record tells why.
    #[error("the last record is torn, and the next file does not tell of it")]
    Torn,
    /// The next file tells of a torn line that is not there.
    #[error("the file before is said to end with a torn record of {0} bytes, and does not")]
    NotTorn(u64),
    /// The trail ends too early.
    #[error("the records {from} to {to} are missing at the end")]
    CutOff {
        /// The first.
        from: u64,
        /// The last that is known of.
        to: u64,
    },
}

/// Verifies the files of a directory.
///
/// # Errors
/// They cannot be read.
pub fn verify(dir: &Path, known: &Known) -> io::Result<Report> {
    let mut verifier = Verifier::new(*known);
    for file in list(dir)? {
        verifier.file(&file)?;
    }
    Ok(verifier.finish())
}

struct Verifier {
    known: Known,
    report: Report,
    /// What the next line must link to; the hash is absent before the first line of a trail whose start is elsewhere.
    next: Option<Head>,
    sequence: u64,
    previous: Option<Hash>,
    torn: Option<Torn>,
    here: (String, u64),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Torn {
    file: String,
    bytes: u64,
    sha256: String,
}

/// What the verifier reads of a record besides its link.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen<'l> {
    event_source: &'l str,
    event_name: &'l str,
    service_event_details: Option<Details>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    public_key: Option<String>,
    torn: Option<Torn>,
}

impl Verifier {
    fn new(known: Known) -> Self {
        let report = Report { public_key: known.public_key, ..Report::default() };
        let previous = (known.begins_at == 0).then_some([0; 32]);
        let here = (String::new(), 0);
        Self { known, report, next: None, sequence: known.begins_at, previous, torn: None, here }
    }

    fn file(&mut self, file: &JournalFile) -> io::Result<()> {
        self.here = (file.name(), 0);
        self.report.files += 1;
        let (mut reader, mut line, mut first) = (BufReader::new(File::open(&file.path)?), Vec::new(), true);
        while reader.read_until(b'\n', &mut line)? > 0 {
            let Some(whole) = line.strip_suffix(b"\n") else {
                self.unexplained_torn();
                let bytes = u64::try_from(line.len()).unwrap_or(u64::MAX);
                self.torn = Some(Torn { file: file.name(), bytes, sha256: hex(&hash(&line)) });
                break;
            };
            self.here.1 += 1;
            self.line(whole, first.then_some(file));
            (first, line) = (false, emptied(line));
        }
        if first && self.torn.is_none() {
            self.fault(Problem::Empty);
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], first_of: Option<&JournalFile>) {
        self.report.records += 1;
        self.report.unsigned += 1;
        let seen = serde_json::from_slice::<Seen<'_>>(line).ok();
        let (Some(link), Some(seen)) = (Link::read(line), seen) else {
            self.fault(Problem::NoRecord);
            return self.go_on(self.sequence, line);
        };
        if let Some(file) = first_of {
            if file.first != link.sequence {
                self.fault(Problem::Name(file.first));
            }
            self.torn_before(file, &seen);
        }
        self.place(&link);
        self.signature(&link, &seen);
        let checkpoint = self.known.checkpoint.filter(|known| known.sequence == link.sequence);
        if checkpoint.is_some_and(|known| (known.node, known.hash) != (link.node, hash(line))) {
            self.fault(Problem::Unknown);
        }
        self.next.get_or_insert(Head::new(link.node));
        self.go_on(link.sequence, line);
    }

    fn place(&mut self, link: &Link<'_>) {
        if self.next.is_some_and(|next| next.node != link.node) {
            self.fault(Problem::Foreign);
        }
        let expected = self.sequence;
        if link.sequence > expected {
            self.fault(Problem::Missing { from: expected, to: link.sequence - 1 });
        } else if link.sequence < expected {
            self.fault(Problem::Misplaced { found: link.sequence, expected });
        } else if self.previous.is_some_and(|previous| previous != link.previous) {
            self.fault(Problem::Changed);
        }
    }

    fn signature(&mut self, link: &Link<'_>, seen: &Seen<'_>) {
        let told = seen.service_event_details.as_ref().and_then(|details| details.public_key.as_deref());
        if self.report.public_key.is_none() && seen.event_name == "AuditStarted" {
            self.report.public_key = told.and_then(|key| from_hex(key.as_bytes()));
        }
        if link.signature.is_none() && seen.event_source != TRAIL_SOURCE {
            return;
        }
        if self.report.public_key.is_some_and(|key| link.is_signed_by(&key)) {
            self.report.signatures += 1;
            self.report.unsigned = 0;
        } else {
            self.fault(Problem::Signature);
        }
    }

    /// A torn line is no fault where the process that found it says so.
    fn torn_before(&mut self, file: &JournalFile, seen: &Seen<'_>) {
        let told = seen.service_event_details.as_ref().and_then(|details| details.torn.clone());
        match (self.torn.take(), told) {
            (Some(found), Some(told)) if found == told => {}
            (Some(found), _) => self.fault_in(found.file, Problem::Torn),
            // One that was all there was of its file made way for this file.
            (None, Some(told)) if told.file != file.name() => self.fault(Problem::NotTorn(told.bytes)),
            (None, _) => {}
        }
    }

    fn unexplained_torn(&mut self) {
        if let Some(torn) = self.torn.take() {
            self.fault_in(torn.file, Problem::Torn);
        }
    }

    fn go_on(&mut self, sequence: u64, line: &[u8]) {
        self.sequence = sequence.saturating_add(1);
        self.previous = Some(hash(line));
    }

    fn fault(&mut self, problem: Problem) {
        let (file, line) = self.here.clone();
        self.report.faults.push(Fault { file, line, problem });
    }

    fn fault_in(&mut self, file: String, problem: Problem) {
        self.report.faults.push(Fault { file, line: 0, problem });
    }

    fn finish(mut self) -> Report {
        self.unexplained_torn();
        if let Some(known) = self.known.checkpoint
            && known.sequence >= self.sequence
        {
            self.fault(Problem::CutOff { from: self.sequence, to: known.sequence });
        }
        self.report
    }
}

fn emptied(mut buffer: Vec<u8>) -> Vec<u8> {
    buffer.clear();
    buffer
}
