//! Which condition keys there are, and which requests have them.

use super::KnownAction;

/// Which requests have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Has {
    /// Any may have it.
    Any,
    /// Those about a key, and CreateKey.
    AboutKeys,
    /// The same, and key policies do not see it.
    AboutKeysUnseen,
    /// Those of these actions; a name that ends in `*` stands for all that begin so.
    Actions(&'static [&'static str]),
}

/// A condition key.
pub(super) struct Key {
    /// Its name; one that ends in `/` or `:` stands for all that begin so.
    pub(super) name: &'static str,
    pub(super) has: Has,
    /// Whether it has several values.
    pub(super) many: bool,
}

const CRYPTOGRAPHIC: &[&str] = &[
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "DescribeKey",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey*",
    "GenerateMac",
    "GetPublicKey",
    "ReEncrypt*",
    "Sign",
    "Verify",
    "VerifyMac",
];
const WITH_CONTEXT: &[&str] =
    &["CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey*", "ReEncrypt*", "RetireGrant"];
const ATTESTED: &[&str] =
    &["Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"];
const TAGGING: &[&str] = &["CreateKey", "ReplicateKey", "TagResource", "UntagResource"];

#[rustfmt::skip]
const KEYS: &[Key] = &[
    one("kms:BypassPolicyLockoutSafetyCheck", Has::Actions(&["CreateKey", "PutKeyPolicy", "ReplicateKey"])),
    one("kms:CallerAccount", Has::Any),
    one("kms:CustomerMasterKeySpec", Has::AboutKeys),
    one("kms:CustomerMasterKeyUsage", Has::AboutKeys),
    one("kms:DataKeyPairSpec", Has::Actions(&["GenerateDataKeyPair*"])),
    one("kms:EncryptionAlgorithm", Has::Actions(&["Decrypt", "Encrypt", "GenerateDataKey*", "ReEncrypt*"])),
    one("kms:EncryptionContext:", Has::Actions(WITH_CONTEXT)),
    many("kms:EncryptionContextKeys", Has::Actions(WITH_CONTEXT)),
    one("kms:ExpirationModel", Has::Actions(&["ImportKeyMaterial"])),
    one("kms:GrantConstraintSourceArn", Has::Actions(&["CreateGrant"])),
    many("kms:GrantConstraintType", Has::Actions(&["CreateGrant", "RetireGrant"])),
    one("kms:GrantIsForAWSResource", Has::Actions(&["CreateGrant", "ListGrants", "RevokeGrant"])),
    many("kms:GrantOperations", Has::Actions(&["CreateGrant"])),
    one("kms:GranteePrincipal", Has::Actions(&["CreateGrant"])),
    one("kms:GranteeServicePrincipal", Has::Actions(&["CreateGrant"])),
    one("kms:KeyAgreementAlgorithm", Has::Actions(&["DeriveSharedSecret"])),
    one("kms:KeyOrigin", Has::AboutKeys),
    one("kms:KeySpec", Has::AboutKeys),
    one("kms:KeyUsage", Has::AboutKeys),
    one("kms:MacAlgorithm", Has::Actions(&["GenerateMac", "VerifyMac"])),
    one("kms:MessageType", Has::Actions(&["Sign", "Verify"])),
    one("kms:MultiRegion", Has::AboutKeys),
    one("kms:MultiRegionKeyType", Has::AboutKeys),
    one("kms:PolicyName", Has::Actions(&["GetKeyPolicy", "PutKeyPolicy"])),
    one("kms:PrimaryRegion", Has::Actions(&["UpdatePrimaryRegion"])),
    one("kms:ReEncryptOnSameKey", Has::Actions(&["ReEncrypt*"])),
    one("kms:RecipientAttestation:", Has::Actions(ATTESTED)),
    one("kms:ReplicaRegion", Has::Actions(&["ReplicateKey"])),
    one("kms:RequestAlias", Has::Actions(CRYPTOGRAPHIC)),
    many("kms:ResourceAliases", Has::AboutKeysUnseen),
    one("kms:RetiringPrincipal", Has::Actions(&["CreateGrant"])),
    one("kms:RetiringServicePrincipal", Has::Actions(&["CreateGrant"])),
    one("kms:RotationPeriodInDays", Has::Actions(&["EnableKeyRotation"])),
    one("kms:ScheduleKeyDeletionPendingWindowInDays", Has::Actions(&["ScheduleKeyDeletion"])),
    one("kms:SigningAlgorithm", Has::Actions(&["Sign", "Verify"])),
    one("kms:TrailingDaysWithoutKeyUsage", Has::Actions(&["DisableKey", "ScheduleKeyDeletion"])),
    one("kms:ValidTo", Has::Actions(&["ImportKeyMaterial"])),
    one("kms:ViaService", Has::AboutKeys),
    one("kms:WrappingAlgorithm", Has::Actions(&["GetParametersForImport"])),
    one("kms:WrappingKeySpec", Has::Actions(&["GetParametersForImport"])),
    many("aws:CalledVia", Has::Any),
    one("aws:CalledViaFirst", Has::Any),
    one("aws:CalledViaLast", Has::Any),
    one("aws:CurrentTime", Has::Any),
    one("aws:EpochTime", Has::Any),
    one("aws:FederatedProvider", Has::Any),
    one("aws:MultiFactorAuthAge", Has::Any),
    one("aws:MultiFactorAuthPresent", Has::Any),
    one("aws:PrincipalAccount", Has::Any),
    one("aws:PrincipalArn", Has::Any),
    one("aws:PrincipalIsAWSService", Has::Any),
    one("aws:PrincipalOrgID", Has::Any),
    many("aws:PrincipalOrgPaths", Has::Any),
    one("aws:PrincipalServiceName", Has::Any),
    many("aws:PrincipalServiceNamesList", Has::Any),
    one("aws:PrincipalTag/", Has::Any),
    one("aws:PrincipalType", Has::Any),
    one("aws:Referer", Has::Any),
    one("aws:RequestTag/", Has::Actions(TAGGING)),
    one("aws:RequestedRegion", Has::Any),
    one("aws:ResourceAccount", Has::AboutKeys),
    one("aws:ResourceOrgID", Has::AboutKeys),
    many("aws:ResourceOrgPaths", Has::AboutKeys),
    one("aws:ResourceTag/", Has::AboutKeys),
    one("aws:SecureTransport", Has::Any),
    one("aws:SourceAccount", Has::Any),
    one("aws:SourceArn", Has::Any),
    one("aws:SourceIdentity", Has::Any),
    one("aws:SourceIp", Has::Any),
    one("aws:SourceOrgID", Has::Any),
    many("aws:SourceOrgPaths", Has::Any),
    one("aws:SourceVpc", Has::Any),
    one("aws:SourceVpce", Has::Any),
    many("aws:TagKeys", Has::Actions(TAGGING)),
    one("aws:TokenIssueTime", Has::Any),
    one("aws:UserAgent", Has::Any),
    one("aws:userid", Has::Any),
    one("aws:username", Has::Any),
    one("aws:ViaAWSService", Has::Any),
    one("aws:VpcSourceIp", Has::Any),
    one("aws:VpceAccount", Has::Any),
    one("aws:VpceOrgID", Has::Any),
    one("trent:AttestationRoot", Has::Actions(ATTESTED)),
];

