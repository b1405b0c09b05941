//! Members as they stand in the JSON, before constraints are checked.
//!
//! Types match exactly (a number is never a boolean), `null` is absent, unknown members are skipped, and of two
//! members with one name the last counts. Texts are borrowed from the body where JSON escapes allow it.
//!
//! Sensitive members are cut out of the body as raw JSON text and decoded here: serde_json would unescape them in
//! a scratch buffer of its own, which nobody wipes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::secret::{SecretBlob, SecretString};
use crate::validate::{Path, Violations};

/// A structure whose members are read from a body that lives for `'de`.
pub(crate) trait Raw<'de>: Check + Default {
    /// Reads the value of the member called `name`, or skips it.
    fn read<A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error>;
}

/// A structure whose members have been read but not checked.
pub(crate) trait Check {
    /// What it becomes when nothing is wrong.
    type Valid;

    /// Checks every member, in the order of the model. `None` only if a violation was recorded.
    fn check(self, at: &Path<'_>, found: &mut Violations) -> Option<Self::Valid>;
}

/// Skips the value of a member this version does not know.
pub(crate) fn skip<'de, A: MapAccess<'de>>(from: &mut A) -> Result<(), A::Error> {
    from.next_value::<IgnoredAny>().map(drop)
}

/// A JSON object read as `R`. Unlike derived code it takes no array and allows repeated members.
#[derive(Default)]
pub(crate) struct Structure<R>(pub(crate) R);

impl<'de, R: Raw<'de>> Deserialize<'de> for Structure<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StructureVisitor(PhantomData)).map(Self)
    }
}

struct StructureVisitor<R>(PhantomData<R>);

impl<'de, R: Raw<'de>> Visitor<'de> for StructureVisitor<R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<R, A::Error> {
        let mut raw = R::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            raw.read(name.as_str(), &mut map)?;
        }
        Ok(raw)
    }
}

/// A text that is not sensitive, borrowed unless the JSON escapes something in it.
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// A blob that is not sensitive.
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        STANDARD.decode(text.as_str()).map(Self).map_err(|_| D::Error::custom("bad base64"))
    }
}

/// A sensitive blob, decoded from the body straight into memory that is wiped.
pub(crate) struct HiddenBlob(pub(crate) SecretBlob);

impl<'de> Deserialize<'de> for HiddenBlob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = Token::deserialize(deserializer)?;
        let bytes = match token {
            Token::Text(inside) if inside.contains('\\') => {
                unescape(inside).and_then(|text| secret_bytes(&text))
            }
            Token::Text(inside) => secret_bytes(inside),
            Token::Scalar(_) | Token::Other => None,
        };
        bytes.map(|bytes| Self(bytes.into())).ok_or_else(|| D::Error::custom("not a base64 string"))
    }
}

fn secret_bytes(base64: &str) -> Option<Zeroizing<Vec<u8>>> {
    // Sized before the first byte: growing would leave copies behind.
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(base64.len())]);
    let length = STANDARD.decode_slice(base64, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// A sensitive text.
pub(crate) struct HiddenText(pub(crate) SecretString);

impl<'de> Deserialize<'de> for HiddenText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Token::deserialize(deserializer)? {
            Token::Text(inside) => unescape(inside),
            Token::Scalar(_) | Token::Other => None,
        };
        text.map(|text| Self(text.into())).ok_or_else(|| D::Error::custom("not a string"))
    }
}

/// An encryption context. Numbers and booleans become the text they are written as.
pub(crate) struct StringMap(pub(crate) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for StringMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StringMapVisitor).map(Self)
    }
}

struct StringMapVisitor;

impl<'de> Visitor<'de> for StringMapVisitor {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<Text<'de>, Token<'de>>()? {
            let text = value.into_text().ok_or_else(|| A::Error::custom("neither string nor number"))?;
            pairs.insert(key.into_string(), text);
        }
        Ok(pairs)
    }
}

