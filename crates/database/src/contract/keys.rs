//! Keys: their rows come back as they were, are changed only from the version that was read, and leave nothing behind.

use trent_domain::identifier::KeyId;
use trent_domain::import::Standing;
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::rotation::Schedule;
use trent_domain::time::Timestamp;
use trent_domain::usage::LastUsage;
use trent_protocol::{KeyManager, TrackedOperation};
use uuid::Uuid;

use super::{Subject, account, alias, full_key, imported, plain_key, region};
use crate::DatabaseError;

pub(crate) async fn come_back_as_they_were(subject: Subject) {
    for key in [plain_key(1), full_key(2)] {
        subject.insert([&key]).await;
        assert_eq!(subject.key(key.region, key.id).await, Some(key));
    }
}

pub(crate) async fn are_changed_once_for_each_version(subject: Subject) {
    let key = plain_key(1);
    subject.insert([&key]).await;
    let changed = Key { description: "new".to_owned(), ..key.clone() };
    let update = changed.clone();
    subject.write(move |records| records.update_key(&update)).await;
    assert_eq!(subject.key(key.region, key.id).await, Some(Key { version: 2, ..changed.clone() }));
    // Whoever still has version 1 has missed something.
    let refused = subject.try_write(move |records| records.update_key(&changed)).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Conflict { table: "keys", .. }), "{refused}");
    let absent = plain_key(9);
    let refused = subject.try_write(move |records| records.update_key(&absent)).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Conflict { .. }), "{refused}");
    let again = key.clone();
    subject.try_write(move |records| records.insert_key(&again)).await.unwrap_err();
}

pub(crate) async fn are_known_by_region_and_id(subject: Subject) {
    // The replicas of a multi-Region key share an id; a single-Region key never has the id of a multi-Region one.
    let here = full_key(1);
    let there = Key { region: region("us-east-1"), description: "there".to_owned(), ..here.clone() };
    let single = Key { id: KeyId::from_parts(here.id.uuid(), false), ..plain_key(1) };
    subject.insert(&[here.clone(), there.clone(), single.clone()]).await;
    for key in [&here, &there, &single] {
        assert_eq!(subject.key(key.region, key.id).await.as_ref(), Some(key));
    }
    assert_eq!(subject.key(region("eu-west-1"), here.id).await, None);
}

