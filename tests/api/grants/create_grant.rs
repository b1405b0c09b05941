//! CreateGrant: what a grant gives, to whom and when; names; quotas; what is refused.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    CreateGrant, Decrypt, DescribeKey, Encrypt, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant,
    ScheduleKeyDeletion,
};
use trent_service::Options;
use trent_testkit::{ACCOUNT, TestKms, bytes};

use super::{OTHER, World};

#[tokio::test]
async fn a_grant_gives_its_grantee_its_operations_at_once_and_nothing_else() {
    let world = World::new().await;
    let (alice, carol) = (world.user("alice").await, world.user("carol").await);
    assert!(!world.may_encrypt(&alice).await);
    let (id, token) = world.grant(&alice, json!({})).await;
    assert_eq!(id.len(), 64);
    assert!(id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    assert!(bytes(&json!(token)).len() < 200);
    assert!(world.may_encrypt(&alice).await);
    assert!(!world.may_encrypt(&carol).await);
    let refused = alice.refused(DescribeKey, json!({"KeyId": world.key})).await;
    assert!(refused.contains("kms:DescribeKey"), "{refused}");
}

#[tokio::test]
async fn a_grant_outlives_a_restart() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (id, token) = world.grant(&alice, json!({})).await;
    let (caller, key) = (alice.caller.clone(), world.key.clone());
    drop(alice);
    let kms = world.kms.restart().await;
    let world = World { kms, key };
    let mut alice = world.kms.clone();
    (alice.caller, alice.standing) = (caller, Default::default());
    assert!(world.may_encrypt(&alice).await);
    let mut with_token = world.encrypt();
    with_token["GrantTokens"] = json!([token]);
    alice.ok(Encrypt, with_token).await;
    assert_eq!(world.ids().await, [id]);
}

#[tokio::test]
async fn a_later_user_of_the_same_name_inherits_nothing() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    world.grant(&alice, json!({})).await;
    let other = world.user("alice").await;
    assert_eq!(alice.caller.arn, other.caller.arn);
    assert!(!world.may_encrypt(&other).await);
    // What is left is shown by what was unique about it, as AWS does.
    let grants = world.kms.ok(ListGrants, json!({"KeyId": world.key})).await;
    assert_eq!(grants["Grants"][0]["GranteePrincipal"], *alice.caller.unique_id);
}

#[tokio::test]
async fn the_grant_of_a_role_is_for_all_its_sessions_and_that_of_a_session_for_it_alone() {
    let world = World::new().await;
    let (arn, session) = world.role("app").await;
    let [one, two] = ["s1", "s2"].map(&session);
    let (of_role, _) = world.grant(&one, json!({"GranteePrincipal": arn})).await;
    assert!(world.may_encrypt(&one).await && world.may_encrypt(&two).await);
    world.kms.ok(RevokeGrant, json!({"KeyId": world.key, "GrantId": of_role})).await;
    assert!(!world.may_encrypt(&one).await);
    world.grant(&one, json!({})).await;
    assert!(world.may_encrypt(&one).await && !world.may_encrypt(&two).await);
    let grants = world.kms.ok(ListGrants, json!({"KeyId": world.key})).await;
    let shown = format!("arn:aws:sts::{ACCOUNT}:assumed-role/app/s1");
    assert_eq!(grants["Grants"][0]["GranteePrincipal"], shown);
}

#[tokio::test]
async fn constraints_are_about_the_encryption_context_of_each_request() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let subset = json!({"EncryptionContextSubset": {"Dept": "IT"}});
    world
        .grant(&alice, json!({"Operations": ["Encrypt", "Decrypt", "DescribeKey"], "Constraints": subset}))
        .await;
    let with = |context: Value| {
        let mut request = world.encrypt();
        request["EncryptionContext"] = context;
        request
    };
    let blob = alice.ok(Encrypt, with(json!({"Dept": "IT", "P": "T"}))).await["CiphertextBlob"].take();
    // The letter case of keys does not matter to the constraint; to the ciphertext it does.
    alice.ok(Encrypt, with(json!({"dept": "IT"}))).await;
    let decrypt = |context: Value| json!({"CiphertextBlob": blob, "EncryptionContext": context});
    alice.ok(Decrypt, decrypt(json!({"Dept": "IT", "P": "T"}))).await;
    let refused = alice.refused(Decrypt, decrypt(json!({"dept": "IT", "P": "T"}))).await;
    assert_eq!(refused, "InvalidCiphertextException");
    for context in [json!({"Dept": "HR"}), json!({"Dept": "it"}), json!({})] {
        let refused = alice.refused(Encrypt, with(context)).await;
        assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
    }
    alice.ok(DescribeKey, json!({"KeyId": world.key})).await;
}

