//! A build without SM2 says so, in Regions that would have it.

use serde_json::json;
use trent_protocol::Operation::{
    CreateKey, GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext, GetParametersForImport,
};

use super::in_china;

const REFUSED: &str = "UnsupportedOperationException: KeySpec SM2 is not supported by this build of trent.";

#[tokio::test]
async fn no_key_is_made_and_none_waits_for_an_import() {
    let kms = in_china().await;
    for usage in ["SIGN_VERIFY", "ENCRYPT_DECRYPT", "KEY_AGREEMENT"] {
        for origin in ["AWS_KMS", "EXTERNAL"] {
            let request = json!({"KeySpec": "SM2", "KeyUsage": usage, "Origin": origin});
            assert_eq!(kms.refused(CreateKey, request).await, REFUSED);
        }
    }
    // What is wrong in itself is told first.
    let refused = kms.refused(CreateKey, json!({"KeySpec": "SM2", "KeyUsage": "GENERATE_VERIFY_MAC"})).await;
    assert_eq!(
        refused,
        "ValidationException: KeyUsage GENERATE_VERIFY_MAC is not compatible with KeySpec SM2"
    );
}

#[tokio::test]
async fn neither_data_key_pairs_nor_wrapping_keys_are_of_sm2() {
    let kms = in_china().await;
    let key = kms.create_key().await;
    for operation in [GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext] {
        let request = json!({"KeyId": key, "KeyPairSpec": "SM2"});
        assert_eq!(kms.refused(operation, request).await, REFUSED);
    }
    let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let request = json!({"KeyId": key, "WrappingAlgorithm": "SM2PKE", "WrappingKeySpec": "SM2"});
    assert_eq!(kms.refused(GetParametersForImport, request).await, REFUSED);
}
