//! Importing key material as a caller does it: parameters, wrapping, import.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use serde_json::{Value, json};
use trent_crypto::SystemRandom;
use trent_crypto::asymmetric::{EncryptionAlgorithm, KeyPair, KeyPairSpec, PublicKey};
use trent_protocol::Operation::{GetParametersForImport, ImportKeyMaterial};

use crate::kms::{TestKms, base64, bytes};

/// What GetParametersForImport gives, for one key.
#[derive(Debug, Clone)]
pub struct ImportParameters {
    /// The key, by id.
    pub key: String,
    /// The token in base64.
    pub token: String,
    /// The wrapping key as DER SubjectPublicKeyInfo.
    pub public: Vec<u8>,
    algorithm: String,
    spec: String,
}

impl ImportParameters {
    /// Fresh parameters for a key.
    pub async fn of(kms: &TestKms, key: &str, algorithm: &str, spec: &str) -> Self {
        let request = json!({"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec});
        Self::read(key, algorithm, spec, &kms.ok(GetParametersForImport, request).await)
    }

    /// Those in an answer.
    pub fn read(key: &str, algorithm: &str, spec: &str, answer: &Value) -> Self {
        Self {
            key: key.to_owned(),
            token: answer["ImportToken"].as_str().expect("a token").to_owned(),
            public: bytes(&answer["PublicKey"]),
            algorithm: algorithm.to_owned(),
            spec: spec.to_owned(),
        }
    }

    /// Wraps material.
    pub fn wrap(&self, material: &[u8]) -> Vec<u8> {
        let spec = match self.spec.as_str() {
            "RSA_2048" => KeyPairSpec::Rsa2048,
            "RSA_3072" => KeyPairSpec::Rsa3072,
            "RSA_4096" => KeyPairSpec::Rsa4096,
            #[cfg(feature = "sm")]
            "SM2" => KeyPairSpec::Sm2,
            other => panic!("no wrapping key {other}"),
        };
        let public =
            PublicKey::from_spki(spec, &self.public).expect("a public key of the spec that was asked for");
        #[cfg(feature = "sm")]
        if self.algorithm == "SM2PKE" {
            return public.encrypt(EncryptionAlgorithm::Sm2Pke, material).expect("it is short enough");
        }
        let oaep = match self.algorithm.ends_with("_256") {
            true => EncryptionAlgorithm::RsaesOaepSha256,
            false => EncryptionAlgorithm::RsaesOaepSha1,
        };
        let encrypt = |plaintext: &[u8]| public.encrypt(oaep, plaintext).expect("it is short enough");
        if self.algorithm.starts_with("RSAES_OAEP") {
            return encrypt(material);
        }
        let mut space = vec![0; material.len() + 16];
        let kek = AesKek::new(&AES_256, &[7; 32]).expect("a key");
        let wrapped = kek.wrap_with_padding(material, &mut space).expect("it is wrapped");
        [&encrypt(&[7; 32]), &*wrapped].concat()
    }

    /// A request to import `material`, which does not expire.
    pub fn request(&self, material: &[u8]) -> Value {
        json!({
            "KeyId": self.key,
            "ImportToken": self.token,
            "EncryptedKeyMaterial": base64(&self.wrap(material)),
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        })
    }
}

impl TestKms {
    /// Creates a key whose material is to be imported, and gives its id.
    pub async fn create_external_key(&self, spec: &str, usage: &str) -> String {
        self.create_key_with(json!({"KeySpec": spec, "KeyUsage": usage, "Origin": "EXTERNAL"})).await
    }

    /// Imports material that does not expire, with what else the request is to say.
    pub async fn import(&self, key: &str, material: &[u8], more: Value) -> Value {
        let parameters = ImportParameters::of(self, key, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048").await;
        let mut request = parameters.request(material);
        for (name, value) in more.as_object().expect("members") {
            request[name] = value.clone();
        }
        self.ok(ImportKeyMaterial, request).await
    }

    /// Creates a key, imports material for it, and gives its id.
    pub async fn create_imported_key(&self, spec: &str, usage: &str) -> String {
        let key = self.create_external_key(spec, usage).await;
        self.import(&key, &fresh_material(spec), json!({})).await;
        key
    }
}

/// Material of a spec as it is imported: raw bytes, or PKCS#8.
pub fn fresh_material(spec: &str) -> Vec<u8> {
    let bytes =
        |length| trent_crypto::SecretBytes::generate(length, &SystemRandom::new()).expect("randomness");
    let pair = |spec| KeyPair::generate(spec, &SystemRandom::new()).expect("a pair").to_pkcs8();
    let material = match spec {
        "SYMMETRIC_DEFAULT" | "HMAC_256" => bytes(32),
        "HMAC_224" => bytes(28),
        "HMAC_384" => bytes(48),
        "HMAC_512" => bytes(64),
        "RSA_2048" => pair(KeyPairSpec::Rsa2048),
        "RSA_3072" => pair(KeyPairSpec::Rsa3072),
        "RSA_4096" => pair(KeyPairSpec::Rsa4096),
        "ECC_NIST_P256" => pair(KeyPairSpec::EccNistP256),
        "ECC_NIST_P384" => pair(KeyPairSpec::EccNistP384),
        "ECC_NIST_P521" => pair(KeyPairSpec::EccNistP521),
        "ECC_SECG_P256K1" => pair(KeyPairSpec::EccSecgP256k1),
        "ECC_NIST_EDWARDS25519" => pair(KeyPairSpec::EccNistEdwards25519),
        "ML_DSA_44" => pair(KeyPairSpec::MlDsa44),
        "ML_DSA_65" => pair(KeyPairSpec::MlDsa65),
        "ML_DSA_87" => pair(KeyPairSpec::MlDsa87),
        "ML_KEM_512" => pair(KeyPairSpec::MlKem512),
        "ML_KEM_768" => pair(KeyPairSpec::MlKem768),
        "ML_KEM_1024" => pair(KeyPairSpec::MlKem1024),
        #[cfg(feature = "sm")]
        "SM2" => pair(KeyPairSpec::Sm2),
        other => panic!("no spec {other}"),
    };
    material.expose().clone()
}
