//! Documents that are refused, each with its text. AWS does not document its texts; these are trent's.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose, date_time_ymd};
use serde_json::json;
use trent_crypto::{KeyPair, KeyPairSpec, SystemRandom};
use trent_protocol::Operation::GenerateRandom;
use trent_testkit::attestation::{
    Authority, Cbor, DocumentMaker, DocumentSigner, TestDocument, authority_params, signer_params,
};

use super::{World, opened, recipient};

/// What a document is answered with, behind what all such answers have in common.
async fn refusal(world: &World, document: &[u8]) -> String {
    let request = json!({"NumberOfBytes": 8, "Recipient": recipient(document)});
    let told = world.kms.refused(GenerateRandom, request).await;
    let told = told.strip_prefix("ValidationException: The attestation document is not valid: ");
    told.expect("a document is not valid").to_owned()
}

/// The CBOR of a text and a number.
fn pair(name: &str, number: u64) -> (Cbor, Cbor) {
    (Cbor::text(name), Cbor::Number(number))
}

fn registers(pairs: &[(u64, usize)]) -> Cbor {
    let register = |(index, length): &(u64, usize)| (Cbor::Number(*index), Cbor::Bytes(vec![1; *length]));
    Cbor::Map(pairs.iter().map(register).collect())
}

#[tokio::test]
async fn members_that_are_missing_or_out_of_bounds_are_named() {
    let world = World::new().await;
    let good = || world.enclave(7);
    let bytes = |length| Cbor::Bytes(vec![0; length]);
    let many: Vec<_> = (0..33).map(|index| (index, 48)).collect();
    let certificate = || Cbor::Bytes(world.maker.signer.der.clone());
    let p384 = KeyPair::generate(KeyPairSpec::EccNistP384, &SystemRandom::new()).unwrap();
    let missing = |name: &str| format!("its member {name} is missing.");
    let invalid = |name: &str| format!("its member {name} is invalid.");
    let no_rsa_key = "its public key is not an RSA key of 2048, 3072 or 4096 bits.".to_owned();
    let mut cases: Vec<(TestDocument, String)> = Vec::new();
    for name in ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "public_key"] {
        cases.push((good().without(name), missing(name)));
        cases.push((good().with(name, Cbor::Null), missing(name)));
        cases.push((good().with(name, Cbor::Negative(0)), invalid(name)));
    }
    for (name, value) in [
        ("module_id", Cbor::text("")),
        ("module_id", bytes(3)),
        ("digest", Cbor::text("SHA256")),
        ("timestamp", Cbor::Number(0)),
        ("pcrs", registers(&[])),
        ("pcrs", registers(&many)),
        ("pcrs", registers(&[(32, 48)])),
        ("pcrs", registers(&[(256, 48)])),
        ("pcrs", registers(&[(0, 47)])),
        ("pcrs", registers(&[(0, 0)])),
        ("pcrs", Cbor::Map(vec![pair("0", 1)])),
        ("certificate", bytes(0)),
        ("certificate", bytes(1025)),
        ("cabundle", Cbor::Array(vec![])),
        ("cabundle", Cbor::Array(vec![bytes(0)])),
        ("cabundle", Cbor::Array(vec![certificate(), bytes(1025)])),
        ("cabundle", certificate()),
        ("public_key", bytes(0)),
        ("public_key", bytes(1025)),
        ("user_data", bytes(513)),
        ("user_data", Cbor::text("x")),
        ("nonce", bytes(1025)),
    ] {
        cases.push((good().with(name, value), invalid(name)));
    }
    cases.extend([
        (good().with("nitrotpm_pcrs", registers(&[(4, 48)])), invalid("nitrotpm_pcrs")),
        (good().without("pcrs").with("nitrotpm_pcrs", registers(&[])), invalid("nitrotpm_pcrs")),
        (good().with("public_key", bytes(294)), no_rsa_key.clone()),
        (good().with("public_key", Cbor::Bytes(p384.public().spki().to_vec())), no_rsa_key),
        (good().with("timestamp", Cbor::Number(u64::MAX)), "its timestamp is in the future.".to_owned()),
        (
            good().and(Cbor::text("digest"), Cbor::text("SHA384")),
            "its CBOR has a map with a key twice.".to_owned(),
        ),
    ]);
    for (document, expected) in cases {
        let told = refusal(&world, &document.signed_by(&world.maker.signer)).await;
        assert_eq!(told, expected, "{document:?}");
    }
}

