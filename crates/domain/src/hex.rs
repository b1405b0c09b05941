//! Ids of up to 32 bytes, which the API shows as lower-case hexadecimal digits.

use std::fmt;

/// Digits of the longest id.
const DIGITS_MAX: usize = 64;

/// Writes the digits.
pub(crate) fn write<const N: usize>(f: &mut fmt::Formatter<'_>, bytes: [u8; N]) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const { assert!(2 * N <= DIGITS_MAX, "the digits have room") };
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
    let mut text = [0; DIGITS_MAX];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    let text = text.get(..2 * N).unwrap_or_default();
    f.write_str(std::str::from_utf8(text).unwrap_or_default())
}

/// The bytes that lower-case digits stand for, two each.
pub(crate) fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
