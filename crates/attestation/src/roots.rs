//! The roots that an operator trusts, each with a label that policies can ask for.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use trent_crypto::certificate::Certificate;

/// The root of AWS Nitro Enclaves and NitroTPM, G1. SHA-256 of it, as AWS publishes it:
/// `641A0321A3E244EFE456463195D606317ED7CDCC3C1756E09893F3C68F79BB5B`.
const AWS: &[u8] = include_bytes!("aws_nitro_enclaves_root_g1.der");

/// Why a root is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Not a certificate.
    #[error("this is not one certificate, as PEM or DER")]
    Malformed,
    /// A certificate that may not sign others.
    #[error("this certificate may not sign others: its key usage lacks keyCertSign")]
    NotForSigning,
    /// Another root has this label.
    #[error("this label is taken")]
    LabelTaken,
}

/// The trusted roots.
#[derive(Clone, Debug, Default)]
pub struct Roots(Vec<Arc<Root>>);

#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) label: Arc<str>,
    pub(crate) certificate: Certificate,
    pub(crate) anchor: TrustAnchor<'static>,
    der: CertificateDer<'static>,
}

impl Roots {
    /// The label of the AWS root.
    pub const AWS: &'static str = "aws";

    /// The root of AWS, which is all that there is unless an operator says otherwise.
    #[must_use]
    pub fn aws() -> Self {
        // A part of the program, which a test reads; without it nobody would be trusted.
        Self::default().with_aws().unwrap_or_default()
    }

    /// The roots with that of AWS among them.
    ///
    /// # Errors
    /// When it is there already.
    pub fn with_aws(self) -> Result<Self, RootError> {
        self.with(Self::AWS, AWS)
    }

    /// The roots with another one among them: a certificate as PEM or DER.
    ///
    /// # Errors
    /// See [`RootError`].
    pub fn with(mut self, label: &str, certificate: &[u8]) -> Result<Self, RootError> {
        if self.0.iter().any(|root| &*root.label == label) {
            return Err(RootError::LabelTaken);
        }
        self.0.push(Arc::new(Root::read(label, certificate)?));
        Ok(self)
    }

    /// The root that is this certificate, to the byte.
    pub(crate) fn find(&self, der: &[u8]) -> Option<&Arc<Root>> {
        self.0.iter().find(|root| root.der.as_ref() == der)
    }
}

impl Root {
    fn read(label: &str, certificate: &[u8]) -> Result<Self, RootError> {
        let der = one_certificate(certificate)?;
        let read = Certificate::read(&der).ok_or(RootError::Malformed)?;
        let anchor = webpki::anchor_from_trusted_cert(&der).map_err(|_| RootError::Malformed)?.to_owned();
        let signs = read.key_usage.is_some_and(|usage| usage.certificate_sign);
        signs.then_some(()).ok_or(RootError::NotForSigning)?;
        Ok(Self { label: label.into(), certificate: read, anchor, der })
    }
}

fn one_certificate(bytes: &[u8]) -> Result<CertificateDer<'static>, RootError> {
    const DER_SEQUENCE: u8 = 0x30;
    if bytes.first() == Some(&DER_SEQUENCE) {
        return Ok(CertificateDer::from(bytes.to_vec()));
    }
    let mut found = CertificateDer::pem_slice_iter(bytes);
    match (found.next(), found.next()) {
        (Some(Ok(certificate)), None) => Ok(certificate),
        _ => Err(RootError::Malformed),
    }
}
