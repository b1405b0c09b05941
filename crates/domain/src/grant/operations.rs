//! The operations that a grant allows: a set, and which of them a key can have grants for.

use trent_protocol::{GrantOperation, KeySpec, KeyUsage};

use GrantOperation as Op;

/// A set of operations, in the order of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GrantOperations(u32);

/// Why operations are refused for a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OperationsError {
    /// There are none.
    #[error("Grants must contain at least one operation.")]
    None,
    /// There is nothing that whoever creates another grant could pass on.
    #[error("Grants must not contain only the CreateGrant operation.")]
    OnlyCreateGrant,
    /// The key has no use for one of them.
    #[error("The operation {operation} is not supported by keys of spec {spec} and usage {usage}.")]
    NotOfKey {
        /// The first such operation.
        operation: GrantOperation,
        /// The key's spec.
        spec: KeySpec,
        /// The key's usage.
        usage: KeyUsage,
    },
}

const ALWAYS: GrantOperations = of(&[Op::CreateGrant, Op::RetireGrant, Op::DescribeKey]);
const SYMMETRIC: GrantOperations = of(&[
    Op::Encrypt,
    Op::Decrypt,
    Op::GenerateDataKey,
    Op::GenerateDataKeyWithoutPlaintext,
    Op::GenerateDataKeyPair,
    Op::GenerateDataKeyPairWithoutPlaintext,
    Op::ReEncryptFrom,
    Op::ReEncryptTo,
]);

/// Those that an encryption context comes with; a constraint on it is not asked about the others.
const WITH_CONTEXT: GrantOperations = SYMMETRIC;

const fn of(operations: &[GrantOperation]) -> GrantOperations {
    let (mut set, mut rest) = (0, operations);
    while let [first, others @ ..] = rest {
        set |= bit(*first);
        rest = others;
    }
    GrantOperations(set)
}

const fn bit(operation: GrantOperation) -> u32 {
    1 << operation as u32
}

impl GrantOperations {
    /// The operations of a request; what is named twice counts once.
    pub fn parse(operations: &[GrantOperation]) -> Result<Self, OperationsError> {
        match of(operations) {
            Self(0) => Err(OperationsError::None),
            set if set == of(&[Op::CreateGrant]) => Err(OperationsError::OnlyCreateGrant),
            set => Ok(set),
        }
    }

    /// Those that a key of this kind can have grants for.
    pub const fn of_key(spec: KeySpec, usage: KeyUsage) -> Self {
        let own = match (usage, spec) {
            (KeyUsage::EncryptDecrypt, KeySpec::SymmetricDefault) => SYMMETRIC,
            (KeyUsage::EncryptDecrypt, _) => {
                of(&[Op::Encrypt, Op::Decrypt, Op::ReEncryptFrom, Op::ReEncryptTo, Op::GetPublicKey])
            }
            (KeyUsage::SignVerify, _) => of(&[Op::Sign, Op::Verify, Op::GetPublicKey]),
            (KeyUsage::GenerateVerifyMac, _) => of(&[Op::GenerateMac, Op::VerifyMac]),
            (KeyUsage::KeyAgreement, _) => of(&[Op::DeriveSharedSecret, Op::GetPublicKey]),
            (KeyUsage::EncapsulateDecapsulate, _) => {
                of(&[Op::Encapsulate, Op::Decapsulate, Op::GetPublicKey])
            }
        };
        Self(own.0 | ALWAYS.0)
    }

    /// Whether a key of this kind can have a grant for all of them.
    pub fn check(self, spec: KeySpec, usage: KeyUsage) -> Result<(), OperationsError> {
        let possible = Self::of_key(spec, usage);
        match self.iter().find(|operation| !possible.contains(*operation)) {
            Some(operation) => Err(OperationsError::NotOfKey { operation, spec, usage }),
            None => Ok(()),
        }
    }

