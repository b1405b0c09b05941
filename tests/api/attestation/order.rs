//! When a document is verified: after all that can be said without it, before the decision, and not on the core that has
//! the connection.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use serde_json::{Value, json};
use trent_protocol::Operation::{Decrypt, GenerateDataKey, GenerateRandom};

use super::{World, and, forged};

const NOT_SIGNED: &str =
    "ValidationException: The attestation document is not valid: its signature is not valid.";

/// A request for a data key, with a document whose signature is not valid.
fn request(world: &World, key: &str) -> Value {
    let recipient = forged(world.recipient(&world.enclave(7)));
    json!({"KeyId": key, "KeySpec": "AES_256", "Recipient": recipient})
}

#[tokio::test]
async fn what_no_document_could_change_is_answered_without_verifying_it() {
    let world = World::new().await;
    let key = world.kms.create_key().await;
    assert_eq!(world.kms.refused(GenerateDataKey, request(&world, &key)).await, NOT_SIGNED);
    let unknown = "1234abcd-12ab-34cd-56ef-1234567890ab";
    for (name, told) in [
        (unknown, "NotFoundException: Key "),
        ("alias/no", "NotFoundException: Alias "),
        ("?", "NotFoundException: "),
    ] {
        let refused = world.kms.refused(GenerateDataKey, request(&world, name)).await;
        assert!(refused.starts_with(told), "{refused}");
    }
    let stranger = world.kms.as_user("mallory");
    let refused = stranger.refused(GenerateDataKey, request(&world, &key)).await;
    assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
    let random = json!({"NumberOfBytes": 8, "Recipient": request(&world, &key)["Recipient"]});
    let refused = stranger.refused(GenerateRandom, random.clone()).await;
    assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
    assert_eq!(world.kms.refused(GenerateRandom, random).await, NOT_SIGNED);
}

#[tokio::test]
async fn it_is_verified_before_the_state_of_the_key_is_told() {
    let world = World::new().await;
    let key = world.kms.create_key().await;
    let blob = world.kms.encrypt(&key, b"text").await;
    world.kms.disable(&key).await;
    let asked = json!({"CiphertextBlob": blob, "Recipient": world.recipient(&world.enclave(7))});
    let refused = world.kms.refused(Decrypt, asked.clone()).await;
    assert!(refused.starts_with("DisabledException: "), "{refused}");
    let asked = and(asked.clone(), "Recipient", forged(asked["Recipient"].clone()));
    assert_eq!(world.kms.refused(Decrypt, asked).await, NOT_SIGNED);
}

/// Else who is denied, and of what a document could still change, would tell which policies ask for documents.
#[tokio::test]
async fn a_caller_whose_policies_ask_for_it_is_told_that_it_is_not_valid() {
    let world = World::new().await;
    let key = world.kms.create_key().await;
    let only = |effect: &str, operator: &str| {
        json!([{
            "Effect": effect, "Action": "kms:*", "Resource": "*",
            "Condition": {operator: {"kms:RecipientAttestation:PCR0": "07".repeat(48)}},
        }])
    };
    for policy in [only("Allow", "StringEquals"), only("Deny", "StringNotEquals")] {
        let user = world.kms.as_user("alice").with_identity_policy(&policy);
        assert_eq!(user.refused(GenerateDataKey, request(&world, &key)).await, NOT_SIGNED);
    }
    let other = json!([{
        "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:a": "b", "kms:RecipientAttestation:PCR0": "07"}},
    }]);
    let user = world.kms.as_user("alice").with_identity_policy(&other);
    let refused = user.refused(GenerateDataKey, request(&world, &key)).await;
    assert!(refused == NOT_SIGNED || refused.starts_with("AccessDeniedException: "), "{refused}");
}

#[tokio::test]
async fn keys_of_other_accounts_are_not_told_from_none() {
    let world = World::new().await;
    let key = world.kms.arn(&world.kms.create_key().await);
    let blob = world.kms.encrypt(&key, b"text").await;
    let none = world.kms.arn("1234abcd-12ab-34cd-56ef-1234567890ab");
    let other = world.kms.in_account("444455556666");
    let recipient = &request(&world, &key)["Recipient"];
    for caller in [other.clone(), other.as_user("eve")] {
        for name in [&key, &none] {
            assert_eq!(caller.refused(GenerateDataKey, request(&world, name)).await, NOT_SIGNED);
        }
        let asked = json!({"CiphertextBlob": blob, "Recipient": recipient});
        assert_eq!(caller.refused(Decrypt, asked).await, NOT_SIGNED);
    }
}

#[tokio::test]
async fn nobody_else_waits_while_it_is_verified() {
    let world = World::new().await;
    let with = json!({"NumberOfBytes": 8, "Recipient": world.recipient(&world.enclave(7))});
    let mut waited = 0;
    // A thread that is put aside for long may find the other one done at once.
    for _ in 0..20 {
        let mut answer = pin!(world.kms.call(GenerateRandom, with.clone()));
        let first = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        match first {
            Poll::Pending => {
                waited += 1;
                answer.await.unwrap();
            }
            Poll::Ready(answer) => drop(answer.unwrap()),
        }
    }
    assert!(waited > 0);
    let mut answer = pin!(world.kms.call(GenerateRandom, json!({"NumberOfBytes": 8})));
    let first = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
    assert!(first.is_ready(), "without a document it waits for nothing");
}
