//! Bodies of successful responses, from both ends. What KMS reads is checked here for all that it insists on.

use serde::{Deserialize, Serialize};
use trent_crypto::SecretBytes;

use crate::base64;
use crate::integrity;
use crate::json::{self, Malformed, Object, Text};
use crate::request::{Encrypt, ciphertext_metadata, iv, required_binary, tag};
use crate::{KEY_SPEC, TAG_BYTES};

/// How many EKM instances an answer may tell of.
pub const INSTANCES_MAX: usize = 10;
/// How many usages of a key an answer may tell.
pub const USAGES_MAX: usize = 10;

/// What a proxy says of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyMetadata {
    /// The kind of the key, such as `AES_256`.
    pub key_spec: String,
    /// What it may be used for, such as `ENCRYPT`.
    pub key_usage: Vec<String>,
    /// `ENABLED`, or anything else for a key that is not.
    pub key_status: String,
}

impl KeyMetadata {
    /// The status of a key that may be used.
    pub const ENABLED: &'static str = "ENABLED";
    /// The status of a key that may not.
    pub const DISABLED: &'static str = "DISABLED";

    /// Reads the body.
    ///
    /// # Errors
    /// It is not of the form, or lacks something.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            key_spec: Option<String>,
            key_usage: Option<Vec<String>>,
            key_status: Option<String>,
        }
        let raw: Raw = json::read(body)?;
        let metadata = Self {
            key_spec: json::required(raw.key_spec, "keySpec")?,
            key_usage: json::required(raw.key_usage, "keyUsage")?,
            key_status: json::required(raw.key_status, "keyStatus")?,
        };
        match metadata.key_usage.len() > USAGES_MAX {
            true => Err(Malformed::new("`keyUsage` has more than 10 entries")),
            false => Ok(metadata),
        }
    }

    /// Writes the body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }

    /// Whether it is of the one kind that KMS takes.
    #[must_use]
    pub fn is_aes_256(&self) -> bool {
        self.key_spec == KEY_SPEC
    }

    /// Whether it may be used now.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.key_status == Self::ENABLED
    }

    /// Whether it both encrypts and decrypts.
    #[must_use]
    pub fn encrypts_and_decrypts(&self) -> bool {
        ["ENCRYPT", "DECRYPT"].iter().all(|usage| self.key_usage.iter().any(|other| other == usage))
    }
}

/// How an instance of a key manager is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthStatus {
    /// Healthy.
    Active,
    /// Unhealthy, but serving.
    Degraded,
    /// Not serving.
    Unavailable,
}

/// An instance of a key manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Which one.
    pub id: String,
    /// What it is.
    pub model: String,
    /// How it is.
    pub health_status: HealthStatus,
}

/// How a proxy and its key manager are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// How many proxies serve.
    pub xks_proxy_fleet_size: u64,
    /// Who made the proxy.
    pub xks_proxy_vendor: String,
    /// What it is.
    pub xks_proxy_model: String,
    /// Who made the key manager.
    pub ekm_vendor: String,
    /// Its instances, 1 to 10.
    pub ekm_fleet_details: Vec<Instance>,
}

impl Health {
    /// Reads the body.
    ///
    /// # Errors
    /// It is not of the form, or lacks something.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            xks_proxy_fleet_size: Option<u64>,
            xks_proxy_vendor: Option<String>,
            xks_proxy_model: Option<String>,
            ekm_vendor: Option<String>,
            ekm_fleet_details: Option<Vec<Object<RawInstance>>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct RawInstance {
            id: Option<String>,
            model: Option<String>,
            health_status: Option<String>,
        }
        let instance = |Object(raw): Object<RawInstance>| {
            Ok(Instance {
                id: json::required(raw.id, "id")?,
                model: json::required(raw.model, "model")?,
                health_status: match &*json::required(raw.health_status, "healthStatus")? {
                    "ACTIVE" => HealthStatus::Active,
                    "DEGRADED" => HealthStatus::Degraded,
                    "UNAVAILABLE" => HealthStatus::Unavailable,
                    _ => return Err(Malformed::new("`healthStatus` is not a known one")),
                },
            })
        };
        let raw: Raw = json::read(body)?;
        let health = Self {
            xks_proxy_fleet_size: json::required(raw.xks_proxy_fleet_size, "xksProxyFleetSize")?,
            xks_proxy_vendor: json::required(raw.xks_proxy_vendor, "xksProxyVendor")?,
            xks_proxy_model: json::required(raw.xks_proxy_model, "xksProxyModel")?,
            ekm_vendor: json::required(raw.ekm_vendor, "ekmVendor")?,
            ekm_fleet_details: json::required(raw.ekm_fleet_details, "ekmFleetDetails")?
                .into_iter()
                .map(instance)
                .collect::<Result<_, _>>()?,
        };
        if health.xks_proxy_fleet_size == 0 {
            return Err(Malformed::new("`xksProxyFleetSize` is 0"));
        }
        match (1..=INSTANCES_MAX).contains(&health.ekm_fleet_details.len()) {
            true => Ok(health),
            false => Err(Malformed::new("`ekmFleetDetails` has not 1 to 10 entries")),
        }
    }

    /// Writes the body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }

    /// Whether anybody serves. If not, it is as if the proxy could not be reached.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.ekm_fleet_details.iter().any(|instance| instance.health_status != HealthStatus::Unavailable)
    }
}

