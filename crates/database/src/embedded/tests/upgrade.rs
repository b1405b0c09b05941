//! Databases as released versions wrote them, which every later one must read.

use std::collections::BTreeSet;

use rusqlite::Connection;
use trent_domain::grant::{Constraints, Grant, GrantOperations, Pairs, PrincipalId, Scope, Terms};
use trent_domain::identifier::{GrantId, HsmKeyId, KeyArn, KeyId, MaterialId};
use trent_domain::identity::{Owner, Record, Status};
use trent_domain::import::{Imported, Standing};
use trent_domain::key_store::{
    Backing, Cluster, Connection as State, Credential, Endpoint, InStore, KeyStore, KeyStoreId, Passwords,
    Proxy, Reach,
};
use trent_domain::lifecycle::Lifecycle;
use trent_domain::multi_region::MultiRegion;
use trent_domain::rotation::{Material, Rotation, Schedule};
use trent_domain::time::Timestamp;
use trent_protocol::{
    ConnectionErrorCode, GrantOperation, KeyManager, KeySpec, KeyUsage, Origin, RotationType,
    TrackedOperation,
};

use crate::{DatabaseError, Embedded, ProxyRecord, Records, RingKey};

/// When everything in the fixture happened, but for some milliseconds.
const THEN: i64 = 1_764_000_000_123;

#[test]
fn a_database_of_schema_1_is_read() -> Result<(), DatabaseError> {
    let dir = tempfile::tempdir().expect("a directory");
    let dump = include_str!("../../../testdata/schema-1.sql");
    Connection::open(dir.path().join("trent.db"))?.execute_batch(dump)?;
    drop(Embedded::open(dir.path())?);
    Embedded::check(dir.path())?;
    Embedded::look(dir.path(), |records| {
        the_plain_key(records)?;
        the_full_key(records)?;
        the_key_that_leads_it(records)?;
        the_key_with_imported_material(records)?;
        the_key_in_a_key_store(records)?;
        the_key_stores(records)?;
        what_is_around_them(records)?;
        the_grants(records)?;
        the_identities(records)?;
        the_ring(records)?;
        the_records_of_a_proxy(records)
    })
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(THEN + millis)
}

fn material(number: u8, created: Timestamp, rotation: Option<Rotation>) -> Material {
    let id = MaterialId([number; 32]);
    Material { id, created, rotation, public: None, imported: None, sealed: vec![number; 3] }
}

fn ids() -> [KeyId; 3] {
    [
        "0199b2c4-7c00-7abc-8def-0123456789ab",
        "mrk-0199b2c47c007abc8def0123456789ac",
        "0199b2c4-7c00-7abc-8def-0123456789ad",
    ]
    .map(|id| id.parse().expect("a key id"))
}

fn the_plain_key(records: &dyn Records) -> Result<(), DatabaseError> {
    let key = records.key("eu-central-1".parse().expect("a Region"), ids()[0])?.expect("the key");
    assert_eq!(key.arn().to_string(), format!("arn:aws:kms:eu-central-1:111122223333:key/{}", ids()[0]));
    assert_eq!((key.spec, key.usage), (KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt));
    assert_eq!((key.origin, key.manager), (Origin::AwsKms, KeyManager::Customer));
    assert_eq!((key.created, key.version), (at(0), 1));
    assert_eq!((key.description.as_str(), key.lifecycle, key.policy), ("", Lifecycle::Enabled, None));
    assert!(key.tags.is_empty() && key.schedule.is_none());
    assert_eq!(key.materials, [material(1, at(0), None)]);
    Ok(())
}