pub(crate) async fn are_listed_in_pages(subject: Subject) {
    let mut keys: Vec<Key> = [3, 1, 4, 2].map(plain_key).into();
    keys.push(full_key(0));
    subject.insert(&keys).await;
    let elsewhere = Key { region: region("us-east-1"), ..plain_key(7) };
    subject.insert(&[elsewhere, Key { account: account("444455556666"), ..plain_key(8) }]).await;
    let mut expected: Vec<KeyId> = keys.iter().map(|key| key.id).collect();
    expected.sort_by_key(KeyId::to_string);
    let (owner, place) = (keys[0].account, keys[0].region);
    let mut listed: Vec<KeyId> = Vec::new();
    loop {
        let after = listed.last().copied();
        let page = subject.read(move |records| records.keys(owner, place, after, 2)).await;
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(listed, expected);
}

pub(crate) async fn of_all_accounts_and_regions_are_told_a_page_at_a_time(subject: Subject) {
    let here = full_key(3);
    let there = Key { region: region("us-east-1"), ..here.clone() };
    let foreign = Key { account: account("444455556666"), ..plain_key(2) };
    let keys = [plain_key(1), foreign, here, there];
    subject.insert(&keys).await;
    let mut expected = keys.map(|key| (key.region, key.id));
    expected.sort_by_key(|(region, id)| (id.to_string(), region.to_string()));
    let mut told = Vec::new();
    loop {
        let after = told.last().copied();
        let page = subject.read(move |records| records.every_key(after, 1)).await;
        assert!(page.len() <= 1);
        if page.is_empty() {
            break;
        }
        told.extend(page);
    }
    assert_eq!(told, expected);
}

pub(crate) async fn are_counted_without_those_of_services(subject: Subject) {
    let managed = Key { manager: KeyManager::Aws, ..plain_key(3) };
    subject.insert(&[plain_key(1), plain_key(2), managed.clone()]).await;
    subject.insert(&[Key { region: region("us-east-1"), ..plain_key(4) }]).await;
    let (owner, place) = (managed.account, managed.region);
    assert_eq!(subject.read(move |records| records.customer_key_count(owner, place)).await, 2);
    let other = account("444455556666");
    assert_eq!(subject.read(move |records| records.customer_key_count(other, place)).await, 0);
    let (gone, of_service) = (plain_key(1).id, managed.id);
    subject.write(move |records| records.delete_key(place, gone)).await;
    subject.write(move |records| records.delete_key(place, of_service)).await;
    assert_eq!(subject.read(move |records| records.customer_key_count(owner, place)).await, 1);
}

pub(crate) async fn are_due_when_their_time_has_come(subject: Subject) {
    let at = Timestamp::from_millis;
    let pending = |number, millis| Key {
        lifecycle: Lifecycle::PendingDeletion { delete_at: at(millis), window_days: 7 },
        ..plain_key(number)
    };
    let rotating = Key { schedule: Some(Schedule { period_days: 90, next: at(20) }), ..plain_key(1) };
    let resting = Key { lifecycle: Lifecycle::Disabled, ..rotating.clone() };
    let resting = Key { id: plain_key(5).id, ..resting };
    let led = Key { schedule: rotating.schedule, lifecycle: Lifecycle::Enabled, ..full_key(7) };
    let led = Key { materials: plain_key(7).materials, ..led };
    // Its material expires at 11, before the key is to be deleted.
    let expiring = Key { materials: vec![imported(6, Standing::Associated, 3)], ..pending(6, 15) };
    let keys = [rotating.clone(), pending(2, 10), pending(3, 30), plain_key(4), resting, led, expiring];
    subject.insert(&keys).await;
    let due = async |now, limit| {
        let found = subject.read(move |records| records.due_keys(at(now), None, limit)).await;
        found.into_iter().map(|due| due.id).collect::<Vec<_>>()
    };
    assert_eq!(due(9, 10).await, []);
    assert_eq!(due(11, 10).await, [plain_key(2).id, plain_key(6).id]);
    assert_eq!(due(20, 10).await, [plain_key(2).id, plain_key(6).id, plain_key(1).id]);
    assert_eq!(due(99, 1).await, [plain_key(2).id]);
    let later = Key { schedule: Some(Schedule { period_days: 90, next: at(200) }), ..rotating };
    subject.write(move |records| records.update_key(&later)).await;
    assert_eq!(due(99, 10).await, [plain_key(2).id, plain_key(6).id, plain_key(3).id]);
}

pub(crate) async fn that_are_due_are_told_a_page_at_a_time(subject: Subject) {
    let at = Timestamp::from_millis;
    let pending = |number, millis| Key {
        lifecycle: Lifecycle::PendingDeletion { delete_at: at(millis), window_days: 7 },
        ..plain_key(number)
    };
    // Several at one time, so that a page ends between them.
    let keys = [pending(5, 20), pending(4, 10), pending(3, 20), pending(2, 20), pending(1, 30)];
    subject.insert(&keys).await;
    let (mut after, mut told) = (None, Vec::new());
    loop {
        let page = subject.read(move |records| records.due_keys(at(25), after, 2)).await;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        told.extend(page.into_iter().map(|due| due.id));
        assert!(told.len() <= keys.len(), "{told:?}");
    }
    assert_eq!(told, [4, 2, 3, 5].map(|number| plain_key(number).id));
}

pub(crate) async fn go_with_their_aliases_and_usage(subject: Subject) {
    let (key, other) = (plain_key(1), plain_key(2));
    subject.insert(&[key.clone(), other.clone()]).await;
    let (of_key, of_other) = (alias("alias/gone", &key), alias("alias/kept", &other));
    let (place, id) = (key.region, key.id);
    subject
        .write(move |records| {
            records.insert_alias(&of_key)?;
            records.insert_alias(&of_other)?;
            records.record_usage(place, id, &usage(5))
        })
        .await;
    subject.write(move |records| records.delete_key(place, id)).await;
    assert_eq!(subject.key(place, id).await, None);
    assert_eq!(subject.read(move |records| records.last_usage(place, id)).await, None);
    let owner = key.account;
    let left = subject.read(move |records| records.aliases(owner, place, None, 9)).await;
    assert_eq!(left.iter().map(|alias| alias.name.as_str()).collect::<Vec<_>>(), ["alias/kept"]);
    // Deleting it again, as a job that was interrupted does, is no error.
    subject.write(move |records| records.delete_key(place, id)).await;
}

pub(crate) async fn remember_the_later_usage(subject: Subject) {
    let key = plain_key(1);
    let (place, id) = (key.region, key.id);
    subject.insert(&[key]).await;
    assert_eq!(subject.read(move |records| records.last_usage(place, id)).await, None);
    for at in [5, 7, 6] {
        subject.write(move |records| records.record_usage(place, id, &usage(at))).await;
    }
    assert_eq!(subject.read(move |records| records.last_usage(place, id)).await, Some(usage(7)));
    let absent = plain_key(9).id;
    subject.write(move |records| records.record_usage(place, absent, &usage(1))).await;
    assert_eq!(subject.read(move |records| records.last_usage(place, absent)).await, None);
}

pub(crate) async fn are_broken_without_their_relations(subject: Subject) {
    let lone = Key { multi_region: None, ..full_key(1) };
    let related = Key { multi_region: full_key(1).multi_region, ..plain_key(2) };
    for key in [lone, related] {
        subject.insert([&key]).await;
        let read = crate::read(&*subject.database, move |records| records.key(key.region, key.id)).await;
        assert!(matches!(read, Err(DatabaseError::Broken { table: "keys", column: "body", .. })), "{read:?}");
    }
}

fn usage(at: i64) -> LastUsage {
    LastUsage {
        operation: TrackedOperation::GenerateDataKey,
        at: Timestamp::from_millis(at),
        request_id: Uuid::from_u128(1),
        event_id: Uuid::from_u128(2),
    }
}
