//! The operation table: what all operations have in common, as data.
//!
//! The gate, the pipeline, the audit trail and the documentation read these rows; a handler says only what
//! is special about its operation. Sources: the AWS KMS developer guide's tables of key states and
//! permissions.

use trent_protocol::{KeyUsage, Operation, Origin};

use crate::state::States;

/// What an operation acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// One key, named by the request (or by a ciphertext in it).
    Key,
    /// The account in this Region as a whole; no key.
    Account,
    /// A custom key store of the account.
    KeyStore,
    /// A grant, named by a token or by key and id.
    Grant,
}

/// How a request may name the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Key id, key ARN, alias name or alias ARN.
    Any,
    /// Key id or key ARN.
    IdOrArn,
    /// There is no key to name.
    None,
}

/// Whose keys an operation may be used on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// Those of any account that allows it.
    Any,
    /// Those of the caller's own account alone.
    Own,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Uses key material or randomness.
    Uses,
    /// Reads records.
    Reads,
    /// Changes records.
    Changes,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What the operation acts on.
    pub on: On,
    /// How a request may name the key.
    pub names: Names,
    /// Whose keys it may be used on.
    pub accounts: Accounts,
    /// In which states of the key it works.
    pub states: States,
    /// The usage that the key must have, for cryptography.
    pub usage: Option<KeyUsage>,
    /// What it does.
    pub effect: Effect,
}

/// Whether an operation is about the rotation of material, which keys other than symmetric encryption keys do not have.
pub const fn rotates(operation: Operation) -> bool {
    use Operation as Op;
    matches!(
        operation,
        Op::DisableKeyRotation | Op::EnableKeyRotation | Op::ListKeyRotations | Op::RotateKeyOnDemand
    )
}

/// Whether only the primary of a multi-Region key takes an operation, for all keys that are related to it.
pub const fn leads(operation: Operation) -> bool {
    use Operation as Op;
    matches!(
        operation,
        Op::DisableKeyRotation
            | Op::EnableKeyRotation
            | Op::ReplicateKey
            | Op::RotateKeyOnDemand
            | Op::UpdatePrimaryRegion
    )
}

/// Whether an operation is about related keys, which single-Region keys do not have.
pub const fn relates(operation: Operation) -> bool {
    matches!(operation, Operation::ReplicateKey | Operation::UpdatePrimaryRegion)
}

/// The one origin of material that an operation is for, where it is for one alone.
pub const fn origin(operation: Operation) -> Option<Origin> {
    use Operation as Op;
    match operation {
        Op::DisableKeyRotation | Op::EnableKeyRotation => Some(Origin::AwsKms),
        Op::DeleteImportedKeyMaterial | Op::GetParametersForImport | Op::ImportKeyMaterial => {
            Some(Origin::External)
        }
        _ => None,
    }
}

/// Whether an operation is for keys in custom key stores too: they have one material for good, in one Region, and make no
/// pairs.
pub const fn takes_stored(operation: Operation) -> bool {
    use Operation as Op;
    !matches!(
        operation,
        Op::DeleteImportedKeyMaterial
            | Op::DisableKeyRotation
            | Op::EnableKeyRotation
            | Op::GenerateDataKeyPair
            | Op::GenerateDataKeyPairWithoutPlaintext
            | Op::GetKeyRotationStatus
            | Op::GetParametersForImport
            | Op::ImportKeyMaterial
            | Op::ListKeyRotations
            | Op::ReplicateKey
            | Op::RotateKeyOnDemand
            | Op::UpdatePrimaryRegion
    )
}

