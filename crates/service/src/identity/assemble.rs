//! Puts database and identity file together, or says what does not fit.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_database::{DatabaseError, Records};
use trent_domain::identifier::AccountId;
use trent_domain::identity::{
    AccessKey, Account, Group, Owner, Record, RecordName, Rights, Role, Status, User, is_service_name,
};
use trent_domain::identity::{Caller, Organization, Source};
use trent_domain::limits::ACCESS_KEYS_PER_USER_MAX;
use trent_gate::{Endpoint, Gate};
use trent_policy::{Attached, Kind as DocumentKind, ResourceControl, Standing, managed_policy};

use super::checks::check;
use super::configured::{
    Configured, ConfiguredAccessKey, ConfiguredEndpoint, ConfiguredService, NamedDocument,
};
use super::directory::{AccountEntry, Directory, RoleEntry, ServiceEntry, SigningIdentity, UserEntry};
use super::documents::compile;
use super::mfa;
use super::problem::IdentityProblem;
use super::unsigned::Unsigned;

/// What the database has.
#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) accounts: Vec<Account>,
    pub(crate) records: Vec<Record>,
    pub(crate) access_keys: Vec<AccessKey>,
}

type Assembled<T> = Result<T, IdentityProblem>;

impl Stored {
    /// All of it.
    pub(crate) fn read(records: &(impl Records + ?Sized)) -> Result<Self, DatabaseError> {
        let (accounts, access_keys) = (records.accounts()?, records.access_keys()?);
        Ok(Self { accounts, records: records.identities()?, access_keys })
    }
}

/// Whether everything fits together.
pub(crate) fn fits(stored: &Stored, configured: &Configured) -> Assembled<()> {
    put_together(stored, configured).map(drop)
}

/// Puts everything together, and opens the secrets of access keys.
pub(crate) fn assemble(stored: &Stored, configured: &Configured, gate: &Gate) -> Assembled<Directory> {
    let mut assembly = put_together(stored, configured)?;
    assembly.stored_access_keys(&stored.access_keys, gate)?;
    for (account, owner, key) in &configured.access_keys {
        assembly.configured_access_key(*account, owner, key)?;
    }
    configured.services.iter().try_for_each(|service| assembly.service(service))?;
    let mut directory = assembly.directory;
    directory.mfa_devices = mfa::open(&stored.records, configured, gate)?;
    directory.unsigned = Unsigned::of(&directory, &stored.records, &configured.certificates);
    Ok(directory)
}

fn put_together(stored: &Stored, configured: &Configured) -> Assembled<Assembly> {
    let mut assembly = Assembly::default();
    assembly.accounts(stored, configured)?;
    let records: Vec<&Record> = stored.records.iter().chain(&configured.records).collect();
    check_names(&records)?;
    mfa::check(&stored.records, configured)?;
    records.iter().try_for_each(|record| check(record))?;
    records.iter().try_for_each(|record| assembly.policy(record))?;
    records.iter().try_for_each(|record| assembly.group(record))?;
    records.iter().try_for_each(|record| assembly.principal(record))?;
    configured.endpoints.iter().try_for_each(|endpoint| assembly.endpoint(endpoint))?;
    Ok(assembly)
}

/// No name and no unique id is there twice.
fn check_names(records: &[&Record]) -> Assembled<()> {
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for record in records {
        let name = record.record_name();
        if names.contains(&name) {
            let arn = record.arn();
            let text = format!("{arn} is in the identity file and in the database; remove one");
            return Err(IdentityProblem::new(name, text));
        }
        if let Some(id) = record.unique_id()
            && !ids.insert(id)
        {
            return Err(IdentityProblem::new(name, format!("its unique id {id} is another's")));
        }
        names.insert(name);
    }
    Ok(())
}

#[derive(Default)]
struct Assembly {
    directory: Directory,
    service_control: HashMap<AccountId, Vec<Vec<Attached>>>,
    groups: HashMap<(AccountId, String), Vec<Attached>>,
    /// Users and the root of accounts, by name.
    users: HashMap<(AccountId, String), String>,
    keys_of: HashMap<(AccountId, Owner), usize>,
}

