//! Users, groups, roles, policies, providers.

use std::collections::BTreeMap;

use trent_database::{DatabaseError, Records, Transaction};
use trent_domain::identifier::AccountId;
use trent_domain::identity::{
    Group, InlinePolicy, Kind, ManagedPolicy, MfaDevice, OidcProvider, Owner, Record, RecordName, Rights,
    Role, Status, User,
};

use super::{
    Command, Managed, Outcome, RecordLine, Refused, Reply, UserLine, check_account, managed, unknown_account,
};
use crate::identity::{Configured, with};
use crate::open::Service;

type Changed = Result<(), Refused>;

impl Service {
    /// The commands about what accounts have by name.
    pub(super) async fn administer_records(&self, command: Command) -> Outcome {
        match command {
            Command::ListUsers {} => self.list_users().await,
            Command::ListRecords { kind } => self.list_records(kind).await,
            Command::ShowRecord { name } => self.show_record(name).await,
            Command::DeleteRecord { name } => self.delete_record(name).await,
            Command::AddUser { account, name, path, administrator } => {
                let rights = Rights::administrator_if(administrator);
                let unique_id = self.unique_id("AIDA")?;
                let user = User { path, rights, ..User::new(account, &name, &unique_id, self.now()) };
                self.add_record(Record::User(user)).await
            }
            Command::EnableUser { account, name } => self.set_user(account, name, Status::Active).await,
            Command::DisableUser { account, name } => self.set_user(account, name, Status::Inactive).await,
            Command::AddGroup { account, name, path } => {
                let (unique_id, created, rights) = (self.unique_id("AGPA")?, self.now(), Rights::default());
                let group = Group { account, name, path, unique_id, created, rights };
                self.add_record(Record::Group(group)).await
            }
            Command::AddRole { account, name, path, trust, max_session_seconds } => {
                let unique_id = self.unique_id("AROA")?;
                let role = Role::new(account, &name, &unique_id, &trust, self.now());
                self.add_record(Record::Role(Role { path, max_session_seconds, ..role })).await
            }
            Command::UpdateRole { account, name, trust, max_session_seconds } => {
                self.change_role(account, name, move |role| {
                    role.trust = trust.clone().unwrap_or_else(|| role.trust.clone());
                    role.max_session_seconds = max_session_seconds.unwrap_or(role.max_session_seconds);
                })
                .await
            }
            Command::RevokeSessions { account, name } => {
                let now = self.now();
                self.change_role(account, name, move |role| role.revoke_sessions_before = Some(now)).await
            }
            Command::PutPolicy { account, name, document, replace: true, .. } => {
                let name = RecordName { account, kind: Kind::Policy, name };
                self.change_record(name, move |record| {
                    if let Record::Policy(policy) = record {
                        policy.document.clone_from(&document);
                    }
                    Ok(())
                })
                .await
            }
            Command::PutPolicy { account, name, path, document, replace: false } => {
                let (unique_id, created) = (self.unique_id("ANPA")?, self.now());
                let policy = ManagedPolicy { account, name, path, unique_id, created, document };
                self.add_record(Record::Policy(policy)).await
            }
            Command::AddOidcProvider { account, url, client_ids, keys, ca } => {
                let created = self.now();
                let provider = OidcProvider { account, url, client_ids, keys, ca, created };
                self.add_record(Record::OidcProvider(provider)).await
            }
            other => self.administer_rights(other).await,
        }
    }

