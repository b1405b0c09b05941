//! From response to body.
//!
//! Every body is encoded twice: first into a counter, then into a buffer of exactly that size. So no growing
//! buffer leaves copies of plaintext behind. The body itself is the server's, and is not wiped here.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::secret::{SecretBlob, SecretString};
use crate::timestamp::EpochMillis;

/// What answers a request.
pub trait Response {
    /// The JSON body; members that are `None` are left out. The buffer is allocated once, in its final size.
    fn encode(&self) -> Vec<u8>;
}

/// The answer of operations without output: an empty body, not even `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoOutput;

impl Response for NoOutput {
    fn encode(&self) -> Vec<u8> {
        Vec::new()
    }
}

pub(crate) fn encode_exactly(value: &impl Encode) -> Vec<u8> {
    let mut measure = Measure(0);
    value.encode_into(&mut measure);
    let mut body = Vec::with_capacity(measure.0);
    value.encode_into(&mut body);
    debug_assert_eq!(body.len(), measure.0, "a value must encode the same twice");
    body
}

/// Where JSON goes. What writes the same values in another spelling, as the audit trail does, is another sink.
pub trait Sink {
    /// Appends bytes as they are.
    fn put(&mut self, bytes: &[u8]);

    /// Appends a blob in base64, without quotes.
    fn put_base64(&mut self, bytes: &[u8]);

    /// Appends the name of a member, without quotes.
    fn put_name(&mut self, name: &str) {
        self.put(name.as_bytes());
    }

    /// Appends a time.
    fn put_time(&mut self, at: EpochMillis) {
        self.put(at.to_string().as_bytes());
    }
}

/// Counts what would be written.
struct Measure(usize);

impl Sink for Measure {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn put_base64(&mut self, bytes: &[u8]) {
        self.0 += bytes.len().div_ceil(3) * 4;
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_base64(&mut self, bytes: &[u8]) {
        let start = self.len();
        self.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let written = self.get_mut(start..).map(|tail| STANDARD.encode_slice(bytes, tail));
        debug_assert!(matches!(written, Some(Ok(_))), "the tail has the length of the base64");
    }
}

/// A value of the API, as JSON.
pub trait Encode {
    /// Appends the value.
    fn encode_into(&self, out: &mut impl Sink);
}

/// An object being written. Nothing is written before the first member.
pub struct Object<'s, S> {
    out: &'s mut S,
    before: &'static [u8],
}

impl<'s, S: Sink> Object<'s, S> {
    /// An object without members so far.
    pub fn open(out: &'s mut S) -> Self {
        Self { out, before: b"{\"" }
    }

    /// Appends a member.
    pub fn member(&mut self, name: &str, value: &(impl Encode + ?Sized)) {
        self.out.put(self.before);
        self.out.put_name(name);
        self.out.put(b"\":");
        value.encode_into(self.out);
        self.before = b",\"";
    }

    /// Appends a member if there is a value.
    pub fn optional(&mut self, name: &str, value: Option<&impl Encode>) {
        if let Some(value) = value {
            self.member(name, value);
        }
    }

    /// Ends the object.
    pub fn close(self) {
        let is_empty = self.before == b"{\"";
        self.out.put(if is_empty { b"{}" } else { b"}" });
    }
}

impl Encode for str {
    fn encode_into(&self, out: &mut impl Sink) {
        out.put(b"\"");
        let mut rest = self.as_bytes();
        // To look at all bytes without stopping is many times faster than to look for the first, and most have none.
        if !rest.iter().fold(false, |found, &byte| found | needs_escape(byte)) {
            out.put(rest);
            rest = &[];
        }
        while let Some(end) = rest.iter().position(|&byte| needs_escape(byte)) {
            let (plain, after) = rest.split_at(end);
            out.put(plain);
            if let Some((&byte, after)) = after.split_first() {
                put_escape(byte, out);
                rest = after;
            }
        }
        out.put(rest);
        out.put(b"\"");
    }
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn put_escape(byte: u8, out: &mut impl Sink) {
    match byte {
        b'"' => out.put(b"\\\""),
        b'\\' => out.put(b"\\\\"),
        b'\n' => out.put(b"\\n"),
        b'\r' => out.put(b"\\r"),
        b'\t' => out.put(b"\\t"),
        other => out.put(format!("\\u{other:04x}").as_bytes()),
    }
}

impl Encode for String {
    fn encode_into(&self, out: &mut impl Sink) {
        self.as_str().encode_into(out);
    }
}

impl Encode for SecretString {
    fn encode_into(&self, out: &mut impl Sink) {
        self.expose_secret().encode_into(out);
    }
}

impl Encode for SecretBlob {
    fn encode_into(&self, out: &mut impl Sink) {
        put_blob(self.expose_secret(), out);
    }
}

impl Encode for Vec<u8> {
    fn encode_into(&self, out: &mut impl Sink) {
        put_blob(self, out);
    }
}

fn put_blob(bytes: &[u8], out: &mut impl Sink) {
    out.put(b"\"");
    out.put_base64(bytes);
    out.put(b"\"");
}

impl Encode for bool {
    fn encode_into(&self, out: &mut impl Sink) {
        out.put(if *self { b"true" } else { b"false" });
    }
}

impl Encode for i32 {
    fn encode_into(&self, out: &mut impl Sink) {
        out.put(self.to_string().as_bytes());
    }
}

impl Encode for EpochMillis {
    fn encode_into(&self, out: &mut impl Sink) {
        out.put_time(*self);
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode_into(&self, out: &mut impl Sink) {
        let mut before: &[u8] = b"[";
        for element in self {
            out.put(before);
            element.encode_into(out);
            before = b",";
        }
        out.put(if self.is_empty() { b"[]" } else { b"]" });
    }
}

impl Encode for BTreeMap<String, String> {
    fn encode_into(&self, out: &mut impl Sink) {
        let mut before: &[u8] = b"{";
        for (key, value) in self {
            out.put(before);
            key.encode_into(out);
            out.put(b":");
            value.encode_into(out);
            before = b",";
        }
        out.put(if self.is_empty() { b"{}" } else { b"}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_a_round_trip() {
        let every_ascii: String = (0..128_u8).map(char::from).collect();
        for text in ["", "plain", "\"quoted\\\" \n\r\t\u{1}", "é€😀", &every_ascii] {
            let json = encode_exactly(&text.to_owned());
            assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
            assert_eq!(json.capacity(), json.len());
        }
    }

    #[test]
    fn blobs_of_every_length_are_padded_base64() {
        for length in 0..10 {
            let bytes = vec![0xfb; length];
            let json: String = serde_json::from_slice(&encode_exactly(&bytes)).unwrap();
            assert_eq!(STANDARD.decode(json).unwrap(), bytes);
        }
    }

    #[test]
    fn empty_containers_are_closed() {
        assert_eq!(encode_exactly(&Vec::<String>::new()), b"[]");
        assert_eq!(encode_exactly(&BTreeMap::new()), b"{}");
        assert!(NoOutput.encode().is_empty());
    }
}
