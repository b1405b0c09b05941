//! Who there is in the two accounts of each case.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde_json::{Value, json};
use trent_crypto::SecretBytes;
use trent_domain::identifier::AccountId;
use trent_domain::identity::{
    Account, Group, InlinePolicy, ManagedPolicy, Owner, Record, Rights, Role, Status, User,
};
use trent_domain::time::Timestamp;
use trent_service::{
    Configured, ConfiguredAccessKey, ConfiguredAccount, ConfiguredEndpoint, ConfiguredService, NamedDocument,
};

use crate::case::Case;
use crate::world::REGION;

/// Users, and whether they are of the other account.
const USERS: [(&str, bool); 9] = [
    ("alice", false),
    ("carol", false),
    ("dave", false),
    ("eve", false),
    ("admin", false),
    ("keeper", false),
    ("bob", true),
    ("carl", true),
    ("bkeeper", true),
];
/// Roles, whether they are of the other account, and who may assume them.
const ROLES: [(&str, bool, &str); 2] = [("app", false, "keeper"), ("r", true, "bkeeper")];
const SERVICES: [&str; 3] = ["cloudtrail.amazonaws.com", "rds.amazonaws.com", "s3.amazonaws.com"];
/// The secret of every access key.
pub(crate) const SECRET: &str = "a secret of a test, 40 characters long..";
const CREATED: Timestamp = Timestamp::from_millis(0);

fn account(index: usize, other: bool) -> AccountId {
    format!("{}{index:011}", if other { 2 } else { 1 }).parse().expect("an account id")
}

/// What stands for the names in braces.
pub(crate) fn names(index: usize) -> BTreeMap<String, String> {
    let (own, other) = (account(index, false), account(index, true));
    let mut names = BTreeMap::from([("A".to_owned(), own.to_string()), ("B".to_owned(), other.to_string())]);
    names.extend(USERS.map(|(name, other)| {
        (name.to_owned(), format!("arn:aws:iam::{}:user/{name}", account(index, other)))
    }));
    for (name, other, _) in ROLES {
        let account = account(index, other);
        names.insert(name.to_owned(), format!("arn:aws:iam::{account}:role/{name}"));
        for session in ["s", "s1", "s2", "any"] {
            let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
            names.insert(format!("{name}/{session}"), arn);
        }
    }
    for alias in ["alias/k", "alias/x", "alias/fin"] {
        names.insert(alias.to_owned(), format!("arn:aws:kms:{REGION}:{own}:{alias}"));
    }
    names
}

/// The access key of a user of a case, or of `root`.
pub(crate) fn access_key(index: usize, name: &str) -> String {
    format!("AKIA{index:04}{:X<12}", name.to_ascii_uppercase())
}

/// The access key of a service.
pub(crate) fn service_key(name: &str) -> String {
    format!("AKIASERVICE{:X<12}", name.split('.').next().expect("a label").to_ascii_uppercase())
}

/// A policy of these statements.
pub(crate) fn document(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Adds the people of a case; `written` makes a document of statements.
pub(crate) fn add(
    configured: &mut Configured,
    index: usize,
    case: &Case,
    written: &dyn Fn(&Value) -> String,
    recreated: &BTreeSet<(usize, String)>,
) {
    for other in [false, true] {
        let id = account(index, other);
        let above = |documents: &[Value]| -> Vec<NamedDocument> {
            let documents = documents.iter().filter(|_| !other);
            documents.map(|own| NamedDocument { name: "test.json".to_owned(), text: written(own) }).collect()
        };
        configured.accounts.push(ConfiguredAccount {
            account: Account { id, name: "test".to_owned(), status: Status::Active },
            service_control: above(&case.scp),
            resource_control: above(&case.rcp),
        });
        let key = key(&access_key(index, if other { "broot" } else { "root" }));
        configured.access_keys.push((id, Owner::Root, key));
    }
    for (name, other) in USERS {
        let id = account(index, other);
        let unique_id = unique_id("AIDA", index, name);
        let user = User {
            groups: group(configured, index, id, case, name, written),
            ..User::new(id, name, &unique_id, CREATED)
        };
        let (rights, boundary) = given(configured, index, id, case, name, written);
        configured.records.push(Record::User(User { rights, boundary, ..user }));
        configured.access_keys.push((id, Owner::User(name.to_owned()), key(&access_key(index, name))));
    }
    let off = ConfiguredAccessKey { status: Status::Inactive, ..key(&access_key(index, "off")) };
    configured.access_keys.push((account(index, false), Owner::User("alice".to_owned()), off));
    for (name, other, keeper) in ROLES {
        let id = account(index, other);
        let seed = if recreated.contains(&(index, name.to_owned())) { "ANEW" } else { name };
        let trust = json!({"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": format!("arn:aws:iam::{id}:user/{keeper}")}});
        let (rights, boundary) = given(configured, index, id, case, name, written);
        let role =
            Role::new(id, name, &unique_id("AROA", index, seed), &document(&trust).to_string(), CREATED);
        configured.records.push(Record::Role(Role { rights, boundary, ..role }));
    }
}

