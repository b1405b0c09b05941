//! From when until when the certificate of a file is valid.

use std::fs;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

pub(crate) use trent_crypto::certificate::{SECONDS_PER_DAY, Validity};

/// The validity of the first certificate of a chain.
pub(crate) fn validity(path: &Path) -> Option<Validity> {
    let chain = fs::read(path).ok()?;
    let certificate = CertificateDer::pem_slice_iter(&chain).next()?.ok()?;
    trent_crypto::certificate::Certificate::read(&certificate).map(|certificate| certificate.validity)
}
