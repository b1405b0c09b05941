//! GetKeyPolicy: the default policy to the byte, and how others are written out.

use serde_json::{Value, json};
use trent_protocol::Operation::{GetKeyPolicy, PutKeyPolicy};
use trent_testkit::TestKms;

async fn policy(kms: &TestKms, key: &str) -> String {
    kms.ok(GetKeyPolicy, json!({"KeyId": key})).await["Policy"].as_str().expect("a policy").to_owned()
}

#[tokio::test]
async fn a_key_has_the_default_policy_as_aws_writes_it() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(GetKeyPolicy, json!({"KeyId": key})).await;
    let expected = r#"{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::111122223333:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}"#;
    assert_eq!(answer, json!({"Policy": expected, "PolicyName": "default"}));
}

#[tokio::test]
async fn the_partition_of_the_default_policy_is_that_of_the_region() {
    let kms = TestKms::new().await;
    for (region, partition) in [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        let kms = kms.in_region(region);
        let key = kms.create_key().await;
        let expected = format!("\"AWS\" : \"arn:{partition}:iam::111122223333:root\"");
        assert!(policy(&kms, &key).await.contains(&expected));
    }
}

#[tokio::test]
async fn a_policy_is_written_out_anew_whatever_its_layout_was() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let put = "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"111122223333\",\"*\"]},\
               \"Action\":[\"kms:*\"],\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"aws:PrincipalTag/a\":\
               [\"x\",\"y\"]}}},{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\"}],\
               \"Version\":\"2012-10-17\"}";
    kms.ok(PutKeyPolicy, json!({"KeyId": key, "Policy": put})).await;
    let expected = r#"{
  "Statement" : [ {
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : [ "111122223333", "*" ]
    },
    "Action" : [ "kms:*" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "aws:PrincipalTag/a" : [ "x", "y" ]
      }
    }
  }, {
    "Effect" : "Allow",
    "Principal" : "*",
    "Action" : "kms:*",
    "Resource" : "*"
  } ],
  "Version" : "2012-10-17"
}"#;
    assert_eq!(policy(&kms, &key).await, expected);
}

#[tokio::test]
async fn what_was_got_can_be_put_and_got_again() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let got = policy(&kms, &key).await;
    kms.ok(PutKeyPolicy, json!({"KeyId": key, "Policy": got})).await;
    assert_eq!(policy(&kms, &key).await, got);
}

#[tokio::test]
async fn the_policy_may_be_named() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let unnamed = kms.ok(GetKeyPolicy, json!({"KeyId": key})).await;
    for name in [json!("default"), Value::Null] {
        assert_eq!(kms.ok(GetKeyPolicy, json!({"KeyId": key, "PolicyName": name})).await, unnamed);
    }
}

#[tokio::test]
async fn other_policies_do_not_exist() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for name in ["other", "Default", "AWS_RAM"] {
        let refused = kms.refused(GetKeyPolicy, json!({"KeyId": key, "PolicyName": name})).await;
        assert_eq!(refused, "NotFoundException: No such policy exists");
    }
}
