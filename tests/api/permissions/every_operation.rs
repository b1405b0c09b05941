//! Every operation that trent has, one after the other, under each way of being allowed and denied.

use serde_json::{Value, json};
use trent_domain::operations::{Accounts, On, rules};
use trent_protocol::Operation::{self, *};
use trent_testkit::{Subject, TestKms, request};

use super::{ADMIN, ALICE, HIDDEN, admin_alone, alice, allow, delegation, denial_of, silent, to};

/// The operations that trent has: those that do not refuse a request for being what it is.
fn operations() -> impl Iterator<Item = Operation> {
    Operation::ALL.into_iter().filter(|operation| {
        let on = rules(*operation).on;
        let grants = [CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant];
        on != On::KeyStore && !grants.contains(operation)
    })
}

/// The action that is asked about first.
fn action(operation: Operation) -> String {
    if operation == ReEncrypt { "kms:ReEncryptFrom".to_owned() } else { format!("kms:{operation}") }
}

fn is_about_alias(operation: Operation) -> bool {
    matches!(operation, CreateAlias | DeleteAlias | UpdateAlias)
}

fn is_about_account(operation: Operation) -> bool {
    rules(operation).on == On::Account
}

/// What the first check is about.
fn first_resource(operation: Operation, subject: &Subject, kms: &TestKms) -> String {
    match operation {
        _ if is_about_account(operation) => "*".to_owned(),
        CreateAlias => kms.alias_arn(&subject.free_alias),
        DeleteAlias | UpdateAlias => kms.alias_arn(&subject.alias),
        _ => kms.arn(&subject.key),
    }
}

/// What an operation is refused with; nothing if it is allowed, whatever else may be wrong with it.
async fn denial(caller: &TestKms, operation: Operation, body: Value) -> Option<String> {
    let answer = caller.call(operation, body).await;
    answer.err().map(|error| trent_testkit::told(&error)).filter(|told| told.starts_with("AccessDenied"))
}

/// A key for the operation, with a policy of these statements.
async fn subject(kms: &TestKms, operation: Operation, policy: Value) -> Subject {
    let subject = Subject::of(kms, operation).await;
    kms.put_policy(&subject.key, &policy).await;
    subject
}

#[tokio::test]
async fn each_is_denied_to_who_has_been_given_nothing() {
    let kms = TestKms::new().await;
    let mut count = 0;
    for operation in operations() {
        let subject = subject(&kms, operation, json!([delegation()])).await;
        let (action, on) = (action(operation), first_resource(operation, &subject, &kms));
        let expected =
            denial_of(ALICE, &action, &format!("resource: {on}"), &silent("identity-based policy", &action));
        let found = denial(&kms.as_user("alice"), operation, request(operation, &subject)).await;
        assert_eq!(found, Some(expected));
        count += 1;
    }
    assert!(count >= 40, "{count}");
}

#[tokio::test]
async fn each_is_allowed_by_an_identity_policy_where_the_key_policy_delegates() {
    let kms = TestKms::new().await;
    for operation in operations() {
        let subject = subject(&kms, operation, json!([delegation()])).await;
        let alice = alice(&kms, &allow(&json!("kms:*"), "*"));
        assert_eq!(denial(&alice, operation, request(operation, &subject)).await, None, "{operation}");
    }
}

#[tokio::test]
async fn no_identity_policy_allows_what_the_key_policy_does_not_delegate() {
    let kms = TestKms::new().await;
    for operation in operations() {
        let subject = subject(&kms, operation, json!([admin_alone()])).await;
        let alice = alice(&kms, &allow(&json!("kms:*"), "*"));
        let (action, on) = (action(operation), format!("resource: {}", kms.arn(&subject.key)));
        let expected = (!is_about_account(operation))
            .then(|| denial_of(ALICE, &action, &on, &silent("resource-based policy", &action)));
        assert_eq!(denial(&alice, operation, request(operation, &subject)).await, expected, "{operation}");
    }
}

