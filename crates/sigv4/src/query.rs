//! The query string: its canonical form, and the parameters of the presigned form.

use std::borrow::Cow;

use crate::{
    canonical::{Sink, put_encoded},
    error::{SignatureError, shown},
};

/// Longest query string that is read, in bytes.
pub const QUERY_BYTES_MAX: usize = 8192;

/// The parameter that is never part of what is signed.
pub(crate) const SIGNATURE: &str = "X-Amz-Signature";

/// A query string in canonical form: names and values encoded once, sorted by name and then by value.
pub(crate) struct CanonicalQuery(Vec<(String, String)>);

impl CanonicalQuery {
    /// Puts a query string into canonical form. `presigned` leaves out the signature.
    ///
    /// # Errors
    /// When it is too long or a percent escape is broken.
    pub(crate) fn parse(query: &str, presigned: bool) -> Result<Self, SignatureError> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(SignatureError::QueryTooLong);
        }
        let mut pairs = Vec::new();
        for (name, value) in pairs_of(query) {
            let (name, value) = (recode(name)?, recode(value)?);
            if !(presigned && name == SIGNATURE) {
                pairs.push((name, value));
            }
        }
        pairs.sort_unstable();
        Ok(Self(pairs))
    }

    /// Writes `name=value&name=value`.
    pub(crate) fn put(&self, out: &mut impl Sink) {
        for (position, (name, value)) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "&" };
            for text in [separator, name, "=", value] {
                out.put(text.as_bytes());
            }
        }
    }
}

/// The decoded value of the first parameter with this name.
///
/// Broken escapes stand for themselves here: whether there are any is for [`CanonicalQuery::parse`] to say, later.
pub(crate) fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    pairs_of(query).find(|(other, _)| decode(other) == name).map(|(_, value)| decode(value))
}

/// Names and values, not decoded. Empty pieces (`a=1&&b=2`) are no parameters; one without `=` has no value.
fn pairs_of(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
}

/// Decodes a name or value and encodes it again, the canonical way.
fn recode(text: &str) -> Result<String, SignatureError> {
    let mut coded = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let (decoded, tail) = match byte {
            b'%' => unescape(tail)?,
            b'+' => (b' ', tail),
            other => (*other, tail),
        };
        put_encoded(&mut coded, &[decoded]);
        rest = tail;
    }
    Ok(coded)
}

/// The byte that the two digits after a percent sign stand for, and what follows them.
pub(crate) fn unescape(tail: &[u8]) -> Result<(u8, &[u8]), SignatureError> {
    let Some((digits, rest)) = tail.split_at_checked(2) else { return Err(SignatureError::IncompleteEscape) };
    let number = digits.iter().try_fold(0, |number, digit| Some(number * 16 + hex_value(*digit)?));
    number.map(|byte| (byte, rest)).ok_or_else(|| SignatureError::IllegalEscape(shown(digits)))
}

/// The value of a hexadecimal digit of either case.
fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Decodes leniently: see [`parameter`].
fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let (byte, tail) = match byte {
            b'%' => unescape(tail).unwrap_or((b'%', tail)),
            b'+' => (b' ', tail),
            other => (*other, tail),
        };
        decoded.push(byte);
        rest = tail;
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}
