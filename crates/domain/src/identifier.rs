//! Accounts, Regions, keys: what they are called, and how a request names them.
//!
//! Identifiers are small `Copy` values, so that the hot path neither allocates nor counts references.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::alias::AliasName;
use crate::hex;
use crate::time::Timestamp;

const ACCOUNT_DIGITS: usize = 12;
const REGION_BYTES_MAX: usize = 32;
const MULTI_REGION_PREFIX: &str = "mrk-";
const UUID_TEXT_BYTES: usize = 36;
const UUID_HEX_BYTES: usize = 32;

/// An identifier that is not of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed {0}")]
pub struct Malformed(&'static str);

/// An account: 12 digits, leading zeros included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; ACCOUNT_DIGITS]);

impl AccountId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for AccountId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bytes: [u8; ACCOUNT_DIGITS] = text.as_bytes().try_into().map_err(|_| Malformed("account id"))?;
        if bytes.iter().all(u8::is_ascii_digit) { Ok(Self(bytes)) } else { Err(Malformed("account id")) }
    }
}

/// A Region name such as `eu-central-1`: `^([a-z]+-){2,3}\d+$`, at most 32 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    // Bytes past `length` are zero, so that the derived comparisons agree with those of the text.
    bytes: [u8; REGION_BYTES_MAX],
    length: u8,
}

impl Region {
    /// The name.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.length))
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }

    /// The partition that ARNs of this Region begin with.
    pub fn partition(&self) -> &'static str {
        let name = self.as_str();
        match () {
            () if name.starts_with("cn-") => "aws-cn",
            () if name.starts_with("us-gov-") => "aws-us-gov",
            () if name.starts_with("eusc-") => "aws-eusc",
            () if name.starts_with("us-isob-") => "aws-iso-b",
            () if name.starts_with("us-isof-") => "aws-iso-f",
            () if name.starts_with("eu-isoe-") => "aws-iso-e",
            () if name.starts_with("us-iso-") => "aws-iso",
            () => "aws",
        }
    }
}

impl FromStr for Region {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if !is_region_name(text) {
            return Err(Malformed("Region name"));
        }
        let mut bytes = [0; REGION_BYTES_MAX];
        let length = u8::try_from(text.len()).map_err(|_| Malformed("Region name"))?;
        let room = bytes.get_mut(..text.len()).ok_or(Malformed("Region name"))?;
        room.copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length })
    }
}

fn is_region_name(text: &str) -> bool {
    let mut parts = text.as_bytes().rsplit(|byte| *byte == b'-');
    let number = parts.next().unwrap_or_default();
    let is_word = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_lowercase);
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let mut words = 0;
    is_number && parts.inspect(|_| words += 1).all(is_word) && (2..=3).contains(&words)
}

/// The id of a key: a UUID, or `mrk-` and 32 hexadecimal digits for a multi-Region key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    uuid: [u8; 16],
    multi_region: bool,
}

impl KeyId {
    /// A fresh id: a UUID of version 7, so that ids (and so database rows) are in order of creation.
    ///
    /// `random` fills the 74 bits that are not time.
    pub fn generate(now: Timestamp, random: [u8; 10], multi_region: bool) -> Self {
        let millis = u64::try_from(now.millis()).unwrap_or_default();
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into_bytes();
        Self { uuid, multi_region }
    }

    /// From the 16 bytes of the UUID and the kind.
    pub const fn from_parts(uuid: [u8; 16], multi_region: bool) -> Self {
        Self { uuid, multi_region }
    }

    /// The 16 bytes of the UUID.
    pub const fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// When it was made; nothing of ids that trent has not made.
    pub fn created(&self) -> Option<Timestamp> {
        let uuid = Uuid::from_bytes(self.uuid);
        let [millis @ .., _, _, _, _, _, _, _, _, _, _] = self.uuid;
        let millis = millis.iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte));
        (uuid.get_version_num() == 7).then_some(Timestamp::from_millis(millis))
    }

    /// Whether this is the id of a multi-Region key.
    pub const fn is_multi_region(&self) -> bool {
        self.multi_region
    }
}

impl FromStr for KeyId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (digits, length, multi_region) = match text.strip_prefix(MULTI_REGION_PREFIX) {
            Some(digits) => (digits, UUID_HEX_BYTES, true),
            None => (text, UUID_TEXT_BYTES, false),
        };
        if digits.len() != length {
            return Err(Malformed("key id"));
        }
        let uuid = Uuid::try_parse(digits).map_err(|_| Malformed("key id"))?;
        Ok(Self { uuid: uuid.into_bytes(), multi_region })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uuid = Uuid::from_bytes(self.uuid);
        if self.multi_region {
            write!(f, "{MULTI_REGION_PREFIX}{}", uuid.simple())
        } else {
            uuid.hyphenated().fmt(f)
        }
    }
}

