//! Each operation of the model, under each way to be allowed it and to be denied it. That nobody is answered without a
//! signature is in `tests/authorization`, and that users without rights are not, in `denials.rs`.

use serde_json::{Value, json};
use trent_domain::identity::{Account, Record, Status, User};
use trent_domain::operations::{Accounts, On, rules};
use trent_domain::time::Clock;
use trent_protocol::GrantOperation;
use trent_protocol::Operation::{self, *};
use trent_service::Configured;
use trent_testkit::{ACCOUNT, Subject, TestKms, request, told};

use crate::denials::{action, resource};

const OTHER: &str = "444455556666";
const OTHER_REGION: &str = "eu-west-1";

/// A service, and a user of the key's account and one of another, who have been given nothing.
struct Stage {
    kms: TestKms,
    alice: TestKms,
    bob: TestKms,
}

impl Stage {
    async fn new() -> Self {
        let kms = TestKms::new().await;
        let user = |account: &str, name: &str, id: &str| {
            User::new(account.parse().expect("an account id"), name, id, kms.clock.now())
        };
        let alice = user(ACCOUNT, "alice", "AIDAALICEALICEALICEAL");
        let bob = user(OTHER, "bob", "AIDABOBBOBBOBBOBBOBBO");
        let other = Account { id: bob.account, name: "other".to_owned(), status: Status::Active };
        let records = [alice.clone(), bob.clone()].map(Record::User);
        let written = trent_database::write(&*kms.database, "test", move |transaction| {
            transaction.put_account(&other)?;
            records.iter().try_for_each(|record| transaction.put_identity(record))
        });
        written.await.and_then(|written| written).expect("written");
        kms.service.configure(Configured::default()).await.expect("the identities are read");
        let called =
            |user: &User| kms.called_by(trent_domain::identity::Caller::user(user, "AKIAUSERUSERUSERUSER"));
        Self { alice: called(&alice), bob: called(&bob), kms }
    }

    /// Puts a policy on the key, and on its replica if the operation is about one too.
    async fn put(&self, operation: Operation, subject: &Subject, statements: &Value) {
        self.kms.put_policy(&subject.key, statements).await;
        if operation == UpdatePrimaryRegion {
            self.kms.in_region(OTHER_REGION).put_policy(&subject.key, statements).await;
        }
    }
}

/// The actions that an operation takes on a key.
fn actions(operation: Operation) -> Vec<String> {
    match operation {
        ReEncrypt => vec!["kms:ReEncryptFrom".to_owned(), "kms:ReEncryptTo".to_owned()],
        _ => vec![action(operation)],
    }
}

fn allow(principal: &str, actions: &[String]) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*"})
}

fn delegation() -> Value {
    allow(&format!("arn:aws:iam::{ACCOUNT}:root"), &["kms:*".to_owned()])
}

fn user_arn(kms: &TestKms) -> String {
    kms.caller.arn.to_string()
}

/// What has to be allowed beside the action on the key: what is about aliases or the account is for identity policies.
fn beside_the_key(operation: Operation) -> Value {
    match operation {
        CreateAlias | DeleteAlias | UpdateAlias => {
            json!([{"Effect": "Allow", "Action": action(operation), "Resource": "arn:aws:kms:*:*:alias/*"}])
        }
        ReplicateKey => json!([{"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"}]),
        // Anything that is about something else.
        _ => json!([{"Effect": "Allow", "Action": "kms:GenerateRandom", "Resource": "*"}]),
    }
}

/// Whether a caller may: whatever else an operation says of a request, it says only to whom may ask.
async fn may(caller: &TestKms, operation: Operation, subject: &Subject) -> Result<(), String> {
    match caller.call(operation, request(operation, subject)).await {
        Err(error) if error.code.to_string() == "AccessDeniedException" => Err(told(&error)),
        _ => Ok(()),
    }
}

fn is_about_a_key(operation: Operation) -> bool {
    rules(operation).on == On::Key
}

/// Grants that are called as their operation is, and the two that ReEncrypt takes.
fn grantable(operation: Operation) -> Vec<&'static str> {
    match operation {
        ReEncrypt => vec!["ReEncryptFrom", "ReEncryptTo"],
        // The request makes a grant for decryption, so that one has to be given too.
        CreateGrant => vec!["CreateGrant", "Decrypt"],
        _ => GrantOperation::parse(operation.name()).map(|known| known.as_str()).into_iter().collect(),
    }
}

#[tokio::test]
async fn each_is_allowed_by_an_identity_policy_where_the_key_policy_delegates() {
    let stage = Stage::new().await;
    for operation in Operation::ALL.into_iter().filter(|operation| *operation != RetireGrant) {
        let subject = Subject::of(&stage.kms, operation).await;
        let mut statements = beside_the_key(operation);
        let own = json!({"Effect": "Allow", "Action": actions(operation), "Resource": "*"});
        statements.as_array_mut().expect("a list").push(own);
        let caller = stage.alice.with_identity_policy(&statements);
        assert_eq!(may(&caller, operation, &subject).await, Ok(()), "{operation}");
    }
}

