//! GenerateRandom: exactly as many bytes as were asked for.

use serde_json::{Value, json};
use trent_protocol::Operation::GenerateRandom;
use trent_testkit::{TestKms, base64, bytes};

#[tokio::test]
async fn exactly_as_many_bytes_as_were_asked_for_and_nothing_else() {
    let kms = TestKms::new().await;
    for count in [1, 12, 44, 91, 1024] {
        let answer = kms.ok(GenerateRandom, json!({"NumberOfBytes": count})).await;
        assert_eq!(bytes(&answer["Plaintext"]).len(), count);
        assert_eq!(answer.as_object().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn never_the_same_bytes() {
    let kms = TestKms::new().await;
    let request = json!({"NumberOfBytes": 32});
    assert_ne!(kms.ok(GenerateRandom, request.clone()).await, kms.ok(GenerateRandom, request).await);
}

#[tokio::test]
async fn the_number_has_no_default() {
    let kms = TestKms::new().await;
    for number in [json!({}), json!({"NumberOfBytes": Value::Null})] {
        assert_eq!(
            kms.refused(GenerateRandom, number).await,
            "ValidationException: NumberOfBytes is required."
        );
    }
}

#[tokio::test]
async fn numbers_outside_1_to_1024_are_refused() {
    let kms = TestKms::new().await;
    for (number, rule) in [(0, "greater than or equal to 1"), (1025, "less than or equal to 1024")] {
        assert_eq!(
            kms.refused(GenerateRandom, json!({"NumberOfBytes": number})).await,
            format!(
                "ValidationException: 1 validation error detected: Value '{number}' at 'numberOfBytes' failed to \
                 satisfy constraint: Member must have value {rule}"
            )
        );
    }
}

#[tokio::test]
async fn there_is_no_custom_key_store_to_take_bytes_from() {
    let kms = TestKms::new().await;
    let request = json!({"NumberOfBytes": 1, "CustomKeyStoreId": "cks-1234567890abcdef0"});
    assert_eq!(
        kms.refused(GenerateRandom, request).await,
        "CustomKeyStoreNotFoundException: Custom key store cks-1234567890abcdef0 does not exist."
    );
}

#[tokio::test]
async fn who_claims_to_be_attested_is_refused_rather_than_answered_in_clear() {
    let kms = TestKms::new().await;
    let recipient =
        json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": base64(b"doc")});
    assert_eq!(
        kms.refused(GenerateRandom, json!({"NumberOfBytes": 1, "Recipient": recipient})).await,
        "ValidationException: The attestation document is not valid: its CBOR ends too early."
    );
}