impl Assembly {
    fn accounts(&mut self, stored: &Stored, configured: &Configured) -> Assembled<()> {
        let organization = configured.organization.as_ref();
        let mut all: HashMap<AccountId, Status> =
            stored.accounts.iter().map(|account| (account.id, account.status)).collect();
        all.extend(configured.accounts.iter().map(|entry| (entry.account.id, entry.account.status)));
        let member = |id| organization.filter(|organization| !organization.except.contains(id));
        let mut resource_control = Vec::new();
        for id in all.keys() {
            let own = configured.accounts.iter().find(|entry| entry.account.id == *id);
            let levels = [
                member(id).map(|organization| (&organization.service_control, "organization".to_owned())),
                own.map(|own| (&own.service_control, format!("account {id}"))),
            ];
            let levels = levels.into_iter().flatten().filter(|(level, _)| !level.is_empty());
            let levels = levels.map(|(level, object)| service_control_level(level, &object));
            self.service_control.insert(*id, levels.collect::<Assembled<_>>()?);
            let documents = member(id).into_iter().flat_map(|organization| &organization.resource_control);
            let documents = documents.chain(own.into_iter().flat_map(|own| &own.resource_control));
            let documents =
                documents.map(|document| attached(document, DocumentKind::Resource, "organization"));
            resource_control.push((id.as_str().into(), documents.collect::<Assembled<Vec<_>>>()?));
        }
        self.directory.resource_control = Arc::new(ResourceControl::new(resource_control));
        for (id, status) in &all {
            let organization = organization.map(|organization| {
                let (id, root) = (organization.id.clone(), format!("{}/r-root/", organization.id));
                Arc::new(Organization { id, paths: vec![root] })
            });
            let root = Arc::new(Standing { identity: Vec::new(), ..self.above(*id) });
            let entry = AccountEntry { active: *status == Status::Active, organization, root };
            self.directory.accounts.insert(*id, entry);
        }
        Ok(())
    }

    /// What stands above everybody in an account.
    fn above(&self, account: AccountId) -> Standing {
        Standing {
            service_control: self.service_control.get(&account).cloned().unwrap_or_default(),
            resource_control: Arc::clone(&self.directory.resource_control),
            ..Standing::default()
        }
    }

    fn policy(&mut self, record: &Record) -> Assembled<()> {
        let Record::Policy(policy) = record else { return Ok(()) };
        let arn = policy.arn();
        let document = compile(&policy.document, DocumentKind::Identity)
            .map_err(|text| IdentityProblem::new(record.record_name(), text))?;
        let attached = Attached { name: arn.as_str().into(), document };
        self.directory.policies.insert(arn, attached);
        Ok(())
    }

    fn group(&mut self, record: &Record) -> Assembled<()> {
        let Record::Group(Group { account, name, rights, .. }) = record else { return Ok(()) };
        let given = self.rights(&record.record_name(), rights)?;
        self.groups.insert((*account, name.clone()), given);
        Ok(())
    }

    fn principal(&mut self, record: &Record) -> Assembled<()> {
        let name = record.record_name();
        match record {
            Record::User(user) => self.user(&name, user),
            Record::Role(role) => self.role(&name, role),
            Record::OidcProvider(provider) => {
                let at = (provider.account, provider.url.clone());
                self.directory.providers.insert(at, Arc::new(provider.clone()));
                Ok(())
            }
            Record::Group(_) | Record::Policy(_) | Record::ApiToken(_) | Record::MfaDevice(_) => Ok(()),
        }
    }

    fn user(&mut self, name: &RecordName, user: &User) -> Assembled<()> {
        let mut identity = self.rights(name, &user.rights)?;
        for group in &user.groups {
            let given = self.groups.get(&(user.account, group.clone())).ok_or_else(|| {
                let text = format!("it is in the group `{group}`, which is not there; add it or leave it");
                IdentityProblem::new(name, text)
            })?;
            identity.extend(given.iter().cloned());
        }
        let boundary = self.boundary(name, user.boundary.as_deref())?;
        let standing = Arc::new(Standing { identity, boundary, ..self.above(user.account) });
        self.directory.principals.insert(user.arn(), user.unique_id.clone());
        self.users.insert((user.account, user.name.clone()), user.unique_id.clone());
        let entry = UserEntry { user: user.clone(), standing };
        self.directory.users.insert(user.unique_id.clone(), Arc::new(entry));
        Ok(())
    }