const fn one(name: &'static str, has: Has) -> Key {
    Key { name, has, many: false }
}

const fn many(name: &'static str, has: Has) -> Key {
    Key { name, has, many: true }
}

/// What is known of a key; of claims of identity providers and keys of STS nothing is known here.
pub(super) fn find(key: &str) -> Option<&'static Key> {
    KEYS.iter().find(|known| is_key(key, known.name))
}

/// Whether it is a key of whose kind all are known.
pub(super) fn is_ours(key: &str) -> bool {
    let kind = key.split_once(':').map(|(kind, _)| kind.to_ascii_lowercase());
    matches!(kind.as_deref(), Some("kms" | "aws" | "trent"))
}

/// Whether a key is the named one, or begins with a name that ends in `/` or `:`.
pub(super) fn is_key(key: &str, name: &str) -> bool {
    match name.ends_with(['/', ':']) {
        true => {
            key.len() > name.len()
                && key.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        }
        false => key.eq_ignore_ascii_case(name),
    }
}

impl Has {
    /// Whether requests of an action may have the key, as policies of one kind see it.
    pub(super) fn on(self, action: &KnownAction, key_policy: bool) -> bool {
        let name = action.name.strip_prefix("kms:").unwrap_or(action.name);
        match self {
            Self::Any => true,
            Self::AboutKeys => action.about_key || name == "CreateKey",
            Self::AboutKeysUnseen => action.about_key && !key_policy,
            Self::Actions(names) => names.iter().any(|own| match own.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => *own == name,
            }),
        }
    }
}
