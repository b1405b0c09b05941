//! Which material may be wrapped how.

use trent_protocol::{KeySpec, WrappingAlgorithm, WrappingKeySpec};

/// A pair of members that a wrapping cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrappingError {
    /// AWS has not offered it since October 2023.
    #[error("Wrapping algorithm {0} is no longer supported.")]
    Withdrawn(WrappingAlgorithm),
    /// Keys of that kind do not wrap so.
    #[error("Wrapping algorithm {algorithm} is not compatible with wrapping key spec {wrapping}.")]
    Mismatch {
        /// The algorithm.
        algorithm: WrappingAlgorithm,
        /// The spec of the wrapping key.
        wrapping: WrappingKeySpec,
    },
    /// The encoded private key is longer than what the algorithm takes, or may be.
    #[error("Wrapping algorithm {algorithm} is not supported for key spec {spec}.")]
    Algorithm {
        /// The algorithm.
        algorithm: WrappingAlgorithm,
        /// The spec of the key that material is imported for.
        spec: KeySpec,
    },
    /// The encoded private key is longer than what a wrapping key of this size takes.
    #[error(
        "Wrapping algorithm {algorithm} with wrapping key spec {wrapping} is not supported for key spec {spec}."
    )]
    Size {
        /// The algorithm.
        algorithm: WrappingAlgorithm,
        /// The spec of the wrapping key.
        wrapping: WrappingKeySpec,
        /// The spec of the key that material is imported for.
        spec: KeySpec,
    },
}

/// Whether material of a key of `spec` can be wrapped with `algorithm` under a key of `wrapping`.
///
/// Source: the table of wrapping algorithms in the AWS KMS developer guide. It says nothing of Ed25519, ML-DSA and
/// ML-KEM: Ed25519 is treated like the other curves, the others like RSA. SM2 encrypts material of any length.
pub fn check_wrapping(
    algorithm: WrappingAlgorithm,
    wrapping: WrappingKeySpec,
    spec: KeySpec,
) -> Result<(), WrappingError> {
    use WrappingAlgorithm as Wrap;
    match (algorithm, wrapping) {
        (Wrap::RsaesPkcs1V15, _) => Err(WrappingError::Withdrawn(algorithm)),
        (Wrap::Sm2pke, WrappingKeySpec::Sm2) => Ok(()),
        (Wrap::Sm2pke, _) | (_, WrappingKeySpec::Sm2) => Err(WrappingError::Mismatch { algorithm, wrapping }),
        (Wrap::RsaAesKeyWrapSha1 | Wrap::RsaAesKeyWrapSha256, _) => Ok(()),
        (Wrap::RsaesOaepSha1 | Wrap::RsaesOaepSha256, _) if is_long(spec) => {
            Err(WrappingError::Algorithm { algorithm, spec })
        }
        (Wrap::RsaesOaepSha1 | Wrap::RsaesOaepSha256, WrappingKeySpec::Rsa2048)
            if spec == KeySpec::EccNistP521 =>
        {
            Err(WrappingError::Size { algorithm, wrapping, spec })
        }
        (Wrap::RsaesOaepSha1 | Wrap::RsaesOaepSha256, _) => Ok(()),
    }
}

/// Whether the private key of a spec is longer than RSA alone can encrypt, in one of its encodings at least.
const fn is_long(spec: KeySpec) -> bool {
    matches!(
        spec,
        KeySpec::Rsa2048
            | KeySpec::Rsa3072
            | KeySpec::Rsa4096
            | KeySpec::MlDsa44
            | KeySpec::MlDsa65
            | KeySpec::MlDsa87
            | KeySpec::MlKem512
            | KeySpec::MlKem768
            | KeySpec::MlKem1024
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_that_rsa_alone_cannot_encrypt_are_wrapped_in_two_steps() {
        use WrappingAlgorithm as Wrap;
        for wrapping in [WrappingKeySpec::Rsa2048, WrappingKeySpec::Rsa3072, WrappingKeySpec::Rsa4096] {
            for spec in KeySpec::ALL {
                let of = |algorithm| check_wrapping(algorithm, wrapping, spec);
                assert_eq!(of(Wrap::RsaAesKeyWrapSha1), Ok(()));
                assert_eq!(of(Wrap::RsaAesKeyWrapSha256), Ok(()));
                assert!(of(Wrap::RsaesPkcs1V15).is_err());
                let name = spec.as_str();
                let long = ["RSA", "ML_"].iter().any(|prefix| name.starts_with(prefix));
                let tight = name == "ECC_NIST_P521" && wrapping == WrappingKeySpec::Rsa2048;
                for oaep in [Wrap::RsaesOaepSha1, Wrap::RsaesOaepSha256] {
                    assert_eq!(of(oaep).is_ok(), !long && !tight, "{oaep} {wrapping} {spec}");
                }
                assert_eq!(
                    of(Wrap::Sm2pke),
                    Err(WrappingError::Mismatch { algorithm: Wrap::Sm2pke, wrapping })
                );
                assert_eq!(check_wrapping(Wrap::Sm2pke, WrappingKeySpec::Sm2, spec), Ok(()));
                assert!(check_wrapping(Wrap::RsaesOaepSha256, WrappingKeySpec::Sm2, spec).is_err());
            }
        }
    }
}
