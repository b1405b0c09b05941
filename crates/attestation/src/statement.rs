//! What a document states: the payload under its signature. Read here, and not to be believed yet.

use std::collections::BTreeMap;

use crate::attested::Kind;
use crate::cbor::{self, Value};
use crate::document::DocumentError;

/// Of a bundle, from the root down. Longer paths are not verified, and to look for one among many takes long.
const CERTIFICATES_MAX: usize = 8;
const CERTIFICATE_BYTES_MAX: usize = 1024;
const PUBLIC_KEY_BYTES_MAX: usize = 1024;
const USER_DATA_BYTES_MAX: usize = 512;
const NONCE_BYTES_MAX: usize = 1024;
const REGISTERS_MAX: usize = 32;

/// See the module.
pub(crate) struct Statement {
    pub(crate) module_id: String,
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
    pub(crate) kind: Kind,
    pub(crate) registers: BTreeMap<u8, Vec<u8>>,
    pub(crate) certificate: Vec<u8>,
    /// From the root to the issuer of `certificate`.
    pub(crate) bundle: Vec<Vec<u8>>,
    pub(crate) public_key: Vec<u8>,
}

impl Statement {
    /// Reads a payload. Members that nobody knows yet are passed over.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, DocumentError> {
        let Value::Map(pairs) = cbor::read(payload)? else { return Err(DocumentError::Structure) };
        let mut members = Members(pairs);
        if members.required("digest", text)? != "SHA384" {
            return Err(DocumentError::Invalid("digest"));
        }
        let (kind, registers) = measured(&mut members)?;
        members.optional("user_data", |value| bytes(value, 0..=USER_DATA_BYTES_MAX))?;
        members.optional("nonce", |value| bytes(value, 0..=NONCE_BYTES_MAX))?;
        Ok(Self {
            module_id: members.required("module_id", |value| text(value).filter(|id| !id.is_empty()))?,
            timestamp: members.required("timestamp", |value| number(&value))?,
            kind,
            registers,
            certificate: members.required("certificate", certificate)?,
            bundle: members.required("cabundle", certificates)?,
            public_key: members.required("public_key", |value| bytes(value, 1..=PUBLIC_KEY_BYTES_MAX))?,
        })
    }
}

/// The measurements. Which of the two maps there is says what was measured.
fn measured(members: &mut Members<'_>) -> Result<(Kind, BTreeMap<u8, Vec<u8>>), DocumentError> {
    let enclave = members.optional(Kind::Enclave.member(), registers)?;
    let tpm = members.optional(Kind::Tpm.member(), registers)?;
    match (enclave, tpm) {
        (Some(registers), None) => Ok((Kind::Enclave, registers)),
        (None, Some(registers)) => Ok((Kind::Tpm, registers)),
        (None, None) => Err(DocumentError::Missing(Kind::Enclave.member())),
        (Some(_), Some(_)) => Err(DocumentError::Invalid(Kind::Tpm.member())),
    }
}

/// The members of the payload.
struct Members<'a>(Vec<(Value<'a>, Value<'a>)>);

impl<'a> Members<'a> {
    /// A member as `read` understands it; null is as good as none.
    fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, DocumentError> {
        let at = self.0.iter().position(|(key, _)| matches!(key, Value::Text(text) if text == name));
        match at.map(|at| self.0.swap_remove(at).1) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or(DocumentError::Invalid(name)),
        }
    }

    fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<T, DocumentError> {
        self.optional(name, read)?.ok_or(DocumentError::Missing(name))
    }
}

fn text(value: Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.into_owned()),
        _ => None,
    }
}

/// A number above zero.
fn number(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Unsigned(number) => Some(*number).filter(|number| *number > 0),
        _ => None,
    }
}

fn bytes(value: Value<'_>, lengths: std::ops::RangeInclusive<usize>) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => lengths.contains(&bytes.len()).then(|| bytes.into_owned()),
        _ => None,
    }
}

fn certificate(value: Value<'_>) -> Option<Vec<u8>> {
    bytes(value, 1..=CERTIFICATE_BYTES_MAX)
}

fn certificates(value: Value<'_>) -> Option<Vec<Vec<u8>>> {
    match value {
        Value::Array(values) if (1..=CERTIFICATES_MAX).contains(&values.len()) => {
            values.into_iter().map(certificate).collect()
        }
        _ => None,
    }
}

fn registers(value: Value<'_>) -> Option<BTreeMap<u8, Vec<u8>>> {
    let Value::Map(pairs) = value else { return None };
    if pairs.is_empty() || pairs.len() > REGISTERS_MAX {
        return None;
    }
    pairs.into_iter().map(|(index, value)| Some((register_index(&index)?, digest(value)?))).collect()
}

fn register_index(value: &Value<'_>) -> Option<u8> {
    match value {
        Value::Unsigned(index) => {
            u8::try_from(*index).ok().filter(|index| usize::from(*index) < REGISTERS_MAX)
        }
        _ => None,
    }
}

/// A digest of SHA-256, SHA-384 or SHA-512.
fn digest(value: Value<'_>) -> Option<Vec<u8>> {
    bytes(value, 32..=64).filter(|digest| matches!(digest.len(), 32 | 48 | 64))
}
