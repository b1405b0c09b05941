//! Where a journal goes on after a stop, a crash, or a loss of its files.

use std::io;
use std::path::{Path, PathBuf};

use trent_protocol::Encode;
use uuid::Uuid;

use crate::ahead::replay;
use crate::chain::{Checkpoint, FORMAT, Head, Link, hash, hex};
use crate::files::{End, JournalFile, end_of, list};
use crate::json::{Camel, raw, text};

/// Why a trail cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file cannot be read or written.
    #[error("the audit trail in {} cannot be opened", .0.display())]
    Files(PathBuf, #[source] io::Error),
    /// The last line of the newest file is no line of a trail.
    #[error(
        "the last record of {} is damaged; `trent audit verify` tells more; move the directory away to begin a new one",
        .0.display()
    )]
    Damaged(PathBuf),
}

/// Where a journal goes on, and what its first record has to tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) head: Head,
    torn: Option<Torn>,
    missing: Option<(u64, u64)>,
}

/// What a process that was killed left behind the last whole line.
#[derive(Debug, PartialEq, Eq)]
struct Torn {
    file: String,
    bytes: usize,
    sha256: String,
}

/// Looks where the journal in `dir` ends. `known` is the newest line that is known from elsewhere, and `fresh` the node of
/// a journal that begins.
pub(crate) fn look(dir: &Path, known: Option<Checkpoint>, fresh: Uuid) -> Result<Found, OpenError> {
    let failed = |error| OpenError::Files(dir.to_owned(), error);
    let (mut head, mut torn) = (None, None);
    for file in list(dir).map_err(failed)?.into_iter().rev() {
        let End { line, torn: rest } = end_of(&file.path).map_err(failed)?;
        if !rest.is_empty() {
            torn.get_or_insert(Torn { file: file.name(), bytes: rest.len(), sha256: hex(&hash(&rest)) });
        }
        if let Some(line) = line {
            head = Some(after(&file, &line)?);
            break;
        }
        // A first record that was never whole: nobody was answered for it.
        std::fs::remove_file(&file.path).map_err(failed)?;
    }
    let head = head.unwrap_or_else(|| Head::new(known.map_or(fresh, |known| known.node)));
    match known {
        // Lines are gone that were once written. The numbers go on, so that everybody sees the gap.
        Some(known) if known.node == head.node && known.sequence >= head.sequence => {
            let missing = Some((head.sequence, known.sequence));
            let head = Head { sequence: known.sequence + 1, previous: known.hash, ..head };
            Ok(Found { head, torn, missing })
        }
        _ => Ok(Found { head, torn, missing: None }),
    }
}

/// Whether the journal in `dir` has the line `known`, or one after it. Nothing is begun there.
///
/// # Errors
/// As when it is opened.
pub fn reaches(dir: &Path, known: Checkpoint) -> Result<bool, OpenError> {
    let failed = |error| OpenError::Files(dir.to_owned(), error);
    if !dir.is_dir() {
        return Ok(false);
    }
    replay(dir).map_err(failed)?;
    for file in list(dir).map_err(failed)?.into_iter().rev() {
        if let Some(line) = end_of(&file.path).map_err(failed)?.line {
            let head = after(&file, &line)?;
            return Ok(head.node == known.node && head.sequence > known.sequence);
        }
    }
    Ok(false)
}

fn after(file: &JournalFile, line: &[u8]) -> Result<Head, OpenError> {
    let link = Link::read(line).ok_or_else(|| OpenError::Damaged(file.path.clone()))?;
    Ok(Head { node: link.node, sequence: link.sequence + 1, previous: hash(line) })
}

impl Found {
    /// Whether the journal ends as a stop leaves it.
    pub(crate) fn is_whole(&self) -> bool {
        self.torn.is_none() && self.missing.is_none()
    }

    /// The details of the record that begins a file.
    pub(crate) fn details(&self, public_key: &[u8; 32]) -> Vec<u8> {
        let mut out = b"{\"version\":".to_vec();
        env!("CARGO_PKG_VERSION").encode_into(&mut Camel(&mut out));
        raw(&mut out, "format", FORMAT.to_string().as_bytes());
        text(&mut out, "publicKey", &hex(public_key));
        if let Some(Torn { file, bytes, sha256 }) = &self.torn {
            let torn = format!("{{\"file\":\"{file}\",\"bytes\":{bytes},\"sha256\":\"{sha256}\"}}");
            raw(&mut out, "torn", torn.as_bytes());
        }
        if let Some((from, to)) = self.missing {
            raw(&mut out, "missing", format!("{{\"from\":{from},\"to\":{to}}}").as_bytes());
        }
        out.push(b'}');
        out
    }
}