#[tokio::test]
async fn envelopes_that_are_none_are_refused() {
    let world = World::new().await;
    let signer = &world.maker.signer;
    let good = world.enclave(7);
    let whole = good.signed_by(signer);
    let map = |pairs: Vec<(Cbor, Cbor)>| Cbor::Map(pairs).write();
    let with_header = |protected: Vec<u8>| TestDocument { protected, ..good.clone() }.signed_by(signer);
    let number = |number: u64| Cbor::Number(number);
    let es256 = map(vec![(number(1), Cbor::Negative(6))]);
    let with_key_id = map(vec![(number(1), Cbor::Negative(34)), (number(4), Cbor::Bytes(vec![1]))]);
    let twice = [&[0xa2][..], &[1, 0x38, 34], &[1, 0x38, 34]].concat();
    let unprotected = Cbor::Map(vec![(number(1), Cbor::Negative(34))]);
    let deep = [&[0x81; 100][..], &[0]].concat();
    let wide = [&[0x9f][..], &[0; 1000]].concat();
    let mut altered = whole.clone();
    *altered.last_mut().unwrap() ^= 1;
    let mut other_payload = good.clone().with("module_id", Cbor::text("i-other")).signed_by(signer);
    let at = other_payload.len() - 96;
    other_payload[at..].copy_from_slice(&whole[whole.len() - 96..]);

    let not_cose = "it is not a COSE_Sign1 with a map as its payload.";
    let not_es384 = "its protected header is not that of ES384.";
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![0], not_cose),
        (vec![0x80], not_cose),
        (vec![0x84, 0, 0, 0, 0], not_cose),
        ([&[0x85][..], &whole[1..], &[0]].concat(), not_cose),
        (good.signed_over(&[0x80], signer), not_cose),
        (TestDocument { unprotected, ..good.clone() }.signed_by(signer), not_cose),
        (with_header(es256), not_es384),
        (with_header(with_key_id), not_es384),
        (with_header(map(vec![])), not_es384),
        (with_header(vec![0x80]), not_es384),
        (with_header(vec![]), "its CBOR ends too early."),
        (with_header(twice), "its CBOR has a map with a key twice."),
        (good.signed_over(&[], signer), "its CBOR ends too early."),
        (good.signed_over(&deep, signer), "its CBOR is nested too deeply."),
        (good.signed_over(&wide, signer), "its CBOR has too many parts."),
        (good.signed_over(&[0x61, 0xff], signer), "its CBOR has a text that is not UTF-8."),
        (
            good.signed_over(&[0xc0, 0x60], signer),
            "its CBOR has a value of a type that does not belong there.",
        ),
        (whole[..whole.len() - 1].to_vec(), "its CBOR ends too early."),
        ([&whole[..], &[0]].concat(), "its CBOR is followed by something."),
        (altered, "its signature is not valid."),
        (other_payload, "its signature is not valid."),
        ([&whole[..whole.len() - 98], &[0x58, 95], &[0; 95]].concat(), "its signature is not valid."),
    ];
    for (document, expected) in cases {
        assert_eq!(refusal(&world, &document).await, expected, "{document:02x?}");
    }
}

/// A document whose certificates are these: the bundle, and that of its signer.
fn chained(world: &World, bundle: &[&[u8]], certificate: &[u8], signer: &DocumentSigner) -> Vec<u8> {
    let bundle = bundle.iter().map(|der| Cbor::Bytes(der.to_vec())).collect();
    let document = world.enclave(7).with("cabundle", Cbor::Array(bundle));
    document.with("certificate", Cbor::Bytes(certificate.to_vec())).signed_by(signer)
}

