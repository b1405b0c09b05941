//! Bodies of requests, from both ends.

use serde::{Deserialize, Serialize};
use trent_crypto::SecretBytes;

use crate::base64;
use crate::json::{self, Malformed, Object, Text};
use crate::route::Api;
use crate::{
    ARN_BYTES_MAX, ENCRYPTION_ALGORITHM, INTEGRITY_ALGORITHM, IV_BYTES, METADATA_BYTES_MAX, TAG_BYTES,
};

/// Who asks, for what, on behalf of which KMS key. A proxy logs it and may decide by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestMetadata {
    /// The caller of KMS. Absent for health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_principal_arn: Option<String>,
    /// The VPC that the caller came through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_source_vpc: Option<String>,
    /// The VPC endpoint that the caller came through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_source_vpce: Option<String>,
    /// The KMS key. Absent where there is none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// What the caller asked of KMS. Values that are not known are taken.
    pub kms_operation: String,
    /// The id of that request.
    pub kms_request_id: String,
    /// The service that called for the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_via_service: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMetadata {
    aws_principal_arn: Option<String>,
    aws_source_vpc: Option<String>,
    aws_source_vpce: Option<String>,
    kms_key_arn: Option<String>,
    kms_operation: Option<String>,
    kms_request_id: Option<String>,
    kms_via_service: Option<String>,
}

impl RequestMetadata {
    fn check(raw: Option<Object<RawMetadata>>, api: Api) -> Result<Self, Malformed> {
        let Object(raw) = json::required(raw, "requestMetadata")?;
        let about_key = matches!(api, Api::Encrypt | Api::Decrypt);
        let required =
            |member: Option<String>, name| json::required(member, name).and_then(|text| filled(text, name));
        let metadata = Self {
            kms_operation: required(raw.kms_operation, "kmsOperation")?,
            kms_request_id: required(raw.kms_request_id, "kmsRequestId")?,
            aws_principal_arn: match api {
                Api::Health => raw.aws_principal_arn,
                _ => Some(required(raw.aws_principal_arn, "awsPrincipalArn")?),
            },
            kms_key_arn: match about_key {
                true => Some(required(raw.kms_key_arn, "kmsKeyArn")?),
                false => raw.kms_key_arn,
            },
            aws_source_vpc: raw.aws_source_vpc,
            aws_source_vpce: raw.aws_source_vpce,
            kms_via_service: raw.kms_via_service,
        };
        for (member, name) in [
            (Some(&metadata.kms_operation), "kmsOperation"),
            (Some(&metadata.kms_request_id), "kmsRequestId"),
            (metadata.aws_principal_arn.as_ref(), "awsPrincipalArn"),
            (metadata.kms_key_arn.as_ref(), "kmsKeyArn"),
            (metadata.aws_source_vpc.as_ref(), "awsSourceVpc"),
            (metadata.aws_source_vpce.as_ref(), "awsSourceVpce"),
            (metadata.kms_via_service.as_ref(), "kmsViaService"),
        ] {
            if member.is_some_and(|text| text.len() > ARN_BYTES_MAX) {
                return Err(Malformed::member(name, "is longer than 2048 bytes"));
            }
        }
        Ok(metadata)
    }
}

fn filled(text: String, name: &str) -> Result<String, Malformed> {
    match text.is_empty() {
        true => Err(Malformed::member(name, "is empty")),
        false => Ok(text),
    }
}

/// The body of a request for health or metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plain<'a> {
    /// Who asks, and why.
    pub request_metadata: &'a RequestMetadata,
}

impl Plain<'_> {
    /// Reads the body of a request for health or metadata.
    ///
    /// # Errors
    /// It is not of the form, or lacks something.
    pub fn parse(body: &[u8], api: Api) -> Result<RequestMetadata, Malformed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            request_metadata: Option<Object<RawMetadata>>,
        }
        let raw: Raw = json::read(body)?;
        RequestMetadata::check(raw.request_metadata, api)
    }

    /// Writes the body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }
}

/// A request to encrypt. Sizes are for the proxy to judge.
#[derive(Debug)]
pub struct Encrypt {
    /// Who asks, and why.
    pub metadata: RequestMetadata,
    /// What to encrypt.
    pub plaintext: SecretBytes,
    /// Additional authenticated data.
    pub aad: Option<Vec<u8>>,
    /// Whether the answer shall have the integrity value.
    pub with_integrity: bool,
}

impl Encrypt {
    /// Reads the body.
    ///
    /// # Errors
    /// It is not of the form, or lacks something.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw<'a> {
            request_metadata: Option<Object<RawMetadata>>,
            #[serde(borrow)]
            plaintext: Option<Text<'a>>,
            #[serde(borrow)]
            encryption_algorithm: Option<Text<'a>>,
            #[serde(borrow)]
            additional_authenticated_data: Option<Text<'a>>,
            #[serde(borrow)]
            ciphertext_data_integrity_value_algorithm: Option<Text<'a>>,
        }
        let raw: Raw<'_> = json::read(body)?;
        let metadata = RequestMetadata::check(raw.request_metadata, Api::Encrypt)?;
        check_algorithm(raw.encryption_algorithm)?;
        let integrity = raw.ciphertext_data_integrity_value_algorithm;
        if integrity.as_ref().is_some_and(|algorithm| algorithm.0 != INTEGRITY_ALGORITHM) {
            return Err(Malformed::new("`ciphertextDataIntegrityValueAlgorithm` is not `SHA_256`"));
        }
        let plaintext = json::required(raw.plaintext, "plaintext")?;
        Ok(Self {
            metadata,
            plaintext: base64::decode_secret(&plaintext.0).ok_or_else(|| not_base64("plaintext"))?,
            aad: binary(raw.additional_authenticated_data, "additionalAuthenticatedData")?,
            with_integrity: integrity.is_some(),
        })
    }

    /// Writes the body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            request_metadata: &'a RequestMetadata,
            plaintext: String,
            encryption_algorithm: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            additional_authenticated_data: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            ciphertext_data_integrity_value_algorithm: Option<&'a str>,
        }
        // What KMS sends as plaintext is a ciphertext of its own; it needs no wiping on this side.
        json::write(&Body {
            request_metadata: &self.metadata,
            plaintext: base64::encode(self.plaintext.expose()),
            encryption_algorithm: ENCRYPTION_ALGORITHM,
            additional_authenticated_data: self.aad.as_deref().map(base64::encode),
            ciphertext_data_integrity_value_algorithm: self.with_integrity.then_some(INTEGRITY_ALGORITHM),
        })
    }
}

