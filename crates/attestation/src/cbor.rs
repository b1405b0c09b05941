//! Just enough CBOR (RFC 8949) for attestation documents: integers, strings, arrays, maps, null and truth values.
//!
//! Lengths may be definite or not. Refused are tags, floating point numbers, whatever is longer than it says, deeper or
//! of more parts than any document, and maps that have a key twice: two readers could disagree about its value.

use std::borrow::Cow;

/// How deep values may be nested. Documents are two deep.
const DEPTH_MAX: usize = 4;
/// Of how many values a document may consist. One with 32 registers has about 90.
const VALUES_MAX: usize = 256;

/// Why bytes are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// They end in the middle of a value.
    #[error("ends too early")]
    TooShort,
    /// There is something after the value.
    #[error("is followed by something")]
    TrailingBytes,
    /// Values in values in values.
    #[error("is nested too deeply")]
    TooDeep,
    /// Too many values.
    #[error("has too many parts")]
    TooMany,
    /// Two values of one key.
    #[error("has a map with a key twice")]
    DuplicateKey,
    /// A text that is none.
    #[error("has a text that is not UTF-8")]
    NotUtf8,
    /// Tags, floating point numbers and the like; a length that is none.
    #[error("has a value of a type that does not belong there")]
    Unsupported,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Unsigned(u64),
    /// The number `-1 - n`.
    Negative(u64),
    Bytes(Cow<'a, [u8]>),
    Text(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    Bool(bool),
    Null,
}

/// The one value that `bytes` are.
pub(crate) fn read(bytes: &[u8]) -> Result<Value<'_>, CborError> {
    let mut reader = Reader { rest: bytes, values_left: VALUES_MAX };
    let value = reader.value(DEPTH_MAX)?;
    reader.rest.is_empty().then_some(value).ok_or(CborError::TrailingBytes)
}

/// Appends the head of a value, as short as it can be: its major type and its number or length.
pub(crate) fn put_head(out: &mut Vec<u8>, major: u8, number: u64) {
    let [.., b3, b2, b1, b0] = number.to_be_bytes();
    let major = major << 5;
    match number {
        0..=23 => out.push(major | b0),
        24..=0xff => out.extend([major | 24, b0]),
        0x100..=0xffff => out.extend([major | 25, b1, b0]),
        0x1_0000..=0xffff_ffff => out.extend([major | 26, b3, b2, b1, b0]),
        _ => {
            out.push(major | 27);
            out.extend(number.to_be_bytes());
        }
    }
}

/// Major type 2.
pub(crate) const BYTES: u8 = 2;
/// Major type 3.
pub(crate) const TEXT: u8 = 3;
/// Major type 4.
pub(crate) const ARRAY: u8 = 4;

const BREAK: u8 = 0xff;

struct Reader<'a> {
    rest: &'a [u8],
    values_left: usize,
}

/// The number of a head, or the length of what follows; without one, a break ends it.
type Number = Option<u64>;