/// The id of one material of a key: 32 bytes, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaterialId(pub [u8; 32]);

/// The id of a grant, unique on its key: 32 bytes, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(pub [u8; 32]);

/// The id of a key in HSMs (`CKA_ID`): 16 random bytes, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HsmKeyId(pub [u8; 16]);

macro_rules! hexadecimal {
    ($($name:ident is a $what:literal),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(f, self.0)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                hex::parse(text).map(Self).ok_or(Malformed($what))
            }
        }
    )*};
}

hexadecimal!(MaterialId is a "key material id", GrantId is a "grant id", HsmKeyId is a "HSM key id");

/// The full name of a key: `arn:<partition>:kms:<region>:<account>:key/<key-id>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyArn {
    /// The Region that holds the key.
    pub region: Region,
    /// The account that owns it.
    pub account: AccountId,
    /// Its id, unique in the Region.
    pub id: KeyId,
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, account, id } = self;
        write!(f, "arn:{}:kms:{region}:{account}:key/{id}", region.partition())
    }
}

/// The full name of an alias: `arn:<partition>:kms:<region>:<account>:alias/<name>`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AliasArn {
    /// The Region that holds the alias.
    pub region: Region,
    /// The account that owns it.
    pub account: AccountId,
    /// Its name, `alias/…`.
    pub name: AliasName,
}

impl fmt::Display for AliasArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, account, name } = self;
        write!(f, "arn:{}:kms:{region}:{account}:{name}", region.partition())
    }
}

/// How a request names a key. Key ids and alias names are those of the caller's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyName {
    /// A key id.
    Id(KeyId),
    /// A key ARN of this Region.
    Arn(KeyArn),
    /// An alias name, `alias/…`.
    Alias(AliasName),
    /// An alias ARN of this Region.
    AliasArn(AliasArn),
}

/// Why a string in a request names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Neither a key id nor an alias name nor an ARN.
    #[error("Invalid keyId '{0}'")]
    NotAKeyId(String),
    /// An ARN of another Region; the API's answer names that Region alone.
    #[error("Invalid arn {0}")]
    OtherRegion(String),
    /// An ARN that is malformed, or not that of a key or an alias.
    #[error("Invalid arn {0}")]
    NotAKeyArn(String),
    /// An alias ARN, where the operation takes only key ids and key ARNs.
    #[error("Key Aliases are not supported for this operation.")]
    AliasArnNotSupported,
}

impl KeyName {
    /// Reads a name as an operation does that takes key ids, key ARNs, alias names and alias ARNs.
    pub fn parse(text: &str, region: Region) -> Result<Self, NameError> {
        if text.starts_with("arn:") {
            return parse_arn(text, region);
        }
        if text.starts_with("alias/") {
            // A name that cannot exist is looked up all the same: the answer is that it is not found.
            return Ok(Self::Alias(AliasName::unchecked(text)));
        }
        text.parse().map(Self::Id).map_err(|_| NameError::NotAKeyId(text.to_owned()))
    }

    /// Reads a name as an operation does that takes only key ids and key ARNs.
    pub fn parse_id_or_arn(text: &str, region: Region) -> Result<Self, NameError> {
        match Self::parse(text, region)? {
            Self::Alias(_) => Err(NameError::NotAKeyId(text.to_owned())),
            Self::AliasArn(_) => Err(NameError::AliasArnNotSupported),
            name => Ok(name),
        }
    }
}

fn parse_arn(text: &str, region: Region) -> Result<KeyName, NameError> {
    let not_a_key_arn = || NameError::NotAKeyArn(text.to_owned());
    let mut parts = text.splitn(6, ':').skip(1);
    let mut next = || parts.next().ok_or_else(not_a_key_arn);
    let (partition, service, arn_region, account, resource) = (next()?, next()?, next()?, next()?, next()?);
    let account: AccountId = account.parse().map_err(|_| not_a_key_arn())?;
    let named: Region = arn_region.parse().map_err(|_| not_a_key_arn())?;
    if service != "kms" || partition != named.partition() {
        return Err(not_a_key_arn());
    }
    let name = match resource.strip_prefix("key/") {
        Some(id) => {
            let id = id.parse().map_err(|_| not_a_key_arn())?;
            KeyName::Arn(KeyArn { region: named, account, id })
        }
        None if resource.starts_with("alias/") => {
            KeyName::AliasArn(AliasArn { region: named, account, name: AliasName::unchecked(resource) })
        }
        None => return Err(not_a_key_arn()),
    };
    if named == region { Ok(name) } else { Err(NameError::OtherRegion(arn_region.to_owned())) }
}

