//! SM2: offered in Regions of the partition `aws-cn`, and there if this build has it.

#[cfg(feature = "sm")]
mod openssl;
#[cfg(feature = "sm")]
mod with;
#[cfg(not(feature = "sm"))]
mod without;

use serde_json::{Value, json};
use trent_protocol::Operation::{
    self, CreateKey, Encrypt, GenerateDataKeyPair, GetParametersForImport, Sign,
};
use trent_testkit::TestKms;

const CHINA: &str = "cn-north-1";
/// Decided by name: no Region of AWS, but one of the partition all the same.
const REGIONS_OF_CHINA: [&str; 3] = [CHINA, "cn-northwest-1", "cn-south-7"];

async fn in_china() -> TestKms {
    TestKms::new().await.in_region(CHINA)
}

#[tokio::test]
async fn elsewhere_than_in_china_sm2_is_no_value_of_any_enumeration() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let message = "dGV4dA==";
    let cases: [(Operation, Value, &str, &str); 7] = [
        (CreateKey, json!({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}), "SM2", "keySpec"),
        (CreateKey, json!({"CustomerMasterKeySpec": "SM2"}), "SM2", "customerMasterKeySpec"),
        (GenerateDataKeyPair, json!({"KeyId": key, "KeyPairSpec": "SM2"}), "SM2", "keyPairSpec"),
        (
            Encrypt,
            json!({"KeyId": key, "Plaintext": message, "EncryptionAlgorithm": "SM2PKE"}),
            "SM2PKE",
            "encryptionAlgorithm",
        ),
        (
            Sign,
            json!({"KeyId": key, "Message": message, "SigningAlgorithm": "SM2DSA"}),
            "SM2DSA",
            "signingAlgorithm",
        ),
        (
            GetParametersForImport,
            json!({"KeyId": key, "WrappingAlgorithm": "SM2PKE", "WrappingKeySpec": "RSA_2048"}),
            "SM2PKE",
            "wrappingAlgorithm",
        ),
        (
            GetParametersForImport,
            json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "SM2"}),
            "SM2",
            "wrappingKeySpec",
        ),
    ];
    for region in ["eu-central-1", "us-gov-west-1", "ap-east-1", "us-iso-east-1"] {
        for (operation, request, value, member) in &cases {
            let refused = kms.in_region(region).refused(*operation, request.clone()).await;
            let (head, offered) = refused.split_once("enum value set: [").expect("the values that there are");
            assert_eq!(
                head,
                format!(
                    "ValidationException: 1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
                     constraint: Member must satisfy "
                )
            );
            assert!(!offered.contains("SM2") && offered.contains("RSA"), "{refused}");
        }
    }
}

#[tokio::test]
async fn in_china_the_enumerations_have_sm2() {
    let kms = TestKms::new().await;
    for region in REGIONS_OF_CHINA {
        let refused = kms.in_region(region).refused(CreateKey, json!({"KeySpec": "SM4"})).await;
        let (_, offered) = refused.split_once("enum value set: [").expect("the values that there are");
        assert!(offered.contains("SM2") && offered.contains("RSA_2048"), "{refused}");
    }
}
