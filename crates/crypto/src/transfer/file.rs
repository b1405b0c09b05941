//! The file of a recipient: public keys as text, which is carried to whoever seals for it.
//!
//! ```text
//! # any number of comment lines
//! trent-transfer-recipient 1
//! id 32 hex digits
//! p384 hex digits of the SubjectPublicKeyInfo
//! ml-kem-768 hex digits of the SubjectPublicKeyInfo
//! ```
//!
//! The id follows from the keys: a file that was cut short or mistyped is recognised. Whoever replaces the file gets what is
//! sealed, so people compare ids.

use std::fmt::Write;

use super::{RecipientKey, TransferError};

const COMMENT: &str = "# A recipient of keys of trent. Nothing in it is secret, but what is sealed for another file goes to others:\n\
                       # compare the id with the one that was shown where this was made.\n";
const FIRST_LINE: &str = "trent-transfer-recipient 1";

/// The text of a recipient's file.
#[must_use]
pub fn encode_recipient(recipient: &RecipientKey) -> String {
    let (ecdh, kem) = recipient.spki();
    let (id, ecdh, kem) = (hex(&recipient.id()), hex(ecdh), hex(kem));
    format!("{COMMENT}{FIRST_LINE}\nid {id}\np384 {ecdh}\nml-kem-768 {kem}\n")
}

/// Reads the text of a recipient's file.
///
/// # Errors
/// It is something else, or was altered.
pub fn decode_recipient(text: &[u8]) -> Result<RecipientKey, TransferError> {
    let text = str::from_utf8(text).map_err(|_| TransferError::NotARecipient)?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if lines.next() != Some(FIRST_LINE) {
        return Err(TransferError::NotARecipient);
    }
    let mut next = |name: &str| {
        let digits = lines.next().and_then(|line| line.strip_prefix(name)).ok_or(TransferError::Recipient)?;
        bytes(digits).ok_or(TransferError::Recipient)
    };
    let (id, ecdh, kem) = (next("id ")?, next("p384 ")?, next("ml-kem-768 ")?);
    let recipient = RecipientKey::from_spki(&ecdh, &kem)?;
    if lines.next().is_some() || id != recipient.id() {
        return Err(TransferError::Recipient);
    }
    Ok(recipient)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;
    use crate::transfer::Recipient;

    #[test]
    fn a_recipient_is_written_and_read_and_every_changed_digit_is_found() {
        let public = Recipient::generate(&SystemRandom::new()).unwrap().public();
        let text = encode_recipient(&public);
        assert_eq!(decode_recipient(text.as_bytes()).unwrap().id(), public.id());
        let start = text.find(FIRST_LINE).unwrap();
        for at in start..text.len() - 1 {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
            assert!(decode_recipient(&altered).is_err(), "{at}");
            assert!(decode_recipient(&text.as_bytes()[..at]).is_err(), "{at} bytes");
        }
        assert!(decode_recipient(format!("{text}more").as_bytes()).is_err());
    }
}