#[tokio::test]
async fn with_a_name_and_the_same_terms_it_is_the_same_grant_with_a_new_token() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let constraints = json!({"EncryptionContextEquals": {"a": "1", "b": "2"}});
    let named = json!({"Name": "n", "Operations": ["Encrypt", "Decrypt"], "Constraints": constraints});
    let (id, token) = world.grant(&alice, named.clone()).await;
    let mut same = named.clone();
    same["Operations"] = json!(["Decrypt", "Encrypt", "Decrypt"]);
    for request in [named.clone(), same] {
        let (again, other) = world.grant(&alice, request).await;
        assert_eq!(again, id);
        assert_ne!(other, token);
        alice
            .ok(Encrypt, {
                let mut request = world.encrypt();
                request["EncryptionContext"] = json!({"a": "1", "b": "2"});
                request["GrantTokens"] = json!([token, other]);
                request
            })
            .await;
    }
    assert_eq!(world.ids().await, [id]);
}

#[tokio::test]
async fn with_other_terms_without_a_name_or_on_another_key_it_is_another_grant() {
    let mut world = World::new().await;
    let (alice, carol) = (world.user("alice").await, world.user("carol").await);
    let mut ids = vec![world.grant(&alice, json!({"Name": "n"})).await.0];
    for change in [
        json!({"Name": "N"}),
        json!({"Name": "n", "Operations": ["Decrypt"]}),
        json!({"Name": "n", "GranteePrincipal": &*carol.caller.arn}),
        json!({"Name": "n", "RetiringPrincipal": &*carol.caller.arn}),
        json!({"Name": "n", "Constraints": {"EncryptionContextSubset": {"a": "1"}}}),
        json!({"Name": "n", "Constraints": {"EncryptionContextEquals": {"a": "1"}}}),
        json!({}),
        json!({}),
    ] {
        ids.push(world.grant(&alice, change).await.0);
    }
    world.key = world.kms.create_key().await;
    ids.push(world.grant(&alice, json!({"Name": "n"})).await.0);
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[tokio::test]
async fn a_name_is_free_again_once_its_grant_is_gone() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (id, _) = world.grant(&alice, json!({"Name": "n"})).await;
    world.kms.ok(RevokeGrant, json!({"KeyId": world.key, "GrantId": id})).await;
    assert_ne!(world.grant(&alice, json!({"Name": "n"})).await.0, id);
}

#[tokio::test]
async fn a_key_has_as_many_grants_as_its_quota() {
    let kms = TestKms::with_options(Options { grants_per_key_max: 2, ..Options::default() }).await;
    let mut world = World { key: kms.create_key().await, kms };
    let alice = world.user("alice").await;
    let (first, _) = world.grant(&alice, json!({"Name": "n"})).await;
    world.grant(&alice, json!({})).await;
    // One that is there already takes no room.
    assert_eq!(world.grant(&alice, json!({"Name": "n"})).await.0, first);
    let refusal = "LimitExceededException: Grants per key quota for this account in this region is 2, current usage is 2.";
    let mut dry = world.request(&alice);
    assert_eq!(world.kms.refused(CreateGrant, dry.clone()).await, refusal);
    dry["DryRun"] = json!(true);
    assert_eq!(world.kms.refused(CreateGrant, dry.clone()).await, refusal);
    dry["Name"] = json!("n");
    assert!(world.kms.refused(CreateGrant, dry).await.starts_with("DryRunOperationException"));
    world.kms.ok(RevokeGrant, json!({"KeyId": world.key, "GrantId": first})).await;
    world.grant(&alice, json!({})).await;
    world.key = world.kms.create_key().await;
    world.grant(&alice, json!({})).await;
}

#[tokio::test]
async fn grants_go_with_their_key() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let retiring = json!({"RetiringPrincipal": &*world.kms.caller.arn});
    let (_, token) = world.grant(&alice, retiring).await;
    world.kms.schedule_deletion(&world.key).await;
    assert_eq!(world.ids().await.len(), 1);
    world.kms.clock.advance_days(7);
    assert_eq!(world.kms.run_jobs().await.deleted, 1);
    let own = json!({"RetiringPrincipal": &*world.kms.caller.arn});
    let listed = world.kms.ok(ListRetirableGrants, own).await;
    assert_eq!(listed["Grants"], json!([]));
    let refused = world.kms.refused(RetireGrant, json!({"GrantToken": token})).await;
    assert!(refused.starts_with("NotFoundException: Grant ID "), "{refused}");
}

