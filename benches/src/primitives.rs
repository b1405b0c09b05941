//! The bare computations of AWS-LC beneath signing and the like, on this machine and in this run: what trent's own cost is
//! told apart from.
//!
//! Prepared keys, no server; each call of a primitive is one request's worth of work. As many threads as cores do it at once,
//! as under a server that is busy: cores share what one of them has for itself while the others rest.

use std::hint::black_box;
use std::time::{Duration, Instant};
use std::{iter, thread};

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::agreement::{self, PrivateKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kem::{self, DecapsulationKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, KeyPair, ParsedPublicKey, VerificationAlgorithm};
use aws_lc_rs::{hmac, signature::EcdsaSigningAlgorithm};
use rustix::time::{ClockId, clock_gettime};

const MESSAGE: &[u8] = &[7; 32];
/// Calls between two looks at the clock: the cheapest takes half a microsecond.
const BATCH: u32 = 16;

type Work = Box<dyn FnMut() -> Result<(), Unspecified> + Send>;

/// A computation, ready to be repeated, once for each core.
pub(crate) struct Primitive(Vec<Work>);

impl Primitive {
    /// What an operation computes with a key of this spec.
    pub(crate) fn of(operation: &str, spec: &str) -> Result<Self> {
        let work = || match operation {
            "Sign" | "Verify" => signing(spec, operation == "Sign"),
            "GenerateMac" | "VerifyMac" => authentication(spec, operation == "GenerateMac"),
            "DeriveSharedSecret" => agreeing(spec),
            "Encapsulate" | "Decapsulate" => encapsulation(spec, operation == "Encapsulate"),
            _ => None,
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let works = iter::repeat_with(work).take(cores).collect::<Option<_>>();
        Ok(Self(works.with_context(|| format!("no primitive of {operation} with {spec}"))?))
    }

    /// The processor time of one call on average, of as many as fit into `time`.
    pub(crate) fn cpu_micros(&mut self, time: Duration) -> Result<f64> {
        let cores = self.0.len();
        let times = thread::scope(|scope| {
            let threads: Vec<_> =
                self.0.iter_mut().map(|work| scope.spawn(move || repeat(work, time))).collect();
            let ended = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("panicked"))?);
            ended.sum::<Result<f64>>()
        });
        Ok(times? / f64::from(u32::try_from(cores)?))
    }
}

/// The processor time of one call on this thread, in microseconds.
fn repeat(work: &mut Work, time: Duration) -> Result<f64> {
    let (begun, before) = (Instant::now(), thread_cpu()?);
    let mut calls = 0;
    while begun.elapsed() < time {
        for _ in 0..BATCH {
            work().map_err(|_| anyhow!("AWS-LC refuses"))?;
        }
        calls += BATCH;
    }
    Ok(thread_cpu()?.saturating_sub(before).as_secs_f64() * 1e6 / f64::from(calls))
}

fn thread_cpu() -> Result<Duration> {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Ok(Duration::new(u64::try_from(now.tv_sec)?, u32::try_from(now.tv_nsec)?))
}

fn signing(spec: &str, signs: bool) -> Option<Work> {
    let rsa = |size| rsa(size, signs);
    let ecdsa = |signing, verifying| ecdsa(signing, verifying, signs);
    match spec {
        "RSA_2048" => rsa(KeySize::Rsa2048),
        "RSA_3072" => rsa(KeySize::Rsa3072),
        "RSA_4096" => rsa(KeySize::Rsa4096),
        "ECC_NIST_P256" => {
            ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &signature::ECDSA_P256_SHA256_ASN1)
        }
        "ECC_NIST_P384" => {
            ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, &signature::ECDSA_P384_SHA384_ASN1)
        }
        "ECC_NIST_P521" => {
            ecdsa(&signature::ECDSA_P521_SHA512_ASN1_SIGNING, &signature::ECDSA_P521_SHA512_ASN1)
        }
        "ECC_SECG_P256K1" => {
            ecdsa(&signature::ECDSA_P256K1_SHA256_ASN1_SIGNING, &signature::ECDSA_P256K1_SHA256_ASN1)
        }
        "ECC_NIST_EDWARDS25519" => {
            let pair = signature::Ed25519KeyPair::generate().ok()?;
            let made = pair.sign(MESSAGE).as_ref().to_vec();
            if signs {
                return Some(Box::new(move || {
                    black_box(pair.sign(MESSAGE));
                    Ok(())
                }));
            }
            verifying(&signature::ED25519, pair.public_key().as_ref(), made)
        }
        "ML_DSA_44" => ml_dsa(&signature::ML_DSA_44_SIGNING, &signature::ML_DSA_44, signs),
        "ML_DSA_65" => ml_dsa(&signature::ML_DSA_65_SIGNING, &signature::ML_DSA_65, signs),
        "ML_DSA_87" => ml_dsa(&signature::ML_DSA_87_SIGNING, &signature::ML_DSA_87, signs),
        _ => None,
    }
}

