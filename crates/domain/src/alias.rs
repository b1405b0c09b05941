//! Aliases: friendly names of keys, unique per account and Region.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identifier::{AccountId, AliasArn, KeyId, Region};
use crate::time::Timestamp;

const PREFIX: &str = "alias/";
const RESERVED_PREFIX: &str = "alias/aws/";

/// The services whose keys AWS manages: naming `alias/aws/<service>` makes such a key on first use.
pub const AWS_SERVICES: [&str; 19] = [
    "acm",
    "backup",
    "dynamodb",
    "ebs",
    "elasticfilesystem",
    "es",
    "fsx",
    "glue",
    "kinesis",
    "kinesisvideo",
    "lambda",
    "rds",
    "redshift",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "xray",
];

/// The name of an alias, `alias/…`, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AliasName(String);

/// Why a name cannot be given to an alias.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AliasNameError {
    /// The prefix is missing.
    #[error(
        "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
    )]
    NoPrefix,
    /// Nothing follows the prefix.
    #[error("{0} is not a valid alias name")]
    Empty(String),
    /// A colon, which the model's pattern lets through.
    #[error("{0} contains invalid characters for an alias")]
    InvalidCharacters(String),
    /// A name under `alias/aws/`.
    #[error("the prefix alias/aws/ is reserved")]
    Reserved,
}

impl AliasName {
    /// The name of an alias that a customer creates, moves or deletes.
    ///
    /// Length and characters are those of the model; this adds the rules that the model cannot say.
    pub fn parse(text: &str) -> Result<Self, AliasNameError> {
        let Some(rest) = text.strip_prefix(PREFIX) else { return Err(AliasNameError::NoPrefix) };
        if text.starts_with(RESERVED_PREFIX) {
            return Err(AliasNameError::Reserved);
        }
        if rest.is_empty() {
            return Err(AliasNameError::Empty(text.to_owned()));
        }
        if rest.contains(':') {
            return Err(AliasNameError::InvalidCharacters(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// A name to look up, which may be one that no alias can have.
    pub fn unchecked(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The name of the alias of an AWS managed key.
    pub fn of_service(service: &str) -> Self {
        Self(format!("{RESERVED_PREFIX}{service}"))
    }

    /// The whole name with its prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The service whose AWS managed key this names, if it is one of the predefined names.
    pub fn service(&self) -> Option<&'static str> {
        let service = self.0.strip_prefix(RESERVED_PREFIX)?;
        AWS_SERVICES.into_iter().find(|known| *known == service)
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An alias as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The account that owns it.
    pub account: AccountId,
    /// The Region that holds it.
    pub region: Region,
    /// Its name.
    pub name: AliasName,
    /// The key that it stands for, of the same account and Region.
    pub target: KeyId,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last pointed somewhere.
    pub updated: Timestamp,
}

impl Alias {
    /// The alias's full name.
    pub fn arn(&self) -> AliasArn {
        AliasArn { region: self.region, account: self.account, name: self.name.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_names_follow_the_recorded_rules() {
        assert_eq!(AliasName::parse("foo"), Err(AliasNameError::NoPrefix));
        assert_eq!(AliasName::parse("alias/"), Err(AliasNameError::Empty("alias/".into())));
        assert_eq!(AliasName::parse("alias/aws/foo"), Err(AliasNameError::Reserved));
        assert_eq!(
            AliasName::parse("alias/my:alias").unwrap_err().to_string(),
            "alias/my:alias contains invalid characters for an alias"
        );
        assert_eq!(AliasName::parse("alias/a/b_c-d").unwrap().as_str(), "alias/a/b_c-d");
    }

    #[test]
    fn only_predefined_names_belong_to_a_service() {
        assert_eq!(AliasName::unchecked("alias/aws/s3").service(), Some("s3"));
        assert_eq!(AliasName::unchecked("alias/aws/unknown").service(), None);
        assert_eq!(AliasName::unchecked("alias/s3").service(), None);
    }
}