#[tokio::test]
async fn each_that_is_about_a_key_alone_is_allowed_by_a_key_policy_that_names_the_user() {
    let kms = TestKms::new().await;
    for operation in operations() {
        let subject = subject(&kms, operation, json!([admin_alone()])).await;
        // The administrator without the policy that makes it one: what is left is its name in the key policy.
        let named = kms.under(trent_service::Standing::default());
        let action = match operation {
            // The new key in the other Region is the account's.
            ReplicateKey => "kms:CreateKey".to_owned(),
            _ => action(operation),
        };
        let by_identity =
            is_about_account(operation) || is_about_alias(operation) || operation == ReplicateKey;
        let on = if operation == ReplicateKey {
            "*".to_owned()
        } else {
            first_resource(operation, &subject, &kms)
        };
        let expected = by_identity.then(|| {
            denial_of(ADMIN, &action, &format!("resource: {on}"), &silent("identity-based policy", &action))
        });
        // The replica has the default policy, which names nobody.
        let expected = match operation {
            UpdatePrimaryRegion => {
                let on = format!("resource: {}", kms.in_region("eu-west-1").arn(&subject.key));
                Some(denial_of(ADMIN, &action, &on, &silent("identity-based policy", &action)))
            }
            _ => expected,
        };
        assert_eq!(denial(&named, operation, request(operation, &subject)).await, expected, "{operation}");
    }
}

#[tokio::test]
async fn each_is_denied_by_an_identity_policy_that_denies() {
    let kms = TestKms::new().await;
    let both = json!([allow(&json!("*"), "*"), {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}]);
    for operation in operations() {
        let policy = json!([delegation(), to(json!("*"), "Allow", "kms:*")]);
        let subject = subject(&kms, operation, policy).await;
        let on = format!("resource: {}", first_resource(operation, &subject, &kms));
        let expected =
            denial_of(ALICE, &action(operation), &on, "with an explicit deny in an identity-based policy");
        let alice = alice(&kms, &both);
        assert_eq!(denial(&alice, operation, request(operation, &subject)).await, Some(expected));
    }
}

#[tokio::test]
async fn each_that_is_about_a_key_is_denied_by_a_key_policy_that_denies() {
    let kms = TestKms::new().await;
    for operation in operations().filter(|operation| !is_about_account(*operation)) {
        let policy = json!([delegation(), to(json!("*"), "Deny", "kms:*")]);
        let subject = subject(&kms, operation, policy).await;
        let (action, on) = (action(operation), format!("resource: {}", kms.arn(&subject.key)));
        let expected = denial_of(ADMIN, &action, &on, "with an explicit deny in a resource-based policy");
        assert_eq!(denial(&kms, operation, request(operation, &subject)).await, Some(expected));
    }
}

/// The request of somebody in another account, who can name keys by ARN alone.
fn foreign_request(operation: Operation, subject: &Subject, kms: &TestKms) -> Value {
    let arn = Subject { key: kms.arn(&subject.key), ..subject.clone() };
    request(operation, &arn)
}

#[tokio::test]
async fn of_another_accounts_key_strangers_learn_nothing_by_any_operation() {
    let kms = TestKms::new().await;
    let other = kms.in_account("444455556666");
    let about_keys =
        operations().filter(|operation| !is_about_account(*operation) && *operation != DeleteAlias);
    for operation in about_keys {
        let subject = subject(&kms, operation, json!([delegation()])).await;
        let body = foreign_request(operation, &subject, &kms);
        let by_ciphertext = matches!(operation, Decrypt | ReEncrypt);
        let on = if by_ciphertext { "the resource associated with this ciphertext" } else { "this resource" };
        let expected = denial_of("arn:aws:iam::444455556666:root", &action(operation), on, HIDDEN);
        assert_eq!(denial(&other, operation, body.clone()).await, Some(expected.clone()));
        if !by_ciphertext {
            // The same about a key that is not there.
            let missing = body.to_string().replace(&subject.key, "12345678-90ab-cdef-1234-567890abcdef");
            let missing = serde_json::from_str(&missing).expect("JSON");
            assert_eq!(denial(&other, operation, missing).await, Some(expected), "{operation}");
        }
    }
}

#[tokio::test]
async fn another_account_that_the_key_policy_names_may_use_the_key_and_do_nothing_else() {
    let kms = TestKms::with_accounts(&["444455556666"]).await;
    let other = kms.in_account("444455556666");
    let about_keys =
        operations().filter(|operation| !is_about_account(*operation) && *operation != DeleteAlias);
    for operation in about_keys {
        let policy = json!([delegation(), to(json!({"AWS": "444455556666"}), "Allow", "kms:*")]);
        let subject = subject(&kms, operation, policy).await;
        let expected = match rules(operation).accounts {
            Accounts::Any => None,
            Accounts::Own => {
                let action = action(operation);
                Some(denial_of("arn:aws:iam::444455556666:root", &action, "this resource", HIDDEN))
            }
        };
        let found = denial(&other, operation, foreign_request(operation, &subject, &kms)).await;
        assert_eq!(found, expected, "{operation}");
    }
}
