//! Custom key stores: known by their id, their names unique in account and Region.

use trent_domain::identifier::{HsmKeyId, Region};
use trent_domain::key::Key;
use trent_domain::key_store::{
    Backing, Cluster, Connection, Credential, Endpoint, InStore, KeyStore, KeyStoreId, Passwords, Proxy,
    Reach,
};
use trent_domain::time::Timestamp;
use trent_protocol::ConnectionErrorCode;

use super::{Subject, account, plain_key, region};
use crate::DatabaseError;

pub(crate) async fn come_back_as_they_were(subject: Subject) {
    let elsewhere = KeyStore { region: region("us-east-1"), ..external(1) };
    let all = [external(2), hsm(3), elsewhere.clone()];
    let written = all.clone();
    subject.write(move |records| written.iter().try_for_each(|store| records.insert_key_store(store))).await;
    for store in &all {
        let id = store.id.clone();
        assert_eq!(subject.read(move |records| records.key_store(&id)).await.as_ref(), Some(store));
    }
    assert_eq!(stores(&subject, None).await, [elsewhere.clone(), all[0].clone(), all[1].clone()]);
    assert_eq!(stores(&subject, Some(elsewhere.region)).await, [elsewhere]);
}

pub(crate) async fn are_changed_once_for_each_version(subject: Subject) {
    let first = external(1);
    let inserted = first.clone();
    subject.write(move |records| records.insert_key_store(&inserted)).await;
    let code = ConnectionErrorCode::XksProxyTimedOut;
    let changed = KeyStore {
        name: "other".to_owned(),
        connection: Connection::Failed { code },
        attempt: 3,
        sealed_secret: vec![9],
        ..first
    };
    let update = changed.clone();
    subject.write(move |records| records.update_key_store(&update)).await;
    let stale = changed.clone();
    let refused = subject.try_write(move |records| records.update_key_store(&stale)).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Conflict { table: "key_stores", .. }), "{refused}");
    assert_eq!(stores(&subject, None).await, [KeyStore { version: 2, ..changed.clone() }]);
    for _ in 0..2 {
        let id = changed.id.clone();
        subject.write(move |records| records.delete_key_store(&id)).await;
        assert_eq!(stores(&subject, None).await, []);
    }
}

pub(crate) async fn have_names_of_their_own(subject: Subject) {
    let first = external(1);
    let free = [
        KeyStore { account: account("444455556666"), name: first.name.clone(), ..external(2) },
        KeyStore { region: region("us-east-1"), name: first.name.clone(), ..external(3) },
        KeyStore { name: first.name.to_uppercase(), ..external(4) },
    ];
    let taken = KeyStore { name: first.name.clone(), ..external(5) };
    subject.write(move |records| records.insert_key_store(&first)).await;
    subject.write(move |records| free.iter().try_for_each(|store| records.insert_key_store(store))).await;
    subject.try_write(move |records| records.insert_key_store(&taken)).await.expect_err("the name is taken");
}

pub(crate) async fn hold_keys(subject: Subject) {
    let (one, two) = (external(1), external(2));
    let held = |number, store: &KeyStore, external_key: Option<&str>| {
        let in_store = match external_key {
            Some(name) => InStore::external(store.id.clone(), name.to_owned()),
            None => InStore::in_hsms(store.id.clone(), HsmKeyId([number; 16])),
        };
        Key { in_store: Some(in_store), ..plain_key(number) }
    };
    let keys =
        [held(1, &one, Some("a")), held(2, &one, Some("b")), held(3, &two, Some("a")), held(4, &two, None)];
    subject.insert(&keys).await;
    for key in [&keys[0], &keys[3]] {
        assert_eq!(subject.key(key.region, key.id).await.as_ref(), Some(key));
    }
    let ids = async |store: &KeyStore, external_key: Option<&'static str>| {
        let id = store.id.clone();
        let found = subject.read(move |records| records.keys_in_store(&id, external_key)).await;
        found.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&one, None).await, [keys[0].id, keys[1].id]);
    assert_eq!(ids(&two, None).await, [keys[2].id, keys[3].id]);
    assert_eq!(ids(&two, Some("a")).await, [keys[2].id]);
    let again = held(5, &one, Some("a"));
    subject
        .try_write(move |records| records.insert_key(&again))
        .await
        .expect_err("the external key is taken");
    let gone = keys[2].clone();
    subject.write(move |records| records.delete_key(gone.region, gone.id)).await;
    assert_eq!(ids(&two, Some("a")).await, []);
}

async fn stores(subject: &Subject, region: Option<Region>) -> Vec<KeyStore> {
    subject.read(move |records| records.key_stores(region)).await
}

/// An external key store; `number` tells it from others and orders it.
pub(crate) fn external(number: u8) -> KeyStore {
    let set = Timestamp::from_millis(7);
    let service = "com.amazonaws.vpce.eu-central-1.vpce-svc-1".to_owned();
    let proxy = Proxy {
        endpoint: Endpoint::parse("https://Proxy.example.com").expect("an endpoint"),
        path: "/kms/xks/v1".to_owned(),
        reach: Reach::VpcEndpointService { name: service, owner: account("444455556666") },
        credential: Credential { access_key_id: "ABCDEFGHIJKLMNOPQRST".to_owned(), set },
    };
    KeyStore {
        id: KeyStoreId::generate([number; 9]),
        account: account("111122223333"),
        region: region("eu-central-1"),
        name: format!("store {number}"),
        created: Timestamp::from_millis(i64::from(number)),
        backing: Backing::External(proxy),
        sealed_secret: vec![number; 3],
        connection: Connection::Connecting { since: Timestamp::from_millis(9) },
        attempt: 2,
        version: 1,
    }
}

fn hsm(number: u8) -> KeyStore {
    let cluster = Cluster {
        id: "cluster-234abcdefABC".to_owned(),
        trust_anchor: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        lineage: [number; 32],
        passwords: Passwords::default(),
    };
    KeyStore { backing: Backing::CloudHsm(cluster), connection: Connection::Connected, ..external(number) }
}
