//! Aliases: names of keys, unique in account and Region.

use trent_domain::alias::Alias;
use trent_domain::key::Key;
use trent_domain::time::Timestamp;

use super::{Subject, account, alias, plain_key, region};
use crate::DatabaseError;

pub(crate) async fn are_found_listed_and_counted(subject: Subject) {
    let (one, two) = (plain_key(1), plain_key(2));
    let foreign = Key { account: account("444455556666"), ..plain_key(3) };
    let elsewhere = Key { region: region("us-east-1"), ..plain_key(1) };
    subject.insert(&[one.clone(), two.clone(), foreign.clone(), elsewhere.clone()]).await;
    let mut all = vec![alias("alias/c", &one), alias("alias/a", &one), alias("alias/b", &two)];
    let written: Vec<Alias> =
        all.iter().cloned().chain([alias("alias/a", &foreign), alias("alias/a", &elsewhere)]).collect();
    subject.write(move |records| written.iter().try_for_each(|alias| records.insert_alias(alias))).await;
    all.sort_by(|one, other| one.name.cmp(&other.name));

    let (owner, place, id) = (one.account, one.region, one.id);
    let found = subject.read(move |records| records.alias(owner, place, "alias/b")).await;
    assert_eq!(found.as_ref(), Some(&all[1]));
    assert_eq!(subject.read(move |records| records.alias(owner, place, "alias/B")).await, None);
    assert_eq!(subject.read(move |records| records.aliases(owner, place, None, 9)).await, all);
    let rest = subject.read(move |records| records.aliases(owner, place, Some("alias/a"), 1)).await;
    assert_eq!(rest, all[1..2]);
    let of_one = subject.read(move |records| records.aliases_of(place, id, None, 9)).await;
    assert_eq!(of_one, [all[0].clone(), all[2].clone()]);
    let rest = subject.read(move |records| records.aliases_of(place, id, Some("alias/a"), 9)).await;
    assert_eq!(rest, all[2..]);
    assert_eq!(subject.read(move |records| records.alias_count(place, id)).await, 2);
}

pub(crate) async fn are_replaced_and_deleted(subject: Subject) {
    let (one, two) = (plain_key(1), plain_key(2));
    subject.insert(&[one.clone(), two.clone()]).await;
    let first = alias("alias/a", &one);
    let moved = Alias { target: two.id, updated: Timestamp::from_millis(9), ..first.clone() };
    let (insert, update) = (first.clone(), moved.clone());
    subject.write(move |records| records.insert_alias(&insert)).await;
    subject.try_write(move |records| records.insert_alias(&first)).await.expect_err("the name is taken");
    subject.write(move |records| records.update_alias(&update)).await;
    let (owner, place) = (one.account, one.region);
    assert_eq!(
        subject.read(move |records| records.alias(owner, place, "alias/a")).await.as_ref(),
        Some(&moved)
    );
    for _ in 0..2 {
        subject.write(move |records| records.delete_alias(owner, place, "alias/a")).await;
        assert_eq!(subject.read(move |records| records.alias(owner, place, "alias/a")).await, None);
    }
    let refused = subject.try_write(move |records| records.update_alias(&moved)).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Conflict { table: "aliases", .. }), "{refused}");
}

pub(crate) async fn belong_to_keys_that_are_there(subject: Subject) {
    let dangling = alias("alias/a", &plain_key(1));
    subject
        .try_write(move |records| records.insert_alias(&dangling))
        .await
        .expect_err("the key is not there");
}
