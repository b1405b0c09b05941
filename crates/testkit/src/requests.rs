//! One request for each operation of the API that nothing is wrong with, for tests that go through all of them.

use serde_json::{Value, json};
use trent_domain::operations::{origin, relates, rules};
use trent_protocol::{KeyUsage, Operation, Origin};

use crate::kms::{TestKms, base64};

const MESSAGE: &[u8] = b"message";

/// What the requests are about: a key, and what belongs to it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The key, by id or ARN.
    pub key: String,
    /// What requests carry beside the key: a ciphertext, a signature or a MAC that it made, a public key to agree with.
    pub blob: String,
    /// An alias of the key.
    pub alias: String,
    /// An alias name that is free.
    pub free_alias: String,
    /// A grant of the key, for nobody.
    pub grant: String,
}

impl Subject {
    /// A fresh symmetric key with an alias and a ciphertext.
    pub async fn new(kms: &TestKms) -> Self {
        Self::with(kms, kms, kms.create_key().await, Operation::Encrypt).await
    }

    /// A fresh key of a kind that `operation` works with, an alias, and what the key made.
    pub async fn of(kms: &TestKms, operation: Operation) -> Self {
        if relates(operation) {
            let subject = Self::primary(kms, operation).await;
            if operation == Operation::UpdatePrimaryRegion {
                let replicate = Operation::ReplicateKey;
                kms.ok(replicate, request(replicate, &subject)).await;
            }
            return subject;
        }
        if origin(operation) == Some(Origin::External) {
            return Self::imported(kms, operation).await;
        }
        let (spec, usage) = kind(operation);
        Self::with(kms, kms, kms.create_key_of(spec, usage.as_str()).await, operation).await
    }

    /// The same, with imported material.
    pub async fn imported(kms: &TestKms, operation: Operation) -> Self {
        let (spec, usage) = kind(operation);
        Self::with(kms, kms, kms.create_imported_key(spec, usage.as_str()).await, operation).await
    }

    /// The same, of a key that is there already and encrypts.
    pub async fn of_key(kms: &TestKms, key: String) -> Self {
        Self::with(kms, kms, key, Operation::Encrypt).await
    }

    /// The same, as a multi-Region primary without replicas.
    pub async fn primary(kms: &TestKms, operation: Operation) -> Self {
        let key = create_primary(kms, operation).await;
        Self::with(kms, kms, key, operation).await
    }

    /// A replica of a fresh primary of the Region of `there`, in the Region of `kms`, and what the primary made.
    pub async fn replica(kms: &TestKms, there: &TestKms, operation: Operation) -> Self {
        let key = create_primary(there, operation).await;
        let replicate = json!({"KeyId": key, "ReplicaRegion": kms.region.as_str()});
        there.ok(Operation::ReplicateKey, replicate).await;
        Self::with(kms, there, key, operation).await
    }

    async fn with(kms: &TestKms, there: &TestKms, key: String, operation: Operation) -> Self {
        let usage = kind(operation).1;
        let alias = format!("alias/of-{key}");
        kms.create_alias(&alias, &key).await;
        let maker = match usage {
            KeyUsage::EncryptDecrypt => Operation::Encrypt,
            KeyUsage::SignVerify => Operation::Sign,
            KeyUsage::GenerateVerifyMac => Operation::GenerateMac,
            KeyUsage::KeyAgreement => Operation::GetPublicKey,
            KeyUsage::EncapsulateDecapsulate => Operation::Encapsulate,
        };
        let grant = kms.insert_grant(&key).await;
        let free_alias = format!("alias/free-{key}");
        let mut subject = Self { free_alias, key, blob: String::new(), alias, grant };
        let made = there.ok(maker, request(maker, &subject)).await;
        let blobs = ["CiphertextBlob", "Signature", "Mac", "PublicKey", "SharedSecretCiphertextBlob"];
        let blob = blobs.iter().find_map(|member| made[*member].as_str());
        blob.expect("what the key made").clone_into(&mut subject.blob);
        subject
    }
}

/// Spec and usage of a key that `operation` works with.
fn kind(operation: Operation) -> (&'static str, KeyUsage) {
    let usage = match operation {
        Operation::GetPublicKey => KeyUsage::SignVerify,
        _ => rules(operation).usage.unwrap_or(KeyUsage::EncryptDecrypt),
    };
    let spec = match usage {
        KeyUsage::EncryptDecrypt => "SYMMETRIC_DEFAULT",
        KeyUsage::SignVerify | KeyUsage::KeyAgreement => "ECC_NIST_P256",
        KeyUsage::GenerateVerifyMac => "HMAC_256",
        KeyUsage::EncapsulateDecapsulate => "ML_KEM_512",
    };
    (spec, usage)
}

async fn create_primary(kms: &TestKms, operation: Operation) -> String {
    let (spec, usage) = kind(operation);
    kms.create_key_with(json!({"KeySpec": spec, "KeyUsage": usage.as_str(), "MultiRegion": true})).await
}