/// The rules of an operation.
pub const fn rules(operation: Operation) -> Rules {
    use Effect::{Changes, Reads, Uses};
    use KeyUsage::{EncapsulateDecapsulate, EncryptDecrypt, GenerateVerifyMac, KeyAgreement, SignVerify};
    use Operation as Op;
    const KEY: On = On::Key;
    const ACCOUNT: On = On::Account;
    const STORE: On = On::KeyStore;
    const GRANT: On = On::Grant;
    const ANY_NAME: Names = Names::Any;
    const ID_OR_ARN: Names = Names::IdOrArn;
    const NO_NAME: Names = Names::None;
    const CROSS: Accounts = Accounts::Any;
    const OWN: Accounts = Accounts::Own;
    const ANY: States = States::Any;
    const ENABLED: States = States::Enabled;
    const SWITCH: States = States::EnabledOrDisabled;
    const SETTLED: States = States::EnabledAndSettled;
    const ALIVE: States = States::NotPendingDeletion;
    const DELETABLE: States = States::Deletable;
    const PENDING: States = States::PendingDeletion;
    const GIVES: States = States::GivesImportParameters;
    const TAKES: States = States::TakesMaterial;
    const LOSES: States = States::LosesMaterial;

    #[rustfmt::skip]
    let (on, names, accounts, states, usage, effect) = match operation {
        Op::CancelKeyDeletion         => (KEY,     ID_OR_ARN, OWN,   PENDING, None, Changes),
        Op::ConnectCustomKeyStore     => (STORE,   NO_NAME,   OWN,   ANY,     None, Changes),
        Op::CreateAlias               => (KEY,     ID_OR_ARN, OWN,   ALIVE,   None, Changes),
        Op::CreateCustomKeyStore      => (STORE,   NO_NAME,   OWN,   ANY,     None, Changes),
        Op::CreateGrant               => (KEY,     ID_OR_ARN, CROSS, ENABLED, None, Changes),
        Op::CreateKey                 => (ACCOUNT, NO_NAME,   OWN,   ANY,     None, Changes),
        Op::Decapsulate               => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(EncapsulateDecapsulate), Uses),
        Op::Decrypt                   => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(EncryptDecrypt), Uses),
        Op::DeleteAlias               => (KEY,     NO_NAME,   OWN,   ANY,     None, Changes),
        Op::DeleteCustomKeyStore      => (STORE,   NO_NAME,   OWN,   ANY,     None, Changes),
        Op::DeleteImportedKeyMaterial => (KEY,     ID_OR_ARN, OWN,   LOSES,   None, Changes),
        Op::DeriveSharedSecret        => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(KeyAgreement), Uses),
        Op::DescribeCustomKeyStores   => (STORE,   NO_NAME,   OWN,   ANY,     None, Reads),
        Op::DescribeKey               => (KEY,     ANY_NAME,  CROSS, ANY,     None, Reads),
        Op::DisableKey                => (KEY,     ID_OR_ARN, OWN,   SWITCH,  None, Changes),
        Op::DisableKeyRotation        => (KEY,     ID_OR_ARN, OWN,   ENABLED, None, Changes),
        Op::DisconnectCustomKeyStore  => (STORE,   NO_NAME,   OWN,   ANY,     None, Changes),
        Op::EnableKey                 => (KEY,     ID_OR_ARN, OWN,   SWITCH,  None, Changes),
        Op::EnableKeyRotation         => (KEY,     ID_OR_ARN, OWN,   ENABLED, None, Changes),
        Op::Encapsulate               => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(EncapsulateDecapsulate), Uses),
        Op::Encrypt                   => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(EncryptDecrypt), Uses),
        Op::GenerateDataKey           => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(EncryptDecrypt), Uses),
        Op::GenerateDataKeyPair       => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(EncryptDecrypt), Uses),
        Op::GenerateDataKeyPairWithoutPlaintext
                                      => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(EncryptDecrypt), Uses),
        Op::GenerateDataKeyWithoutPlaintext
                                      => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(EncryptDecrypt), Uses),
        Op::GenerateMac               => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(GenerateVerifyMac), Uses),
        Op::GenerateRandom            => (ACCOUNT, NO_NAME,   OWN,   ANY,     None, Uses),
        Op::GetKeyLastUsage           => (KEY,     ID_OR_ARN, OWN,   ANY,     None, Reads),
        Op::GetKeyPolicy              => (KEY,     ID_OR_ARN, OWN,   ANY,     None, Reads),
        Op::GetKeyRotationStatus      => (KEY,     ID_OR_ARN, CROSS, ANY,     None, Reads),
        Op::GetParametersForImport    => (KEY,     ID_OR_ARN, OWN,   GIVES,   None, Uses),
        Op::GetPublicKey              => (KEY,     ANY_NAME,  CROSS, ENABLED, None, Uses),
        Op::ImportKeyMaterial         => (KEY,     ID_OR_ARN, OWN,   TAKES,   None, Changes),
        Op::ListAliases               => (ACCOUNT, ID_OR_ARN, OWN,   ANY,     None, Reads),
        Op::ListGrants                => (KEY,     ID_OR_ARN, CROSS, ANY,     None, Reads),
        Op::ListKeyPolicies           => (KEY,     ID_OR_ARN, OWN,   ANY,     None, Reads),
        Op::ListKeyRotations          => (KEY,     ID_OR_ARN, OWN,   ANY,     None, Reads),
        Op::ListKeys                  => (ACCOUNT, NO_NAME,   OWN,   ANY,     None, Reads),
        Op::ListResourceTags          => (KEY,     ID_OR_ARN, OWN,   ANY,     None, Reads),
        Op::ListRetirableGrants       => (GRANT,   NO_NAME,   OWN,   ANY,     None, Reads),
        Op::PutKeyPolicy              => (KEY,     ID_OR_ARN, OWN,   ANY,     None, Changes),
        Op::ReEncrypt                 => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(EncryptDecrypt), Uses),
        Op::ReplicateKey              => (KEY,     ID_OR_ARN, OWN,   SETTLED, None, Changes),
        Op::RetireGrant               => (GRANT,   ID_OR_ARN, CROSS, ANY,     None, Changes),
        Op::RevokeGrant               => (KEY,     ID_OR_ARN, CROSS, ANY,     None, Changes),
        Op::RotateKeyOnDemand         => (KEY,     ID_OR_ARN, OWN,   SETTLED, None, Changes),
        Op::ScheduleKeyDeletion       => (KEY,     ID_OR_ARN, OWN,   DELETABLE, None, Changes),
        Op::Sign                      => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(SignVerify), Uses),
        Op::TagResource               => (KEY,     ID_OR_ARN, OWN,   ALIVE,   None, Changes),
        Op::UntagResource             => (KEY,     ID_OR_ARN, OWN,   ALIVE,   None, Changes),
        Op::UpdateAlias               => (KEY,     ID_OR_ARN, OWN,   ALIVE,   None, Changes),
        Op::UpdateCustomKeyStore      => (STORE,   NO_NAME,   OWN,   ANY,     None, Changes),
        Op::UpdateKeyDescription      => (KEY,     ID_OR_ARN, OWN,   ALIVE,   None, Changes),
        Op::UpdatePrimaryRegion       => (KEY,     ID_OR_ARN, OWN,   ENABLED, None, Changes),
        Op::Verify                    => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(SignVerify), Uses),
        Op::VerifyMac                 => (KEY,     ANY_NAME,  CROSS, ENABLED, Some(GenerateVerifyMac), Uses),
    };
    Rules { on, names, accounts, states, usage, effect }
}
