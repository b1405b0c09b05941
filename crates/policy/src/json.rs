//! JSON as written: members in order, duplicates kept.
//!
//! `serde_json::Value` keeps the last of two equal members without a word; a policy whose reader and
//! evaluator disagree about which one counts is a security hole. So the tree here keeps both and the
//! grammar refuses them, saying where.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// The deepest useful document nests seven levels; the bound keeps recursion over the tree small.
pub(crate) const DEPTH_MAX: usize = 16;

/// A JSON value that forgets nothing but white space.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Text that is not JSON: where, in bytes from its beginning, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) offset: usize,
    pub(crate) detail: String,
}

impl Json {
    /// Reads a whole text as one value.
    pub(crate) fn parse(text: &str) -> Result<Json, SyntaxError> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let json = Nested { depth: 0 }.deserialize(&mut deserializer).map_err(|e| syntax(text, &e))?;
        deserializer.end().map_err(|e| syntax(text, &e))?;
        Ok(json)
    }

    /// What the value is, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::Text(_) => "a string",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }

    /// A member of an object.
    pub(crate) fn member(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(own, _)| own == name).map(|(_, json)| json),
            _ => None,
        }
    }

    /// The value as a list: a bare value stands for a list of one.
    pub(crate) fn as_list(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            single => std::slice::from_ref(single),
        }
    }
}

/// The first name that occurs twice among the members of an object.
pub(crate) fn duplicate(members: &[(String, Json)]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    members.iter().map(|(name, _)| name.as_str()).find(|name| !seen.insert(*name))
}

/// serde_json counts lines and columns, both from one, columns in bytes.
fn syntax(text: &str, error: &serde_json::Error) -> SyntaxError {
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let offset = (before + error.column().saturating_sub(1)).min(text.len());
    let message = error.to_string();
    let detail = message.rsplit_once(" at line ").map_or(message.as_str(), |(detail, _)| detail);
    SyntaxError { offset, detail: detail.to_owned() }
}

/// Reads a value `depth` levels inside the document.
#[derive(Clone, Copy)]
struct Nested {
    depth: usize,
}

impl Nested {
    fn inside<E: serde::de::Error>(self) -> Result<Nested, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom(format_args!("nested more than {DEPTH_MAX} levels deep")));
        }
        Ok(Nested { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inside = self.inside()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inside)? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inside = self.inside()?;
        let mut members = Vec::new();
        while let Some(name) = access.next_key::<String>()? {
            members.push((name, access.next_value_seed(inside)?));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_duplicates_survive() {
        let Json::Object(members) = Json::parse(r#"{"b":1,"a":[null,true],"b":"x"}"#).unwrap() else {
            panic!("an object");
        };
        assert_eq!(members.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b", "a", "b"]);
        assert_eq!(duplicate(&members), Some("b"));
    }

    #[test]
    fn a_syntax_error_names_the_byte() {
        let error = Json::parse("{\n  \"a\": 1,\n  oops\n}").unwrap_err();
        assert_eq!(error, SyntaxError { offset: 14, detail: "key must be a string".to_owned() });
        assert_eq!(Json::parse("{} x").unwrap_err().offset, 3);
        assert_eq!(Json::parse("").unwrap_err().offset, 0);
    }

    #[test]
    fn nesting_has_a_bound() {
        let fits = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        assert!(Json::parse(&fits).is_ok());
        let deeper = format!("[{fits}]");
        assert_eq!(Json::parse(&deeper).unwrap_err().detail, "nested more than 16 levels deep");
    }
}