/// A document of a signer under these authorities, the root first.
fn of_signer(world: &World, authorities: &[&Authority], signer: &DocumentSigner) -> Vec<u8> {
    let bundle: Vec<&[u8]> = authorities.iter().map(|authority| authority.der.as_slice()).collect();
    chained(world, &bundle, &signer.der, signer)
}

async fn refused_for_its_chain(world: &World, documents: impl IntoIterator<Item = (Vec<u8>, &str)>) {
    for (at, (document, told)) in documents.into_iter().enumerate() {
        let expected = format!("its certificates are not valid: {told}.");
        assert_eq!(refusal(world, &document).await, expected, "case {at}");
    }
}

#[tokio::test]
async fn only_a_chain_from_a_trusted_root_to_the_signer_is_believed() {
    const UNKNOWN: &str = "the first of them is not a trusted root";
    const MALFORMED: &str = "one is malformed";
    const BROKEN: &str = "they do not lead from the root to the signer";
    let world = World::new().await;
    let (root, authority, signer) = (&world.maker.root, &world.maker.authority, &world.maker.signer);
    let stranger = Authority::root("test root");
    let of_stranger = stranger.authority(authority_params("test authority"));
    let strange_signer = of_stranger.signer(signer_params());
    let direct = root.signer(signer_params());
    let below = authority.authority(authority_params("below"));
    let signer_below = below.signer(signer_params());
    let by = |authorities: &[&Authority], signer: &DocumentSigner| of_signer(&world, authorities, signer);
    let refused = [
        (by(&[&stranger, &of_stranger], &strange_signer), UNKNOWN),
        (by(&[authority], signer), UNKNOWN),
        (by(&[authority, root], signer), UNKNOWN),
        (by(&[root, &of_stranger], &strange_signer), BROKEN),
        (by(&[root], signer), BROKEN),
        (by(&[root, authority, &of_stranger], signer), BROKEN),
        (by(&[root, &below, authority], &signer_below), BROKEN),
        (by(&[root, authority], &direct), BROKEN),
        (chained(&world, &[&root.der, &[0x30, 0]], &signer.der, signer), MALFORMED),
        (chained(&world, &[&root.der, &authority.der], &[0x30, 0], signer), MALFORMED),
        (chained(&world, &[&root.der], &authority.der, signer), "one was used for what it is not made for"),
    ];
    refused_for_its_chain(&world, refused).await;

    let believed =
        [by(&[root], &direct), by(&[root, authority], signer), by(&[root, authority, &below], &signer_below)];
    for document in believed {
        let request = json!({"NumberOfBytes": 8, "Recipient": recipient(&document)});
        assert_eq!(opened(&world.kms.ok(GenerateRandom, request).await).len(), 8);
    }
}

/// What is changed of the parameters of a certificate.
type Change = fn(&mut CertificateParams);

fn changed(mut params: CertificateParams, change: Change) -> CertificateParams {
    change(&mut params);
    params
}

/// A document under an authority that was changed, and one by a signer that was.
fn with_changed_authority(world: &World, change: Change) -> Vec<u8> {
    let root = &world.maker.root;
    let authority = root.authority(changed(authority_params("test authority"), change));
    of_signer(world, &[root, &authority], &authority.signer(signer_params()))
}

fn with_changed_signer(world: &World, change: Change) -> Vec<u8> {
    let (root, authority) = (&world.maker.root, &world.maker.authority);
    of_signer(world, &[root, authority], &authority.signer(changed(signer_params(), change)))
}

#[tokio::test]
async fn certificates_are_believed_in_their_time_alone() {
    let world = World::new().await;
    let expired: Change = |params| params.not_after = date_time_ymd(2025, 12, 31);
    let early: Change = |params| params.not_before = date_time_ymd(2026, 1, 2);
    let refused = [(expired, "one has expired"), (early, "one is not valid yet")].map(|(change, told)| {
        [(with_changed_authority(&world, change), told), (with_changed_signer(&world, change), told)]
    });
    refused_for_its_chain(&world, refused.into_iter().flatten()).await;
}