fn the_full_key(records: &dyn Records) -> Result<(), DatabaseError> {
    let key = records.key("eu-central-1".parse().expect("a Region"), ids()[1])?.expect("the key");
    assert_eq!((key.description.as_str(), key.version), ("all there is", 4));
    let delete_at = at(7 * 24 * 60 * 60 * 1000);
    assert_eq!(key.lifecycle, Lifecycle::PendingDeletion { delete_at, window_days: 7 });
    assert_eq!(key.policy.as_deref(), Some("{\"Version\":\"2012-10-17\",\"Statement\":[]}"));
    assert_eq!(
        key.tags.into_iter().collect::<Vec<_>>(),
        [("a".into(), "b".into()), ("c".into(), String::new())]
    );
    assert_eq!(key.schedule, Some(Schedule { period_days: 90, next: at(90 * 24 * 60 * 60 * 1000) }));
    let rotated = |millis, kind| Some(Rotation { at: at(millis), kind });
    assert_eq!(
        key.materials,
        [
            material(2, at(0), None),
            material(3, at(5), rotated(5, RotationType::OnDemand)),
            material(4, at(6), rotated(6, RotationType::Automatic)),
        ]
    );
    Ok(())
}

fn the_key_that_leads_it(records: &dyn Records) -> Result<(), DatabaseError> {
    let [here, there] = ["eu-central-1", "us-west-2"].map(|region| region.parse().expect("a Region"));
    let key = records.key(there, ids()[1])?.expect("the primary");
    assert_eq!(key.lifecycle, Lifecycle::PendingReplicaDeletion { window_days: 8 });
    let related = Some(MultiRegion { primary: there, replicas: BTreeSet::from([here]) });
    assert_eq!(key.multi_region, related);
    assert_eq!(records.key(here, ids()[1])?.expect("the replica").multi_region, related);
    Ok(())
}

fn the_key_with_imported_material(records: &dyn Records) -> Result<(), DatabaseError> {
    let key = records.key("eu-central-1".parse().expect("a Region"), ids()[2])?.expect("the key");
    assert_eq!((key.origin, key.lifecycle), (Origin::External, Lifecycle::PendingImport));
    let imported = |valid_to, description: Option<&str>, standing| {
        Some(Imported { valid_to: Some(valid_to), description: description.map(str::to_owned), standing })
    };
    let gone = imported(at(6), None, Standing::Associated);
    let waits = imported(at(100_000_000), Some("the next one"), Standing::PendingRotation);
    assert_eq!(
        key.materials,
        [
            Material { imported: gone, sealed: Vec::new(), ..material(5, at(0), None) },
            Material { imported: waits, ..material(6, at(5), None) },
        ]
    );
    Ok(())
}

fn the_key_in_a_key_store(records: &dyn Records) -> Result<(), DatabaseError> {
    let id = "0199b2c4-7c00-7abc-8def-0123456789ae".parse().expect("a key id");
    let key = records.key("us-east-1".parse().expect("a Region"), id)?.expect("the key");
    assert_eq!((key.origin, key.lifecycle), (Origin::ExternalKeyStore, Lifecycle::Disabled));
    let store: KeyStoreId = "cks-1234567890abcdef0".parse().expect("an id");
    assert_eq!(key.in_store, Some(InStore::external(store.clone(), "theirs".to_owned())));
    assert_eq!(records.keys_in_store(&store, Some("theirs"))?, [(key.region, key.id)]);
    let id = "0199b2c4-7c00-7abc-8def-0123456789af".parse().expect("a key id");
    let key = records.key(key.region, id)?.expect("the key in HSMs");
    assert_eq!((key.origin, key.lifecycle), (Origin::AwsCloudhsm, Lifecycle::Enabled));
    let store: KeyStoreId = "cks-1234567890abcdef1".parse().expect("an id");
    assert_eq!(key.in_store, Some(InStore::in_hsms(store.clone(), HsmKeyId([8; 16]))));
    assert_eq!(records.keys_in_store(&store, None)?, [(key.region, key.id)]);
    Ok(())
}