/// A request of `operation` on `subject`, with no more members than it takes.
pub fn request(operation: Operation, subject: &Subject) -> Value {
    use Operation as Op;

    let Subject { key, blob, alias, free_alias, grant } = subject;
    let (message, store) = (base64(MESSAGE), "cks-1234567890abcdef0");
    let account = format!("arn:aws:iam::{}:root", crate::ACCOUNT);
    match operation {
        Op::CreateAlias => json!({"AliasName": free_alias, "TargetKeyId": key}),
        Op::UpdateAlias => json!({"AliasName": alias, "TargetKeyId": key}),
        Op::DeleteAlias => json!({"AliasName": alias}),
        Op::CreateKey | Op::DescribeCustomKeyStores | Op::ListAliases | Op::ListKeys => json!({}),
        Op::ConnectCustomKeyStore | Op::DeleteCustomKeyStore | Op::DisconnectCustomKeyStore => {
            json!({"CustomKeyStoreId": store})
        }
        Op::UpdateCustomKeyStore => json!({"CustomKeyStoreId": store, "NewCustomKeyStoreName": "renamed"}),
        Op::CreateCustomKeyStore => json!({
            "CustomKeyStoreName": "store", "CloudHsmClusterId": "cluster-234abcdefABC",
            "TrustAnchorCertificate": "PEM", "KeyStorePassword": "password",
        }),
        Op::CreateGrant => json!({"KeyId": key, "GranteePrincipal": account, "Operations": ["Decrypt"]}),
        Op::RetireGrant | Op::RevokeGrant => json!({"KeyId": key, "GrantId": grant}),
        Op::ListRetirableGrants => json!({"RetiringPrincipal": account}),
        Op::Decrypt => json!({"CiphertextBlob": blob}),
        Op::ReEncrypt => json!({"CiphertextBlob": blob, "DestinationKeyId": key}),
        Op::Encrypt => json!({"KeyId": key, "Plaintext": message}),
        Op::GenerateDataKey | Op::GenerateDataKeyWithoutPlaintext => {
            json!({"KeyId": key, "KeySpec": "AES_256"})
        }
        Op::GenerateDataKeyPair | Op::GenerateDataKeyPairWithoutPlaintext => {
            json!({"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"})
        }
        Op::GenerateRandom => json!({"NumberOfBytes": 32}),
        Op::GenerateMac => json!({"KeyId": key, "Message": message, "MacAlgorithm": "HMAC_SHA_256"}),
        Op::VerifyMac => {
            json!({"KeyId": key, "Message": message, "Mac": blob, "MacAlgorithm": "HMAC_SHA_256"})
        }
        Op::Sign => json!({"KeyId": key, "Message": message, "SigningAlgorithm": "ECDSA_SHA_256"}),
        Op::Verify => {
            json!({"KeyId": key, "Message": message, "Signature": blob, "SigningAlgorithm": "ECDSA_SHA_256"})
        }
        Op::DeriveSharedSecret => {
            json!({"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": blob})
        }
        Op::Encapsulate => json!({"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}),
        Op::Decapsulate => {
            json!({"KeyId": key, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": blob})
        }
        Op::GetParametersForImport => {
            json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"})
        }
        Op::ImportKeyMaterial => {
            json!({
                "KeyId": key, "ImportToken": message, "EncryptedKeyMaterial": message,
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            })
        }
        Op::PutKeyPolicy => {
            json!({"KeyId": key, "Policy": trent_policy::default_key_policy("aws", crate::ACCOUNT)})
        }
        Op::ReplicateKey => json!({"KeyId": key, "ReplicaRegion": "eu-west-1"}),
        Op::UpdatePrimaryRegion => json!({"KeyId": key, "PrimaryRegion": "eu-west-1"}),
        Op::TagResource => json!({"KeyId": key, "Tags": [{"TagKey": "team", "TagValue": "blue"}]}),
        Op::UntagResource => json!({"KeyId": key, "TagKeys": ["team"]}),
        Op::UpdateKeyDescription => json!({"KeyId": key, "Description": "described"}),
        Op::CancelKeyDeletion
        | Op::DeleteImportedKeyMaterial
        | Op::DescribeKey
        | Op::DisableKey
        | Op::DisableKeyRotation
        | Op::EnableKey
        | Op::EnableKeyRotation
        | Op::GetKeyLastUsage
        | Op::GetKeyPolicy
        | Op::GetKeyRotationStatus
        | Op::GetPublicKey
        | Op::ListGrants
        | Op::ListKeyPolicies
        | Op::ListKeyRotations
        | Op::ListResourceTags
        | Op::RotateKeyOnDemand
        | Op::ScheduleKeyDeletion => json!({"KeyId": key}),
    }
}

/// The name of the files of an operation, such as `re_encrypt` for ReEncrypt.
pub fn file_name(operation: Operation) -> String {
    let mut name = String::new();
    for letter in operation.name().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