/// What came of encrypting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// The ciphertext, as long as the plaintext.
    pub ciphertext: Vec<u8>,
    /// The initialization vector, of 12 or 16 bytes.
    pub iv: Vec<u8>,
    /// The tag.
    pub tag: [u8; TAG_BYTES],
    /// What the proxy wants back to decrypt.
    pub metadata: Option<Vec<u8>>,
    /// The integrity value, if it was asked for.
    pub integrity: Option<[u8; 32]>,
}

impl Encrypted {
    /// Reads the body, and checks it against the request that it answers: lengths, and the integrity value.
    ///
    /// # Errors
    /// It is not of the form, lacks something, or does not fit the request.
    pub fn parse(body: &[u8], request: &Encrypt) -> Result<Self, Malformed> {
        const VALUE: &str = "ciphertextDataIntegrityValue";
        let encrypted = Self::read(body)?;
        if encrypted.ciphertext.len() != request.plaintext.expose().len() {
            return Err(Malformed::new("`ciphertext` is not as long as the plaintext"));
        }
        match (request.with_integrity, encrypted.integrity) {
            (true, None) => Err(Malformed::member(VALUE, "is missing, though asked for")),
            (true, Some(value)) if value != encrypted.integrity_value(request.aad.as_deref()) => {
                Err(Malformed::member(VALUE, "is not that of what was sent"))
            }
            _ => Ok(encrypted),
        }
    }

    /// Reads the body without comparing it with a request.
    ///
    /// # Errors
    /// It is not of the form, or lacks something.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw<'a> {
            #[serde(borrow)]
            ciphertext: Option<Text<'a>>,
            #[serde(borrow)]
            initialization_vector: Option<Text<'a>>,
            #[serde(borrow)]
            authentication_tag: Option<Text<'a>>,
            #[serde(borrow)]
            ciphertext_metadata: Option<Text<'a>>,
            #[serde(borrow)]
            ciphertext_data_integrity_value: Option<Text<'a>>,
        }
        const VALUE: &str = "ciphertextDataIntegrityValue";
        let raw: Raw<'_> = json::read(body)?;
        let integrity = crate::request::binary(raw.ciphertext_data_integrity_value, VALUE)?;
        let integrity =
            integrity.map(|value| value.try_into().map_err(|_| Malformed::member(VALUE, "has not 32 bytes")));
        Ok(Self {
            ciphertext: required_binary(raw.ciphertext, "ciphertext")?,
            iv: iv(raw.initialization_vector)?,
            tag: tag(raw.authentication_tag)?,
            metadata: ciphertext_metadata(raw.ciphertext_metadata)?,
            integrity: integrity.transpose()?,
        })
    }

    /// The integrity value of this ciphertext and the data that it was made with.
    #[must_use]
    pub fn integrity_value(&self, aad: Option<&[u8]>) -> [u8; 32] {
        integrity::value(&integrity::Sealed {
            aad: aad.unwrap_or_default(),
            metadata: self.metadata.as_deref().unwrap_or_default(),
            iv: &self.iv,
            ciphertext: &self.ciphertext,
            tag: &self.tag,
        })
    }

    /// Writes the body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            ciphertext: String,
            initialization_vector: String,
            authentication_tag: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            ciphertext_metadata: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            ciphertext_data_integrity_value: Option<String>,
        }
        json::write(&Body {
            ciphertext: base64::encode(&self.ciphertext),
            initialization_vector: base64::encode(&self.iv),
            authentication_tag: base64::encode(&self.tag),
            ciphertext_metadata: self.metadata.as_deref().map(base64::encode),
            ciphertext_data_integrity_value: self.integrity.as_ref().map(|value| base64::encode(value)),
        })
    }
}

/// What came of decrypting.
#[derive(Debug)]
pub struct Decrypted {
    /// The plaintext, as long as the ciphertext.
    pub plaintext: SecretBytes,
}

impl Decrypted {
    /// Reads the body of an answer to a ciphertext of `length` bytes.
    ///
    /// # Errors
    /// It is not of the form, or of another length.
    pub fn parse(body: &[u8], length: usize) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        struct Raw<'a> {
            #[serde(borrow)]
            plaintext: Option<Text<'a>>,
        }
        let raw: Raw<'_> = json::read(body)?;
        let text = json::required(raw.plaintext, "plaintext")?;
        let plaintext = base64::decode_secret(&text.0).ok_or(Malformed::new("`plaintext` is not Base64"))?;
        match plaintext.expose().len() == length {
            true => Ok(Self { plaintext }),
            false => Err(Malformed::new("`plaintext` is not as long as the ciphertext")),
        }
    }

    /// Writes the body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // What KMS has encrypted here is a ciphertext of its own, so this copy need not be wiped.
        let mut body = b"{\"plaintext\":\"".to_vec();
        body.extend_from_slice(base64::encode(self.plaintext.expose()).as_bytes());
        body.extend_from_slice(b"\"}");
        body
    }
}
