//! The certificates of a document, from a trusted root to the one that signed it. No lists of revoked certificates: AWS
//! says that they do not apply.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use trent_crypto::certificate::{Certificate, KeyUsage};
use webpki::aws_lc_rs::ECDSA_P384_SHA384;
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter};

use crate::roots::Root;

/// Why certificates are not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The first one is no root that the operator trusts.
    #[error("the first of them is not a trusted root")]
    UnknownRoot,
    /// One is not valid any more.
    #[error("one has expired")]
    Expired,
    /// One is not valid yet.
    #[error("one is not valid yet")]
    NotYetValid,
    /// One cannot be read.
    #[error("one is malformed")]
    Malformed,
    /// One may not do what it did: sign others, or sign documents.
    #[error("one was used for what it is not made for")]
    Usage,
    /// One is followed by more than it allows.
    #[error("the chain is longer than one allows")]
    TooLong,
    /// They do not lead from the root to the signer, each signed by the one before it with a key of P-384.
    #[error("they do not lead from the root to the signer")]
    Broken,
}

impl From<Error> for ChainError {
    fn from(error: Error) -> Self {
        match error {
            Error::CertExpired { .. } => Self::Expired,
            Error::CertNotValidYet { .. } => Self::NotYetValid,
            Error::CaUsedAsEndEntity | Error::EndEntityUsedAsCa => Self::Usage,
            Error::PathLenConstraintViolated | Error::MaximumPathDepthExceeded => Self::TooLong,
            Error::InvalidSignatureForPublicKey
            | Error::UnknownIssuer
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumSignatureChecksExceeded
            | Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::Broken,
            _ => Self::Malformed,
        }
    }
}

impl Root {
    /// Verifies a chain below this root at a time, in seconds since 1970: the key of `signer` as SPKI DER.
    pub(crate) fn verify_chain(
        &self,
        signer: &[u8],
        issuers: &[Vec<u8>],
        now: u64,
    ) -> Result<Vec<u8>, ChainError> {
        check_dates(&self.certificate, now)?;

        let signer = CertificateDer::from(signer);
        let issuers: Vec<_> = issuers.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let end = EndEntityCert::try_from(&signer)?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let anchors = [self.anchor.clone()];
        let algorithms = [ECDSA_P384_SHA384];
        let path = end.verify_for_usage(&algorithms, &anchors, &issuers, time, AnyPurpose, None, None)?;

        // webpki builds a path of whatever is there; documents have theirs in order.
        let built = path.intermediate_certificates().map(webpki::Cert::der);
        if !built.eq(issuers.iter().rev().cloned()) {
            return Err(ChainError::Broken);
        }
        for issuer in &issuers {
            check_usage(issuer, |usage| usage.certificate_sign)?;
        }
        check_usage(&signer, |usage| usage.digital_signature)?;
        Ok(end.subject_public_key_info().to_vec())
    }
}

/// webpki takes a root for valid for ever.
fn check_dates(certificate: &Certificate, now: u64) -> Result<(), ChainError> {
    let now = i64::try_from(now).map_err(|_| ChainError::Expired)?;
    match certificate.validity {
        validity if now < validity.from => Err(ChainError::NotYetValid),
        validity if now > validity.until => Err(ChainError::Expired),
        _ => Ok(()),
    }
}

/// webpki does not look at key usage.
fn check_usage(certificate: &[u8], fits: impl Fn(KeyUsage) -> bool) -> Result<(), ChainError> {
    let certificate = Certificate::read(certificate).ok_or(ChainError::Malformed)?;
    certificate.key_usage.is_some_and(fits).then_some(()).ok_or(ChainError::Usage)
}

/// No purpose is registered for signing attestation documents, so none is asked for.
struct AnyPurpose;

impl ExtendedKeyUsageValidator for AnyPurpose {
    fn validate(&self, _purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        Ok(())
    }
}
