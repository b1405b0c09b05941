//! Whose signature a certificate bears.
//!
//! For pairs that an operator has chosen, such as a cluster's certificate and its trust anchor: dates, extensions and
//! revocation are not looked at. Certificates made by `openssl x509 -req` have version 1, which TLS libraries refuse.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

use super::{SEQUENCE, any_element, element};

const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;

/// Whether the certificate `der` names the subject of `issuer` as its issuer and bears the signature of its key.
///
/// SHA-2 with RSA (PKCS #1 v1.5) or with ECDSA; anything else is no signature.
#[must_use]
pub fn is_signed_by(der: &[u8], issuer: &[u8]) -> bool {
    let (Some(signed), Some(signer)) = (Signed::read(der), Signed::read(issuer)) else { return false };
    if signed.names.issuer != signer.names.subject {
        return false;
    }
    algorithms(signed.algorithm).iter().any(|algorithm| {
        let key = UnparsedPublicKey::new(*algorithm, signer.names.public_key);
        key.verify(signed.content, signed.signature).is_ok()
    })
}

/// What is signed, and how.
struct Signed<'a> {
    content: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    names: Names<'a>,
}

/// Names and key as they stand there.
struct Names<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    public_key: &'a [u8],
}

impl<'a> Signed<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let (certificate, rest) = element(der, SEQUENCE)?;
        if !rest.is_empty() {
            return None;
        }
        let (content, rest) = whole(certificate)?;
        let (algorithm, rest) = element(rest, SEQUENCE)?;
        let (signature, _) = element(rest, BIT_STRING)?;
        let (algorithm, _) = element(algorithm, OBJECT_IDENTIFIER)?;
        // The first octet tells of bits that do not count, of which a signature has none.
        let signature = signature.strip_prefix(&[0])?;
        Some(Self { content, algorithm, signature, names: Names::read(content)? })
    }
}

impl<'a> Names<'a> {
    fn read(content: &'a [u8]) -> Option<Self> {
        let (mut rest, _) = element(content, SEQUENCE)?;
        if rest.first() == Some(&VERSION) {
            rest = any_element(rest)?.2;
        }
        for _serial_and_signature in 0..2 {
            rest = any_element(rest)?.2;
        }
        let (issuer, rest) = whole(rest)?;
        let (_validity, rest) = whole(rest)?;
        let (subject, rest) = whole(rest)?;
        let (public_key, _) = whole(rest)?;
        Some(Self { issuer, subject, public_key })
    }
}

/// An element with tag and length, and what follows.
fn whole(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, _, rest) = any_element(der)?;
    der.split_at_checked(der.len() - rest.len())
}

fn algorithms(identifier: &[u8]) -> &'static [&'static dyn VerificationAlgorithm] {
    // RFC 8017 appendix A.2.4 and RFC 5758 section 3.2.
    const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    match (identifier.strip_prefix(&RSA), identifier.strip_prefix(&ECDSA)) {
        (Some([11]), _) => &[&RSA_PKCS1_2048_8192_SHA256],
        (Some([12]), _) => &[&RSA_PKCS1_2048_8192_SHA384],
        (Some([13]), _) => &[&RSA_PKCS1_2048_8192_SHA512],
        (_, Some([2])) => &[&ECDSA_P256_SHA256_ASN1, &ECDSA_P384_SHA256_ASN1],
        (_, Some([3])) => &[&ECDSA_P384_SHA384_ASN1, &ECDSA_P256_SHA384_ASN1],
        (_, Some([4])) => &[&ECDSA_P521_SHA512_ASN1],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SignatureAlgorithm};

    use super::*;

    fn pair(algorithm: &'static SignatureAlgorithm, name: &str) -> (Vec<u8>, Vec<u8>) {
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(rcgen::DnType::CommonName, name);
        let ca_key = KeyPair::generate_for(algorithm).unwrap();
        let anchor = ca.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(ca, ca_key);
        let leaf = CertificateParams::new(vec!["cluster".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        (anchor.der().to_vec(), leaf.der().to_vec())
    }

    #[test]
    fn a_signature_is_that_of_one_key() {
        for algorithm in [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ECDSA_P521_SHA512,
            &rcgen::PKCS_RSA_SHA256,
        ] {
            let (anchor, leaf) = pair(algorithm, "one");
            let (namesake, _) = pair(algorithm, "one");
            let (other, _) = pair(algorithm, "two");
            assert!(is_signed_by(&leaf, &anchor) && is_signed_by(&anchor, &anchor));
            assert!(
                !is_signed_by(&leaf, &namesake)
                    && !is_signed_by(&leaf, &other)
                    && !is_signed_by(&leaf, &leaf)
            );
            for position in [20, 60, leaf.len() - 1] {
                let mut altered = leaf.clone();
                altered[position] ^= 1;
                assert!(!is_signed_by(&altered, &anchor), "{position}");
            }
        }
    }

    /// As AWS's guide has it made: `openssl req -x509` and `openssl x509 -req`, the latter of version 1.
    #[test]
    fn certificates_of_openssl_are_read() {
        let anchor = include_bytes!("../../testdata/certificates/customer_ca.der");
        let cluster = include_bytes!("../../testdata/certificates/cluster.der");
        assert!(is_signed_by(cluster, anchor));
        assert!(!is_signed_by(anchor, cluster));
    }

    #[test]
    fn what_is_no_certificate_is_not_signed() {
        let (anchor, leaf) = pair(&rcgen::PKCS_ECDSA_P256_SHA256, "one");
        for length in 0..leaf.len() {
            assert!(
                !is_signed_by(&leaf[..length], &anchor)
                    && !is_signed_by(&leaf, &anchor[..length.min(anchor.len() - 1)])
            );
        }
    }
}
