//! Who may not: users without rights are told what they lack, and nothing about the key.

use serde_json::{Value, json};
use trent_domain::operations::{On, rules};
use trent_protocol::Operation::{self, *};
use trent_protocol::error_body;
use trent_testkit::{Subject, TestKms, request};

/// The action that is asked about first.
pub(crate) fn action(operation: Operation) -> String {
    if operation == ReEncrypt { "kms:ReEncryptFrom".to_owned() } else { format!("kms:{operation}") }
}

pub(crate) fn resource(operation: Operation, subject: &Subject, kms: &TestKms) -> String {
    match operation {
        CreateKey | GenerateRandom | ListAliases | ListKeys | ListRetirableGrants => "*".to_owned(),
        CreateAlias => kms.alias_arn(&subject.free_alias),
        DeleteAlias | UpdateAlias => kms.alias_arn(&subject.alias),
        _ if rules(operation).on == On::KeyStore => "*".to_owned(),
        _ => kms.arn(&subject.key),
    }
}

/// What alice is answered by every operation that trent has, asked about `subject`.
async fn answers_to_alice(kms: &TestKms, subject: &Subject) -> Vec<(Operation, String)> {
    let alice = kms.as_user("alice");
    let mut answers = Vec::new();
    for operation in Operation::ALL {
        let refused = alice.refused(operation, request(operation, subject)).await;
        if !refused.ends_with("is not supported by this version of trent.") {
            answers.push((operation, refused));
        }
    }
    answers
}

fn denied(operation: Operation, subject: &Subject, kms: &TestKms) -> String {
    let (action, resource) = (action(operation), resource(operation, subject, kms));
    format!(
        "AccessDeniedException: User: arn:aws:iam::111122223333:user/alice is not authorized to perform: {action} on \
         resource: {resource} because no identity-based policy allows the {action} action"
    )
}

#[tokio::test]
async fn a_user_without_rights_may_do_nothing() {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    let before = kms.metadata(&subject.key).await;
    let answers = answers_to_alice(&kms, &subject).await;
    assert!(answers.len() >= 45, "{answers:?}");
    for (operation, answer) in answers {
        assert_eq!(answer, denied(operation, &subject, &kms));
    }
    assert_eq!(kms.metadata(&subject.key).await, before);
    assert_eq!(kms.metadata(&subject.alias).await, before);
    assert_eq!(kms.list_all(ListKeys, &json!({}), "Keys").await.len(), 1);
}

#[tokio::test]
async fn a_user_without_rights_does_not_learn_the_state_of_a_key() {
    let kms = TestKms::new().await;
    let (disabled, dying) = (Subject::new(&kms).await, Subject::new(&kms).await);
    kms.disable(&disabled.key).await;
    kms.schedule_deletion(&dying.key).await;
    for subject in [disabled, dying] {
        for (operation, answer) in answers_to_alice(&kms, &subject).await {
            assert_eq!(answer, denied(operation, &subject, &kms));
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_to_everyone() {
    let alice = TestKms::new().await.as_user("alice");
    for (operation, request, code) in [
        (Encrypt, json!({}), "ValidationException: "),
        (CreateKey, json!({"KeySpec": "HMAC_256"}), "ValidationException: "),
        (ListAliases, json!({"Limit": 101}), "ValidationException: "),
        (DescribeKey, json!({"KeyId": "fake-key-id"}), "NotFoundException: "),
        (DescribeKey, json!({"KeyId": "12345678-90ab-cdef-1234-567890abcdef"}), "NotFoundException: "),
        (Decrypt, json!({"CiphertextBlob": "bm90LWEtdmFsaWQtbWVzc2FnZQ=="}), "InvalidCiphertextException"),
    ] {
        let refused = alice.refused(operation, request).await;
        assert!(refused.starts_with(code), "{operation}: {refused}");
    }
}

#[tokio::test]
async fn the_text_of_a_denial_has_a_member_of_its_own() {
    let kms = TestKms::new().await;
    let denied = kms.as_user("alice").call(ListKeys, json!({})).await.expect_err("a denial");
    let body: Value =
        serde_json::from_slice(&error_body(denied.code, denied.message.as_deref())).expect("JSON");
    assert_eq!(body, json!({"__type": "AccessDeniedException", "Message": denied.message}));
}