#[tokio::test]
async fn a_root_is_believed_in_its_time_alone() {
    for (change, told) in [
        ((|params| params.not_after = date_time_ymd(2025, 12, 31)) as Change, "one has expired"),
        (|params| params.not_before = date_time_ymd(2026, 1, 2), "one is not valid yet"),
    ] {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let root = Authority::root_with_key(changed(authority_params("root"), change), key);
        let authority = root.authority(authority_params("authority"));
        let signer = authority.signer(signer_params());
        let world = World::of(DocumentMaker { root, authority, signer }).await;
        let document = world.enclave(7).signed_by(&world.maker.signer);
        refused_for_its_chain(&world, [(document, told)]).await;
    }
}

#[tokio::test]
async fn certificates_are_believed_for_what_they_are_made_for_alone() {
    let world = World::new().await;
    let of_authorities: [Change; 4] = [
        |params| params.key_usages = vec![KeyUsagePurpose::CrlSign],
        |params| params.key_usages = vec![],
        |params| params.is_ca = IsCa::ExplicitNoCa,
        |params| params.is_ca = IsCa::NoCa,
    ];
    let of_signers: [Change; 2] = [
        |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign],
        |params| params.key_usages = vec![],
    ];
    let documents = of_authorities.map(|change| with_changed_authority(&world, change)).into_iter();
    let documents = documents.chain(of_signers.map(|change| with_changed_signer(&world, change)));
    let refused = documents.map(|document| (document, "one was used for what it is not made for"));
    refused_for_its_chain(&world, refused).await;

    let root = &world.maker.root;
    let only_signers: Change = |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let narrow = root.authority(changed(authority_params("narrow"), only_signers));
    let below = narrow.authority(authority_params("below"));
    let document = of_signer(&world, &[root, &narrow, &below], &below.signer(signer_params()));
    refused_for_its_chain(&world, [(document, "the chain is longer than one allows")]).await;
}

#[tokio::test]
async fn keys_of_other_curves_sign_nothing() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let root = Authority::root_with_key(authority_params("P-256"), key);
    let authority = root.authority(authority_params("P-384"));
    let signer = authority.signer(signer_params());
    let world = World::of(DocumentMaker { root, authority, signer }).await;
    let told = refusal(&world, &world.enclave(7).signed_by(&world.maker.signer)).await;
    assert_eq!(told, "its certificates are not valid: they do not lead from the root to the signer.");
}

#[tokio::test]
async fn what_nobody_knows_yet_is_passed_over() {
    let world = World::new().await;
    let document = world
        .enclave(7)
        .and(Cbor::text("later"), Cbor::Map(vec![pair("x", 1)]))
        .and(Cbor::Number(1), Cbor::Array(vec![Cbor::Null]))
        .with("user_data", Cbor::Bytes(vec![1; 512]))
        .with("nonce", Cbor::Bytes(vec![1; 1024]));
    let request = json!({"NumberOfBytes": 8, "Recipient": world.recipient(&document)});
    world.kms.ok(GenerateRandom, request).await;
}

#[tokio::test]
async fn both_members_of_a_recipient_are_needed() {
    let world = World::new().await;
    let whole = world.recipient(&world.enclave(7));
    for (member, path) in [
        ("KeyEncryptionAlgorithm", "recipient.keyEncryptionAlgorithm"),
        ("AttestationDocument", "recipient.attestationDocument"),
    ] {
        let mut recipient = whole.clone();
        recipient.as_object_mut().unwrap().remove(member);
        let request = json!({"NumberOfBytes": 8, "Recipient": recipient});
        assert_eq!(
            world.kms.refused(GenerateRandom, request).await,
            format!(
                "ValidationException: 1 validation error detected: Value null at '{path}' failed to satisfy \
                 constraint: Member must not be null"
            )
        );
    }
}
