//! What attested callers get, under which policies, and what is recorded of it.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    CreateGrant, Decrypt, DeriveSharedSecret, GenerateDataKey, GenerateDataKeyPair, GenerateRandom,
};
use trent_service::{Freshness, Options, Roots};
use trent_testkit::attestation::DocumentMaker;
use trent_testkit::{TestKms, base64, bytes};

use super::{World, and, enclave_key, opened};
use crate::grants::World as People;

/// The members of an answer.
fn members(answer: &Value) -> Vec<&str> {
    answer.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn decrypt_answers_to_the_enclave_alone() {
    let world = World::new().await;
    let kms = &world.kms;
    let key = kms.create_key().await;
    let recipient = world.recipient(&world.enclave(7));
    for plaintext in [&b"x"[..], &[7; 4096]] {
        let blob = kms.encrypt(&key, plaintext).await;
        let answer = kms.ok(Decrypt, json!({"CiphertextBlob": blob, "Recipient": recipient})).await;
        assert_eq!(members(&answer), ["CiphertextForRecipient", "EncryptionAlgorithm", "KeyId"]);
        assert_eq!(opened(&answer), plaintext);
    }
}

#[tokio::test]
async fn a_data_key_is_answered_to_the_enclave_and_sealed_as_usual() {
    let world = World::new().await;
    let kms = &world.kms;
    let key = kms.create_key().await;
    let request = json!({"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": {"a": "b"}});
    let recipient = world.recipient(&world.enclave(7));
    let answer = kms.ok(GenerateDataKey, and(request, "Recipient", recipient)).await;
    assert_eq!(members(&answer), ["CiphertextBlob", "CiphertextForRecipient", "KeyId"]);
    let request = json!({"CiphertextBlob": answer["CiphertextBlob"], "EncryptionContext": {"a": "b"}});
    assert_eq!(opened(&answer), bytes(&kms.ok(Decrypt, request).await["Plaintext"]));
}

#[tokio::test]
async fn the_private_key_of_a_pair_is_answered_to_the_enclave_and_sealed_as_usual() {
    let world = World::new().await;
    let kms = &world.kms;
    let key = kms.create_key().await;
    for spec in ["ECC_NIST_P256", "RSA_4096"] {
        let request = json!({"KeyId": key, "KeyPairSpec": spec});
        let recipient = world.recipient(&world.enclave(7));
        let answer = kms.ok(GenerateDataKeyPair, and(request, "Recipient", recipient)).await;
        let expected = [
            "CiphertextForRecipient",
            "KeyId",
            "KeyMaterialId",
            "KeyPairSpec",
            "PrivateKeyCiphertextBlob",
            "PublicKey",
        ];
        assert_eq!(members(&answer), expected);
        let request = json!({"CiphertextBlob": answer["PrivateKeyCiphertextBlob"]});
        assert_eq!(opened(&answer), bytes(&kms.ok(Decrypt, request).await["Plaintext"]));
    }
}

#[tokio::test]
async fn a_shared_secret_is_answered_to_the_enclave() {
    let world = World::new().await;
    let kms = &world.kms;
    let key = kms.create_key_of("ECC_NIST_P384", "KEY_AGREEMENT").await;
    let peer = base64(&kms.public_key(&kms.create_key_of("ECC_NIST_P384", "KEY_AGREEMENT").await).await);
    let request = json!({"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer});
    let secret = bytes(&kms.ok(DeriveSharedSecret, request.clone()).await["SharedSecret"]);
    let recipient = world.recipient(&world.enclave(7));
    let answer = kms.ok(DeriveSharedSecret, and(request, "Recipient", recipient)).await;
    assert_eq!(members(&answer), ["CiphertextForRecipient", "KeyAgreementAlgorithm", "KeyId", "KeyOrigin"]);
    assert_eq!(opened(&answer), secret);
}

#[tokio::test]
async fn random_bytes_are_answered_to_the_enclave() {
    let world = World::new().await;
    let request = json!({"NumberOfBytes": 1024, "Recipient": world.recipient(&world.enclave(7))});
    let one = world.kms.ok(GenerateRandom, request.clone()).await;
    assert_eq!(members(&one), ["CiphertextForRecipient"]);
    let other = world.kms.ok(GenerateRandom, request).await;
    assert_eq!((opened(&one).len(), opened(&other).len()), (1024, 1024));
    assert_ne!(opened(&one), opened(&other));
}

/// T116, T117 and T118 of the authorization cases, for a role session that the key policy names, and their like for
/// other keys of the condition.
#[tokio::test]
async fn policies_ask_what_was_measured() {
    let world = World::new().await;
    let key = world.kms.create_key().await;
    let blob = world.kms.encrypt(&key, b"text").await;
    let people = People { kms: world.kms.clone(), key: key.clone() };
    let (role, session) = people.role("data-proc").await;
    let session = session("s");
    let tpm = world.maker.tpm(7, enclave_key().public().spki(), world.kms.service.now());
    let measured = |value: u8| format!("{value:02x}").repeat(48);
    for (name, value) in [
        ("kms:RecipientAttestation:PCR0", measured(7)),
        ("kms:RecipientAttestation:PCR8", measured(15)),
        ("kms:RecipientAttestation:ImageSha384", measured(7)),
        ("kms:recipientattestation:imagesha384", measured(7).to_uppercase()),
        ("kms:RecipientAttestation:NitroTPMPCR4", measured(11)),
        ("trent:AttestationRoot", "test".to_owned()),
    ] {
        let condition = json!({"StringEqualsIgnoreCase": {name: value}});
        let allow = json!({
            "Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:Decrypt", "Resource": "*",
            "Condition": condition,
        });
        // The next round has another policy.
        let admin = world.kms.caller.account;
        let put = json!({
            "Effect": "Allow", "Principal": {"AWS": admin.as_str()}, "Action": "kms:PutKeyPolicy", "Resource": "*",
        });
        world.kms.put_policy(&key, &json!([allow, put])).await;
        let decrypted = |document: Option<Value>| {
            let mut request = json!({"CiphertextBlob": blob});
            if let Some(document) = document {
                request["Recipient"] = document;
            }
            session.call(Decrypt, request)
        };
        let is_tpm = name.contains("TPM");
        let is_any = name.starts_with("trent:");
        let right = if is_tpm { tpm.clone() } else { world.enclave(7) };
        assert_eq!(opened(&decrypted(Some(world.recipient(&right))).await.unwrap()), b"text", "{name}");
        // One in debug mode measures nothing.
        for (wrong, allowed) in [(world.enclave(8), is_any), (world.enclave(0), is_any)] {
            let answer = decrypted(Some(world.recipient(&wrong))).await;
            assert_eq!(answer.is_ok(), allowed, "{name}");
        }
        let other_kind = if is_tpm { world.enclave(7) } else { tpm.clone() };
        assert_eq!(decrypted(Some(world.recipient(&other_kind))).await.is_ok(), is_any, "{name}");
        let refused = decrypted(None).await.unwrap_err();
        assert_eq!(
            refused.message.unwrap(),
            format!(
                "User: {} is not authorized to perform: kms:Decrypt on resource: {} because no resource-based policy \
                 allows the kms:Decrypt action",
                session.caller.arn,
                session.arn(&key)
            ),
            "{name}"
        );
    }
}

#[tokio::test]
async fn unless_attested_everything_can_be_denied() {
    let world = World::new().await;
    let key = world.kms.create_key().await;
    let blob = world.kms.encrypt(&key, b"text").await;
    let account = format!("arn:aws:iam::{}:root", world.kms.caller.account);
    let allow = json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"});
    let deny = json!({
        "Effect": "Deny", "Principal": "*", "Action": ["kms:Decrypt"], "Resource": "*",
        "Condition": {"StringNotEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": "07".repeat(48)}},
    });
    world.kms.put_policy(&key, &json!([allow, deny])).await;
    let clear = json!({"CiphertextBlob": blob});
    let with = |image: u8| and(clear.clone(), "Recipient", world.recipient(&world.enclave(image)));
    assert_eq!(opened(&world.kms.ok(Decrypt, with(7)).await), b"text");
    for denied in [with(8), clear.clone()] {
        let told = world.kms.refused(Decrypt, denied).await;
        assert!(told.starts_with("AccessDeniedException: ") && told.contains("explicit deny"), "{told}");
    }
}

#[tokio::test]
async fn random_bytes_can_be_for_enclaves_alone() {
    let world = World::new().await;
    let only = json!([{
        "Effect": "Allow", "Action": "kms:GenerateRandom", "Resource": "*",
        "Condition": {"StringEquals": {"kms:RecipientAttestation:PCR1": "08".repeat(48)}},
    }]);
    let user = world.kms.as_user("alice").with_identity_policy(&only);
    let request = json!({"NumberOfBytes": 8});
    let attested = |image| and(request.clone(), "Recipient", world.recipient(&world.enclave(image)));
    assert!(user.call(GenerateRandom, attested(7)).await.is_ok());
    assert!(user.call(GenerateRandom, attested(8)).await.is_err());
    assert!(user.call(GenerateRandom, request.clone()).await.is_err());
}

#[tokio::test]
async fn grants_know_nothing_of_enclaves() {
    let world = World::new().await;
    let kms = &world.kms;
    let key = kms.create_key().await;
    let user = People { kms: kms.clone(), key: key.clone() }.user("alice").await;
    let grant = json!({
        "KeyId": key, "GranteePrincipal": user.caller.arn.to_string(), "Operations": ["GenerateDataKey"],
        "Constraints": {"EncryptionContextSubset": {"a": "b"}},
    });
    let token = kms.ok(CreateGrant, grant).await["GrantToken"].clone();
    let request = json!({
        "KeyId": kms.arn(&key), "KeySpec": "AES_256", "GrantTokens": [token], "EncryptionContext": {"a": "b"},
        "Recipient": world.recipient(&world.enclave(7)),
    });
    assert_eq!(opened(&user.ok(GenerateDataKey, request.clone()).await).len(), 32);
    let other = and(request, "EncryptionContext", json!({"a": "c"}));
    assert!(user.refused(GenerateDataKey, other).await.starts_with("AccessDeniedException: "));
}

#[tokio::test]
async fn a_dry_run_verifies_the_document() {
    let world = World::new().await;
    let key = world.kms.create_key().await;
    let request = json!({"KeyId": key, "KeySpec": "AES_256", "DryRun": true});
    let good = and(request.clone(), "Recipient", world.recipient(&world.enclave(7)));
    assert!(world.kms.refused(GenerateDataKey, good).await.starts_with("DryRunOperationException: "));
    let bad = and(request, "Recipient", world.recipient(&world.enclave(7).without("timestamp")));
    assert!(world.kms.refused(GenerateDataKey, bad).await.starts_with("ValidationException: "));
}

#[tokio::test]
async fn the_record_tells_who_was_attested_and_not_the_document() {
    let maker = DocumentMaker::default();
    let roots = Roots::default().with("test", &maker.root.der).unwrap();
    let options = Options { attestation_roots: roots, ..Options::default() };
    let kms = TestKms::with_options(options).await.with_trail().await;
    let key = kms.create_key().await;
    let public = enclave_key().public().spki();
    let now = kms.service.now();
    for document in [maker.enclave(7, public, now), maker.tpm(7, public, now)] {
        let document = document.signed_by(&maker.signer);
        let request = json!({"KeyId": key, "KeySpec": "AES_256", "Recipient": super::recipient(&document)});
        kms.ok(GenerateDataKey, request).await;
    }
    let text = serde_json::to_string(&kms.records()).unwrap();
    assert!(!text.contains(&base64(b"SHA384")[..6]) && !text.contains("attestationDocument\""));
    let records: Vec<_> =
        kms.records().into_iter().filter(|record| record["eventName"] == "GenerateDataKey").collect();
    let [enclave, tpm] = &records[..] else { panic!("{records:?}") };
    let measured = |value: u8| base64(&[value; 48]);
    assert_eq!(
        enclave["additionalEventData"]["recipient"],
        json!({
            "attestationDocumentModuleId": "i-1234567890abcdef0-enc1234567890abcdef",
            "attestationDocumentEnclaveImageDigest": measured(7),
            "attestationDocumentEnclavePCR1": measured(8),
            "attestationDocumentEnclavePCR2": measured(9),
            "attestationDocumentEnclavePCR3": measured(10),
            "attestationDocumentEnclavePCR4": measured(11),
            "attestationDocumentEnclavePCR8": measured(15),
        })
    );
    assert!(enclave["additionalEventData"]["keyMaterialId"].is_string());
    assert_eq!(
        tpm["additionalEventData"]["recipient"],
        json!({
            "attestationDocumentModuleId": "i-1234567890abcdef0-enc1234567890abcdef",
            "attestationDocumentNitroTPMPCR4": measured(11),
            "attestationDocumentNitroTPMPCR7": measured(14),
            "attestationDocumentNitroTPMPCR8": measured(15),
            "attestationDocumentNitroTPMPCR9": measured(16),
            "attestationDocumentNitroTPMPCR23": measured(30),
        })
    );
    assert_eq!(enclave["requestParameters"]["recipient"], Value::Null);
}

#[tokio::test]
async fn an_operator_can_say_how_old_documents_may_be() {
    let maker = DocumentMaker::default();
    let attestation_roots = Roots::default().with("test", &maker.root.der).unwrap();
    let attestation_freshness = Freshness { age_seconds_max: Some(60), skew_seconds: 10 };
    let options = Options { attestation_roots, attestation_freshness, ..Options::default() };
    let world = World { kms: TestKms::with_options(options).await, maker };
    let request = json!({"NumberOfBytes": 8, "Recipient": world.recipient(&world.enclave(7))});
    world.kms.clock.advance_millis(60_000);
    world.kms.ok(GenerateRandom, request.clone()).await;
    world.kms.clock.advance_millis(1);
    assert_eq!(
        world.kms.refused(GenerateRandom, request).await,
        "ValidationException: The attestation document is not valid: it is too old."
    );
}
