//! Secondary authorization: who may use a store or a key, by what KMS tells of its callers.
//!
//! Other accounts can make KMS keys on the same external key if they have the credential; this is what keeps them out.

use serde::{Deserialize, Serialize};
use trent_xks::request::RequestMetadata;

/// What is allowed. An empty list allows everything of its kind. In patterns, `*` stands for any characters and `?`
/// for one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Callers of KMS: `arn:aws:iam::111122223333:*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// KMS keys. A request for metadata before a key is made names none, and is not held to this.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_arns: Vec<String>,
    /// Operations of KMS: `Decrypt`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
    /// Regions that KMS calls from, as its signature says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
}

impl Rules {
    /// Whether everything is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The kind of rule that a request does not meet.
    pub(crate) fn broken_by(&self, metadata: &RequestMetadata, region: &str) -> Option<&'static str> {
        let key = metadata.kms_key_arn.as_deref();
        let met = [
            (
                "principals",
                meets(&self.principals, metadata.aws_principal_arn.as_deref().unwrap_or_default()),
            ),
            ("key-arns", key.is_none_or(|key| meets(&self.key_arns, key))),
            ("operations", meets(&self.operations, &metadata.kms_operation)),
            ("regions", meets(&self.regions, region)),
        ];
        met.into_iter().find_map(|(kind, met)| (!met).then_some(kind))
    }
}

fn meets(patterns: &[String], subject: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern.as_bytes(), subject.as_bytes()))
}

/// Goes back to the last star only, so that the time is at most the product of the lengths.
fn matches(mut pattern: &[u8], mut subject: &[u8]) -> bool {
    let mut resume: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), subject.split_first()) {
            (Some((b'*', after)), _) => {
                resume = Some((after, subject));
                pattern = after;
            }
            (Some((letter, after)), Some((first, rest))) if *letter == b'?' || letter == first => {
                (pattern, subject) = (after, rest);
            }
            (None, None) => return true,
            _ => match resume.and_then(|(after, from)| Some((after, from.split_first()?.1))) {
                Some((after, from)) => {
                    resume = Some((after, from));
                    (pattern, subject) = (after, from);
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, subject, expected) in [
            ("", "", true),
            ("*", "", true),
            ("*", "anything", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("arn:aws:iam::1:*", "arn:aws:iam::1:user/a", true),
            ("arn:aws:iam::1:*", "arn:aws:iam::2:user/a", false),
            ("*b*b", "abab", true),
            ("*b*b", "aba", false),
            ("a", "aa", false),
            ("aa", "a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), subject.as_bytes()), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn every_kind_of_rule_must_be_met() {
        let metadata = RequestMetadata {
            aws_principal_arn: Some("arn:aws:iam::1:user/a".to_owned()),
            kms_key_arn: Some("arn:aws:kms:eu-west-1:1:key/x".to_owned()),
            kms_operation: "Decrypt".to_owned(),
            ..RequestMetadata::default()
        };
        let list = |text: &str| vec!["nothing".to_owned(), text.to_owned()];
        let mut rules = Rules::default();
        assert!(rules.is_empty() && rules.broken_by(&metadata, "eu-west-1").is_none());
        rules = Rules {
            principals: list("arn:aws:iam::1:*"),
            key_arns: list("*:key/x"),
            operations: list("Dec*"),
            regions: list("eu-*"),
        };
        assert_eq!(rules.broken_by(&metadata, "eu-west-1"), None);
        assert_eq!(rules.broken_by(&metadata, "us-west-1"), Some("regions"));
        let without_key = RequestMetadata { kms_key_arn: None, ..metadata.clone() };
        assert_eq!(rules.broken_by(&without_key, "eu-west-1"), None);
        rules.operations = vec!["Encrypt".to_owned()];
        assert_eq!(rules.broken_by(&metadata, "eu-west-1"), Some("operations"));
        rules.principals = vec!["arn:aws:iam::2:*".to_owned()];
        assert_eq!(rules.broken_by(&metadata, "eu-west-1"), Some("principals"));
    }
}
