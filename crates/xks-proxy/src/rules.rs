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
    /// VPCs that callers of KMS come from. KMS names none for callers of another account than the key's, and for those
    /// who do not come through a VPC endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_vpcs: Vec<String>,
    /// VPC endpoints that callers of KMS come through; as with VPCs, there may be none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_vpces: Vec<String>,
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
            ("source-vpcs", named(&self.source_vpcs, metadata.aws_source_vpc.as_deref())),
            ("source-vpces", named(&self.source_vpces, metadata.aws_source_vpce.as_deref())),
        ];
        met.into_iter().find_map(|(kind, met)| (!met).then_some(kind))
    }
}

/// Where there is no subject no pattern is met, not even `*`.
fn named(patterns: &[String], subject: Option<&str>) -> bool {
    patterns.is_empty() || subject.is_some_and(|subject| meets(patterns, subject))
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
            ..Rules::default()
        };
        assert_eq!(rules.broken_by(&metadata, "eu-west-1"), None);
        assert_eq!(rules.broken_by(&metadata, "us-west-1"), Some("regions"));
        let without_key = RequestMetadata { kms_key_arn: None, ..metadata.clone() };
        assert_eq!(rules.broken_by(&without_key, "eu-west-1"), None);
        let private = RequestMetadata {
            aws_source_vpc: Some("vpc-1".to_owned()),
            aws_source_vpce: Some("vpce-1".to_owned()),
            ..metadata.clone()
        };
        (rules.source_vpcs, rules.source_vpces) = (list("vpc-1"), list("*"));
        assert_eq!(rules.broken_by(&private, "eu-west-1"), None);
        let elsewhere = RequestMetadata { aws_source_vpc: Some("vpc-2".to_owned()), ..private.clone() };
        assert_eq!(rules.broken_by(&elsewhere, "eu-west-1"), Some("source-vpcs"));
        assert_eq!(rules.broken_by(&metadata, "eu-west-1"), Some("source-vpcs"), "from the internet");
        rules.source_vpcs = Vec::new();
        assert_eq!(rules.broken_by(&metadata, "eu-west-1"), Some("source-vpces"));
        rules.source_vpces = Vec::new();
        rules.operations = vec!["Encrypt".to_owned()];
        assert_eq!(rules.broken_by(&metadata, "eu-west-1"), Some("operations"));
        rules.principals = vec!["arn:aws:iam::2:*".to_owned()];
        assert_eq!(rules.broken_by(&metadata, "eu-west-1"), Some("principals"));
    }
}
