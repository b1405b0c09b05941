//! Accounts, what they have by name, and access keys.

use std::collections::{BTreeMap, BTreeSet};

use trent_domain::identity::{
    AccessKey, Account, ApiToken, Group, InlinePolicy, ManagedPolicy, MfaDevice, OidcProvider, Owner,
    ProviderKeys, Record, Rights, Role, Status, TokenHolder, User,
};
use trent_domain::time::Timestamp;

use super::{Subject, account};

fn rights() -> Rights {
    let inline = vec![InlinePolicy { name: "extra".to_owned(), document: "{\"Statement\":[]}".to_owned() }];
    Rights { policies: BTreeSet::from(["kms-user".to_owned()]), inline }
}

/// One record of each kind, with all that it may have, in the order of the database.
fn records() -> Vec<Record> {
    let (of, created) = (account("111122223333"), Timestamp::from_millis(4));
    let tags = BTreeMap::from([("team".to_owned(), "core".to_owned())]);
    let provider = OidcProvider {
        account: of,
        url: "https://issuer.example.com".to_owned(),
        client_ids: BTreeSet::from(["sts.amazonaws.com".to_owned()]),
        keys: ProviderKeys::Fixed("{\"keys\":[]}".to_owned()),
        ca: Some("-----BEGIN CERTIFICATE-----".to_owned()),
        created,
    };
    let token = ApiToken {
        account: of,
        id: "ATKNAPP".to_owned(),
        holder: TokenHolder::Role("AROAAPP".to_owned(), "job".to_owned()),
        region: "eu-central-1".parse().expect("a Region"),
        sha256: "00".repeat(32),
        description: "nightly".to_owned(),
        created,
        expires: Timestamp::from_millis(5),
    };
    vec![
        Record::ApiToken(token),
        Record::Group(Group {
            account: of,
            name: "admins".to_owned(),
            path: "/eng/".to_owned(),
            unique_id: "AGPAADMINS".to_owned(),
            created,
            rights: rights(),
        }),
        Record::MfaDevice(MfaDevice {
            account: of,
            name: "phone".to_owned(),
            owner: Owner::User("alice".to_owned()),
            created,
            sealed_key: "c2VhbGVk".to_owned(),
        }),
        Record::OidcProvider(provider),
        Record::Policy(ManagedPolicy {
            account: of,
            name: "kms-user".to_owned(),
            path: "/".to_owned(),
            unique_id: "ANPAUSER".to_owned(),
            created,
            document: "{}".to_owned(),
        }),
        Record::Role(Role {
            path: "/eng/".to_owned(),
            max_session_seconds: 7200,
            revoke_sessions_before: Some(Timestamp::from_millis(9)),
            rights: rights(),
            boundary: Some("kms-user".to_owned()),
            tags: tags.clone(),
            ..Role::new(of, "app", "AROAAPP", "{}", created)
        }),
        Record::User(User {
            path: "/team/".to_owned(),
            groups: BTreeSet::from(["admins".to_owned()]),
            rights: rights(),
            boundary: Some("kms-user".to_owned()),
            tags,
            ..User::new(of, "alice", "AIDAALICE", created)
        }),
        // A name counts once for each kind.
        Record::User(User::new(of, "app", "AIDAAPP", created)),
    ]
}

fn access_key(id: &str, owner: Owner) -> AccessKey {
    AccessKey {
        id: id.to_owned(),
        account: account("111122223333"),
        owner,
        status: Status::Active,
        created: Timestamp::from_millis(5),
        sealed_secret: vec![0, 1, 255],
    }
}

fn accounts() -> [Account; 2] {
    ["111122223333", "444455556666"].map(|id| Account {
        id: account(id),
        name: "old".to_owned(),
        status: Status::Active,
    })
}

pub(crate) async fn are_kept_and_replaced(subject: Subject) {
    let (mut accounts, mut all) = (accounts(), records());
    let mut keys = [access_key("AKIA1", Owner::Root), access_key("AKIA2", Owner::User("alice".to_owned()))];
    for _ in 0..2 {
        let written = (accounts.clone(), all.clone(), keys.clone());
        subject
            .write(move |records| {
                written.0.iter().try_for_each(|account| records.put_account(account))?;
                written.1.iter().try_for_each(|record| records.put_identity(record))?;
                written.2.iter().try_for_each(|key| records.put_access_key(key))
            })
            .await;
        assert_eq!(subject.read(|records| records.accounts()).await, accounts);
        assert_eq!(subject.read(|records| records.identities()).await, all);
        assert_eq!(subject.read(|records| records.access_keys()).await, keys);
        accounts[0].name = "new".to_owned();
        accounts[1].status = Status::Inactive;
        keys[1].status = Status::Inactive;
        for record in &mut all {
            if let Record::User(user) = record {
                user.status = Status::Inactive;
                user.rights = Rights::default();
            }
        }
    }
}

pub(crate) async fn are_deleted_by_name(subject: Subject) {
    let mut left = records();
    let (all, gone) = (left.clone(), left.remove(3).record_name());
    subject
        .write(move |records| {
            accounts().iter().try_for_each(|account| records.put_account(account))?;
            all.iter().try_for_each(|record| records.put_identity(record))?;
            records.put_access_key(&access_key("AKIA1", Owner::Root))?;
            records.put_access_key(&access_key("AKIA2", Owner::Root))
        })
        .await;
    for _ in 0..2 {
        let gone = gone.clone();
        subject
            .write(move |records| {
                records.delete_identity(&gone)?;
                records.delete_access_key("AKIA1")
            })
            .await;
        assert_eq!(subject.read(|records| records.identities()).await, left);
        let keys = subject.read(|records| records.access_keys()).await;
        assert_eq!(keys, [access_key("AKIA2", Owner::Root)]);
    }
}

pub(crate) async fn need_their_account(subject: Subject) {
    let user = records().remove(4);
    subject.try_write(move |records| records.put_identity(&user)).await.expect_err("there is no account");
    let key = access_key("AKIA1", Owner::Root);
    subject.try_write(move |records| records.put_access_key(&key)).await.expect_err("there is no account");
}
