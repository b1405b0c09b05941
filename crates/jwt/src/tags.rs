//! The session tags that a provider puts into its tokens, in both forms that AWS knows: nested under one claim, and flat,
//! a claim for each tag, for providers that cannot nest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// The claim of the nested form; those of the flat form begin with it.
pub(crate) const CLAIM: &str = "https://aws.amazon.com/tags";
const PRINCIPAL: &str = "principal_tags";
const TRANSITIVE: &str = "transitive_tag_keys";

/// Tags of the session that a token begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionTags {
    /// The tags.
    pub principal: BTreeMap<String, String>,
    /// The keys of those that go on to sessions which this one begins.
    pub transitive: BTreeSet<String>,
}

impl SessionTags {
    /// Reads them; none where they are of other types, or the same one is in both forms.
    pub(crate) fn read(claims: &Map<String, Value>) -> Option<Self> {
        let mut tags = Self::default();
        match claims.get(CLAIM) {
            None => {}
            Some(Value::Object(members)) => {
                for (name, value) in members {
                    match (name.as_str(), value) {
                        (PRINCIPAL, Value::Object(all)) => {
                            all.iter().try_for_each(|(key, value)| tags.add(key, value))?;
                        }
                        (TRANSITIVE, value) => tags.pass_on(value)?,
                        _ => return None,
                    }
                }
            }
            Some(_) => return None,
        }
        for (name, value) in claims {
            let Some(rest) = name.strip_prefix(CLAIM).and_then(|rest| rest.strip_prefix('/')) else {
                continue;
            };
            match rest.strip_prefix(PRINCIPAL).and_then(|rest| rest.strip_prefix('/')) {
                Some(key) => tags.add(key, value)?,
                None if rest == TRANSITIVE => tags.pass_on(value)?,
                None => return None,
            }
        }
        Some(tags)
    }

    /// A tag has one value, which stands in a list where the form has one.
    fn add(&mut self, key: &str, value: &Value) -> Option<()> {
        let value = match value {
            Value::Array(values) => match values.as_slice() {
                [one] => one,
                _ => return None,
            },
            one => one,
        };
        let before = self.principal.insert(key.to_owned(), value.as_str()?.to_owned());
        before.is_none().then_some(())
    }

    fn pass_on(&mut self, keys: &Value) -> Option<()> {
        for key in keys.as_array()? {
            self.transitive.insert(key.as_str()?.to_owned());
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(claims: Value) -> Option<SessionTags> {
        let Value::Object(claims) = claims else { panic!("an object") };
        SessionTags::read(&claims)
    }

    #[test]
    fn both_forms_say_the_same() {
        let nested = json!({CLAIM: {"principal_tags": {"Project": ["Automation"], "CostCenter": "987654"},
            "transitive_tag_keys": ["Project"]}});
        let flat = json!({"https://aws.amazon.com/tags/principal_tags/Project": "Automation",
            "https://aws.amazon.com/tags/principal_tags/CostCenter": ["987654"],
            "https://aws.amazon.com/tags/transitive_tag_keys": ["Project"], "sub": "s"});
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let tags = SessionTags {
            principal: [pair("Project", "Automation"), pair("CostCenter", "987654")].into(),
            transitive: ["Project".to_owned()].into(),
        };
        assert_eq!((read(nested), read(flat)), (Some(tags.clone()), Some(tags)));
        assert_eq!(read(json!({"sub": "s"})), Some(SessionTags::default()));
    }

    #[test]
    fn what_is_no_tags_is_refused() {
        for claim in [
            json!("a"),
            json!({"principal_tags": []}),
            json!({"principal_tags": {"a": ["b", "c"]}}),
            json!({"principal_tags": {"a": []}}),
            json!({"principal_tags": {"a": 7}}),
            json!({"transitive_tag_keys": "a"}),
            json!({"transitive_tag_keys": [1]}),
            json!({"other": {}}),
        ] {
            assert_eq!(read(json!({CLAIM: claim})), None, "{claim}");
        }
        let twice = json!({CLAIM: {"principal_tags": {"a": "b"}},
            "https://aws.amazon.com/tags/principal_tags/a": "c"});
        assert_eq!(read(twice), None);
        assert_eq!(read(json!({"https://aws.amazon.com/tags/other": "c"})), None);
    }
}
