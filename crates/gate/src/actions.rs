//! The actions that the gate decides on: one type each, so that a permit for one cannot be used for another.

use trent_domain::operations::{On, rules};
use trent_policy::KnownAction;
use trent_protocol::Operation;

/// An action of the IAM vocabulary, `kms:…`.
pub trait Action: 'static {
    /// The operation that performs it.
    const OPERATION: Operation;
    /// Its name in policies and denials.
    const NAME: &'static str;
}

/// The actions that there are, as policies see them.
pub fn known_actions() -> Vec<KnownAction> {
    let known = |&(name, operation): &(&'static str, Operation)| {
        let on = rules(operation).on;
        KnownAction {
            name,
            in_key_policies: on == On::Key,
            about_key: on == On::Key || name == RetireGrant::NAME,
        }
    };
    ACTIONS.iter().map(known).collect()
}

macro_rules! actions {
    ($($action:ident = $operation:ident, $name:literal;)*) => {
        /// All actions, with the operations that perform them.
        pub(crate) const ACTIONS: &[(&str, Operation)] = &[$(($name, Operation::$operation)),*];
        $(
        #[doc = concat!("The action `", $name, "`.")]
        #[derive(Debug)]
        pub enum $action {}

        impl Action for $action {
            const OPERATION: Operation = Operation::$operation;
            const NAME: &'static str = $name;
        }
    )*};
}

actions! {
    CancelKeyDeletion = CancelKeyDeletion, "kms:CancelKeyDeletion";
    ConnectCustomKeyStore = ConnectCustomKeyStore, "kms:ConnectCustomKeyStore";
    CreateAlias = CreateAlias, "kms:CreateAlias";
    CreateCustomKeyStore = CreateCustomKeyStore, "kms:CreateCustomKeyStore";
    CreateGrant = CreateGrant, "kms:CreateGrant";
    CreateKey = CreateKey, "kms:CreateKey";
    Decapsulate = Decapsulate, "kms:Decapsulate";
    Decrypt = Decrypt, "kms:Decrypt";
    DeleteAlias = DeleteAlias, "kms:DeleteAlias";
    DeleteCustomKeyStore = DeleteCustomKeyStore, "kms:DeleteCustomKeyStore";
    DeleteImportedKeyMaterial = DeleteImportedKeyMaterial, "kms:DeleteImportedKeyMaterial";
    DeriveSharedSecret = DeriveSharedSecret, "kms:DeriveSharedSecret";
    DescribeCustomKeyStores = DescribeCustomKeyStores, "kms:DescribeCustomKeyStores";
    DescribeKey = DescribeKey, "kms:DescribeKey";
    DisableKey = DisableKey, "kms:DisableKey";
    DisableKeyRotation = DisableKeyRotation, "kms:DisableKeyRotation";
    DisconnectCustomKeyStore = DisconnectCustomKeyStore, "kms:DisconnectCustomKeyStore";
    EnableKey = EnableKey, "kms:EnableKey";
    EnableKeyRotation = EnableKeyRotation, "kms:EnableKeyRotation";
    Encapsulate = Encapsulate, "kms:Encapsulate";
    Encrypt = Encrypt, "kms:Encrypt";
    GenerateDataKey = GenerateDataKey, "kms:GenerateDataKey";
    GenerateDataKeyPair = GenerateDataKeyPair, "kms:GenerateDataKeyPair";
    GenerateDataKeyPairWithoutPlaintext = GenerateDataKeyPairWithoutPlaintext, "kms:GenerateDataKeyPairWithoutPlaintext";
    GenerateDataKeyWithoutPlaintext = GenerateDataKeyWithoutPlaintext, "kms:GenerateDataKeyWithoutPlaintext";
    GenerateMac = GenerateMac, "kms:GenerateMac";
    GenerateRandom = GenerateRandom, "kms:GenerateRandom";
    GetKeyLastUsage = GetKeyLastUsage, "kms:GetKeyLastUsage";
    GetKeyPolicy = GetKeyPolicy, "kms:GetKeyPolicy";
    GetKeyRotationStatus = GetKeyRotationStatus, "kms:GetKeyRotationStatus";
    GetParametersForImport = GetParametersForImport, "kms:GetParametersForImport";
    GetPublicKey = GetPublicKey, "kms:GetPublicKey";
    ImportKeyMaterial = ImportKeyMaterial, "kms:ImportKeyMaterial";
    ListAliases = ListAliases, "kms:ListAliases";
    ListGrants = ListGrants, "kms:ListGrants";
    ListKeyPolicies = ListKeyPolicies, "kms:ListKeyPolicies";
    ListKeyRotations = ListKeyRotations, "kms:ListKeyRotations";
    ListKeys = ListKeys, "kms:ListKeys";
    ListResourceTags = ListResourceTags, "kms:ListResourceTags";
    ListRetirableGrants = ListRetirableGrants, "kms:ListRetirableGrants";
    PutKeyPolicy = PutKeyPolicy, "kms:PutKeyPolicy";
    ReEncryptFrom = ReEncrypt, "kms:ReEncryptFrom";
    ReEncryptTo = ReEncrypt, "kms:ReEncryptTo";
    ReplicateKey = ReplicateKey, "kms:ReplicateKey";
    RetireGrant = RetireGrant, "kms:RetireGrant";
    RevokeGrant = RevokeGrant, "kms:RevokeGrant";
    RotateKeyOnDemand = RotateKeyOnDemand, "kms:RotateKeyOnDemand";
    ScheduleKeyDeletion = ScheduleKeyDeletion, "kms:ScheduleKeyDeletion";
    Sign = Sign, "kms:Sign";
    TagResource = TagResource, "kms:TagResource";
    UntagResource = UntagResource, "kms:UntagResource";
    UpdateCustomKeyStore = UpdateCustomKeyStore, "kms:UpdateCustomKeyStore";
    UpdateAlias = UpdateAlias, "kms:UpdateAlias";
    UpdateKeyDescription = UpdateKeyDescription, "kms:UpdateKeyDescription";
    UpdatePrimaryRegion = UpdatePrimaryRegion, "kms:UpdatePrimaryRegion";
    Verify = Verify, "kms:Verify";
    VerifyMac = VerifyMac, "kms:VerifyMac";
}