/// Adds the endpoint that a case is asked through.
pub(crate) fn add_endpoint(configured: &mut Configured, case: &Case, written: &dyn Fn(&Value) -> String) {
    let Some(through) = &case.through else { return };
    let policy = through.policy.as_ref().map(written);
    configured.endpoints.push(ConfiguredEndpoint {
        vpce_id: through.endpoint.clone(),
        vpc_id: through.network.clone(),
        listener: SocketAddr::from(([127, 0, 0, 1], 0)),
        account: None,
        policy: policy.map(|text| NamedDocument { name: "test.json".to_owned(), text }),
    });
}

/// Adds the services, which speak for everybody.
pub(crate) fn add_services(configured: &mut Configured) {
    let may_act_in: BTreeSet<_> = configured.accounts.iter().map(|entry| entry.account.id).collect();
    configured.services.extend(SERVICES.map(|name| ConfiguredService {
        name: name.to_owned(),
        account: account(0, false),
        access_keys: vec![key(&service_key(name))],
        may_act_in: may_act_in.clone(),
    }));
}

fn given(
    configured: &mut Configured,
    index: usize,
    id: AccountId,
    case: &Case,
    name: &str,
    written: &dyn Fn(&Value) -> String,
) -> (Rights, Option<String>) {
    let Some(given) = case.people.get(name) else { return Default::default() };
    let inline =
        given.identity.as_ref().map(|own| InlinePolicy { name: "own".to_owned(), document: written(own) });
    let boundary = given.boundary.as_ref().map(|own| {
        let policy = format!("boundary-{name}");
        configured.records.push(Record::Policy(ManagedPolicy {
            account: id,
            name: policy.clone(),
            path: "/".to_owned(),
            unique_id: unique_id("ANPA", index, name),
            created: CREATED,
            document: written(own),
        }));
        policy
    });
    (Rights { policies: BTreeSet::new(), inline: inline.into_iter().collect() }, boundary)
}

fn group(
    configured: &mut Configured,
    index: usize,
    id: AccountId,
    case: &Case,
    name: &str,
    written: &dyn Fn(&Value) -> String,
) -> BTreeSet<String> {
    let Some(statements) = case.people.get(name).and_then(|given| given.group.as_ref()) else {
        return BTreeSet::new();
    };
    let policy = InlinePolicy { name: "own".to_owned(), document: written(statements) };
    configured.records.push(Record::Group(Group {
        account: id,
        name: "members".to_owned(),
        path: "/".to_owned(),
        unique_id: unique_id("AGPA", index, name),
        created: CREATED,
        rights: Rights { policies: BTreeSet::new(), inline: vec![policy] },
    }));
    BTreeSet::from(["members".to_owned()])
}

fn unique_id(prefix: &str, index: usize, name: &str) -> String {
    format!("{prefix}{index:04}{:X<13}", name.to_ascii_uppercase())
}

fn key(id: &str) -> ConfiguredAccessKey {
    let secret = SecretBytes::from(SECRET.as_bytes().to_vec());
    ConfiguredAccessKey { id: id.to_owned(), secret, status: Status::Active }
}