fn the_key_stores(records: &dyn Records) -> Result<(), DatabaseError> {
    let [external, hsm] = <[KeyStore; 2]>::try_from(records.key_stores(None)?).expect("two key stores");
    assert_eq!((external.id.as_str(), external.name.as_str()), ("cks-1234567890abcdef0", "ours"));
    assert_eq!((external.created, external.attempt, external.version), (at(0), 3, 5));
    let code = ConnectionErrorCode::XksProxyTimedOut;
    assert_eq!((external.connection, external.sealed_secret), (State::Failed { code }, vec![8]));
    let owner = "444455556666".parse().expect("an account");
    let proxy = Proxy {
        endpoint: Endpoint::parse("https://proxy.example.com").expect("an endpoint"),
        path: "/kms/xks/v1".to_owned(),
        reach: Reach::VpcEndpointService {
            name: "com.amazonaws.vpce.us-east-1.vpce-svc-1".to_owned(),
            owner,
        },
        credential: Credential { access_key_id: "ABCDEFGHIJKLMNOPQRST".to_owned(), set: at(1) },
    };
    assert_eq!(external.backing, Backing::External(proxy));
    let cluster = Cluster {
        id: "cluster-234abcdefABC".to_owned(),
        trust_anchor: "PEM".to_owned(),
        lineage: std::array::from_fn(|at| u8::try_from(at).expect("a byte")),
        passwords: Passwords::default(),
    };
    assert_eq!(
        (hsm.backing, hsm.connection),
        (Backing::CloudHsm(cluster), State::Connecting { since: at(3) })
    );
    Ok(())
}

fn what_is_around_them(records: &dyn Records) -> Result<(), DatabaseError> {
    let (account, region) =
        ("111122223333".parse().expect("an account"), "eu-central-1".parse().expect("a Region"));
    assert_eq!(records.keys(account, region, None, 9)?, [ids()[0], ids()[2], ids()[1]]);
    assert_eq!(records.customer_key_count(account, region)?, 3);
    let due = records.due_keys(at(i64::MAX / 2), None, 9)?;
    assert_eq!(
        due.iter().map(|due| (due.region, due.id)).collect::<Vec<_>>(),
        [(region, ids()[2]), (region, ids()[1])]
    );
    let alias = records.alias(account, region, "alias/first")?.expect("the alias");
    assert_eq!((alias.target, alias.created, alias.updated), (ids()[0], at(0), at(1)));
    let usage = records.last_usage(region, ids()[0])?.expect("the usage");
    assert_eq!((usage.operation, usage.at), (TrackedOperation::Encrypt, at(377)));
    assert_eq!(usage.request_id.to_string(), "4f1c1d1e-0000-4000-8000-000000000001");
    assert_eq!(usage.event_id.to_string(), "4f1c1d1e-0000-4000-8000-000000000002");
    Ok(())
}

fn the_grants(records: &dyn Records) -> Result<(), DatabaseError> {
    let (region, key) = ("eu-central-1".parse().expect("a Region"), ids()[0]);
    let [account, other] = ["111122223333", "444455556666"].map(|id| id.parse().expect("an account"));
    let operations = |of: &[GrantOperation]| GrantOperations::parse(of).expect("operations");
    let (alice, role) = ("AIDABBBBBBBBBBBBBBBBB".to_owned(), "AROAAAAAAAAAAAAAAAAAA".to_owned());
    let first = Terms {
        name: Some("orders".to_owned()),
        grantee: PrincipalId::User { account, id: alice },
        retiring: Some(PrincipalId::Account(other)),
        issuer: other,
        scope: Scope {
            operations: operations(&[GrantOperation::Decrypt, GrantOperation::CreateGrant]),
            constraints: Constraints {
                equals: Some(Pairs::from([("Dept".to_owned(), "IT".to_owned())])),
                subset: None,
                source_arn: Some("arn:aws:rds:us-east-1:111122223333:db:orders".to_owned()),
            },
        },
    };
    let second = Terms {
        name: None,
        grantee: PrincipalId::Session { account, role, name: "s1".to_owned() },
        retiring: None,
        issuer: account,
        scope: Scope {
            operations: operations(&[GrantOperation::DescribeKey]),
            constraints: Constraints { subset: Some(Pairs::new()), ..Constraints::default() },
        },
    };
    let grant = |number, created, terms| Grant {
        id: GrantId([number; 32]),
        key: KeyArn { region, account, id: key },
        created,
        terms,
    };
    assert_eq!(records.grant_with(region, key, &first)?, Some(GrantId([1; 32])));
    assert_eq!(
        records.grants(region, key, None, None, 9)?,
        [grant(1, at(2), first), grant(2, at(3), second)]
    );
    assert_eq!(records.grant_count(region, key)?, 2);
    Ok(())
}

