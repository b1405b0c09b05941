//! Who there is: accounts, users and access keys, all in memory and replaced as a whole when one changes.
//!
//! They come from the database (first start, `trent admin`) and from the configuration file; a name that both
//! give is an error of the configuration.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_domain::identifier::AccountId;
use trent_domain::identity::{AccessKey, Account, Caller, Owner, Record, Status, User, root_arn};
use trent_gate::{Gate, Standing};
use trent_policy::managed_policy;

/// An access key that may sign: whom it stands for, and its secret.
pub struct SigningIdentity {
    /// Whom it stands for.
    pub caller: Arc<Caller>,
    /// The policies that bear on it.
    pub standing: Arc<Standing>,
    secret: SecretBytes,
}

impl SigningIdentity {
    /// The secret that signatures are verified with.
    pub fn secret(&self) -> &[u8] {
        self.secret.expose()
    }
}

/// An access key of the configuration file, its secret in clear.
pub struct ConfiguredAccessKey {
    /// Its id.
    pub id: String,
    /// Whom it belongs to.
    pub owner: Owner,
    /// Its secret.
    pub secret: SecretBytes,
    /// Whether it is accepted.
    pub status: Status,
}

/// What the configuration file says of one account.
pub struct ConfiguredAccount {
    /// The account.
    pub account: Account,
    /// Its users.
    pub users: Vec<User>,
    /// The access keys of its root and users.
    pub access_keys: Vec<ConfiguredAccessKey>,
}

/// Everybody, at one moment.
#[derive(Default)]
pub(crate) struct Directory {
    accounts: HashSet<AccountId>,
    inactive_accounts: HashSet<AccountId>,
    principals: HashSet<String>,
    signers: HashMap<String, Arc<SigningIdentity>>,
}

impl Directory {
    /// The access key with this id, if it may sign.
    pub(crate) fn access_key(&self, id: &str) -> Option<Arc<SigningIdentity>> {
        self.signers.get(id).cloned()
    }

    pub(crate) fn stored(
        accounts: &[Account],
        records: &[Record],
        access_keys: &[AccessKey],
        gate: &Gate,
    ) -> Result<Self, String> {
        let mut directory = Self::default();
        let users = records.iter().filter_map(|record| match record {
            Record::User(user) => Some(user.clone()),
            _ => None,
        });
        let users: Vec<_> = users.collect();
        accounts.iter().for_each(|account| directory.add_account(account));
        users.iter().for_each(|user| directory.add_user(user));
        for key in access_keys.iter().filter(|key| key.status == Status::Active) {
            let secret = gate.open_access_key_secret(&key.id, &key.sealed_secret);
            let secret = secret.map_err(|error| {
                format!("the secret of access key `{}` cannot be opened: {error}; restore a backup", key.id)
            })?;
            directory.add_signer(&key.id, key.account, &key.owner, &users, secret);
        }
        Ok(directory)
    }

    /// Adds what the configuration file says; an error names what is there twice.
    pub(crate) fn add_configured(&mut self, configured: &[ConfiguredAccount]) -> Result<(), String> {
        for ConfiguredAccount { account, users, access_keys } in configured {
            self.add_account(account);
            for user in users {
                if self.principals.contains(&user.arn()) {
                    return Err(format!(
                        "user `{}` is in the configuration file and in the database",
                        user.arn()
                    ));
                }
                self.add_user(user);
            }
            for key in access_keys.iter().filter(|key| key.status == Status::Active) {
                if self.signers.contains_key(&key.id) {
                    return Err(format!("access key `{}` is given twice", key.id));
                }
                let secret = SecretBytes::from(key.secret.expose().clone());
                self.add_signer(&key.id, account.id, &key.owner, users, secret);
            }
        }
        Ok(())
    }

    fn add_account(&mut self, account: &Account) {
        self.accounts.insert(account.id);
        self.principals.insert(root_arn(account.id));
        if account.status == Status::Inactive {
            self.inactive_accounts.insert(account.id);
        }
    }

    fn add_user(&mut self, user: &User) {
        self.principals.insert(user.arn());
    }

    fn add_signer(
        &mut self,
        id: &str,
        account: AccountId,
        owner: &Owner,
        users: &[User],
        secret: SecretBytes,
    ) {
        let caller = match owner {
            Owner::Root => Some((Caller::root(account, id), Standing::default())),
            Owner::User(name) => {
                let user = users.iter().find(|user| user.account == account && user.name == *name);
                user.filter(|user| user.status == Status::Active)
                    .map(|user| (Caller::user(user, id), standing(user)))
            }
        };
        // A key whose user is gone signs nothing, nor does one whose user or account is disabled.
        let caller = caller.filter(|_| !self.inactive_accounts.contains(&account));
        if let Some((caller, standing)) = caller {
            let (caller, standing) = (Arc::new(caller), Arc::new(standing));
            self.signers.insert(id.to_owned(), Arc::new(SigningIdentity { caller, standing, secret }));
        }
    }
}

/// The policies that bear on a user. For now those of its managed policies that every deployment has.
fn standing(user: &User) -> Standing {
    let managed = user.rights.policies.iter().filter_map(|name| managed_policy(name));
    Standing { identity: managed.cloned().collect(), ..Standing::default() }
}

impl trent_policy::Directory for Directory {
    fn knows_account(&self, id: &str) -> bool {
        id.parse().is_ok_and(|id: AccountId| self.accounts.contains(&id))
    }

    fn knows_principal(&self, arn: &str) -> bool {
        self.principals.contains(arn)
    }

    fn knows_service(&self, _name: &str) -> bool {
        false
    }
}