#[tokio::test]
async fn who_there_is_is_told_to_those_alone_who_may_make_grants() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for name in ["admin", "nobody"] {
        let grantee = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
        let request = json!({"KeyId": world.key, "GranteePrincipal": grantee, "Operations": ["Encrypt"]});
        let refused = alice.refused(CreateGrant, request).await;
        assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
    }
}

#[tokio::test]
async fn tokens_are_those_of_trent_for_this_region_and_give_nothing_by_themselves() {
    let world = World::new().await;
    let (alice, carol) = (world.user("alice").await, world.user("carol").await);
    let (id, token) = world.grant(&alice, json!({})).await;
    let with = |token: &str| {
        let mut request = world.encrypt();
        request["GrantTokens"] = json!([token]);
        request
    };
    alice.ok(Encrypt, with(&token)).await;
    let refused = carol.refused(Encrypt, with(&token)).await;
    assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
    let mut altered = token.clone().into_bytes();
    altered[60] = if altered[60] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).expect("a text");
    for garbage in ["token", &token[4..], &format!("{token}AAAA"), &altered, "====", "🔑"] {
        let refused = alice.refused(Encrypt, with(garbage)).await;
        assert_eq!(refused, "InvalidGrantTokenException: The grant token is invalid.", "{garbage}");
    }
    let elsewhere = world.kms.in_region("us-west-2");
    let key = elsewhere.create_key().await;
    let mut request = with(&token);
    request["KeyId"] = json!(key);
    assert!(elsewhere.refused(Encrypt, request).await.starts_with("InvalidGrantTokenException"));
    // On another key it is no use, and does no harm.
    let mut request = with(&token);
    request["KeyId"] = json!(world.kms.create_key().await);
    world.kms.ok(Encrypt, request).await;
    world.kms.ok(RevokeGrant, json!({"KeyId": world.key, "GrantId": id})).await;
    let refused = alice.refused(Encrypt, with(&token)).await;
    assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
}

#[tokio::test]
async fn whoever_was_given_create_grant_passes_on_no_more_than_that() {
    let world = World::new().await;
    let (alice, carol) = (world.user("alice").await, world.user("carol").await);
    let constraints = json!({"EncryptionContextSubset": {"D": "IT"}});
    world.grant(&alice, json!({"Operations": ["Encrypt", "CreateGrant"], "Constraints": constraints})).await;
    let child = |change: Value| {
        let mut request = world.request(&carol);
        for (member, value) in change.as_object().expect("members") {
            request[member] = value.clone();
        }
        request
    };
    for change in [
        json!({}),
        json!({"Constraints": {"EncryptionContextSubset": {"D": "HR"}}}),
        json!({"Operations": ["Encrypt", "Decrypt"], "Constraints": constraints}),
        json!({"Operations": ["DescribeKey"], "Constraints": constraints}),
    ] {
        let refused = alice.refused(CreateGrant, child(change)).await;
        assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
    }
    let stricter = json!({"Constraints": {"EncryptionContextEquals": {"d": "IT", "X": "1"}}});
    alice.ok(CreateGrant, child(stricter)).await;
    let mut request = world.encrypt();
    request["EncryptionContext"] = json!({"d": "IT", "X": "1"});
    carol.ok(Encrypt, request).await;
    assert!(!world.may_encrypt(&carol).await);
}

#[tokio::test]
async fn a_disabled_or_dying_key_takes_no_grant_and_its_grants_let_nobody_use_it() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    world.grant(&alice, json!({})).await;
    world.kms.disable(&world.key).await;
    let refusal = format!("DisabledException: {} is disabled.", world.kms.arn(&world.key));
    assert_eq!(world.kms.refused(CreateGrant, world.request(&alice)).await, refusal);
    assert_eq!(alice.refused(Encrypt, world.encrypt()).await, refusal);
    world.kms.ok(ScheduleKeyDeletion, json!({"KeyId": world.key})).await;
    let refused = world.kms.refused(CreateGrant, world.request(&alice)).await;
    assert!(refused.ends_with("is pending deletion."), "{refused}");
}

#[tokio::test]
async fn the_issuer_is_the_account_of_the_caller() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    world.user_of(OTHER, "bob").await;
    world.grant(&alice, json!({})).await;
    let grants = world.kms.ok(ListGrants, json!({"KeyId": world.key})).await;
    assert_eq!(grants["Grants"][0]["IssuingAccount"], format!("arn:aws:iam::{ACCOUNT}:root"));
}
