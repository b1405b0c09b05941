//! The specs of key pairs, and what each kind of them is called in encodings.

use aws_lc_rs::rsa::KeySize;
use trent_awslc::{MlDsa, MlKem};

use super::ec::Curve;

/// The specs of key pairs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum KeyPairSpec {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    EccNistP256,
    EccNistP384,
    EccNistP521,
    EccSecgP256k1,
    EccNistEdwards25519,
    MlDsa44,
    MlDsa65,
    MlDsa87,
    MlKem512,
    MlKem768,
    MlKem1024,
    #[cfg(feature = "sm")]
    Sm2,
}

/// A spec, by what computes with it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Rsa(KeySize),
    Ec(Curve),
    Ed25519,
    MlDsa(MlDsa),
    MlKem(MlKem),
    #[cfg(feature = "sm")]
    Sm2,
}

impl KeyPairSpec {
    /// All of them.
    pub const ALL: [Self; 14 + cfg!(feature = "sm") as usize] = [
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::EccNistP256,
        Self::EccNistP384,
        Self::EccNistP521,
        Self::EccSecgP256k1,
        Self::EccNistEdwards25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
        Self::MlKem512,
        Self::MlKem768,
        Self::MlKem1024,
        #[cfg(feature = "sm")]
        Self::Sm2,
    ];

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Rsa2048 => Kind::Rsa(KeySize::Rsa2048),
            Self::Rsa3072 => Kind::Rsa(KeySize::Rsa3072),
            Self::Rsa4096 => Kind::Rsa(KeySize::Rsa4096),
            Self::EccNistP256 => Kind::Ec(Curve::P256),
            Self::EccNistP384 => Kind::Ec(Curve::P384),
            Self::EccNistP521 => Kind::Ec(Curve::P521),
            Self::EccSecgP256k1 => Kind::Ec(Curve::P256k1),
            Self::EccNistEdwards25519 => Kind::Ed25519,
            Self::MlDsa44 => Kind::MlDsa(MlDsa::MlDsa44),
            Self::MlDsa65 => Kind::MlDsa(MlDsa::MlDsa65),
            Self::MlDsa87 => Kind::MlDsa(MlDsa::MlDsa87),
            Self::MlKem512 => Kind::MlKem(MlKem::MlKem512),
            Self::MlKem768 => Kind::MlKem(MlKem::MlKem768),
            Self::MlKem1024 => Kind::MlKem(MlKem::MlKem1024),
            #[cfg(feature = "sm")]
            Self::Sm2 => Kind::Sm2,
        }
    }

    /// How [`super::record`] names it. Part of the format: never change one, never reuse one.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Rsa2048 => 0x11,
            Self::Rsa3072 => 0x12,
            Self::Rsa4096 => 0x13,
            Self::EccNistP256 => 0x21,
            Self::EccNistP384 => 0x22,
            Self::EccNistP521 => 0x23,
            Self::EccSecgP256k1 => 0x24,
            Self::EccNistEdwards25519 => 0x31,
            Self::MlDsa44 => 0x41,
            Self::MlDsa65 => 0x42,
            Self::MlDsa87 => 0x43,
            Self::MlKem512 => 0x51,
            Self::MlKem768 => 0x52,
            Self::MlKem1024 => 0x53,
            #[cfg(feature = "sm")]
            Self::Sm2 => 0x61,
        }
    }

    /// The content of its AlgorithmIdentifier, in PKCS#8 and SPKI alike: an object identifier, then the parameters.
    pub(super) const fn algorithm(self) -> &'static [u8] {
        match self {
            // RFC 8017 appendix A.1: rsaEncryption, NULL.
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => {
                &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0]
            }
            // RFC 5480 section 2.1: id-ecPublicKey, then the curve.
            Self::EccNistP256 => {
                &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]
            }
            Self::EccNistP384 => {
                &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 5, 0x2b, 0x81, 0x04, 0, 0x22]
            }
            Self::EccNistP521 => {
                &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 5, 0x2b, 0x81, 0x04, 0, 0x23]
            }
            // SEC 2 appendix A.2.1.
            Self::EccSecgP256k1 => {
                &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 5, 0x2b, 0x81, 0x04, 0, 0x0a]
            }
            // RFC 8410 section 3.
            Self::EccNistEdwards25519 => &[0x06, 3, 0x2b, 0x65, 0x70],
            // RFC 9881 section 2.
            Self::MlDsa44 => &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17],
            Self::MlDsa65 => &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18],
            Self::MlDsa87 => &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 19],
            // RFC 9935 section 3.
            Self::MlKem512 => &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4, 1],
            Self::MlKem768 => &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4, 2],
            Self::MlKem1024 => &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4, 3],
            // GM/T 0006: the curve sm2.
            #[cfg(feature = "sm")]
            Self::Sm2 => &[
                0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x82,
                0x2d,
            ],
        }
    }

    /// The length of the public key inside its SPKI. Not for RSA, where it follows from the modulus.
    pub(super) const fn public_bytes(self) -> Option<usize> {
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => None,
            Self::EccNistP256 | Self::EccSecgP256k1 => Some(65),
            Self::EccNistP384 => Some(97),
            Self::EccNistP521 => Some(133),
            Self::EccNistEdwards25519 => Some(32),
            Self::MlDsa44 => Some(1312),
            Self::MlDsa65 => Some(1952),
            Self::MlDsa87 => Some(2592),
            Self::MlKem512 => Some(800),
            Self::MlKem768 => Some(1184),
            Self::MlKem1024 => Some(1568),
            #[cfg(feature = "sm")]
            Self::Sm2 => Some(65),
        }
    }
}
