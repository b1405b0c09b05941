//! Who may do what: every operation under each way in which it can be allowed and denied, with the texts of denials;
//! then aliases, several keys in one request, other accounts, and what conditions may ask.

mod accounts;
mod aliases;
mod condition_keys;
mod every_operation;
mod key_policies;

use serde_json::{Value, json};
use trent_testkit::TestKms;

/// The user who may do everything, and is named in key policies.
const ADMIN: &str = "arn:aws:iam::111122223333:user/admin";
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

/// A statement of a key policy.
fn to(principal: Value, effect: &str, actions: &str) -> Value {
    json!({"Effect": effect, "Principal": principal, "Action": actions, "Resource": "*"})
}

/// The statement that leaves a key to its account.
fn delegation() -> Value {
    to(json!({"AWS": "111122223333"}), "Allow", "kms:*")
}

/// The statement that lets the administrator alone do anything.
fn admin_alone() -> Value {
    to(json!({"AWS": ADMIN}), "Allow", "kms:*")
}

/// A statement of an identity policy.
fn allow(actions: &Value, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resource})
}

/// A denial, as alice is told it.
fn denied(action: &str, on: &str, why: &str) -> String {
    denial_of(ALICE, action, on, why)
}

fn denial_of(caller: &str, action: &str, on: &str, why: &str) -> String {
    format!("AccessDeniedException: User: {caller} is not authorized to perform: {action} on {on} {why}")
}

/// Nothing of this kind allows.
fn silent(kind: &str, action: &str) -> String {
    format!("because no {kind} allows the {action} action")
}

/// What strangers are told.
const HIDDEN: &str = "because the resource does not exist in this Region, no resource-based policies allow access, or a \
                      resource-based policy explicitly denies access";

/// Alice with one statement in an identity policy.
fn alice(kms: &TestKms, statement: &Value) -> TestKms {
    kms.as_user("alice").with_identity_policy(statement)
}
