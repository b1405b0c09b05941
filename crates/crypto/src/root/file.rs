//! The root key file: text, so that it can be looked at, printed and typed in again.
//!
//! ```text
//! # any number of comment lines
//! trent-root-key 1
//! key 64 hex digits
//! check 16 hex digits
//! ```
//!
//! `check` is the first 8 bytes of `SHA-256("trent/root-key-file/v1" ‖ 0x00 ‖ key)`: a file that was cut short or
//! mistyped is recognised before a database is opened with the wrong key. Empty lines, spaces around lines and
//! capital hex digits are accepted; anything else is not.

use super::checksum;
use crate::secret::{Key256, SecretBytes};

const COMMENT: &str = "# Root key of trent. Whoever has it can read all key material: keep it secret.\n\
                       # Without it nothing can be read: keep a copy, apart from the database's.\n";
const VERSION: u32 = 1;
const CHECK_LABEL: &[u8] = b"trent/root-key-file/v1";
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Why a root key file was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootFileError {
    /// It does not begin like one.
    #[error("not a root key file: the line `trent-root-key 1` is missing")]
    NotARootKeyFile,
    /// Written by another version of trent, most likely a newer one.
    #[error("root key file of unknown version {0}")]
    UnknownVersion(u32),
    /// Its end is missing.
    #[error("the root key file is cut short")]
    Truncated,
    /// It has something in it that does not belong there.
    #[error("the root key file is malformed")]
    Malformed,
    /// The key in it is not the one that was written.
    #[error("the checksum of the root key file is wrong: the key in it was altered")]
    ChecksumMismatch,
}

/// The text of a root key file. Secret, like the key.
#[must_use]
pub fn encode_file(root: &Key256) -> SecretBytes {
    // Never grows beyond this, so no half-written copy is left behind in freed memory.
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(COMMENT.as_bytes());
    text.extend_from_slice(b"trent-root-key 1\nkey ");
    push_hex(&mut text, root.expose());
    text.extend_from_slice(b"\ncheck ");
    push_hex(&mut text, &checksum(CHECK_LABEL, root.expose()));
    text.push(b'\n');
    SecretBytes::new(text)
}

/// Reads the text of a root key file.
///
/// # Errors
/// See [`RootFileError`].
pub fn decode_file(text: &[u8]) -> Result<Key256, RootFileError> {
    let text = str::from_utf8(text).map_err(|_| RootFileError::NotARootKeyFile)?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    check_version(lines.next().unwrap_or_default())?;
    let key = Key256::try_fill(|key| read_line(lines.next(), "key ", key))?;
    let mut check = [0; 8];
    read_line(lines.next(), "check ", &mut check)?;
    if lines.next().is_some() {
        return Err(RootFileError::Malformed);
    }
    if check != checksum(CHECK_LABEL, key.expose()) {
        return Err(RootFileError::ChecksumMismatch);
    }
    Ok(key)
}

fn check_version(line: &str) -> Result<(), RootFileError> {
    let version = line.strip_prefix("trent-root-key ").ok_or(RootFileError::NotARootKeyFile)?;
    match version.parse() {
        Ok(VERSION) => Ok(()),
        Ok(other) => Err(RootFileError::UnknownVersion(other)),
        Err(_) => Err(RootFileError::Malformed),
    }
}

/// Reads `name` and the hex digits of all of `out` from a line.
fn read_line(line: Option<&str>, name: &str, out: &mut [u8]) -> Result<(), RootFileError> {
    let line = line.ok_or(RootFileError::Truncated)?;
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

fn digit(digit: u8) -> Result<u8, RootFileError> {
    let value = char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    value.ok_or(RootFileError::Malformed)
}

fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{array, cases};

    fn written() -> String {
        String::from_utf8(encode_file(&Key256::new([0xab; 32])).expose().clone()).unwrap()
    }

    #[test]
    fn files_made_elsewhere_are_read_and_made_alike() {
        for case in cases(include_str!("../../testdata/formats/v1/root_key_file.json")) {
            let (root, text) = (Key256::new(array(&case["root"])), case["file"].as_str().unwrap());
            assert_eq!(decode_file(text.as_bytes()), Ok(Key256::new(*root.expose())));
            let own = encode_file(&root);
            assert_eq!(str::from_utf8(own.expose()).unwrap(), format!("{COMMENT}{text}"));
        }
    }

    #[test]
    fn a_file_cut_short_anywhere_is_recognised() {
        let text = written();
        // The newline at the end may be missing.
        for length in 0..text.len() - 1 {
            let refused = decode_file(&text.as_bytes()[..length]).unwrap_err();
            assert!(matches!(
                refused,
                RootFileError::NotARootKeyFile | RootFileError::Truncated | RootFileError::Malformed
            ));
        }
        assert!(decode_file(text.trim_end().as_bytes()).is_ok());
    }

    #[test]
    fn every_changed_digit_is_recognised() {
        let text = written();
        let start = text.find("key a").unwrap() + 4;
        for at in (start..start + 64).chain(text.len() - 17..text.len() - 1) {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(decode_file(&altered), Err(RootFileError::ChecksumMismatch));
        }
    }

    #[test]
    fn what_an_editor_does_to_a_file_is_accepted() {
        let text = written();
        for edited in [text.replace('\n', "\r\n"), format!("\n# mine\n{text}\n\n"), text.replace('\n', " \n")]
        {
            assert_eq!(decode_file(edited.as_bytes()), Ok(Key256::new([0xab; 32])));
        }
        assert!(decode_file(text.replace("ab", "AB").as_bytes()).is_ok());
    }

    #[test]
    fn other_files_are_refused_with_the_reason() {
        let text = written();
        let decode = |text: &str| decode_file(text.as_bytes()).unwrap_err();
        assert_eq!(decode("-----BEGIN PRIVATE KEY-----"), RootFileError::NotARootKeyFile);
        assert_eq!(decode_file(&[0xff; 32]), Err(RootFileError::NotARootKeyFile));
        assert_eq!(decode(&text.replace("key 1", "key 2")), RootFileError::UnknownVersion(2));
        assert_eq!(decode(&text.replace("key 1", "key one")), RootFileError::Malformed);
        assert_eq!(decode(&text.replace("key ab", "key xy")), RootFileError::Malformed);
        assert_eq!(decode(&text.replace("key ab", "key abab")), RootFileError::Malformed);
        assert_eq!(decode(&text.replace("check ", "check: ")), RootFileError::Malformed);
        assert_eq!(decode(&format!("{text}more")), RootFileError::Malformed);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(root: [u8; 32]) {
            let text = encode_file(&Key256::new(root));
            prop_assert_eq!(decode_file(text.expose()), Ok(Key256::new(root)));
        }

        #[test]
        fn arbitrary_text_is_refused_without_panic(text in "(trent-root-key 1\n)?(key )?.{0,200}") {
            prop_assert!(decode_file(text.as_bytes()).is_err());
        }
    }
}