    fn role(&mut self, name: &RecordName, role: &Role) -> Assembled<()> {
        let identity = self.rights(name, &role.rights)?;
        let boundary = self.boundary(name, role.boundary.as_deref())?;
        let trust = compile(&role.trust, DocumentKind::Trust)
            .map_err(|text| IdentityProblem::new(name, format!("who may assume it: {text}")))?;
        let standing = Arc::new(Standing { identity, boundary, ..self.above(role.account) });
        self.directory.principals.insert(role.arn(), role.unique_id.clone());
        let entry = RoleEntry { role: role.clone(), trust, standing };
        self.directory.roles.insert(role.unique_id.clone(), Arc::new(entry));
        Ok(())
    }

    fn rights(&self, object: &RecordName, rights: &Rights) -> Assembled<Vec<Attached>> {
        let managed = rights.policies.iter().map(|name| self.managed(object, name));
        let inline = rights.inline.iter().map(|inline| {
            let problem =
                |text| IdentityProblem::new(object, format!("inline policy `{}`: {text}", inline.name));
            let document = compile(&inline.document, DocumentKind::Identity).map_err(problem)?;
            let name = format!("{}/inline/{}", object.name, inline.name).into();
            Ok(Attached { name, document })
        });
        managed.chain(inline).collect()
    }

    fn boundary(&self, object: &RecordName, name: Option<&str>) -> Assembled<Option<Attached>> {
        name.map(|name| self.managed(object, name)).transpose()
    }

    /// A managed policy by the name it is attached by: `aws:…`, an ARN, or one of the account's own.
    fn managed(&self, object: &RecordName, name: &str) -> Assembled<Attached> {
        let own = || {
            let mut policies = self.directory.policies.iter();
            let start = format!("arn:aws:iam::{}:policy/", object.account);
            let is_it = |arn: &str| {
                arn == name || arn.strip_prefix(&start).and_then(|full| full.rsplit('/').next()) == Some(name)
            };
            policies.find(|(arn, _)| arn.starts_with(&start) && is_it(arn)).map(|(_, attached)| attached)
        };
        managed_policy(name).or_else(own).cloned().ok_or_else(|| {
            let account = object.account;
            let text = format!("account {account} has no policy `{name}`; add it, or take it from the list");
            IdentityProblem::new(object, text)
        })
    }

    fn stored_access_keys(&mut self, keys: &[AccessKey], gate: &Gate) -> Assembled<()> {
        for key in keys {
            let object = format!("access key `{}`", key.id);
            let secret = gate.open_access_key_secret(&key.id, &key.sealed_secret).map_err(|error| {
                IdentityProblem::new(
                    &object,
                    format!("its secret cannot be opened: {error}; restore a backup"),
                )
            })?;
            self.signer(&key.id, key.account, &key.owner, key.status, secret);
        }
        Ok(())
    }

    fn configured_access_key(
        &mut self,
        account: AccountId,
        owner: &Owner,
        key: &ConfiguredAccessKey,
    ) -> Assembled<()> {
        let object = format!("access key `{}`", key.id);
        if self.directory.signers.contains_key(&key.id) {
            return Err(IdentityProblem::new(object, "it is in the database too; remove one"));
        }
        let count = self.keys_of.entry((account, owner.clone())).or_default();
        *count += 1;
        if *count > ACCESS_KEYS_PER_USER_MAX {
            let text =
                format!("its user has {count} access keys; a user may have {ACCESS_KEYS_PER_USER_MAX}");
            return Err(IdentityProblem::new(object, text));
        }
        let secret = SecretBytes::from(key.secret.expose().clone());
        self.signer(&key.id, account, owner, key.status, secret);
        Ok(())
    }

