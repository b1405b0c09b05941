//! Grants: found by id, by grantee, by retiring principal and by name; counted; gone with their key.

use std::sync::{Arc, Mutex};

use trent_domain::grant::{Constraints, Grant, GrantOperations, Pairs, PrincipalId, Scope, Terms};
use trent_domain::identifier::GrantId;
use trent_domain::key::Key;
use trent_domain::time::Timestamp;
use trent_protocol::GrantOperation;

use super::{Subject, account, plain_key, region};
use crate::{Change, Observer};

fn user(name: &str) -> PrincipalId {
    PrincipalId::User { account: account("111122223333"), id: name.to_owned() }
}

fn grant(number: u8, key: &Key, grantee: &str) -> Grant {
    Grant {
        id: GrantId([number; 32]),
        key: key.arn(),
        created: Timestamp::from_millis(1_700_000_000_123),
        terms: Terms {
            name: None,
            grantee: user(grantee),
            retiring: None,
            issuer: account("444455556666"),
            scope: Scope {
                operations: GrantOperations::parse(&[GrantOperation::Decrypt]).expect("operations"),
                constraints: Constraints::default(),
            },
        },
    }
}

/// A grant that uses all that a record can hold.
pub(crate) fn full_grant(number: u8, key: &Key, grantee: &str) -> Grant {
    let mut grant = grant(number, key, grantee);
    let pairs = |value: &str| Pairs::from([("a \"k\u{e9}y\"".to_owned(), value.to_owned())]);
    grant.terms.name = Some("orders:2026/a-b".to_owned());
    grant.terms.retiring = Some(PrincipalId::Service("rds.amazonaws.com".to_owned()));
    grant.terms.scope = Scope {
        operations: GrantOperations::parse(&GrantOperation::ALL).expect("operations"),
        constraints: Constraints {
            equals: Some(pairs("1")),
            subset: Some(Pairs::new()),
            source_arn: Some("arn:aws:rds:us-east-1:111122223333:db:orders".to_owned()),
        },
    };
    grant
}

async fn insert(subject: &Subject, grants: &[&Grant]) {
    let grants: Vec<Grant> = grants.iter().copied().cloned().collect();
    subject.write(move |records| grants.iter().try_for_each(|grant| records.insert_grant(grant))).await;
}

pub(crate) async fn come_back_as_they_were(subject: Subject) {
    let key = plain_key(1);
    subject.insert([&key]).await;
    let (plain, full) = (grant(1, &key, "alice"), full_grant(2, &key, "carol"));
    insert(&subject, &[&plain, &full]).await;
    let (place, id) = (key.region, key.id);
    for grant in [plain, full] {
        let found = subject.read(move |records| records.grant(place, id, grant.id)).await;
        assert_eq!(found, Some(grant));
    }
    assert_eq!(subject.read(move |records| records.grant(place, id, GrantId([3; 32]))).await, None);
}

pub(crate) async fn belong_to_keys_that_are_there_and_have_ids_of_their_own(subject: Subject) {
    let key = plain_key(1);
    subject.insert([&key]).await;
    let (dangling, first) = (grant(1, &plain_key(2), "alice"), grant(1, &key, "alice"));
    let again = grant(1, &key, "carol");
    insert(&subject, &[&first]).await;
    subject
        .try_write(move |records| records.insert_grant(&dangling))
        .await
        .expect_err("the key is not there");
    subject.try_write(move |records| records.insert_grant(&again)).await.expect_err("the id is taken");
    let (place, id) = (key.region, key.id);
    assert_eq!(subject.read(move |records| records.grant_count(place, id)).await, 1);
}

pub(crate) async fn are_listed_in_pages_by_key_and_grantee(subject: Subject) {
    let (key, elsewhere) = (plain_key(1), Key { region: region("us-east-1"), ..plain_key(1) });
    subject.insert([&key, &elsewhere]).await;
    let all = [grant(1, &key, "alice"), grant(2, &key, "carol"), grant(3, &key, "alice")];
    insert(&subject, &[&all[2], &all[0], &all[1], &grant(1, &elsewhere, "alice")]).await;
    let (place, id) = (key.region, key.id);
    let list = async |grantee: Option<&str>, after: Option<u8>, limit| {
        let (grantee, after) = (grantee.map(user), after.map(|number| GrantId([number; 32])));
        subject.read(move |records| records.grants(place, id, grantee.as_ref(), after, limit)).await
    };
    assert_eq!(list(None, None, 9).await, all);
    assert_eq!(list(None, Some(1), 1).await, all[1..2]);
    assert_eq!(list(Some("alice"), None, 9).await, [all[0].clone(), all[2].clone()]);
    assert_eq!(list(Some("alice"), Some(1), 9).await, all[2..]);
    assert_eq!(list(Some("dave"), None, 9).await, []);
}

