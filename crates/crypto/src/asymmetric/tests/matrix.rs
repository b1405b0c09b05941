//! Every spec with every algorithm and type of message: what goes, and why the rest does not.

use super::*;

/// What the API allows (`Sign`): spec, algorithm, and the lengths of a digest or μ; `None` where there can be none.
#[rustfmt::skip]
fn allowed(spec: KeyPairSpec, algorithm: SigningAlgorithm) -> Option<(bool, Option<usize>, Option<usize>)> {
    use KeyPairSpec as Spec;
    use SigningAlgorithm as Algorithm;
    // Raw? Digest of which length? External μ of which length?
    let row = match (spec, algorithm) {
        (Spec::Rsa2048 | Spec::Rsa3072 | Spec::Rsa4096, Algorithm::RsassaPssSha256 | Algorithm::RsassaPkcs1V15Sha256)
            => (true, Some(32), None),
        (Spec::Rsa2048 | Spec::Rsa3072 | Spec::Rsa4096, Algorithm::RsassaPssSha384 | Algorithm::RsassaPkcs1V15Sha384)
            => (true, Some(48), None),
        (Spec::Rsa2048 | Spec::Rsa3072 | Spec::Rsa4096, Algorithm::RsassaPssSha512 | Algorithm::RsassaPkcs1V15Sha512)
            => (true, Some(64), None),
        (Spec::EccNistP256 | Spec::EccSecgP256k1, Algorithm::EcdsaSha256) => (true, Some(32), None),
        (Spec::EccNistP384, Algorithm::EcdsaSha384) => (true, Some(48), None),
        (Spec::EccNistP521, Algorithm::EcdsaSha512) => (true, Some(64), None),
        (Spec::EccNistEdwards25519, Algorithm::Ed25519Sha512) => (true, None, None),
        (Spec::EccNistEdwards25519, Algorithm::Ed25519PhSha512) => (false, Some(64), None),
        (Spec::MlDsa44 | Spec::MlDsa65 | Spec::MlDsa87, Algorithm::MlDsaShake256) => (true, None, Some(64)),
        _ => return None,
    };
    Some(row)
}

fn expected(spec: KeyPairSpec, algorithm: SigningAlgorithm, message: Message<'_>) -> Result<(), KeyUseError> {
    let (raw, digest, mu) = allowed(spec, algorithm).ok_or(KeyUseError::Incompatible)?;
    let length = |allowed: Option<usize>, length: usize| match allowed {
        None => Err(KeyUseError::MessageType),
        Some(allowed) if allowed != length => Err(KeyUseError::DigestLength),
        Some(_) => Ok(()),
    };
    match message {
        Message::Raw(_) => raw.then_some(()).ok_or(KeyUseError::MessageType),
        Message::Digest(bytes) => length(digest, bytes.len()),
        Message::ExternalMu(bytes) => length(mu, bytes.len()),
    }
}

#[test]
fn every_spec_with_every_algorithm_and_message_does_what_the_table_says() {
    let mut signed = 0;
    for (name, spec) in SPECS {
        let pair = pair(&json!(name));
        for (name, algorithm) in ALGORITHMS {
            for length in [1, 28, 32, 48, 63, 64, 65] {
                let bytes = vec![7; length];
                for message in [Message::Raw(&bytes), Message::Digest(&bytes), Message::ExternalMu(&bytes)] {
                    let expected = expected(spec, algorithm, message);
                    let signature = pair.sign(algorithm, message);
                    assert_eq!(signature.clone().map(|_| ()), expected, "{name} {message:?}");
                    let wrong = pair.public().verify(algorithm, message, b"no signature");
                    assert_eq!(wrong, expected.and(Err(KeyUseError::InvalidSignature)), "{name} {message:?}");
                    signed += usize::from(signature.is_ok());
                }
            }
        }
    }
    // 3 RSA × 6 and 4 curves: 7 raw and 1 digest; Ed25519: 7, ph: 1; 3 ML-DSA: 7 raw and 1 μ.
    assert_eq!(signed, (18 + 4) * 8 + 8 + 3 * 8);
}

#[test]
fn other_uses_are_refused_by_keys_that_have_them_not() {
    for (name, spec) in SPECS {
        let pair = pair(&json!(name));
        let rsa = matches!(spec.kind(), Kind::Rsa(_));
        let nist = name.starts_with("ECC_NIST_P");
        let kem = matches!(spec.kind(), Kind::MlKem(_));
        let usable = |refused: Option<KeyUseError>| refused != Some(KeyUseError::Incompatible);
        assert_eq!(usable(pair.public().encrypt(EncryptionAlgorithm::RsaesOaepSha1, b"m").err()), rsa);
        assert_eq!(usable(pair.decrypt(EncryptionAlgorithm::RsaesOaepSha1, b"c").err()), rsa);
        assert_eq!(usable(pair.unwrap_key(KeyWrapping::RsaesOaepSha1, b"c").err()), rsa);
        assert_eq!(usable(pair.agree(pair.public().spki()).err()), nist, "{name}");
        assert_eq!(usable(pair.public().encapsulate().err()), kem);
        assert_eq!(usable(pair.decapsulate(b"c").err()), kem);
    }
}

#[test]
fn raw_and_digested_messages_are_the_same_to_a_verifier() {
    let mu = |pair: &KeyPair, message: &[u8]| {
        // FIPS 204 algorithm 7 line 6, by another implementation: see `oracles`.
        oracles::mu(pair.public().raw(), message)
    };
    for (name, _) in SPECS {
        let pair = pair(&json!(name));
        for (_, algorithm) in ALGORITHMS {
            let Ok(signature) = pair.sign(algorithm, Message::Raw(b"m")) else { continue };
            let mu = mu(&pair, b"m");
            let [two, three, five] =
                [&aws_lc_rs::digest::SHA256, &aws_lc_rs::digest::SHA384, &aws_lc_rs::digest::SHA512]
                    .map(|hash| aws_lc_rs::digest::digest(hash, b"m"));
            let shapes = [
                Message::Digest(two.as_ref()),
                Message::Digest(three.as_ref()),
                Message::Digest(five.as_ref()),
                Message::ExternalMu(&mu),
            ];
            let verified =
                shapes.iter().filter(|shape| pair.public().verify(algorithm, **shape, &signature).is_ok());
            // Pure Ed25519 has no other shape.
            assert_eq!(verified.count(), usize::from(algorithm != SigningAlgorithm::Ed25519Sha512));
        }
    }
}
