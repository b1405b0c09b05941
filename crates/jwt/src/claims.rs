//! What a token says.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::tags::{CLAIM, SessionTags};

/// What a token says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Who made the token.
    pub issuer: String,
    /// Whom it is about.
    pub subject: String,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// The party that it was made for, where that is told apart.
    pub authorized_party: Option<String>,
    /// How the subject was authenticated.
    pub methods: Vec<String>,
    /// The tags of the session that the token begins.
    pub tags: SessionTags,
    /// All claims at the top that are a text, a number or a truth value, as texts; but for those of the tags.
    pub texts: BTreeMap<String, String>,
    expires: i64,
    not_before: Option<i64>,
    issued: Option<i64>,
}

/// Why a token does not count now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Its time is over.
    #[error("Token is expired")]
    Expired,
    /// Its time has not come.
    #[error("Token is not yet valid")]
    NotYet,
}

impl Claims {
    /// Reads claims; an error says which one is missing or of a wrong type.
    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |name| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let others = members.iter().filter(|(name, _)| !name.starts_with(CLAIM));
        let texts = others.filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                _ => return None,
            };
            Some((name.clone(), text))
        });
        Ok(Self {
            issuer: text("iss").ok_or("iss")?.to_owned(),
            subject: text("sub").ok_or("sub")?.to_owned(),
            audience: list(members.get("aud"), "aud")?,
            authorized_party: text("azp").map(str::to_owned),
            methods: list(members.get("amr"), "amr")?,
            tags: SessionTags::read(members).ok_or(CLAIM)?,
            texts: texts.collect(),
            expires: time(members, "exp")?.ok_or("exp")?,
            not_before: time(members, "nbf")?,
            issued: time(members, "iat")?,
        })
    }

    /// Whether the token counts now, by a clock that may be off by `skew_seconds`.
    ///
    /// # Errors
    /// Its time is over, or has not come.
    pub fn check_times(&self, now_epoch_seconds: i64, skew_seconds: u32) -> Result<(), TimeError> {
        let skew = i64::from(skew_seconds);
        if self.expires.saturating_add(skew) <= now_epoch_seconds {
            return Err(TimeError::Expired);
        }
        let begins = self.not_before.max(self.issued);
        if begins.is_some_and(|begins| begins.saturating_sub(skew) > now_epoch_seconds) {
            return Err(TimeError::NotYet);
        }
        Ok(())
    }
}

/// A text or a list of texts.
fn list(value: Option<&Value>, name: &'static str) -> Result<Vec<String>, &'static str> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or(name)).collect()
        }
        Some(_) => Err(name),
    }
}

/// Seconds since the Unix epoch; parts of a second are cut.
fn time(members: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, &'static str> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| {
        let seconds = value.as_f64().filter(|seconds| seconds.abs() < 1e15)?;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be far from the ends of the type")]
        Some(seconds.floor() as i64)
    });
    seconds.map(Some).ok_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Result<Claims, &'static str> {
        let Value::Object(members) = value else { panic!("an object") };
        Claims::read(&members)
    }

    #[test]
    fn audiences_are_one_or_many() {
        let base = json!({"iss": "i", "sub": "s", "exp": 10});
        for (audience, expected) in [(json!("a"), vec!["a"]), (json!(["a", "b"]), vec!["a", "b"])] {
            let mut value = base.clone();
            value["aud"] = audience;
            assert_eq!(claims(value).unwrap().audience, expected);
        }
        let mut value = base.clone();
        value["aud"] = json!([1]);
        assert_eq!(claims(value), Err("aud"));
        assert!(claims(base).unwrap().audience.is_empty());
    }

    #[test]
    fn what_must_be_there_is_named() {
        for (value, missing) in [
            (json!({"sub": "s", "exp": 1}), "iss"),
            (json!({"iss": "i", "exp": 1}), "sub"),
            (json!({"iss": "i", "sub": "", "exp": 1}), "sub"),
            (json!({"iss": "i", "sub": "s"}), "exp"),
            (json!({"iss": "i", "sub": "s", "exp": "soon"}), "exp"),
            (json!({"iss": "i", "sub": "s", "exp": 1e300}), "exp"),
        ] {
            assert_eq!(claims(value), Err(missing));
        }
    }

    #[test]
    fn times_count_with_the_skew() {
        let claims = claims(json!({"iss": "i", "sub": "s", "exp": 100.9, "nbf": 50, "iat": 40})).unwrap();
        assert_eq!(claims.check_times(44, 5), Err(TimeError::NotYet));
        assert_eq!(claims.check_times(45, 5), Ok(()));
        assert_eq!(claims.check_times(104, 5), Ok(()));
        assert_eq!(claims.check_times(105, 5), Err(TimeError::Expired));
    }

    #[test]
    fn simple_claims_become_texts() {
        let claims = claims(json!({"iss": "i", "sub": "s", "exp": 1, "n": 7, "b": true, "o": {}, "l": []}));
        let texts = claims.unwrap().texts;
        assert_eq!((texts["n"].as_str(), texts["b"].as_str()), ("7", "true"));
        assert!(!texts.contains_key("o") && !texts.contains_key("l"));
    }
}