    /// Whether `operation` is among them.
    pub const fn contains(self, operation: GrantOperation) -> bool {
        self.0 & bit(operation) != 0
    }

    /// Whether all of them are among `others`.
    pub const fn within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// All of them, in the order of the model.
    pub fn iter(self) -> impl Iterator<Item = GrantOperation> {
        GrantOperation::ALL.into_iter().filter(move |operation| self.contains(*operation))
    }
}

/// Whether requests of `operation` carry an encryption context on keys that can have a constraint on it.
pub(super) const fn has_context(operation: GrantOperation) -> bool {
    WITH_CONTEXT.contains(operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_a_bit_of_its_own() {
        let all = of(&GrantOperation::ALL);
        assert_eq!(all.0.count_ones(), 19);
        assert_eq!(all.iter().collect::<Vec<_>>(), GrantOperation::ALL);
    }

    #[test]
    fn none_and_create_grant_alone_are_refused() {
        assert_eq!(GrantOperations::parse(&[]), Err(OperationsError::None));
        let alone = [Op::CreateGrant, Op::CreateGrant];
        assert_eq!(GrantOperations::parse(&alone), Err(OperationsError::OnlyCreateGrant));
        let set = GrantOperations::parse(&[Op::Decrypt, Op::CreateGrant, Op::Decrypt]).unwrap();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Op::Decrypt, Op::CreateGrant]);
    }

    // The developer guide's table "Grant operations".
    #[test]
    fn keys_have_grants_for_what_they_are_good_for() {
        let table: [(KeySpec, KeyUsage, &[&str]); 8] = [
            (
                KeySpec::SymmetricDefault,
                KeyUsage::EncryptDecrypt,
                &[
                    "Decrypt",
                    "Encrypt",
                    "GenerateDataKey",
                    "GenerateDataKeyWithoutPlaintext",
                    "ReEncryptFrom",
                    "ReEncryptTo",
                    "CreateGrant",
                    "RetireGrant",
                    "DescribeKey",
                    "GenerateDataKeyPair",
                    "GenerateDataKeyPairWithoutPlaintext",
                ],
            ),
            (
                KeySpec::Rsa2048,
                KeyUsage::EncryptDecrypt,
                &[
                    "Decrypt",
                    "Encrypt",
                    "ReEncryptFrom",
                    "ReEncryptTo",
                    "GetPublicKey",
                    "CreateGrant",
                    "RetireGrant",
                    "DescribeKey",
                ],
            ),
            (
                KeySpec::Rsa4096,
                KeyUsage::SignVerify,
                &["Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey"],
            ),
            (
                KeySpec::EccNistP256,
                KeyUsage::SignVerify,
                &["Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey"],
            ),
            (
                KeySpec::MlDsa44,
                KeyUsage::SignVerify,
                &["Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey"],
            ),
            (
                KeySpec::EccNistP384,
                KeyUsage::KeyAgreement,
                &["GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey", "DeriveSharedSecret"],
            ),
            (
                KeySpec::Hmac256,
                KeyUsage::GenerateVerifyMac,
                &["CreateGrant", "RetireGrant", "DescribeKey", "GenerateMac", "VerifyMac"],
            ),
            (
                KeySpec::MlKem768,
                KeyUsage::EncapsulateDecapsulate,
                &["GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey", "Encapsulate", "Decapsulate"],
            ),
        ];
        for (spec, usage, expected) in table {
            let names: Vec<_> = GrantOperations::of_key(spec, usage).iter().map(Op::as_str).collect();
            assert_eq!(names, expected, "{spec} {usage}");
        }
    }

    #[test]
    fn the_first_operation_that_a_key_has_no_use_for_is_named() {
        let set = GrantOperations::parse(&[Op::Decrypt, Op::Sign, Op::GetPublicKey]).unwrap();
        let refused = set.check(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "The operation Sign is not supported by keys of spec SYMMETRIC_DEFAULT and usage ENCRYPT_DECRYPT."
        );
    }
}