    /// The commands about what users, groups and roles have been given.
    async fn administer_rights(&self, command: Command) -> Outcome {
        match command {
            Command::AttachPolicy { to, policy } => {
                self.change_rights(to, move |rights| {
                    rights.policies.insert(policy.clone());
                    Ok(())
                })
                .await
            }
            Command::DetachPolicy { from, policy } => {
                self.change_rights(from, move |rights| {
                    let is_there = rights.policies.remove(&policy);
                    is_there.then_some(()).ok_or_else(|| Refused::new(format!("`{policy}` is not attached")))
                })
                .await
            }
            Command::PutInlinePolicy { to, policy, document } => {
                self.change_rights(to, move |rights| {
                    rights.inline.retain(|inline| inline.name != policy);
                    rights.inline.push(InlinePolicy { name: policy.clone(), document: document.clone() });
                    Ok(())
                })
                .await
            }
            Command::DeleteInlinePolicy { from, policy } => {
                self.change_rights(from, move |rights| {
                    let before = rights.inline.len();
                    rights.inline.retain(|inline| inline.name != policy);
                    let is_there = rights.inline.len() < before;
                    is_there.then_some(()).ok_or_else(|| Refused::new(format!("no inline policy `{policy}`")))
                })
                .await
            }
            Command::SetBoundary { of, policy } => {
                self.change_record(of, move |record| {
                    let boundary = match record {
                        Record::User(user) => &mut user.boundary,
                        Record::Role(role) => &mut role.boundary,
                        _ => return Err(Refused::new("only users and roles have a permissions boundary")),
                    };
                    boundary.clone_from(&policy);
                    Ok(())
                })
                .await
            }
            Command::Tag { of, tags } => {
                self.change_tags(of, move |known| *known = with(std::mem::take(known), &tags)).await
            }
            Command::Untag { of, keys } => {
                self.change_tags(of, move |known| known.retain(|key, _| !keys.contains(key))).await
            }
            Command::AddToGroup { account, user, group } => {
                self.change_user(account, user, move |user| {
                    user.groups.insert(group.clone());
                })
                .await
            }
            Command::RemoveFromGroup { account, user, group } => {
                self.change_user(account, user, move |user| {
                    user.groups.remove(&group);
                })
                .await
            }
            _ => Err(Refused::new("not a command of this version")),
        }
    }

    /// All records, those of the database first, and who manages them.
    pub(super) async fn all_records(&self) -> Result<Vec<(Record, Managed)>, Refused> {
        let stored = trent_database::read(&*self.database, |records| records.identities()).await?;
        let configured = self.configured.lock().await;
        let filed = configured.records.iter().cloned().map(|record| (record, Managed::File));
        Ok(stored.into_iter().map(|record| (record, Managed::Database)).chain(filed).collect())
    }

    async fn list_users(&self) -> Outcome {
        let all = self.all_records().await?;
        let users = all.into_iter().filter_map(|(record, managed)| match record {
            Record::User(user) => {
                let rights = rights_of(&user);
                let (arn, status) = (user.arn(), user.status);
                Some(UserLine { arn, unique_id: user.unique_id, rights, status, managed })
            }
            _ => None,
        });
        Ok(Reply::Users { users: users.collect() })
    }

    async fn list_records(&self, kind: Kind) -> Outcome {
        let all = self.all_records().await?;
        let of_kind = all.into_iter().filter(|(record, _)| record.record_name().kind == kind);
        let lines = of_kind.map(|(record, managed)| RecordLine {
            arn: record.arn(),
            unique_id: record.unique_id().unwrap_or_default().to_owned(),
            managed,
        });
        Ok(Reply::Records { records: lines.collect() })
    }

    async fn show_record(&self, name: RecordName) -> Outcome {
        let mut all = self.all_records().await?.into_iter();
        let found = all.find(|(record, _)| record.record_name() == name);
        let (record, managed) = found.ok_or_else(|| unknown(&name))?;
        Ok(Reply::Record { record, managed })
    }

    pub(super) async fn add_record(&self, record: Record) -> Outcome {
        let name = record.record_name();
        self.change_identities("add identity", move |transaction, configured| {
            if configured.has_record(&name) {
                return Err(managed(&name));
            }
            check_account(transaction, name.account)?;
            if find(transaction, &name)?.is_some() {
                return Err(Refused::new(format!("{name} exists already")));
            }
            Ok(transaction.put_identity(&record)?)
        })
        .await
    }

