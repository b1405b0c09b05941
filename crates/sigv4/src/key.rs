//! Signing keys: what a secret access key becomes for one day, Region and service.

use aws_lc_rs::{constant_time, hmac};
use zeroize::Zeroizing;

use crate::{TERMINATOR, request};

/// The key that signs all requests of one access key on one day, in one Region, to one service.
///
/// Prepared, so that a signature costs no schedule; wiped when dropped, by AWS-LC; has no `Debug` and no `Clone`.
///
/// ```compile_fail
/// let key = trent_sigv4::SigningKey::derive(b"secret", "20150830", "us-east-1", "kms");
/// println!("{key:?}"); // There is no way to print a key by accident.
/// ```
pub struct SigningKey {
    key: hmac::Key,
    accepts: bool,
}

impl SigningKey {
    /// The key for a secret access key and a scope; `date` is `YYYYMMDD`. Costs four HMACs.
    #[must_use]
    pub fn derive(secret: &[u8], date: &str, region: &str, service: &str) -> Self {
        let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret);
        let mut bytes = Zeroizing::new([0; 32]);
        let mut accepts = mac(&first, date.as_bytes(), &mut bytes);
        for part in [region, service, TERMINATOR] {
            let previous = bytes.clone();
            accepts &= mac(&previous[..], part.as_bytes(), &mut bytes);
        }
        // Were there ever no HMAC to be had, the key must not be one that an outsider could know.
        Self::of(&bytes, accepts)
    }

    /// A key that no signature is right for, to be used when the access key is unknown: the work is the same, so
    /// the time to the answer does not tell which access keys exist.
    #[must_use]
    pub fn dummy() -> Self {
        // The bytes are no secret, hence the mark: whoever knows them must not be able to sign with them.
        Self::of(&[0x5a; 32], false)
    }

    fn of(bytes: &[u8; 32], accepts: bool) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes), accepts }
    }

    /// The signature of a string to sign: 64 lower-case hexadecimal digits.
    pub(crate) fn sign(&self, string_to_sign: &[u8]) -> [u8; 64] {
        let tag = hmac::sign(&self.key, string_to_sign);
        request::hex(&request::to_array(tag.as_ref()))
    }

    /// Whether a signature is that of a string to sign. Takes the same time whichever digit is wrong.
    pub(crate) fn accepts(&self, string_to_sign: &[u8], signature: &[u8]) -> bool {
        let expected = self.sign(string_to_sign);
        let equal = constant_time::verify_slices_are_equal(&expected, signature).is_ok();
        equal & self.accepts
    }
}

/// HMAC-SHA-256 into a place that the caller wipes; `false` if it could not be computed.
fn mac(key: &[u8], message: &[u8], out: &mut [u8; 32]) -> bool {
    hmac::sign_to_buffer(&hmac::Key::new(hmac::HMAC_SHA256, key), message, out).is_ok()
}
