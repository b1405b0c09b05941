//! Bodies of responses, read back by an independent parser.
#![allow(clippy::unwrap_used, reason = "a test stops at surprises")]

use serde_json::{Value, json};
use trent_protocol::*;

fn parsed(response: &impl Response) -> Value {
    let body = response.encode();
    assert_eq!(body.len(), body.capacity(), "the buffer has its final size from the start");
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn absent_members_are_left_out_and_flags_never_are() {
    assert_eq!(parsed(&EncryptResponse::default()), json!({}));
    assert_eq!(parsed(&ListKeysResponse::default()), json!({"Truncated": false}));
    assert_eq!(parsed(&GetKeyRotationStatusResponse::default()), json!({"KeyRotationEnabled": false}));
    let metadata = KeyMetadata { key_id: "k".into(), ..KeyMetadata::default() };
    assert_eq!(
        parsed(&DescribeKeyResponse { key_metadata: Some(metadata) }),
        json!({"KeyMetadata": {"KeyId": "k", "Enabled": false, "MultiRegion": false}})
    );
}

#[test]
fn blobs_and_secrets_are_base64() {
    let response = GenerateDataKeyResponse {
        ciphertext_blob: Some(vec![0, 1, 254, 255]),
        plaintext: Some(SecretBlob::new(vec![251; 32])),
        key_id: Some("arn:aws:kms:us-east-1:111122223333:key/k".into()),
        ciphertext_for_recipient: None,
        key_material_id: Some("0".repeat(64)),
    };
    assert_eq!(
        parsed(&response),
        json!({
            "CiphertextBlob": "AAH+/w==",
            "Plaintext": "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=",
            "KeyId": "arn:aws:kms:us-east-1:111122223333:key/k",
            "KeyMaterialId": "0".repeat(64),
        })
    );
    assert!(!format!("{response:?}").contains("251"), "{response:?}");
}

#[test]
fn lists_structures_and_timestamps_nest() {
    let grant = GrantListEntry {
        name: Some("a \"quoted\"\nname\u{7f}€".into()),
        creation_date: Some(EpochMillis(1_521_097_200_123)),
        operations: Some(vec![GrantOperation::Decrypt, GrantOperation::ReEncryptFrom]),
        constraints: Some(GrantConstraints {
            encryption_context_subset: Some([("k\\".to_owned(), "v\t".to_owned())].into()),
            ..GrantConstraints::default()
        }),
        ..GrantListEntry::default()
    };
    let response = ListGrantsResponse {
        grants: Some(vec![grant, GrantListEntry::default()]),
        next_marker: Some("m".into()),
        truncated: true,
    };
    assert_eq!(
        parsed(&response),
        json!({
            "Grants": [
                {
                    "Name": "a \"quoted\"\nname\u{7f}€",
                    "CreationDate": 1_521_097_200.123,
                    "Operations": ["Decrypt", "ReEncryptFrom"],
                    "Constraints": {"EncryptionContextSubset": {"k\\": "v\t"}},
                },
                {},
            ],
            "NextMarker": "m",
            "Truncated": true,
        })
    );
}

#[test]
fn integers_and_enumerations_are_plain() {
    let response = ScheduleKeyDeletionResponse {
        key_id: None,
        deletion_date: Some(EpochMillis(1_000)),
        key_state: Some(KeyState::PendingDeletion),
        pending_window_in_days: Some(30),
    };
    let expected = json!({"DeletionDate": 1, "KeyState": "PendingDeletion", "PendingWindowInDays": 30});
    assert_eq!(parsed(&response), expected);
}

#[test]
fn no_output_is_an_empty_body_and_an_empty_structure_is_braces() {
    fn is_no_output<R: Request<Response = NoOutput>>() {}
    is_no_output::<EnableKeyRequest>();
    is_no_output::<UpdatePrimaryRegionRequest>();
    assert_eq!(NoOutput.encode(), b"");
    assert_eq!(ConnectCustomKeyStoreResponse {}.encode(), b"{}");
    assert_eq!(UpdateCustomKeyStoreResponse {}.encode(), b"{}");
}
