//! `[quotas]`: how many requests a second are answered.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Deserializer, de::Error};
use trent_domain::identifier::AccountId;
use trent_service::{Bucket, QuotaRules};

use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QuotasSection {
    profile: Profile,
    requests: Requests,
    #[serde(deserialize_with = "rate")]
    requests_per_key: f64,
    #[serde(deserialize_with = "rate")]
    requests_per_caller: f64,
}

/// The figures where none is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Profile {
    /// No limit.
    #[default]
    Unlimited,
    /// Those of AWS.
    Aws,
}

/// Figures by bucket, and by account and bucket.
#[derive(Debug, Clone, Default, PartialEq)]
struct Requests(HashMap<(Option<AccountId>, Bucket), f64>);

impl QuotasSection {
    pub(crate) fn rules(&self) -> QuotaRules {
        QuotaRules {
            as_aws: self.profile == Profile::Aws,
            requests: self.requests.0.clone(),
            per_key: self.requests_per_key,
            per_caller: self.requests_per_caller,
        }
    }
}

impl<'de> Deserialize<'de> for Requests {
    fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
        let given = BTreeMap::<String, f64>::deserialize(deserializer)?;
        let parse = |(name, figure): (String, f64)| {
            let (account, bucket) = match name.split_once('/') {
                Some((account, bucket)) => {
                    let account = account.parse().map_err(|_| format!("`{account}` is no account id"))?;
                    (Some(account), bucket)
                }
                None => (None, name.as_str()),
            };
            let bucket = Bucket::named(bucket).ok_or_else(|| unknown(bucket))?;
            Ok(((account, bucket), checked(figure)?))
        };
        given.into_iter().map(parse).collect::<Result<_, String>>().map(Self).map_err(De::Error::custom)
    }
}

fn rate<'de, De: Deserializer<'de>>(deserializer: De) -> Result<f64, De::Error> {
    checked(f64::deserialize(deserializer)?).map_err(De::Error::custom)
}

fn checked(figure: f64) -> Result<f64, String> {
    let is_fine = figure == 0.0 || (0.001..=1e9).contains(&figure);
    if is_fine { Ok(figure) } else { Err(format!("{figure} is neither 0 nor from 0.001 to 1000000000")) }
}

fn unknown(name: &str) -> String {
    let operations = "operations such as CreateKey count alone";
    let others: Vec<String> = Bucket::all()
        .filter(|bucket| !matches!(bucket, Bucket::Operation(_)))
        .map(|b| b.to_string())
        .collect();
    format!("requests are not counted as `{name}`; {operations}, others as {}", others.join(", "))
}

pub(super) const SECTION: Section = Section {
    name: "quotas",
    comment: "How many requests a second are answered; others are answered with ThrottlingException.",
    settings: &[
        Setting {
            name: "profile",
            default: D::Is("\"unlimited\""),
            comment: "\"aws\" takes the request quotas of AWS, for each account and Region.",
        },
        Setting {
            name: "requests",
            default: D::Is("{}"),
            comment: "Other figures than those of the profile, 0 for no limit: of all accounts, or of one, such as\n\
                      { CreateKey = 50, \"crypto.symmetric\" = 200000, \"111122223333/CreateKey\" = 5 }.",
        },
        Setting {
            name: "requests_per_key",
            default: D::Is("0"),
            comment: "Requests a second that use or name one key and are allowed to; 0 is no limit.",
        },
        Setting {
            name: "requests_per_caller",
            default: D::Is("0"),
            comment: "Requests a second of one user or role, over all Regions; 0 is no limit.",
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Result<QuotasSection, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn figures_are_of_all_accounts_or_of_one() {
        let rules = section(
            "profile = 'aws'\nrequests_per_key = 0.5\n\
             requests = { CreateKey = 50, 'crypto.rsa' = 0, '111122223333/data_key_pair.RSA_4096' = 2.5 }",
        );
        let rules = rules.unwrap().rules();
        let account = "111122223333".parse().ok();
        let figure = |account, name| rules.requests[&(account, Bucket::named(name).unwrap())].to_string();
        assert!(rules.as_aws);
        assert_eq!(rules.per_key.to_string(), "0.5");
        assert_eq!(figure(None, "CreateKey"), "50");
        assert_eq!(figure(None, "crypto.rsa"), "0");
        assert_eq!(figure(account, "data_key_pair.RSA_4096"), "2.5");
    }

    #[test]
    fn what_is_not_counted_alone_is_told() {
        let refused = section("requests = { Encrypt = 5 }").unwrap_err();
        assert!(refused.contains("`Encrypt`") && refused.contains("crypto.symmetric"), "{refused}");
        assert!(section("requests = { '1/CreateKey' = 5 }").unwrap_err().contains("no account id"));
        assert!(section("requests_per_key = -1").unwrap_err().contains("-1"));
        assert!(section("profile = 'gcp'").is_err());
    }
}