fn the_identities(records: &dyn Records) -> Result<(), DatabaseError> {
    let accounts: Vec<_> = records
        .accounts()?
        .into_iter()
        .map(|account| (account.id.to_string(), account.name, account.status))
        .collect();
    assert_eq!(accounts, [("111122223333".to_owned(), "main".to_owned(), Status::Active)]);
    the_principals(records)?;
    let keys = records.access_keys()?;
    let keys: Vec<_> =
        keys.into_iter().map(|key| (key.id, key.owner, key.status, key.sealed_secret)).collect();
    let (admin, root) = (Owner::User("admin".to_owned()), Owner::Root);
    assert_eq!(
        keys,
        [
            ("AKIAAAAAAAAAAAAAAAAA".to_owned(), admin, Status::Active, vec![1, 2]),
            ("AKIABBBBBBBBBBBBBBBB".to_owned(), root, Status::Inactive, vec![3, 4]),
        ]
    );
    Ok(())
}

fn the_principals(records: &dyn Records) -> Result<(), DatabaseError> {
    let all = records.identities()?;
    let arns: Vec<_> = all.iter().map(Record::arn).collect();
    let arn = |name: &str| format!("arn:aws:iam::111122223333:{name}");
    assert_eq!(
        arns,
        [
            arn("group/admins"),
            arn("oidc-provider/issuer.example.com"),
            arn("oidc-provider/other.example.com"),
            arn("policy/kms-user"),
            arn("role/app"),
            arn("user/admin"),
            arn("user/team/reader"),
        ]
    );
    let role = all.iter().find_map(|record| match record {
        Record::Role(role) => Some(role),
        _ => None,
    });
    let role = role.expect("the role");
    assert_eq!((role.max_session_seconds, role.revoke_sessions_before), (7200, Some(at(1))));
    assert_eq!((role.boundary.as_deref(), &*role.tags["team"]), (Some("kms-user"), "core"));
    let users: Vec<_> = all
        .iter()
        .filter_map(|record| match record {
            Record::User(user) => {
                Some((user.is_administrator(), user.status, user.created, user.groups.contains("admins")))
            }
            _ => None,
        })
        .collect();
    assert_eq!(users, [(true, Status::Active, at(0), false), (false, Status::Inactive, at(1), true)]);
    Ok(())
}

fn the_records_of_a_proxy(records: &dyn Records) -> Result<(), DatabaseError> {
    let record = |key: &str, body: &str| ProxyRecord {
        store: "store".to_owned(),
        key: key.to_owned(),
        body: body.to_owned(),
    };
    assert_eq!(records.proxy_records()?, [record("", "{\"v\":1}"), record("key", "{\"v\":1,\"a\":2}")]);
    Ok(())
}

fn the_ring(records: &dyn Records) -> Result<(), DatabaseError> {
    let key = |name: &str, sealed| RingKey { name: name.to_owned(), sealed: vec![sealed] };
    assert_eq!(
        records.ring_keys()?,
        [key("domain/111122223333/eu-central-1", 5), key("import-tokens", 7), key("markers", 6)]
    );
    assert_eq!(records.setting("root-key-fingerprint")?, Some((0..16).collect()));
    Ok(())
}
