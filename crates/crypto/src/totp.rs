//! One-time codes that follow from the time (RFC 6238), as authenticator apps make them: HMAC-SHA-1, six digits, a new one
//! every 30 seconds. Their keys are written in base 32 (RFC 4648 section 6).

use aws_lc_rs::hmac;

use crate::random::{Random, RandomError};
use crate::secret::SecretBytes;

/// How long a code is the present one.
const STEP_SECONDS: u64 = 30;
const CODES: u32 = 1_000_000;
/// As many as RFC 4226 section 4 recommends.
const KEY_BYTES: usize = 20;
/// As few as RFC 4226 section 4 allows.
const KEY_BYTES_MIN: usize = 16;
const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The key of a device that makes one-time codes.
pub struct TotpKey(SecretBytes);

impl TotpKey {
    /// A new key.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        SecretBytes::generate(KEY_BYTES, random).map(Self)
    }

    /// A key of at least 16 bytes.
    #[must_use]
    pub fn from_bytes(bytes: SecretBytes) -> Option<Self> {
        (bytes.expose().len() >= KEY_BYTES_MIN).then_some(Self(bytes))
    }

    /// A key as devices show it: base 32 in letters of either case, perhaps in groups, perhaps padded.
    #[must_use]
    pub fn from_base32(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii_end();
        let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
        let text = text.get(..end)?;
        let (mut bits, mut count) = (0_u32, 0_u32);
        // Never grown, so that no copy stays behind.
        let mut bytes = Vec::with_capacity(text.len());
        for letter in text.iter().filter(|byte| !matches!(byte, b' ' | b'-')) {
            let value = BASE_32.iter().position(|known| *known == letter.to_ascii_uppercase())?;
            bits = bits << 5 | u32::try_from(value).ok()?;
            count += 5;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
            }
        }
        Self::from_bytes(SecretBytes::from(bytes))
    }

    /// The key in base 32, without padding.
    #[must_use]
    pub fn to_base32(&self) -> SecretBytes {
        let bytes = self.0.expose();
        let mut text = Vec::with_capacity(bytes.len() * 8 / 5 + 1);
        let (mut bits, mut count) = (0_u32, 0_u32);
        for byte in bytes {
            bits = bits << 8 | u32::from(*byte);
            count += 8;
            while count >= 5 {
                count -= 5;
                text.push(letter(bits >> count));
            }
        }
        if count > 0 {
            text.push(letter(bits << (5 - count)));
        }
        SecretBytes::from(text)
    }

    /// The key itself.
    #[must_use]
    pub fn bytes(&self) -> &SecretBytes {
        &self.0
    }

    /// The step of time that a code is of, if it is the present one, or one of its neighbours: clocks differ.
    #[must_use]
    pub fn step_of(&self, code: &str, seconds: u64) -> Option<u64> {
        let is_code = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
        let code: u32 = code.parse().ok().filter(|_| is_code)?;
        let now = seconds / STEP_SECONDS;
        let near = [now.checked_sub(1), Some(now), now.checked_add(1)].into_iter().flatten();
        // All three are looked at, whichever it is.
        near.fold(None, |found, step| (self.truncated(step) % CODES == code).then_some(step).or(found))
    }

    /// What codes of any length are the last digits of (RFC 4226 section 5.3).
    fn truncated(&self, step: u64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.expose());
        let mac = hmac::sign(&key, &step.to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac.last().copied().unwrap_or_default() & 0xf);
        let word = mac.get(offset..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
        u32::from_be_bytes(word) & 0x7fff_ffff
    }
}

fn letter(bits: u32) -> u8 {
    let index = usize::try_from(bits & 31).unwrap_or_default();
    BASE_32.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    fn key(bytes: &[u8]) -> TotpKey {
        TotpKey::from_bytes(SecretBytes::from(bytes.to_vec())).unwrap()
    }

    /// RFC 6238 appendix B, the rows of SHA-1. Its codes have eight digits.
    const PUBLISHED: [(u64, u32); 6] = [
        (59, 94_287_082),
        (1_111_111_109, 7_081_804),
        (1_111_111_111, 14_050_471),
        (1_234_567_890, 89_005_924),
        (2_000_000_000, 69_279_037),
        (20_000_000_000, 65_353_130),
    ];

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let key = key(b"12345678901234567890");
        for (seconds, code) in PUBLISHED {
            assert_eq!(key.truncated(seconds / STEP_SECONDS) % 100_000_000, code, "{seconds}");
            let six = format!("{:06}", code % CODES);
            assert_eq!(key.step_of(&six, seconds), Some(seconds / STEP_SECONDS), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_before_and_after_its_own_and_no_longer() {
        let key = key(b"12345678901234567890");
        for (late, good) in
            [(-60, false), (-31, false), (-30, true), (0, true), (29, true), (59, true), (60, false)]
        {
            let seconds = 1_234_567_890_u64.checked_add_signed(late).unwrap();
            let found = key.step_of("005924", seconds);
            assert_eq!(found, good.then_some(1_234_567_890 / 30), "{late}");
        }
    }

    #[test]
    fn what_has_not_six_digits_is_no_code() {
        let key = key(b"12345678901234567890");
        for wrong in ["", "5924", "05924", "0005924", " 05924", "+05924", "00592４"] {
            assert_eq!(key.step_of(wrong, 1_234_567_890), None, "{wrong}");
        }
        assert_eq!(key.step_of("005924", 0), None);
        assert_eq!(key.step_of("005924", u64::MAX), None);
    }

    #[test]
    fn keys_are_read_and_written_in_base_32() {
        // RFC 4648 section 10 has no text of 16 bytes: this is Python's base64.b32encode.
        let key = TotpKey::from_base32(b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        assert_eq!(key.bytes().expose(), b"12345678901234567890");
        let grouped = TotpKey::from_base32(b"gezd gnbv-gy3t qojq gezd gnbv gy3t qojq\n").unwrap();
        assert_eq!(grouped.bytes(), key.bytes());
        let padded = TotpKey::from_base32(b"GEZDGNBVGY3TQOJQGEZDGNBVGY======").unwrap();
        assert_eq!(padded.bytes().expose(), b"1234567890123456");
        assert_eq!(padded.to_base32().expose(), b"GEZDGNBVGY3TQOJQGEZDGNBVGY");
        for wrong in [
            "",
            "====",
            "GEZDGNBVGY3TQOJQ",
            "1EZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "GEZDGNBVGY3TQOJQGEZDGNBVG=3TQOJQ",
        ] {
            assert!(TotpKey::from_base32(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_new_key_comes_back_from_its_text() {
        let key = TotpKey::generate(&SystemRandom::new()).unwrap();
        assert_eq!(key.bytes().expose().len(), KEY_BYTES);
        let read = TotpKey::from_base32(key.to_base32().expose()).unwrap();
        assert_eq!(read.bytes(), key.bytes());
    }
}