impl<'a> Reader<'a> {
    fn value(&mut self, depth_left: usize) -> Result<Value<'a>, CborError> {
        self.values_left = self.values_left.checked_sub(1).ok_or(CborError::TooMany)?;
        let (major, number) = self.head()?;
        match major {
            0 => Ok(Value::Unsigned(number.ok_or(CborError::Unsupported)?)),
            1 => Ok(Value::Negative(number.ok_or(CborError::Unsupported)?)),
            BYTES => Ok(Value::Bytes(self.string(BYTES, number)?)),
            TEXT => Ok(Value::Text(text(self.string(TEXT, number)?)?)),
            ARRAY => {
                let depth_left = depth_left.checked_sub(1).ok_or(CborError::TooDeep)?;
                Ok(Value::Array(self.many(number, |reader| reader.value(depth_left))?))
            }
            5 => {
                let depth_left = depth_left.checked_sub(1).ok_or(CborError::TooDeep)?;
                let pair = |reader: &mut Self| Ok((reader.value(depth_left)?, reader.value(depth_left)?));
                distinct(self.many(number, pair)?)
            }
            7 => match number {
                Some(20) => Ok(Value::Bool(false)),
                Some(21) => Ok(Value::Bool(true)),
                Some(22) => Ok(Value::Null),
                _ => Err(CborError::Unsupported),
            },
            _ => Err(CborError::Unsupported),
        }
    }

    /// The major type of the next value, and its number.
    fn head(&mut self) -> Result<(u8, Number), CborError> {
        let first = self.take::<1>()?[0];
        let (major, short) = (first >> 5, first & 0x1f);
        let number = match (major, short) {
            (_, 0..=23) => Some(short.into()),
            // Of major type 7 these are other values than numbers.
            (7, _) => return Err(CborError::Unsupported),
            (_, 24) => Some(self.take::<1>()?[0].into()),
            (_, 25) => Some(u16::from_be_bytes(self.take()?).into()),
            (_, 26) => Some(u32::from_be_bytes(self.take()?).into()),
            (_, 27) => Some(u64::from_be_bytes(self.take()?)),
            (_, 31) => None,
            _ => return Err(CborError::Unsupported),
        };
        Ok((major, number))
    }

    /// The bytes of a string, in one piece or in several.
    fn string(&mut self, major: u8, length: Number) -> Result<Cow<'a, [u8]>, CborError> {
        if let Some(length) = length {
            return self.bytes(length).map(Cow::Borrowed);
        }
        let mut whole = Vec::new();
        while !self.takes_break()? {
            let (piece_major, length) = self.head()?;
            let length = length.filter(|_| piece_major == major).ok_or(CborError::Unsupported)?;
            whole.extend_from_slice(self.bytes(length)?);
        }
        Ok(Cow::Owned(whole))
    }

    /// What `read` finds as often as it is there.
    fn many<T>(
        &mut self,
        count: Number,
        read: impl Fn(&mut Self) -> Result<T, CborError>,
    ) -> Result<Vec<T>, CborError> {
        // Grown as values are found: a count is only a claim.
        let mut found = Vec::new();
        match count {
            Some(count) => {
                for _ in 0..count {
                    found.push(read(self)?);
                }
            }
            None => {
                while !self.takes_break()? {
                    found.push(read(self)?);
                }
            }
        }
        Ok(found)
    }

    fn takes_break(&mut self) -> Result<bool, CborError> {
        let (&first, rest) = self.rest.split_first().ok_or(CborError::TooShort)?;
        if first == BREAK {
            self.rest = rest;
        }
        Ok(first == BREAK)
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let length = usize::try_from(length).map_err(|_| CborError::TooShort)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(CborError::TooShort)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(CborError::TooShort)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

fn text(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, CborError> {
    match bytes {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| CborError::NotUtf8),
        // Each piece is to be a text of its own (RFC 8949 section 3.2.3); that they are one together is enough here.
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| CborError::NotUtf8),
    }
}

