//! Which requests count together, and how many a second AWS lets an account make in a Region.
//!
//! Source: the tables of request quotas in the AWS KMS developer guide.

use std::fmt;

use trent_domain::identifier::Region;
use trent_protocol::{DataKeyPairSpec, KeySpec, Operation};

/// The requests that count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// Uses of keys of a family.
    Uses(Family),
    /// Data key pairs of a spec.
    Pairs(DataKeyPairSpec),
    /// An operation that counts alone.
    Operation(Operation),
}

/// Keys whose uses count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Symmetric keys, HMAC keys, and random bytes.
    Symmetric,
    /// RSA.
    Rsa,
    /// Elliptic curves, SM2 among them.
    Ecc,
    /// ML-DSA.
    MlDsa,
    /// ML-KEM.
    MlKem,
}

impl Family {
    const ALL: [Self; 5] = [Self::Symmetric, Self::Rsa, Self::Ecc, Self::MlDsa, Self::MlKem];

    const fn name(self) -> &'static str {
        match self {
            Self::Symmetric => "crypto.symmetric",
            Self::Rsa => "crypto.rsa",
            Self::Ecc => "crypto.ecc",
            Self::MlDsa => "crypto.ml_dsa",
            Self::MlKem => "crypto.ml_kem",
        }
    }

    /// The family of a key.
    pub(super) const fn of(spec: KeySpec) -> Self {
        match spec {
            KeySpec::SymmetricDefault
            | KeySpec::Hmac224
            | KeySpec::Hmac256
            | KeySpec::Hmac384
            | KeySpec::Hmac512 => Self::Symmetric,
            KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => Self::Rsa,
            KeySpec::EccNistP256
            | KeySpec::EccNistP384
            | KeySpec::EccNistP521
            | KeySpec::EccSecgP256k1
            | KeySpec::EccNistEdwards25519
            | KeySpec::Sm2 => Self::Ecc,
            KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => Self::MlDsa,
            KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => Self::MlKem,
        }
    }
}

/// When it is known in which bucket a request counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// At once.
    In(Bucket),
    /// When its key is found; in this family when none is.
    ByKey(Family),
    /// When the spec of its data key pair is read.
    ByPair,
}

impl Counts {
    /// Of the requests for an operation.
    pub(super) const fn of(operation: Operation) -> Self {
        use Operation as Op;
        match operation {
            Op::Encrypt | Op::Decrypt | Op::ReEncrypt => Self::ByKey(Family::Symmetric),
            Op::Sign | Op::Verify => Self::ByKey(Family::Ecc),
            Op::GenerateDataKeyPair | Op::GenerateDataKeyPairWithoutPlaintext => Self::ByPair,
            Op::GenerateDataKey
            | Op::GenerateDataKeyWithoutPlaintext
            | Op::GenerateMac
            | Op::GenerateRandom
            | Op::VerifyMac => Self::In(Bucket::Uses(Family::Symmetric)),
            Op::DeriveSharedSecret => Self::In(Bucket::Uses(Family::Ecc)),
            Op::Encapsulate | Op::Decapsulate => Self::In(Bucket::Uses(Family::MlKem)),
            other => Self::In(Bucket::Operation(other)),
        }
    }
}

impl Bucket {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let alone = |operation: Operation| match Counts::of(operation) {
            Counts::In(Self::Operation(operation)) => Some(Self::Operation(operation)),
            _ => None,
        };
        let uses = Family::ALL.into_iter().map(Self::Uses);
        uses.chain(DataKeyPairSpec::ALL.into_iter().map(Self::Pairs))
            .chain(Operation::ALL.into_iter().filter_map(alone))
    }

    /// The bucket of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|bucket| bucket.to_string() == name)
    }

    /// How many a second AWS lets an account make.
    pub(super) fn of_aws(self, region: Region) -> f64 {
        match self {
            Self::Uses(Family::Symmetric) => symmetric(region.as_str()),
            Self::Uses(_) => 1_000.0,
            Self::Pairs(spec) => pairs(spec, region),
            Self::Operation(operation) => alone(operation),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uses(family) => f.write_str(family.name()),
            Self::Pairs(spec) => write!(f, "data_key_pair.{}", spec.as_str()),
            Self::Operation(operation) => f.write_str(operation.name()),
        }
    }
}