pub(crate) async fn are_listed_in_pages_by_retiring_principal(subject: Subject) {
    let (one, two) = (plain_key(1), Key { account: account("444455556666"), ..plain_key(2) });
    let elsewhere = Key { region: region("us-east-1"), ..plain_key(1) };
    subject.insert([&one, &two, &elsewhere]).await;
    let retired = |number, key: &Key, by: &str| {
        let mut grant = grant(number, key, "alice");
        grant.terms.retiring = Some(user(by));
        grant
    };
    let mine = [retired(2, &one, "carol"), retired(3, &one, "carol"), retired(1, &two, "carol")];
    let others = [retired(4, &one, "dave"), retired(2, &elsewhere, "carol"), grant(5, &one, "carol")];
    insert(&subject, &mine.iter().chain(&others).collect::<Vec<_>>()).await;
    let place = one.region;
    let list = async |after: Option<&Grant>, limit| {
        let after = after.map(|grant| (grant.key.id, grant.id));
        subject.read(move |records| records.retirable_grants(place, &user("carol"), after, limit)).await
    };
    assert_eq!(list(None, 9).await, mine);
    assert_eq!(list(Some(&mine[0]), 1).await, mine[1..2]);
    assert_eq!(list(Some(&mine[1]), 9).await, mine[2..]);
    assert_eq!(list(Some(&mine[2]), 9).await, []);
}

pub(crate) async fn are_found_by_all_their_terms(subject: Subject) {
    let (key, other) = (plain_key(1), plain_key(2));
    subject.insert([&key, &other]).await;
    let (first, second) = (full_grant(7, &key, "alice"), full_grant(2, &key, "alice"));
    insert(&subject, &[&first]).await;
    insert(&subject, &[&second, &full_grant(3, &other, "alice")]).await;
    let find = async |terms: Terms| {
        let (place, id) = (key.region, key.id);
        subject.read(move |records| records.grant_with(place, id, &terms)).await
    };
    assert_eq!(find(first.terms.clone()).await, Some(first.id), "the oldest, whatever the ids");
    let different: [fn(&mut Terms); 9] = [
        |terms| terms.name = Some("orders:2026/a-B".to_owned()),
        |terms| terms.grantee = user("carol"),
        |terms| terms.retiring = None,
        |terms| terms.retiring = Some(user("alice")),
        |terms| terms.issuer = account("111122223333"),
        |terms| {
            let operations = [GrantOperation::Encrypt, GrantOperation::Decrypt];
            terms.scope.operations = GrantOperations::parse(&operations).expect("operations");
        },
        |terms| terms.scope.constraints.equals = None,
        |terms| terms.scope.constraints.subset = None,
        |terms| terms.scope.constraints.source_arn = None,
    ];
    for change in different {
        let mut terms = first.terms.clone();
        change(&mut terms);
        assert_eq!(find(terms.clone()).await, None, "{terms:?}");
    }
}

pub(crate) async fn are_counted_and_deleted_once(subject: Subject) {
    let key = plain_key(1);
    subject.insert([&key]).await;
    insert(&subject, &[&grant(1, &key, "alice"), &grant(2, &key, "alice")]).await;
    let (place, id) = (key.region, key.id);
    let count = async || subject.read(move |records| records.grant_count(place, id)).await;
    assert_eq!(count().await, 2);
    for there in [true, false] {
        let gone = subject.write(move |records| records.delete_grant(place, id, GrantId([1; 32]))).await;
        assert_eq!((gone, count().await), (there, 1));
    }
    let left = subject.read(move |records| records.grants(place, id, None, None, 9)).await;
    assert_eq!(left, [grant(2, &key, "alice")]);
}

pub(crate) async fn go_with_their_key(subject: Subject) {
    let (key, elsewhere) = (plain_key(1), Key { region: region("us-east-1"), ..plain_key(1) });
    subject.insert([&key, &elsewhere]).await;
    insert(&subject, &[&full_grant(1, &key, "alice"), &full_grant(1, &elsewhere, "alice")]).await;
    let (gone, kept, id) = (key.region, elsewhere.region, key.id);
    subject.write(move |records| records.delete_key(gone, id)).await;
    for (place, left) in [(gone, 0), (kept, 1)] {
        let found = subject.read(move |records| records.grants(place, id, None, None, 9)).await;
        assert_eq!(found.len(), left);
        assert_eq!(subject.read(move |records| records.grant_count(place, id)).await, left as u64);
    }
}

#[derive(Default)]
struct Published(Mutex<Vec<Change>>);

impl Observer for Published {
    fn publish(&self, changes: &[Change]) {
        self.0.lock().expect("the list").extend_from_slice(changes);
    }
}

pub(crate) async fn are_published_when_made_and_when_deleted(subject: Subject) {
    let (key, published) = (plain_key(1), Arc::new(Published::default()));
    subject.insert([&key]).await;
    subject.database.observe(Arc::clone(&published) as _);
    insert(&subject, &[&grant(1, &key, "alice")]).await;
    let (place, id) = (key.region, key.id);
    for _ in 0..2 {
        subject.write(move |records| records.delete_grant(place, id, GrantId([1; 32]))).await;
    }
    let alice = Arc::new(grant(1, &key, "alice"));
    let changes = [Change::GrantCreated(Arc::clone(&alice)), Change::GrantDeleted(alice)];
    assert_eq!(*published.0.lock().expect("the list"), changes);
}
