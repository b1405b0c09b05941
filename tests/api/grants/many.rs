//! As many grants as a key may have: requests are no slower for it, whether everyone has one or one has all.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trent_domain::grant::{Constraints, Grant, GrantOperations, Pairs, PrincipalId, Scope, Terms};
use trent_domain::identifier::{GrantId, KeyArn};
use trent_domain::time::Clock;
use trent_protocol::GrantOperation;
use trent_protocol::Operation::{CreateGrant, Encrypt, ListGrants};
use trent_testkit::TestKms;

use super::World;

const MANY: usize = 50_000;

/// Puts grants beside the key, past the service: `terms` says to whom the nth is, and for which context.
async fn fill(world: &World, terms: impl Fn(usize) -> (PrincipalId, Constraints)) {
    let (region, account) = (world.kms.region, world.kms.caller.account);
    let key = KeyArn { region, account, id: world.key.parse().expect("a key id") };
    let operations = GrantOperations::parse(&[GrantOperation::Encrypt]).expect("an operation");
    let grant = |number: usize| {
        let (grantee, constraints) = terms(number);
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let scope = Scope { operations, constraints };
        let terms = Terms { name: None, grantee, retiring: None, issuer: account, scope };
        Grant { id: GrantId(id), key, created: world.kms.clock.now(), terms }
    };
    let grants: Vec<_> = (0..MANY).map(grant).collect();
    trent_database::write(&*world.kms.database, "test", move |records| {
        grants.iter().try_for_each(|grant| records.insert_grant(grant))
    })
    .await
    .and_then(|written| written)
    .expect("written");
}

fn user(kms: &TestKms) -> PrincipalId {
    PrincipalId::User { account: kms.caller.account, id: kms.caller.unique_id.to_string() }
}

/// The fastest of a few requests, so that what else the machine does counts little.
async fn time(caller: &TestKms, request: &Value) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..50 {
        let start = Instant::now();
        caller.ok(Encrypt, request.clone()).await;
        fastest = fastest.min(start.elapsed());
    }
    fastest
}

/// How long a request takes by the only grant of a key.
async fn alone(world: &mut World, alice: &TestKms, request: impl Fn(&World) -> Value) -> Duration {
    let full = std::mem::replace(&mut world.key, world.kms.create_key().await);
    world.grant(alice, json!({})).await;
    let time = time(alice, &request(world)).await;
    world.key = full;
    time
}

fn check(what: &str, alone: Duration, among_many: Duration) {
    println!("{what}: {among_many:?} among {MANY} grants, {alone:?} with one");
    assert!(among_many < alone * 3 + Duration::from_millis(1), "{what}: {among_many:?}, alone {alone:?}");
}

#[tokio::test]
async fn a_grantee_among_many_waits_no_longer() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let id = |number| PrincipalId::User { account: alice.caller.account, id: format!("AIDA{number}") };
    fill(&world, |number| (if number == 777 { user(&alice) } else { id(number) }, Constraints::default()))
        .await;
    let start = Instant::now();
    alice.ok(Encrypt, world.encrypt()).await;
    println!("the first request: {:?}", start.elapsed());
    let among_many = time(&alice, &world.encrypt()).await;
    let alone = alone(&mut world, &alice, World::encrypt).await;
    check("one grant each", alone, among_many);
    // A page of the list is read without the rest.
    let start = Instant::now();
    let filter = json!({"KeyId": world.key, "GranteePrincipal": &*alice.caller.arn});
    let page = world.kms.ok(ListGrants, filter).await;
    assert_eq!(page["Grants"].as_array().map(Vec::len), Some(1));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_grantee_who_has_them_all_waits_no_longer_and_may_be_given_more() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let volume = |number: usize| Pairs::from([("Volume".to_owned(), format!("vol-{number}"))]);
    fill(&world, |number| {
        (user(&alice), Constraints { equals: Some(volume(number)), ..Constraints::default() })
    })
    .await;
    let request = |world: &World, number: usize| {
        let mut request = world.encrypt();
        request["EncryptionContext"] = json!(volume(number));
        request
    };
    let start = Instant::now();
    alice.ok(Encrypt, request(&world, 4_711)).await;
    println!("the first request: {:?}", start.elapsed());
    let among_many = time(&alice, &request(&world, 49_999)).await;
    let alone = alone(&mut world, &alice, |world| request(world, 1)).await;
    check("all grants of one", alone, among_many);
    assert!(alice.call(Encrypt, request(&world, MANY)).await.is_err());

    // Full: what goes makes room, and neither change has the others read again.
    let mut wanted = world.request(&alice);
    wanted["Constraints"] = json!({"EncryptionContextEquals": volume(MANY)});
    let refused = world.kms.refused(CreateGrant, wanted.clone()).await;
    assert!(refused.starts_with("LimitExceededException: "), "{refused}");
    let gone = json!({"KeyId": world.key, "GrantId": format!("{:064x}", 0)});
    world.kms.ok(trent_protocol::Operation::RevokeGrant, gone).await;
    world.kms.ok(CreateGrant, wanted).await;
    let start = Instant::now();
    alice.ok(Encrypt, request(&world, MANY)).await;
    let next = start.elapsed();
    println!("the next request: {next:?}");
    assert!(next < alone * 20 + Duration::from_millis(20), "{next:?}");
    assert!(alice.call(Encrypt, request(&world, 0)).await.is_err());
}