/// A request to decrypt. Sizes are for the proxy to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decrypt {
    /// Who asks, and why.
    pub metadata: RequestMetadata,
    /// What to decrypt.
    pub ciphertext: Vec<u8>,
    /// The initialization vector, of 12 or 16 bytes.
    pub iv: Vec<u8>,
    /// The tag.
    pub tag: [u8; TAG_BYTES],
    /// Additional authenticated data, as given to encrypt.
    pub aad: Option<Vec<u8>>,
    /// Metadata, as given by encrypt.
    pub ciphertext_metadata: Option<Vec<u8>>,
}

impl Decrypt {
    /// Reads the body.
    ///
    /// # Errors
    /// It is not of the form, or lacks something.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw<'a> {
            request_metadata: Option<Object<RawMetadata>>,
            #[serde(borrow)]
            ciphertext: Option<Text<'a>>,
            #[serde(borrow)]
            encryption_algorithm: Option<Text<'a>>,
            #[serde(borrow)]
            initialization_vector: Option<Text<'a>>,
            #[serde(borrow)]
            authentication_tag: Option<Text<'a>>,
            #[serde(borrow)]
            additional_authenticated_data: Option<Text<'a>>,
            #[serde(borrow)]
            ciphertext_metadata: Option<Text<'a>>,
        }
        let raw: Raw<'_> = json::read(body)?;
        let metadata = RequestMetadata::check(raw.request_metadata, Api::Decrypt)?;
        check_algorithm(raw.encryption_algorithm)?;
        Ok(Self {
            metadata,
            ciphertext: required_binary(raw.ciphertext, "ciphertext")?,
            iv: iv(raw.initialization_vector)?,
            tag: tag(raw.authentication_tag)?,
            aad: binary(raw.additional_authenticated_data, "additionalAuthenticatedData")?,
            ciphertext_metadata: ciphertext_metadata(raw.ciphertext_metadata)?,
        })
    }

    /// Writes the body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            request_metadata: &'a RequestMetadata,
            ciphertext: String,
            encryption_algorithm: &'a str,
            initialization_vector: String,
            authentication_tag: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            additional_authenticated_data: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            ciphertext_metadata: Option<String>,
        }
        json::write(&Body {
            request_metadata: &self.metadata,
            ciphertext: base64::encode(&self.ciphertext),
            encryption_algorithm: ENCRYPTION_ALGORITHM,
            initialization_vector: base64::encode(&self.iv),
            authentication_tag: base64::encode(&self.tag),
            additional_authenticated_data: self.aad.as_deref().map(base64::encode),
            ciphertext_metadata: self.ciphertext_metadata.as_deref().map(base64::encode),
        })
    }
}

fn check_algorithm(algorithm: Option<Text<'_>>) -> Result<(), Malformed> {
    match json::required(algorithm, "encryptionAlgorithm")?.0 == ENCRYPTION_ALGORITHM {
        true => Ok(()),
        false => Err(Malformed::new("`encryptionAlgorithm` is not `AES_GCM`")),
    }
}

fn not_base64(name: &str) -> Malformed {
    Malformed::member(name, "is not Base64 of the standard alphabet with padding")
}

pub(crate) fn binary(member: Option<Text<'_>>, name: &str) -> Result<Option<Vec<u8>>, Malformed> {
    member.map(|text| base64::decode(&text.0).ok_or_else(|| not_base64(name))).transpose()
}

pub(crate) fn required_binary(member: Option<Text<'_>>, name: &str) -> Result<Vec<u8>, Malformed> {
    json::required(binary(member, name)?, name)
}

pub(crate) fn iv(member: Option<Text<'_>>) -> Result<Vec<u8>, Malformed> {
    const NAME: &str = "initializationVector";
    let iv = required_binary(member, NAME)?;
    match IV_BYTES.contains(&iv.len()) {
        true => Ok(iv),
        false => Err(Malformed::member(NAME, "has neither 12 nor 16 bytes")),
    }
}

pub(crate) fn tag(member: Option<Text<'_>>) -> Result<[u8; TAG_BYTES], Malformed> {
    const NAME: &str = "authenticationTag";
    let tag = required_binary(member, NAME)?;
    tag.try_into().map_err(|_| Malformed::member(NAME, "has not 16 bytes"))
}

pub(crate) fn ciphertext_metadata(member: Option<Text<'_>>) -> Result<Option<Vec<u8>>, Malformed> {
    const NAME: &str = "ciphertextMetadata";
    let metadata = binary(member, NAME)?;
    match metadata.as_ref().is_some_and(|metadata| metadata.len() > METADATA_BYTES_MAX) {
        true => Err(Malformed::member(NAME, "has more than 20 bytes")),
        false => Ok(metadata),
    }
}
