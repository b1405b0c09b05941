//! JSON as CloudTrail spells the members of an API: `KeyId` is `keyId`, and times are texts.

use trent_protocol::{Encode, EpochMillis, Object, Sink};

use crate::dates;

/// Appends to a record. Of names the first letter becomes small, so that `AWSAccountId` is `aWSAccountId`, as it is
/// in CloudTrail.
pub struct Camel<'v>(pub &'v mut Vec<u8>);

/// An object of a record, being written.
pub type Members<'o, 'v> = Object<'o, Camel<'v>>;

impl Sink for Camel<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn put_base64(&mut self, bytes: &[u8]) {
        self.0.put_base64(bytes);
    }

    fn put_name(&mut self, name: &str) {
        let start = self.0.len();
        self.0.extend_from_slice(name.as_bytes());
        if let Some(first) = self.0.get_mut(start) {
            first.make_ascii_lowercase();
        }
    }

    fn put_time(&mut self, at: EpochMillis) {
        dates::long(at.0, self.0);
    }
}

/// Writes an object whose members `fill` appends.
pub fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Members<'_, '_>)) {
    let mut sink = Camel(out);
    let mut object = Object::open(&mut sink);
    fill(&mut object);
    object.close();
}

/// Appends `,"name":` and a text.
pub(crate) fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    out.reserve(name.len() + value.len() + 6);
    name_of(out, name);
    value.encode_into(out);
}

/// Appends `,"name":` and what is JSON already; `null` where it is nothing.
pub(crate) fn raw(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    name_of(out, name);
    out.extend_from_slice(if json.is_empty() { b"null" } else { json });
}

fn name_of(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_small_and_times_are_texts() {
        let mut out = Vec::new();
        object(&mut out, |object| {
            object.member("AWSAccountId", "1");
            object.member("DeletionDate", &EpochMillis(1_660_171_107_000));
        });
        let json = String::from_utf8(out).unwrap();
        assert_eq!(json, r#"{"aWSAccountId":"1","deletionDate":"Aug 10, 2022, 10:38:27 PM"}"#);
    }

    #[test]
    fn nothing_is_null() {
        let mut out = b"{\"a\":1".to_vec();
        raw(&mut out, "b", b"");
        text(&mut out, "c", "\"");
        assert_eq!(out, br#"{"a":1,"b":null,"c":"\"""#);
    }
}
