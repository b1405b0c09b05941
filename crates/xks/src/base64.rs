//! Base64 as the API has it: the standard alphabet, padded, no spaces, no stray bits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trent_crypto::SecretBytes;

pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a text, in memory that is wiped.
pub(crate) fn decode_secret(text: &str) -> Option<SecretBytes> {
    // Four characters are three bytes; what padding leaves over is cut.
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let done = STANDARD.decode_vec(text, &mut bytes);
    let secret = SecretBytes::from(bytes);
    done.ok().map(|()| secret)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_standard_form_is_read() {
        assert_eq!(decode("+/+/").unwrap(), [0xfb, 0xff, 0xbf]);
        assert_eq!(decode_secret("aGk=").unwrap().expose(), b"hi");
        assert_eq!(decode("").unwrap(), b"");
        for other in ["-_-_", "aGk", "aGk=\n", "aG k=", "aGl=", "====", "a"] {
            assert!(decode(other).is_none() && decode_secret(other).is_none(), "{other}");
        }
    }
}