#[tokio::test]
async fn each_that_is_about_a_key_is_allowed_by_the_key_policy() {
    let stage = Stage::new().await;
    for operation in Operation::ALL.into_iter().filter(|operation| is_about_a_key(*operation)) {
        let subject = Subject::of(&stage.kms, operation).await;
        let caller = stage.alice.with_identity_policy(&beside_the_key(operation));
        stage.put(operation, &subject, &json!([delegation()])).await;
        assert!(may(&caller, operation, &subject).await.is_err(), "{operation} without the statement");
        let own = allow(&user_arn(&stage.alice), &actions(operation));
        stage.put(operation, &subject, &json!([delegation(), own])).await;
        assert_eq!(may(&caller, operation, &subject).await, Ok(()), "{operation}");
    }
}

#[tokio::test]
async fn no_other_is_allowed_by_a_key_policy() {
    let stage = Stage::new().await;
    let subject = Subject::new(&stage.kms).await;
    let own = allow(&user_arn(&stage.alice), &["kms:*".to_owned()]);
    stage.kms.put_policy(&subject.key, &json!([own])).await;
    for operation in Operation::ALL.into_iter().filter(|operation| !is_about_a_key(*operation)) {
        assert!(may(&stage.alice, operation, &subject).await.is_err(), "{operation}");
    }
}

#[tokio::test]
async fn each_that_grants_can_give_is_allowed_by_one() {
    let stage = Stage::new().await;
    let mut given = 0;
    for operation in Operation::ALL {
        let names = grantable(operation);
        let mut subject = Subject::of(&stage.kms, operation).await;
        let wanted = if names.is_empty() { vec![operation.name()] } else { names.clone() };
        let grant =
            json!({"KeyId": subject.key, "GranteePrincipal": user_arn(&stage.alice), "Operations": wanted});
        if names.is_empty() {
            let refused = stage.kms.refused(CreateGrant, grant).await;
            assert!(
                refused.starts_with("ValidationException: 1 validation error detected"),
                "{operation}: {refused}"
            );
            continue;
        }
        assert!(may(&stage.alice, operation, &subject).await.is_err(), "{operation} without a grant");
        let made = stage.kms.ok(CreateGrant, grant).await;
        if operation == RetireGrant {
            subject.grant = made["GrantId"].as_str().expect("an id").to_owned();
        }
        assert_eq!(may(&stage.alice, operation, &subject).await, Ok(()), "{operation}");
        given += 1;
    }
    // Nineteen names, of which two are one operation.
    assert_eq!(given, 18);
}

#[tokio::test]
async fn each_is_denied_by_a_statement_whatever_allows_it() {
    let stage = Stage::new().await;
    for operation in Operation::ALL {
        let subject = Subject::of(&stage.kms, operation).await;
        let deny = json!({"Effect": "Deny", "Action": action(operation), "Resource": "*"});
        let all = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"});
        let caller = stage.alice.with_identity_policy(&json!([all, deny]));
        let (action, resource) = (action(operation), resource(operation, &subject, &stage.kms));
        let arn = &stage.alice.caller.arn;
        let expected = format!(
            "AccessDeniedException: User: {arn} is not authorized to perform: {action} on resource: {resource} with an \
             explicit deny in an identity-based policy"
        );
        assert_eq!(may(&caller, operation, &subject).await, Err(expected), "{operation}");
    }
}

#[tokio::test]
async fn each_is_for_keys_of_other_accounts_or_is_not() {
    let stage = Stage::new().await;
    let all = json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]);
    let bob = stage.bob.with_identity_policy(&all);
    let named_by_the_request = |operation| !matches!(operation, DeleteAlias | UpdateAlias | RetireGrant);
    for operation in Operation::ALL.into_iter().filter(|operation| is_about_a_key(*operation)) {
        let mut subject = Subject::of(&stage.kms, operation).await;
        let open = allow(&format!("arn:aws:iam::{OTHER}:root"), &["kms:*".to_owned()]);
        stage.put(operation, &subject, &json!([delegation(), open])).await;
        subject.key = stage.kms.arn(&subject.key);
        let answer = may(&bob, operation, &subject).await;
        if rules(operation).accounts == Accounts::Any {
            assert_eq!(answer, Ok(()), "{operation}");
        } else if named_by_the_request(operation) {
            let (arn, action) = (&bob.caller.arn, action(operation));
            let expected = format!(
                "AccessDeniedException: User: {arn} is not authorized to perform: {action} on this resource because the \
                 resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy \
                 explicitly denies access"
            );
            assert_eq!(answer, Err(expected), "{operation}");
        }
    }
}