fn symmetric(region: &str) -> f64 {
    match region {
        "us-east-1" | "us-west-2" | "eu-west-1" => 100_000.0,
        "us-east-2" | "ap-southeast-1" | "ap-southeast-2" | "ap-northeast-1" | "eu-central-1"
        | "eu-west-2" => 20_000.0,
        _ => 10_000.0,
    }
}

fn pairs(spec: DataKeyPairSpec, region: Region) -> f64 {
    let in_china = region.partition() == "aws-cn";
    match (spec.as_str(), in_china) {
        ("RSA_2048", false) => 20.0,
        ("RSA_3072", false) => 4.0,
        ("RSA_4096", false) | ("RSA_2048", true) => 1.0,
        ("RSA_3072", true) => 0.5,
        ("RSA_4096", true) => 0.1,
        ("SM2", _) => 25.0,
        // Of ML-KEM no figure is known.
        _ => 100.0,
    }
}

const fn alone(operation: Operation) -> f64 {
    use Operation as Op;
    match operation {
        Op::DescribeKey | Op::GetPublicKey | Op::ListResourceTags => 2_000.0,
        Op::GetKeyPolicy | Op::GetKeyRotationStatus => 1_000.0,
        Op::ListAliases | Op::ListKeys => 500.0,
        Op::ListGrants | Op::ListKeyPolicies | Op::ListKeyRotations | Op::ListRetirableGrants => 100.0,
        Op::CreateGrant | Op::RetireGrant | Op::RevokeGrant => 50.0,
        Op::DeleteAlias
        | Op::DeleteImportedKeyMaterial
        | Op::EnableKeyRotation
        | Op::ImportKeyMaterial
        | Op::PutKeyPolicy
        | Op::ScheduleKeyDeletion => 15.0,
        Op::TagResource => 10.0,
        Op::GetParametersForImport => 1.0,
        _ => 5.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_has_a_name_of_its_own() {
        for bucket in Bucket::all() {
            assert_eq!(Bucket::named(&bucket.to_string()), Some(bucket));
        }
        assert_eq!(Bucket::named("Encrypt"), None, "it counts with others");
    }

    #[test]
    fn every_request_counts_somewhere() {
        let all: Vec<_> = Bucket::all().collect();
        for operation in Operation::ALL {
            match Counts::of(operation) {
                Counts::In(bucket) => assert!(all.contains(&bucket), "{operation}"),
                Counts::ByKey(family) => assert!(all.contains(&Bucket::Uses(family)), "{operation}"),
                Counts::ByPair => assert!(operation.name().starts_with("GenerateDataKeyPair"), "{operation}"),
            }
        }
    }

    #[test]
    fn the_figures_are_those_of_the_guide() {
        let rate = |bucket: &str, region: &str| {
            Bucket::named(bucket).unwrap().of_aws(region.parse().unwrap()).to_string()
        };
        for (bucket, region, figure) in [
            ("crypto.symmetric", "us-east-1", "100000"),
            ("crypto.symmetric", "eu-central-1", "20000"),
            ("crypto.symmetric", "sa-east-1", "10000"),
            ("crypto.rsa", "us-east-1", "1000"),
            ("crypto.ecc", "us-east-1", "1000"),
            ("crypto.ml_dsa", "us-east-1", "1000"),
            ("data_key_pair.ECC_NIST_P256", "us-east-1", "100"),
            ("data_key_pair.RSA_2048", "us-east-1", "20"),
            ("data_key_pair.RSA_4096", "cn-north-1", "0.1"),
            ("CreateKey", "us-east-1", "5"),
            ("CreateGrant", "us-east-1", "50"),
            ("GetParametersForImport", "us-east-1", "1"),
            ("TagResource", "us-east-1", "10"),
            ("UntagResource", "us-east-1", "5"),
            ("DisableKeyRotation", "us-east-1", "5"),
            ("EnableKeyRotation", "us-east-1", "15"),
            ("ListRetirableGrants", "us-east-1", "100"),
        ] {
            assert_eq!(rate(bucket, region), figure, "{bucket} {region}");
        }
    }
}