fn distinct<'a>(pairs: Vec<(Value<'a>, Value<'a>)>) -> Result<Value<'a>, CborError> {
    let twice =
        pairs.iter().enumerate().any(|(at, (key, _))| pairs.iter().take(at).any(|(other, _)| other == key));
    if twice { Err(CborError::DuplicateKey) } else { Ok(Value::Map(pairs)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 8949 appendix A, as far as it is understood here.
    #[test]
    fn agrees_with_the_examples_of_the_standard() {
        let (bytes, text) =
            (|bytes| Value::Bytes(Cow::Borrowed(bytes)), |text| Value::Text(Cow::Borrowed(text)));
        let numbers = |numbers: &[u64]| Value::Array(numbers.iter().copied().map(Value::Unsigned).collect());
        let cases: [(&[u8], Value<'_>); 22] = [
            (&[0x00], Value::Unsigned(0)),
            (&[0x17], Value::Unsigned(23)),
            (&[0x18, 0x18], Value::Unsigned(24)),
            (&[0x19, 0x03, 0xe8], Value::Unsigned(1000)),
            (&[0x1a, 0x00, 0x0f, 0x42, 0x40], Value::Unsigned(1_000_000)),
            (&[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Value::Unsigned(u64::MAX)),
            (&[0x20], Value::Negative(0)),
            (&[0x38, 0x63], Value::Negative(99)),
            (&[0xf4], Value::Bool(false)),
            (&[0xf5], Value::Bool(true)),
            (&[0xf6], Value::Null),
            (&[0x40], bytes(&[])),
            (&[0x44, 1, 2, 3, 4], bytes(&[1, 2, 3, 4])),
            (&[0x60], text("")),
            (&[0x64, b'I', b'E', b'T', b'F'], text("IETF")),
            (&[0x80], numbers(&[])),
            (&[0x83, 1, 2, 3], numbers(&[1, 2, 3])),
            (&[0xa2, 1, 2, 3, 4], map(&[(1, 2), (3, 4)])),
            (&[0x5f, 0x42, 1, 2, 0x43, 3, 4, 5, 0xff], bytes(&[1, 2, 3, 4, 5])),
            (&[0x7f, 0x61, b'a', 0x61, b'b', 0xff], text("ab")),
            (&[0x9f, 1, 2, 0xff], numbers(&[1, 2])),
            (&[0xbf, 1, 2, 3, 4, 0xff], map(&[(1, 2), (3, 4)])),
        ];
        for (encoded, value) in cases {
            assert_eq!(read(encoded), Ok(value), "{encoded:02x?}");
        }
    }

    fn map(pairs: &[(u64, u64)]) -> Value<'static> {
        Value::Map(
            pairs.iter().map(|(key, value)| (Value::Unsigned(*key), Value::Unsigned(*value))).collect(),
        )
    }

    #[test]
    fn what_is_not_well_formed_or_does_not_belong_is_refused() {
        let deep = [&[0x81; DEPTH_MAX + 1][..], &[0]].concat();
        let (wide, wide_open) = ([&[0x99, 1, 0][..], &[0; 256]].concat(), [&[0x9f][..], &[0; 300]].concat());
        let cases: [(&[u8], CborError); 24] = [
            (&[], CborError::TooShort),
            (&[0x18], CborError::TooShort),
            (&[0x19, 1], CborError::TooShort),
            (&[0x42, 1], CborError::TooShort),
            (&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], CborError::TooShort),
            (&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], CborError::TooShort),
            (&[0x82, 1], CborError::TooShort),
            (&[0xa1, 1], CborError::TooShort),
            (&[0x9f, 1], CborError::TooShort),
            (&[0x5f, 0x41, 1], CborError::TooShort),
            (&[0, 0], CborError::TrailingBytes),
            (&deep, CborError::TooDeep),
            (&wide, CborError::TooMany),
            (&wide_open, CborError::TooMany),
            (&[0xa2, 1, 2, 1, 3], CborError::DuplicateKey),
            (&[0xbf, 1, 2, 0x18, 1, 3, 0xff], CborError::DuplicateKey),
            (&[0x61, 0xff], CborError::NotUtf8),
            (&[0x1c], CborError::Unsupported),
            (&[0x1f], CborError::Unsupported),
            (&[0xc0, 0x60], CborError::Unsupported),
            (&[0xf9, 0, 0], CborError::Unsupported),
            (&[0xff], CborError::Unsupported),
            (&[0x5f, 0x61, 1, 0xff], CborError::Unsupported),
            (&[0x5f, 0x5f, 0xff, 0xff], CborError::Unsupported),
        ];
        for (encoded, error) in cases {
            assert_eq!(read(encoded), Err(error), "{encoded:02x?}");
        }
    }

    #[test]
    fn heads_are_read_as_they_were_written() {
        for number in [0, 23, 24, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX] {
            let mut head = Vec::new();
            put_head(&mut head, 0, number);
            assert_eq!(read(&head), Ok(Value::Unsigned(number)));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
