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
use super::lines::{Lines, RootFileError, push_hex};
use crate::secret::{Key256, SecretBytes};

const COMMENT: &str = "# Root key of trent. Whoever has it can read all key material: keep it secret.\n\
                       # Without it nothing can be read: keep a copy, apart from the database's.\n";
const KIND: &str = "trent-root-key";
const CHECK_LABEL: &[u8] = b"trent/root-key-file/v1";

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
    let mut lines = Lines::of(text, KIND)?;
    let key = Key256::try_fill(|key| lines.read("key ", key))?;
    let mut check = [0; 8];
    lines.read("check ", &mut check)?;
    lines.end()?;
    if check != checksum(CHECK_LABEL, key.expose()) {
        return Err(RootFileError::ChecksumMismatch);
    }
    Ok(key)
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
                RootFileError::NotARootKeyFile(_) | RootFileError::Truncated | RootFileError::Malformed
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
        assert_eq!(decode("-----BEGIN PRIVATE KEY-----"), RootFileError::NotARootKeyFile(KIND));
        assert_eq!(decode_file(&[0xff; 32]), Err(RootFileError::NotARootKeyFile(KIND)));
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