/// A value as the body spells it.
enum Token<'a> {
    /// A string, without its quotes, escapes in place.
    Text(&'a str),
    /// A number or a boolean.
    Scalar(&'a str),
    /// `null`, an array or an object.
    Other,
}

impl Token<'_> {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(inside) if inside.contains('\\') => {
                unescape(inside).map(|text| text.as_str().to_owned())
            }
            Self::Text(inside) => Some(inside.to_owned()),
            Self::Scalar(text) => Some(text.to_owned()),
            Self::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Token<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&'de RawValue>::deserialize(deserializer)?.get();
        if let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            return Ok(Self::Text(inside));
        }
        Ok(match text.as_bytes().first() {
            Some(b'{' | b'[' | b'n') | None => Self::Other,
            Some(_) => Self::Scalar(text),
        })
    }
}

/// The text a JSON string stands for; `None` for escapes which are none and for halves of surrogate pairs.
fn unescape(inside: &str) -> Option<Zeroizing<String>> {
    // An escape is never shorter than what it stands for, so this does not grow.
    let mut text = Zeroizing::new(String::with_capacity(inside.len()));
    let mut rest = inside;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (character, after) = unescape_one(escape)?;
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn unescape_one(escape: &str) -> Option<(char, &str)> {
    let mut characters = escape.chars();
    let character = match characters.next()? {
        same @ ('"' | '\\' | '/') => same,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unescape_unicode(characters.as_str()),
        _ => return None,
    };
    Some((character, characters.as_str()))
}

fn unescape_unicode(escape: &str) -> Option<(char, &str)> {
    let (first, rest) = utf16_unit(escape)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, rest));
    }
    let (second, rest) = utf16_unit(rest.strip_prefix("\\u")?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, rest))
}

fn utf16_unit(escape: &str) -> Option<(u16, &str)> {
    let (digits, rest) = escape.split_at_checked(4)?;
    // `from_str_radix` alone would take a sign.
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let unit = is_hex.then(|| u16::from_str_radix(digits, 16).ok())??;
    Some((unit, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescaping_agrees_with_serde_json() {
        for json in [
            r#""plain""#,
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\u0041\u00e9\u20AC""#,
            r#""a\ud83d\ude00b""#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ude00""#,
            r#""\ud83d\u0041""#,
        ] {
            let expected: Option<String> = serde_json::from_str(json).ok();
            let hidden: Option<HiddenText> = serde_json::from_str(json).ok();
            assert_eq!(hidden.map(|text| text.0.expose_secret().to_owned()), expected, "{json}");
        }
    }

    #[test]
    fn secret_blobs_are_strict_base64() {
        for (json, bytes) in [
            (r#""aGVsbG8=""#, Some(&b"hello"[..])),
            (r#""\/\/8=""#, Some(&[0xff, 0xff])),
            (r#""""#, Some(&[])),
            (r#""aGVsbG8""#, None),
            (r#""_-8=""#, None),
            (r#"" aGVsbG8=""#, None),
            ("7", None),
            ("[1]", None),
            ("{}", None),
        ] {
            let blob: Option<HiddenBlob> = serde_json::from_str(json).ok();
            assert_eq!(blob.as_ref().map(|blob| blob.0.expose_secret()), bytes, "{json}");
        }
    }

    #[test]
    fn context_values_are_taken_as_written() {
        let json = r#"{"a":"x","n":1.50,"b":true,"a":"y","e":"\u0041","k\n":"v"}"#;
        let pairs = serde_json::from_str::<StringMap>(json).ok().unwrap().0;
        let expected = [("a", "y"), ("b", "true"), ("e", "A"), ("k\n", "v"), ("n", "1.50")];
        assert!(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(expected), "{pairs:?}");
        for refused in [r#"{"a":null}"#, r#"{"a":[]}"#, r#"{"a":{}}"#, r#"{"a":"\ud800"}"#, "[]"] {
            assert!(serde_json::from_str::<StringMap>(refused).is_err(), "{refused}");
        }
    }
}
