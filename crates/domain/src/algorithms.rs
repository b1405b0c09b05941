//! What keys of each spec may be used for, and with which algorithms.
//!
//! Source: the reference of key specs in the AWS KMS developer guide. Lists are in the order in which the API
//! tells them.

use trent_protocol::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage, MacAlgorithm,
    MessageType, SigningAlgorithm,
};

/// The algorithms of a key: those of its one usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithms {
    /// ENCRYPT_DECRYPT.
    Encryption(&'static [EncryptionAlgorithm]),
    /// SIGN_VERIFY.
    Signing(&'static [SigningAlgorithm]),
    /// GENERATE_VERIFY_MAC.
    Mac(&'static [MacAlgorithm]),
    /// KEY_AGREEMENT.
    Agreement(&'static [KeyAgreementAlgorithm]),
    /// ENCAPSULATE_DECAPSULATE.
    Encapsulation(&'static [EncapsulationAlgorithm]),
}

/// What keys of a spec may be used for.
pub const fn usages(spec: KeySpec) -> &'static [KeyUsage] {
    match spec {
        KeySpec::SymmetricDefault => &[KeyUsage::EncryptDecrypt],
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => {
            &[KeyUsage::EncryptDecrypt, KeyUsage::SignVerify]
        }
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 => {
            &[KeyUsage::SignVerify, KeyUsage::KeyAgreement]
        }
        KeySpec::EccSecgP256k1
        | KeySpec::EccNistEdwards25519
        | KeySpec::MlDsa44
        | KeySpec::MlDsa65
        | KeySpec::MlDsa87 => &[KeyUsage::SignVerify],
        KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => {
            &[KeyUsage::GenerateVerifyMac]
        }
        KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => &[KeyUsage::EncapsulateDecapsulate],
        KeySpec::Sm2 => &[KeyUsage::EncryptDecrypt, KeyUsage::SignVerify, KeyUsage::KeyAgreement],
    }
}

/// The algorithms of a key of this spec and usage.
pub const fn algorithms(spec: KeySpec, usage: KeyUsage) -> Algorithms {
    match usage {
        KeyUsage::EncryptDecrypt => Algorithms::Encryption(encryption(spec)),
        KeyUsage::SignVerify => Algorithms::Signing(signing(spec)),
        KeyUsage::GenerateVerifyMac => Algorithms::Mac(mac(spec)),
        KeyUsage::KeyAgreement => Algorithms::Agreement(&[KeyAgreementAlgorithm::Ecdh]),
        KeyUsage::EncapsulateDecapsulate => Algorithms::Encapsulation(&[EncapsulationAlgorithm::MlKem]),
    }
}

/// The algorithms that keys of a spec encrypt with; none for specs that do not.
pub const fn encryption(spec: KeySpec) -> &'static [EncryptionAlgorithm] {
    match spec {
        KeySpec::SymmetricDefault => &[EncryptionAlgorithm::SymmetricDefault],
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => {
            &[EncryptionAlgorithm::RsaesOaepSha1, EncryptionAlgorithm::RsaesOaepSha256]
        }
        KeySpec::Sm2 => &[EncryptionAlgorithm::Sm2pke],
        _ => &[],
    }
}

/// The algorithms that keys of a spec sign with; none for specs that do not.
pub const fn signing(spec: KeySpec) -> &'static [SigningAlgorithm] {
    match spec {
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => &[
            SigningAlgorithm::RsassaPkcs1V15Sha256,
            SigningAlgorithm::RsassaPkcs1V15Sha384,
            SigningAlgorithm::RsassaPkcs1V15Sha512,
            SigningAlgorithm::RsassaPssSha256,
            SigningAlgorithm::RsassaPssSha384,
            SigningAlgorithm::RsassaPssSha512,
        ],
        KeySpec::EccNistP256 | KeySpec::EccSecgP256k1 => &[SigningAlgorithm::EcdsaSha256],
        KeySpec::EccNistP384 => &[SigningAlgorithm::EcdsaSha384],
        KeySpec::EccNistP521 => &[SigningAlgorithm::EcdsaSha512],
        KeySpec::EccNistEdwards25519 => &[SigningAlgorithm::Ed25519Sha512, SigningAlgorithm::Ed25519PhSha512],
        KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => &[SigningAlgorithm::MlDsaShake256],
        KeySpec::Sm2 => &[SigningAlgorithm::Sm2dsa],
        _ => &[],
    }
}

/// The one algorithm that keys of a spec make MACs with; none for specs that do not.
pub const fn mac(spec: KeySpec) -> &'static [MacAlgorithm] {
    match spec {
        KeySpec::Hmac224 => &[MacAlgorithm::HmacSha224],
        KeySpec::Hmac256 => &[MacAlgorithm::HmacSha256],
        KeySpec::Hmac384 => &[MacAlgorithm::HmacSha384],
        KeySpec::Hmac512 => &[MacAlgorithm::HmacSha512],
        _ => &[],
    }
}

/// Whether an algorithm signs whole messages. Ed25519ph signs digests alone.
pub const fn signs_raw(algorithm: SigningAlgorithm) -> bool {
    !matches!(algorithm, SigningAlgorithm::Ed25519PhSha512)
}

/// How long a message of this kind is; nothing when the algorithm does not take the kind, or takes any length.
pub const fn digest_bytes(algorithm: SigningAlgorithm, kind: MessageType) -> Option<usize> {
    use SigningAlgorithm as A;
    match (kind, algorithm) {
        (MessageType::Digest, A::RsassaPssSha256 | A::RsassaPkcs1V15Sha256 | A::EcdsaSha256 | A::Sm2dsa) => {
            Some(32)
        }
        (MessageType::Digest, A::RsassaPssSha384 | A::RsassaPkcs1V15Sha384 | A::EcdsaSha384) => Some(48),
        (MessageType::Digest, A::RsassaPssSha512 | A::RsassaPkcs1V15Sha512 | A::EcdsaSha512) => Some(64),
        (MessageType::Digest, A::Ed25519PhSha512) => Some(64),
        // The message representative of FIPS 204.
        (MessageType::ExternalMu, A::MlDsaShake256) => Some(64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usage_of_every_spec_has_algorithms() {
        for spec in KeySpec::ALL {
            assert!(!usages(spec).is_empty(), "{spec}");
            for usage in usages(spec) {
                let count = match algorithms(spec, *usage) {
                    Algorithms::Encryption(list) => list.len(),
                    Algorithms::Signing(list) => list.len(),
                    Algorithms::Mac(list) => list.len(),
                    Algorithms::Agreement(list) => list.len(),
                    Algorithms::Encapsulation(list) => list.len(),
                };
                assert!(count > 0, "{spec} {usage}");
            }
        }
    }

    #[test]
    fn algorithms_belong_to_specs_that_have_their_usage() {
        for spec in KeySpec::ALL {
            assert_eq!(
                encryption(spec).is_empty(),
                !usages(spec).contains(&KeyUsage::EncryptDecrypt),
                "{spec}"
            );
            assert_eq!(signing(spec).is_empty(), !usages(spec).contains(&KeyUsage::SignVerify), "{spec}");
            assert_eq!(mac(spec).is_empty(), !usages(spec).contains(&KeyUsage::GenerateVerifyMac), "{spec}");
        }
    }
}
