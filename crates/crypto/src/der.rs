//! Just enough DER (X.690 section 10) for keys: elements with one-byte tags and definite lengths.
//!
//! Reading is strict: lengths are as short as they can be, and nothing may follow.

use crate::secret::SecretBytes;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The tag `[number]` of a primitive element.
pub(crate) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The tag `[number]` of an element that contains elements.
pub(crate) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// Reads elements one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The content of the one element that `bytes` are.
    pub(crate) fn only(bytes: &'a [u8], tag: u8) -> Option<&'a [u8]> {
        let mut reader = Self(bytes);
        let content = reader.take(tag)?;
        reader.is_empty().then_some(content)
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    /// The content of the next element, if there is one with this tag. A broken one is found by whoever reads on.
    pub(crate) fn take_if_there(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.take(tag)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A length, and what follows it. At most 64 KiB: no key is longer.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=0x7f => Some((first.into(), rest)),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (length >= 0x80).then_some((length.into(), rest))
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk()?;
            let length = u16::from_be_bytes(*length);
            (length >= 0x100).then_some((length.into(), rest))
        }
        _ => None,
    }
}

/// An element whose content are `parts`, one after the other. Wiped when it goes: it may hold a private key.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> SecretBytes {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // The full capacity from the start: growing would leave a copy behind.
    let mut bytes = Vec::with_capacity(length + 5);
    bytes.push(tag);
    push_length(&mut bytes, length);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes.into()
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    let [.., third, second, first] = length.to_be_bytes();
    match length {
        0..=0x7f => bytes.push(first),
        0x80..=0xff => bytes.extend([0x81, first]),
        0x100..=0xffff => bytes.extend([0x82, second, first]),
        // Far above any key.
        _ => bytes.extend([0x83, third, second, first]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_of_every_length_are_read_back() {
        for length in [0, 1, 127, 128, 255, 256, 4000, 65535] {
            let content = vec![7; length];
            let element = element(OCTET_STRING, &[&content]);
            assert_eq!(Reader::only(element.expose(), OCTET_STRING), Some(content.as_slice()));
            assert_eq!(Reader::only(element.expose(), INTEGER), None);
        }
    }

    #[test]
    fn what_is_not_der_is_refused() {
        for wrong in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],                   // indefinite length
            &[4, 0x81, 1, 0],                   // too long a form
            &[4, 0x82, 0, 1, 0],                // too long a form
            &[4, 0x83, 0, 0, 1, 0],             // too long a form
            &[4, 1, 0, 0],                      // something follows
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff], // longer than what is there
        ] {
            assert_eq!(Reader::only(wrong, OCTET_STRING), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(content) = Reader::only(&bytes, SEQUENCE) {
                let written = element(SEQUENCE, &[content]);
                prop_assert_eq!(written.expose(), &bytes);
            }
        }
    }
}
