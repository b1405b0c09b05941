//! A document as a whole: COSE_Sign1 (RFC 9052 section 4.2) around a statement.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use trent_crypto::{KeyPairSpec, PublicKey};

use crate::attested::Attested;
use crate::cbor::{self, CborError, Value};
use crate::chain::ChainError;
use crate::roots::{Root, Roots};
use crate::statement::Statement;

/// The longest document that is read, as the API has it.
const DOCUMENT_BYTES_MAX: usize = 262_144;
/// Tag 18, which documents may begin with and those of AWS do not.
const TAG: u8 = 0xd2;
/// `{1: -35}`: the algorithm is ES384.
const ES384: (Value<'static>, Value<'static>) = (Value::Unsigned(1), Value::Negative(34));
const SIGNATURE_BYTES: usize = 96;

/// Why a document is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Longer than any.
    #[error("it is too long")]
    TooLong,
    /// Not CBOR, or not that of a document.
    #[error("its CBOR {0}")]
    Cbor(#[from] CborError),
    /// Not of four parts, or they are not what they should be.
    #[error("it is not a COSE_Sign1 with a map as its payload")]
    Structure,
    /// Signed with something else than ES384.
    #[error("its protected header is not that of ES384")]
    Algorithm,
    /// A member is not there.
    #[error("its member {0} is missing")]
    Missing(&'static str),
    /// A member is of another type, or out of bounds.
    #[error("its member {0} is invalid")]
    Invalid(&'static str),
    /// The certificates are not those of somebody who is trusted.
    #[error("its certificates are not valid: {0}")]
    Chain(#[from] ChainError),
    /// Not signed with the key of its certificate.
    #[error("its signature is not valid")]
    Signature,
    /// Older than the operator wants.
    #[error("it is too old")]
    TooOld,
    /// From the future.
    #[error("its timestamp is in the future")]
    Future,
    /// The key to answer to is none.
    #[error("its public key is not an RSA key of 2048, 3072 or 4096 bits")]
    PublicKey,
}

/// How old documents may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Their age in seconds; none as long as their certificates are valid.
    pub age_seconds_max: Option<u32>,
    /// How far their clock may be ahead.
    pub skew_seconds: u32,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { age_seconds_max: None, skew_seconds: 300 }
    }
}

impl Roots {
    /// Reads a document at a time, in milliseconds since 1970, and checks all but its signatures, which takes
    /// microseconds.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn read(
        &self,
        document: &[u8],
        now_millis: u64,
        freshness: Freshness,
    ) -> Result<Unverified, DocumentError> {
        let signed = Signed::read(document)?;
        let statement = Statement::read(&signed.payload)?;
        let root = statement.bundle.first().and_then(|first| self.find(first));
        let root = Arc::clone(root.ok_or(ChainError::UnknownRoot)?);
        check_time(statement.timestamp, now_millis, freshness)?;
        let key = rsa_key(&statement.public_key)?;
        Ok(Unverified { root, signed, statement, key, now: now_millis / 1000 })
    }

    /// Reads and verifies a document at a time, in milliseconds since 1970.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn verify(
        &self,
        document: &[u8],
        now_millis: u64,
        freshness: Freshness,
    ) -> Result<Attested, DocumentError> {
        self.read(document, now_millis, freshness)?.verify()
    }
}

/// A document of which all but the signatures has been checked. What it says cannot be asked yet.
pub struct Unverified {
    root: Arc<Root>,
    signed: Signed,
    statement: Statement,
    key: PublicKey,
    /// Seconds since 1970.
    now: u64,
}

impl Unverified {
    /// Verifies the signatures of the document and of its certificates, which takes milliseconds.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn verify(self) -> Result<Attested, DocumentError> {
        let Self { root, signed, statement, key, now } = self;
        let Statement { module_id, kind, registers, certificate, bundle, .. } = statement;
        let issuers = bundle.get(1..).unwrap_or_default();
        signed.verify(&root.verify_chain(&certificate, issuers, now)?)?;
        Ok(Attested { root: Arc::clone(&root.label), kind, module_id, registers, key })
    }
}

/// A message and its signature.
struct Signed {
    protected: Vec<u8>,
    payload: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Signed {
    fn read(document: &[u8]) -> Result<Self, DocumentError> {
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(DocumentError::TooLong);
        }
        let untagged = document.strip_prefix(&[TAG]).unwrap_or(document);
        let Value::Array(parts) = cbor::read(untagged)? else { return Err(DocumentError::Structure) };
        let parts = <[Value<'_>; 4]>::try_from(parts).map_err(|_| DocumentError::Structure)?;
        let [
            Value::Bytes(protected),
            Value::Map(unprotected),
            Value::Bytes(payload),
            Value::Bytes(signature),
        ] = parts
        else {
            return Err(DocumentError::Structure);
        };
        if !unprotected.is_empty() {
            return Err(DocumentError::Structure);
        }
        let signature = signature.as_ref().try_into().map_err(|_| DocumentError::Signature)?;
        let is_es384 = matches!(cbor::read(&protected)?, Value::Map(header) if header == [ES384]);
        is_es384.then_some(()).ok_or(DocumentError::Algorithm)?;
        Ok(Self { protected: protected.into_owned(), payload: payload.into_owned(), signature })
    }

    /// Checks the signature with a key, as SPKI DER. Only keys of P-384 fit.
    fn verify(&self, signer: &[u8]) -> Result<(), DocumentError> {
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, signer);
        key.verify(&self.to_be_signed(), &self.signature).map_err(|_| DocumentError::Signature)
    }

    /// `Sig_structure` of RFC 9052 section 4.4: `["Signature1", protected, h'', payload]`.
    fn to_be_signed(&self) -> Vec<u8> {
        const CONTEXT: &[u8] = b"Signature1";
        let mut out = Vec::with_capacity(self.payload.len() + 64);
        cbor::put_head(&mut out, cbor::ARRAY, 4);
        let strings = [
            (cbor::TEXT, CONTEXT),
            (cbor::BYTES, &self.protected),
            (cbor::BYTES, &[]),
            (cbor::BYTES, &self.payload),
        ];
        for (major, string) in strings {
            cbor::put_head(&mut out, major, u64::try_from(string.len()).unwrap_or(u64::MAX));
            out.extend_from_slice(string);
        }
        out
    }
}

fn check_time(timestamp: u64, now_millis: u64, freshness: Freshness) -> Result<(), DocumentError> {
    let millis = |seconds: u32| u64::from(seconds) * 1000;
    let too_old = |age_max| timestamp.saturating_add(millis(age_max)) < now_millis;
    if timestamp > now_millis.saturating_add(millis(freshness.skew_seconds)) {
        return Err(DocumentError::Future);
    }
    if freshness.age_seconds_max.is_some_and(too_old) { Err(DocumentError::TooOld) } else { Ok(()) }
}

fn rsa_key(spki: &[u8]) -> Result<PublicKey, DocumentError> {
    let specs = [KeyPairSpec::Rsa2048, KeyPairSpec::Rsa3072, KeyPairSpec::Rsa4096];
    let key = specs.into_iter().find_map(|spec| PublicKey::from_spki(spec, spki).ok());
    key.ok_or(DocumentError::PublicKey)
}