    pub(super) async fn delete_record(&self, name: RecordName) -> Outcome {
        self.change_identities("delete identity", move |transaction, configured| {
            known(transaction, configured, &name)?;
            if name.kind == Kind::User {
                let owner = Owner::User(name.name.clone());
                let keys = transaction.access_keys()?.into_iter();
                let keys = keys.filter(|key| key.account == name.account && key.owner == owner);
                keys.map(|key| key.id).try_for_each(|id| transaction.delete_access_key(&id))?;
                let is_its = |device: &MfaDevice| device.account == name.account && device.owner == owner;
                let devices = transaction.identities()?.into_iter().filter_map(|record| match record {
                    Record::MfaDevice(device) if is_its(&device) => {
                        Some(Record::MfaDevice(device).record_name())
                    }
                    _ => None,
                });
                devices.into_iter().try_for_each(|device| transaction.delete_identity(&device))?;
            }
            Ok(transaction.delete_identity(&name)?)
        })
        .await
    }

    async fn change_record(
        &self,
        name: RecordName,
        change: impl Fn(&mut Record) -> Changed + Send + 'static,
    ) -> Outcome {
        self.change_identities("change identity", move |transaction, configured| {
            let mut record = known(transaction, configured, &name)?;
            change(&mut record)?;
            Ok(transaction.put_identity(&record)?)
        })
        .await
    }

    async fn change_user(
        &self,
        account: AccountId,
        name: String,
        change: impl Fn(&mut User) + Send + 'static,
    ) -> Outcome {
        self.change_record(RecordName { account, kind: Kind::User, name }, move |record| {
            if let Record::User(user) = record {
                change(user);
            }
            Ok(())
        })
        .await
    }

    async fn set_user(&self, account: AccountId, name: String, status: Status) -> Outcome {
        self.change_user(account, name, move |user| user.status = status).await
    }

    async fn change_role(
        &self,
        account: AccountId,
        name: String,
        change: impl Fn(&mut Role) + Send + 'static,
    ) -> Outcome {
        self.change_record(RecordName { account, kind: Kind::Role, name }, move |record| {
            if let Record::Role(role) = record {
                change(role);
            }
            Ok(())
        })
        .await
    }

    async fn change_rights(
        &self,
        name: RecordName,
        change: impl Fn(&mut Rights) -> Changed + Send + 'static,
    ) -> Outcome {
        self.change_record(name, move |record| match record {
            Record::User(user) => change(&mut user.rights),
            Record::Group(group) => change(&mut group.rights),
            Record::Role(role) => change(&mut role.rights),
            Record::Policy(_) | Record::OidcProvider(_) | Record::ApiToken(_) | Record::MfaDevice(_) => {
                Err(Refused::new("policies are given to users, groups and roles"))
            }
        })
        .await
    }

    async fn change_tags(
        &self,
        name: RecordName,
        change: impl Fn(&mut BTreeMap<String, String>) + Send + 'static,
    ) -> Outcome {
        self.change_record(name, move |record| {
            match record {
                Record::User(user) => change(&mut user.tags),
                Record::Role(role) => change(&mut role.tags),
                _ => return Err(Refused::new("only users and roles have tags")),
            }
            Ok(())
        })
        .await
    }
}

fn rights_of(user: &User) -> super::Rights {
    let has_any =
        !(user.rights.policies.is_empty() && user.rights.inline.is_empty() && user.groups.is_empty());
    match (user.is_administrator(), has_any) {
        (true, _) => super::Rights::Administrator,
        (false, true) => super::Rights::Policies,
        (false, false) => super::Rights::None,
    }
}

/// A record of the database.
pub(super) fn find(records: &dyn Transaction, name: &RecordName) -> Result<Option<Record>, DatabaseError> {
    Ok(Records::identities(records)?.into_iter().find(|record| record.record_name() == *name))
}

/// The same, where it must be there and not be the file's.
fn known(
    transaction: &dyn Transaction,
    configured: &Configured,
    name: &RecordName,
) -> Result<Record, Refused> {
    if configured.has_record(name) {
        return Err(managed(name));
    }
    if !transaction.accounts()?.iter().any(|account| account.id == name.account) {
        return Err(unknown_account(name.account));
    }
    find(transaction, name)?.ok_or_else(|| unknown(name))
}

fn unknown(RecordName { account, kind, name }: &RecordName) -> Refused {
    let kind = kind.as_str();
    Refused::new(format!(
        "account {account} has no {kind} `{name}`; `trent admin {kind} list` shows those there are"
    ))
}