macro_rules! text_form {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}

macro_rules! text_serde {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

text_form!(AccountId, Region, KeyId, MaterialId, GrantId, HsmKeyId, KeyArn, AliasArn);
text_serde!(AccountId, Region, KeyId, MaterialId, GrantId, HsmKeyId);

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0199b2c4-7c00-7abc-8def-0123456789ab";

    fn region() -> Region {
        "eu-central-1".parse().unwrap()
    }

    #[test]
    fn region_names_follow_the_pattern_of_the_api() {
        for good in ["us-east-1", "ap-southeast-12", "us-gov-west-1", "eusc-de-east-1"] {
            assert_eq!(good.parse::<Region>().unwrap().as_str(), good);
        }
        for bad in
            ["", "us", "us-1", "us-east-", "US-east-1", "us-east-1a", "a-b-c-d-1", "us--east-1", "us-east-1 "]
        {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
        assert!(format!("{}-east-1", "a".repeat(30)).parse::<Region>().is_err());
    }

    #[test]
    fn ids_that_are_made_here_tell_when() {
        let now = Timestamp::from_millis(1_767_225_600_999);
        assert_eq!(KeyId::generate(now, [0xff; 10], false).created(), Some(now));
        let others: KeyId = "1234abcd-12ab-44cd-86ef-1234567890ab".parse().unwrap();
        assert_eq!(others.created(), None);
    }

    #[test]
    fn the_partition_follows_the_prefix_of_the_region() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
        ] {
            assert_eq!(region.parse::<Region>().unwrap().partition(), partition);
        }
    }

    #[test]
    fn key_ids_keep_their_form() {
        let multi = "mrk-0199b2c47c007abc8def0123456789ab";
        assert_eq!(ID.parse::<KeyId>().unwrap().to_string(), ID);
        assert_eq!(multi.parse::<KeyId>().unwrap().to_string(), multi);
        assert!(multi.parse::<KeyId>().unwrap().is_multi_region());
    }

    #[test]
    fn strings_that_name_no_key_get_the_recorded_answer() {
        let invalid = ["fake-key-id", "134f2428cec14b25a1ae9048164dba47", "mrk-fake-key-id", "key_id", ""];
        for text in invalid {
            let error = KeyName::parse(text, region()).unwrap_err();
            assert_eq!(error.to_string(), format!("Invalid keyId '{text}'"));
        }
    }

    #[test]
    fn an_arn_of_another_region_is_answered_with_that_region_alone() {
        let arn = format!("arn:aws:kms:us-west-2:111122223333:key/{ID}");
        assert_eq!(KeyName::parse(&arn, region()).unwrap_err().to_string(), "Invalid arn us-west-2");
    }

    #[test]
    fn arns_that_are_not_of_keys_are_refused() {
        let bad = [
            "arn:aws:s3:eu-central-1:111122223333:key/x",
            "arn:aws:kms:eu-central-1:111122223333:grant/x",
            "arn:aws-cn:kms:eu-central-1:111122223333:alias/x",
            "arn:aws:kms:eu-central-1:1111:alias/x",
            "arn:aws:kms",
            "arn:",
        ];
        for text in bad {
            assert_eq!(KeyName::parse(text, region()), Err(NameError::NotAKeyArn(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn operations_on_keys_alone_refuse_aliases_in_two_ways() {
        let name = KeyName::parse_id_or_arn("alias/x", region()).unwrap_err();
        assert_eq!(name.to_string(), "Invalid keyId 'alias/x'");
        let arn =
            KeyName::parse_id_or_arn("arn:aws:kms:eu-central-1:111122223333:alias/x", region()).unwrap_err();
        assert_eq!(arn, NameError::AliasArnNotSupported);
    }

    #[test]
    fn fresh_ids_are_in_order_of_creation() {
        let earlier = KeyId::generate(Timestamp::from_millis(1_000), [0xff; 10], false);
        let later = KeyId::generate(Timestamp::from_millis(1_001), [0; 10], false);
        assert!(earlier.to_string() < later.to_string());
        assert!(earlier < later);
    }

    #[test]
    fn ids_of_materials_and_grants_are_64_lower_case_digits() {
        let text = "0123456789abcdef".repeat(4);
        assert_eq!(text.parse::<MaterialId>().unwrap().to_string(), text);
        assert_eq!(text.parse::<GrantId>().unwrap().to_string(), text);
        assert!(text.to_uppercase().parse::<MaterialId>().is_err());
        assert!("ab".parse::<MaterialId>().is_err());
    }
}