fn verifying(algorithm: &'static dyn VerificationAlgorithm, key: &[u8], made: Vec<u8>) -> Option<Work> {
    let key = ParsedPublicKey::new(algorithm, key).ok()?;
    Some(Box::new(move || key.verify_sig(MESSAGE, &made)))
}

fn rsa(size: KeySize, signs: bool) -> Option<Work> {
    let (pair, random) = (signature::RsaKeyPair::generate(size).ok()?, SystemRandom::new());
    let mut made = vec![0; pair.public_modulus_len()];
    pair.sign(&signature::RSA_PSS_SHA256, &random, MESSAGE, &mut made).ok()?;
    if signs {
        return Some(Box::new(move || pair.sign(&signature::RSA_PSS_SHA256, &random, MESSAGE, &mut made)));
    }
    verifying(&signature::RSA_PSS_2048_8192_SHA256, pair.public_key().as_ref(), made)
}

fn ecdsa(
    algorithm: &'static EcdsaSigningAlgorithm,
    verification: &'static dyn VerificationAlgorithm,
    signs: bool,
) -> Option<Work> {
    let (pair, random) = (signature::EcdsaKeyPair::generate(algorithm).ok()?, SystemRandom::new());
    let made = pair.sign(&random, MESSAGE).ok()?.as_ref().to_vec();
    if signs {
        return Some(Box::new(move || pair.sign(&random, MESSAGE).map(drop)));
    }
    verifying(verification, pair.public_key().as_ref(), made)
}

fn ml_dsa(
    algorithm: &'static signature::PqdsaSigningAlgorithm,
    verification: &'static dyn VerificationAlgorithm,
    signs: bool,
) -> Option<Work> {
    let pair = signature::PqdsaKeyPair::generate(algorithm).ok()?;
    let mut made = vec![0; algorithm.signature_len()];
    pair.sign(MESSAGE, &mut made).ok()?;
    if signs {
        return Some(Box::new(move || pair.sign(MESSAGE, &mut made).map(drop)));
    }
    verifying(verification, pair.public_key().as_ref(), made)
}

fn authentication(spec: &str, makes: bool) -> Option<Work> {
    let algorithm = match spec {
        "HMAC_224" => hmac::HMAC_SHA224,
        "HMAC_256" => hmac::HMAC_SHA256,
        "HMAC_384" => hmac::HMAC_SHA384,
        "HMAC_512" => hmac::HMAC_SHA512,
        _ => return None,
    };
    let key = hmac::Key::generate(algorithm, &SystemRandom::new()).ok()?;
    let made = hmac::sign(&key, MESSAGE);
    if makes {
        return Some(Box::new(move || {
            black_box(hmac::sign(&key, MESSAGE));
            Ok(())
        }));
    }
    Some(Box::new(move || hmac::verify(&key, MESSAGE, made.as_ref())))
}

fn agreeing(spec: &str) -> Option<Work> {
    let algorithm = match spec {
        "ECC_NIST_P256" => &agreement::ECDH_P256,
        "ECC_NIST_P384" => &agreement::ECDH_P384,
        "ECC_NIST_P521" => &agreement::ECDH_P521,
        _ => return None,
    };
    let (mine, theirs) = (PrivateKey::generate(algorithm).ok()?, PrivateKey::generate(algorithm).ok()?);
    let peer = theirs.compute_public_key().ok()?.as_ref().to_vec();
    Some(Box::new(move || {
        let peer = agreement::UnparsedPublicKey::new(algorithm, &peer);
        agreement::agree(&mine, peer, Unspecified, |_| Ok(()))
    }))
}

fn encapsulation(spec: &str, makes: bool) -> Option<Work> {
    let algorithm = match spec {
        "ML_KEM_512" => &kem::ML_KEM_512,
        "ML_KEM_768" => &kem::ML_KEM_768,
        "ML_KEM_1024" => &kem::ML_KEM_1024,
        _ => return None,
    };
    let private = DecapsulationKey::generate(algorithm).ok()?;
    let public = private.encapsulation_key().ok()?;
    if makes {
        return Some(Box::new(move || public.encapsulate().map(drop)));
    }
    let made = public.encapsulate().ok()?.0.as_ref().to_vec();
    Some(Box::new(move || private.decapsulate(made.as_slice().into()).map(drop)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::PLANS;

    #[test]
    fn each_operation_that_is_measured_has_a_primitive_that_works() {
        for plan in
            PLANS.iter().filter(|plan| !plan.spec.starts_with("RSA_3") && !plan.spec.starts_with("RSA_4"))
        {
            for operation in plan.operations {
                let mut primitive = Primitive::of(operation, plan.spec).unwrap();
                let micros = primitive.cpu_micros(Duration::from_millis(1)).unwrap();
                assert!(micros > 0.0, "{operation} with {}: {micros}", plan.spec);
            }
        }
    }
}
