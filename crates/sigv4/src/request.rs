//! A request as the signature sees it, borrowed from whatever holds it.

use std::fmt;

use aws_lc_rs::digest;

/// What was received, or what is about to be sent.
///
/// All texts are as they are on the wire: percent escapes not decoded, nothing normalised.
pub struct Request<'a, H: Headers + ?Sized = [(&'a str, &'a [u8])]> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path, without query string.
    pub path: &'a str,
    /// The query string without `?`; empty if there is none.
    pub query: &'a str,
    /// The headers. Over HTTP/2 the caller adds `host` with the value of `:authority`.
    pub headers: &'a H,
    /// SHA-256 of the body as it was received ([`body_sha256`]), never of what a header says about it.
    pub body_sha256: [u8; 32],
}

impl<H: Headers + ?Sized> Clone for Request<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Headers + ?Sized> Copy for Request<'_, H> {}

impl<H: Headers + ?Sized> fmt::Debug for Request<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither query nor headers: they hold signatures and session tokens.
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Header lines of a request. Names may have any case; lines of one name come in order of arrival.
///
/// A trait, so that the header map of an HTTP library can be used where it lies:
///
/// ```
/// struct Map(Vec<(String, Vec<u8>)>);
///
/// impl trent_sigv4::Headers for Map {
///     fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
///         self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
///     }
/// }
/// ```
pub trait Headers {
    /// All lines: name and value.
    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])>;
}

impl Headers for [(&str, &[u8])] {
    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        <[_]>::iter(self).copied()
    }
}

/// The value of the first line with this name, in any case.
pub(crate) fn first<'h, H: Headers + ?Sized>(headers: &'h H, name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The pieces of a text between separators: as `str::split`, which takes longer to begin with a piece than to read a
/// short one.
pub(crate) fn split_at(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.bytes().position(|byte| byte == separator);
        rest = end.and_then(|end| text.get(end + 1..));
        text.get(..end.unwrap_or(text.len()))
    })
}

/// SHA-256 of a body.
#[must_use]
pub fn body_sha256(body: &[u8]) -> [u8; 32] {
    to_array(digest::digest(&digest::SHA256, body).as_ref())
}

/// The 32 bytes of a SHA-256 or HMAC-SHA-256 value, which is never of another length.
pub(crate) fn to_array(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    for (to, from) in array.iter_mut().zip(bytes) {
        *to = *from;
    }
    array
}

/// Lower-case hexadecimal of 32 bytes.
pub(crate) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
    }
    text
}

/// The lower-case digit of a number below 16.
fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) }
}
