//! Bodies of requests: the first byte chooses the operation, the rest is the JSON.
//!
//! Decoding never panics; both ways to decode agree; and what `Debug` and error texts show is the same whatever the
//! sensitive members hold.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use trent_protocol::*;

/// Members that must never be seen.
const SENSITIVE: [&str; 5] =
    ["Plaintext", "Message", "KeyStorePassword", "AccessKeyId", "RawSecretAccessKey"];

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    CHECKS[usize::from(*first) % CHECKS.len()](body);
});

fn check<R: Request + Debug>(body: &[u8]) {
    let decoded = show::<R>(body);
    assert_eq!(R::OPERATION.check_body(body).is_ok(), decoded.is_ok());
    if let Ok(mut json) = serde_json::from_slice::<Value>(body)
        && json.is_object()
    {
        let before = show::<R>(json.to_string().as_bytes());
        if change_secrets(&mut json) > 0 {
            let after = show::<R>(json.to_string().as_bytes());
            assert_eq!(before, after, "a secret shows");
        }
    }
}

fn show<R: Request + Debug>(body: &[u8]) -> Result<String, String> {
    R::decode(body).map(|request| format!("{request:?}")).map_err(|error| format!("{error:?} {error}"))
}

/// Changes the first character of every sensitive text to another of its class; says how many it changed.
fn change_secrets(json: &mut Value) -> usize {
    match json {
        Value::Object(members) => members.iter_mut().map(|(name, value)| change_member(name, value)).sum(),
        Value::Array(items) => items.iter_mut().map(change_secrets).sum(),
        _ => 0,
    }
}

fn change_member(name: &str, value: &mut Value) -> usize {
    match value {
        Value::String(text) if SENSITIVE.contains(&name) => {
            let Some(first) = text.chars().next() else { return 0 };
            let other = match first {
                'A' => 'B',
                'A'..='Z' => 'A',
                'a' => 'b',
                'a'..='z' => 'a',
                // Base 32 has the digits 2 to 7 alone: whether a text is one is no secret, and must stay.
                '2' => '3',
                '2'..='7' => '2',
                '0' => '1',
                '0'..='9' => '0',
                _ => return 0,
            };
            text.replace_range(..1, other.encode_utf8(&mut [0; 4]));
            1
        }
        // An encryption context may have members of these names; they are no secrets.
        _ if name == "EncryptionContext" => 0,
        other => change_secrets(other),
    }
}

macro_rules! checks {
    ($($request:ident)*) => {
        const CHECKS: [fn(&[u8]); 56] = [$(check::<$request>),*];
    };
}

checks! {
    GetKeyRotationStatusRequest
    ListKeyPoliciesRequest
    UntagResourceRequest
    DisableKeyRotationRequest
    DeriveSharedSecretRequest
    EnableKeyRotationRequest
    DisconnectCustomKeyStoreRequest
    UpdateKeyDescriptionRequest
    DecapsulateRequest
    DescribeCustomKeyStoresRequest
    ListResourceTagsRequest
    CreateCustomKeyStoreRequest
    DeleteCustomKeyStoreRequest
    DecryptRequest
    VerifyRequest
    TagResourceRequest
    GenerateDataKeyWithoutPlaintextRequest
    CreateKeyRequest
    UpdateCustomKeyStoreRequest
    EncryptRequest
    EncapsulateRequest
    RetireGrantRequest
    ListAliasesRequest
    GenerateDataKeyRequest
    GetParametersForImportRequest
    RotateKeyOnDemandRequest
    ListRetirableGrantsRequest
    ListGrantsRequest
    ImportKeyMaterialRequest
    DescribeKeyRequest
    PutKeyPolicyRequest
    ReplicateKeyRequest
    GenerateDataKeyPairRequest
    RevokeGrantRequest
    GenerateMacRequest
    ListKeysRequest
    CreateGrantRequest
    ScheduleKeyDeletionRequest
    SignRequest
    VerifyMacRequest
    GetKeyPolicyRequest
    DeleteAliasRequest
    DisableKeyRequest
    ReEncryptRequest
    DeleteImportedKeyMaterialRequest
    GenerateRandomRequest
    EnableKeyRequest
    UpdatePrimaryRegionRequest
    GenerateDataKeyPairWithoutPlaintextRequest
    ListKeyRotationsRequest
    CreateAliasRequest
    ConnectCustomKeyStoreRequest
    GetKeyLastUsageRequest
    GetPublicKeyRequest
    UpdateAliasRequest
    CancelKeyDeletionRequest
}