    /// A key whose user is gone signs nothing, nor does one that, or whose user or account, is disabled.
    fn signer(&mut self, id: &str, account: AccountId, owner: &Owner, status: Status, secret: SecretBytes) {
        let directory = &self.directory;
        if status != Status::Active || !directory.is_active(account) {
            return;
        }
        let (caller, standing) = match owner {
            Owner::Root => (Caller::root(account, id), directory.root_standing(account)),
            Owner::User(name) => {
                let unique_id = self.users.get(&(account, name.clone()));
                let Some(entry) = unique_id.and_then(|id| directory.user(id)) else { return };
                if entry.user.status != Status::Active {
                    return;
                }
                let caller =
                    Caller { tags: Arc::new(entry.user.tags.clone()), ..Caller::user(&entry.user, id) };
                (caller, Some(Arc::clone(&entry.standing)))
            }
        };
        let caller = Arc::new(Caller { organization: directory.organization(account), ..caller });
        let standing = standing.unwrap_or_default();
        let signer = SigningIdentity {
            caller,
            standing,
            expires: None,
            transitive: BTreeSet::new(),
            service: None,
            secret,
        };
        self.directory.signers.insert(id.to_owned(), Arc::new(signer));
    }

    fn endpoint(&mut self, configured: &ConfiguredEndpoint) -> Assembled<()> {
        let object = format!("endpoint `{}`", configured.vpce_id);
        if let Some(account) = configured.account
            && !self.directory.accounts.contains_key(&account)
        {
            return Err(IdentityProblem::new(object, format!("there is no account {account}; add it")));
        }
        let policy = configured.policy.as_ref();
        let policy =
            policy.map(|document| attached(document, DocumentKind::Resource, &object)).transpose()?;
        let organization = configured.account.and_then(|account| self.directory.organization(account));
        let endpoint = Endpoint {
            id: configured.vpce_id.clone(),
            network: configured.vpc_id.clone(),
            account: configured.account.map(|account| account.to_string()),
            organization: organization.map(|organization| organization.id.clone()),
            policy,
        };
        self.directory.endpoints.insert(configured.vpce_id.clone(), Arc::new(endpoint));
        Ok(())
    }

    fn service(&mut self, service: &ConfiguredService) -> Assembled<()> {
        let object = format!("service principal `{}`", service.name);
        if !is_service_name(&service.name) {
            let text = "its name is not one of a service, such as backup.trent.internal";
            return Err(IdentityProblem::new(object, text));
        }
        let unknown = |account: &&AccountId| !self.directory.accounts.contains_key(account);
        if let Some(account) = service.may_act_in.iter().chain([&service.account]).find(unknown) {
            return Err(IdentityProblem::new(object, format!("there is no account {account}; add it")));
        }
        let entry = Arc::new(ServiceEntry {
            name: service.name.as_str().into(),
            may_act_in: service.may_act_in.iter().copied().collect(),
        });
        for key in &service.access_keys {
            if self.directory.signers.contains_key(&key.id) {
                let object = format!("access key `{}`", key.id);
                return Err(IdentityProblem::new(object, "it is in the database too; remove one"));
            }
            if key.status != Status::Active || !self.directory.is_active(service.account) {
                continue;
            }
            let caller = Caller::service(service.account, &service.name, Source::default(), &key.id);
            let signer = SigningIdentity {
                caller: Arc::new(caller),
                standing: Arc::default(),
                expires: None,
                transitive: BTreeSet::new(),
                service: Some(Arc::clone(&entry)),
                secret: SecretBytes::from(key.secret.expose().clone()),
            };
            self.directory.signers.insert(key.id.clone(), Arc::new(signer));
        }
        self.directory.services.insert(service.name.clone(), entry);
        Ok(())
    }
}

/// A level of service control policies. As in AWS, where `FullAWSAccess` stays attached until it is taken away, a
/// level that only denies leaves the rest allowed.
fn service_control_level(level: &[NamedDocument], object: &str) -> Assembled<Vec<Attached>> {
    let documents = level.iter().map(|document| attached(document, DocumentKind::Identity, object));
    let mut documents: Vec<_> = documents.collect::<Assembled<_>>()?;
    if !documents.iter().any(|attached| attached.document.allows_something()) {
        documents.extend(managed_policy("aws:FullAWSAccess").cloned());
    }
    Ok(documents)
}

fn attached(document: &NamedDocument, kind: DocumentKind, object: &str) -> Assembled<Attached> {
    let compiled = compile(&document.text, kind);
    let compiled =
        compiled.map_err(|text| IdentityProblem::new(object, format!("{}: {text}", document.name)))?;
    Ok(Attached { name: document.name.as_str().into(), document: compiled })
}
