//! What the text files of root keys have in common: a line with kind and version, then lines of a name and hex digits.
//!
//! Empty lines, comments, spaces around lines and capital hex digits are accepted; anything else is not.

const VERSION: u32 = 1;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Why the file of a root key was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootFileError {
    /// It does not begin like one.
    #[error("not a root key file: the line `{0} 1` is missing")]
    NotARootKeyFile(&'static str),
    /// Written by another version of trent, most likely a newer one.
    #[error("root key file of unknown version {0}")]
    UnknownVersion(u32),
    /// Its end is missing.
    #[error("the root key file is cut short")]
    Truncated,
    /// It has something in it that does not belong there.
    #[error("the root key file is malformed")]
    Malformed,
    /// What is in it is not what was written.
    #[error("the checksum of the root key file is wrong: the key in it was altered")]
    ChecksumMismatch,
}

/// The lines of a file behind the one that says what it is.
pub(super) struct Lines<'t>(Box<dyn Iterator<Item = &'t str> + 't>);

impl<'t> Lines<'t> {
    /// Those of a file of this kind, of the version that this code writes.
    pub(super) fn of(text: &'t [u8], kind: &'static str) -> Result<Self, RootFileError> {
        let text = str::from_utf8(text).map_err(|_| RootFileError::NotARootKeyFile(kind))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut lines = Self(Box::new(lines));
        let first = lines.0.next().and_then(|line| line.strip_prefix(kind)?.strip_prefix(' '));
        match first.ok_or(RootFileError::NotARootKeyFile(kind))?.parse() {
            Ok(VERSION) => Ok(lines),
            Ok(other) => Err(RootFileError::UnknownVersion(other)),
            Err(_) => Err(RootFileError::Malformed),
        }
    }

    /// Reads `name` and the hex digits of all of `out` from the next line.
    pub(super) fn read(&mut self, name: &str, out: &mut [u8]) -> Result<(), RootFileError> {
        let line = self.0.next().ok_or(RootFileError::Truncated)?;
        let Some(digits) = line.strip_prefix(name) else {
            let cut = name.starts_with(line);
            return Err(if cut { RootFileError::Truncated } else { RootFileError::Malformed });
        };
        let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
        if pairs.len() > out.len() || (pairs.len() == out.len() && !odd.is_empty()) {
            return Err(RootFileError::Malformed);
        }
        for (byte, [high, low]) in out.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        if pairs.len() < out.len() { Err(RootFileError::Truncated) } else { Ok(()) }
    }

    /// Nothing may follow.
    pub(super) fn end(mut self) -> Result<(), RootFileError> {
        if self.0.next().is_some() { Err(RootFileError::Malformed) } else { Ok(()) }
    }
}

fn digit(digit: u8) -> Result<u8, RootFileError> {
    let value = char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    value.ok_or(RootFileError::Malformed)
}

pub(super) fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
}
