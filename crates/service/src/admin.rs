//! What an operator does through the admin socket: accounts, users, access keys.
//!
//! The socket is a file of the data directory that only its owner may open; whoever reaches it may do all this.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use trent_crypto::SecretBytes;
use trent_database::{DatabaseError, Transaction};
use trent_domain::identifier::AccountId;
use trent_domain::identity::{
    AccessKey, Account, Owner, Record, Rights, Status, User, is_path, is_principal_name,
};
use trent_domain::limits::ACCESS_KEYS_PER_USER_MAX;

use crate::error::KmsError;
use crate::open::Service;

/// A command of the admin socket. Those without members have braces, since serde lets unit variants have unknown ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// All accounts of the database.
    ListAccounts {},
    /// A new account.
    AddAccount {
        /// Its 12 digits.
        id: AccountId,
        /// What people call it.
        name: String,
    },
    /// Accepts an account again.
    EnableAccount {
        /// Its 12 digits.
        id: AccountId,
    },
    /// Refuses everybody in an account from now on.
    DisableAccount {
        /// Its 12 digits.
        id: AccountId,
    },
    /// All users of the database.
    ListUsers {},
    /// A new user.
    AddUser {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: String,
        /// Its path, `/` or `/…/`.
        path: String,
        /// Whether it may do everything in its account.
        administrator: bool,
    },
    /// Accepts a user again.
    EnableUser {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: String,
    },
    /// Refuses a user, whatever access key it has, from now on.
    DisableUser {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: String,
    },
    /// All access keys of the database, without their secrets.
    ListAccessKeys {},
    /// A new access key of a user, or of the account's root.
    AddAccessKey {
        /// The account.
        account: AccountId,
        /// The user; absent for the root.
        user: Option<String>,
    },
    /// Accepts an access key again.
    EnableAccessKey {
        /// Its id.
        id: String,
    },
    /// Refuses an access key from now on.
    DisableAccessKey {
        /// Its id.
        id: String,
    },
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// Accounts.
    Accounts {
        /// One line each.
        accounts: Vec<AccountLine>,
    },
    /// Users.
    Users {
        /// One line each.
        users: Vec<UserLine>,
    },
    /// Access keys.
    AccessKeys {
        /// One line each.
        access_keys: Vec<AccessKeyLine>,
    },
    /// A new access key. Its secret is shown this once.
    NewAccessKey {
        /// Its id.
        id: String,
        /// Its secret.
        secret: String,
    },
    /// Done; there is nothing to tell.
    Done,
    /// Not done.
    Refused {
        /// Why, and what to do.
        problem: String,
    },
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLine {
    /// Its 12 digits.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// Whether anybody may sign in it.
    pub status: Status,
}

/// A user in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLine {
    /// Its full name.
    pub arn: String,
    /// Its unique id.
    pub unique_id: String,
    /// Whether it may do everything in its account.
    pub administrator: bool,
    /// Whether it may sign.
    pub status: Status,
}

/// An access key in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKeyLine {
    /// Its id.
    pub id: String,
    /// Its account.
    pub account: AccountId,
    /// Whom it belongs to.
    pub owner: Owner,
    /// Whether it is accepted.
    pub status: Status,
}

/// Why a command was not done: a sentence for the operator.
#[derive(Debug)]
struct Refused(String);

impl From<DatabaseError> for Refused {
    fn from(error: DatabaseError) -> Self {
        Self(format!("the database could not do it: {error}"))
    }
}

impl From<KmsError> for Refused {
    fn from(error: KmsError) -> Self {
        Self(error.message.unwrap_or_else(|| error.code.to_string()))
    }
}

impl Service {
    /// Does what an operator asked for.
    pub async fn administer(&self, command: Command) -> Reply {
        let done = match command {
            Command::ListAccounts {} => self.list_accounts().await,
            Command::AddAccount { id, name } => {
                self.add_account(Account { id, name, status: Status::Active }).await
            }
            Command::EnableAccount { id } => self.set_account(id, Status::Active).await,
            Command::DisableAccount { id } => self.set_account(id, Status::Inactive).await,
            Command::ListUsers {} => self.list_users().await,
            Command::AddUser { account, name, path, administrator } => {
                self.add_user(account, name, path, administrator).await
            }
            Command::EnableUser { account, name } => self.set_user(account, name, Status::Active).await,
            Command::DisableUser { account, name } => self.set_user(account, name, Status::Inactive).await,
            Command::ListAccessKeys {} => self.list_access_keys().await,
            Command::AddAccessKey { account, user } => self.add_access_key(account, user).await,
            Command::EnableAccessKey { id } => self.set_access_key(id, Status::Active).await,
            Command::DisableAccessKey { id } => self.set_access_key(id, Status::Inactive).await,
        };
        done.unwrap_or_else(|Refused(problem)| Reply::Refused { problem })
    }

    async fn list_accounts(&self) -> Result<Reply, Refused> {
        let accounts = trent_database::read(&*self.database, |records| records.accounts()).await?;
        let line = |Account { id, name, status }| AccountLine { id, name, status };
        Ok(Reply::Accounts { accounts: accounts.into_iter().map(line).collect() })
    }

    async fn add_account(&self, account: Account) -> Result<Reply, Refused> {
        if account.name.trim().is_empty() {
            return Err(Refused("an account needs a name; give one with --name".to_owned()));
        }
        self.change_identities("add account", move |transaction| {
            if transaction.accounts()?.iter().any(|known| known.id == account.id) {
                return Err(Refused(format!("account {} exists already", account.id)));
            }
            Ok(transaction.put_account(&account)?)
        })
        .await?;
        Ok(Reply::Done)
    }

    async fn set_account(&self, id: AccountId, status: Status) -> Result<Reply, Refused> {
        self.change_identities("set account", move |transaction| {
            let known = transaction.accounts()?.into_iter().find(|account| account.id == id);
            let account = known.ok_or_else(|| unknown_account(id))?;
            Ok(transaction.put_account(&Account { status, ..account })?)
        })
        .await?;
        Ok(Reply::Done)
    }

    async fn list_users(&self) -> Result<Reply, Refused> {
        let records = trent_database::read(&*self.database, |records| records.identities()).await?;
        let users = records.iter().filter_map(|record| match record {
            Record::User(user) => Some(UserLine {
                arn: user.arn(),
                unique_id: user.unique_id.clone(),
                administrator: user.is_administrator(),
                status: user.status,
            }),
            _ => None,
        });
        Ok(Reply::Users { users: users.collect() })
    }

    async fn add_user(
        &self,
        account: AccountId,
        name: String,
        path: String,
        administrator: bool,
    ) -> Result<Reply, Refused> {
        if !is_principal_name(&name) || !is_path(&path) {
            return Err(Refused(
                "a user name is 1 to 64 of A-Z a-z 0-9 + = , . @ - _; a path is / or /…/".to_owned(),
            ));
        }
        let unique_id = self.unique_id("AIDA").map_err(|error| Refused(error.to_string()))?;
        let rights = Rights::administrator_if(administrator);
        let user = User { path, rights, ..User::new(account, &name, &unique_id, self.now()) };
        self.change_identities("add user", move |transaction| {
            check_account(transaction, account)?;
            if find_user(transaction, account, &user.name)?.is_some() {
                return Err(Refused(format!("user `{}` exists already in account {account}", user.name)));
            }
            Ok(transaction.put_identity(&Record::User(user.clone()))?)
        })
        .await?;
        Ok(Reply::Done)
    }

    async fn set_user(&self, account: AccountId, name: String, status: Status) -> Result<Reply, Refused> {
        self.change_identities("set user", move |transaction| {
            check_account(transaction, account)?;
            let known = find_user(transaction, account, &name)?;
            let user = known.ok_or_else(|| unknown_user(account, &name))?;
            Ok(transaction.put_identity(&Record::User(User { status, ..user }))?)
        })
        .await?;
        Ok(Reply::Done)
    }

    async fn list_access_keys(&self) -> Result<Reply, Refused> {
        let keys = trent_database::read(&*self.database, |records| records.access_keys()).await?;
        let line =
            |AccessKey { id, account, owner, status, .. }| AccessKeyLine { id, account, owner, status };
        Ok(Reply::AccessKeys { access_keys: keys.into_iter().map(line).collect() })
    }

    async fn add_access_key(&self, account: AccountId, user: Option<String>) -> Result<Reply, Refused> {
        let id = self.unique_id("AKIA").map_err(|error| Refused(error.to_string()))?;
        let id = id.chars().take(20).collect::<String>();
        let secret = self.new_access_key_secret()?;
        let sealed_secret = self
            .gate
            .seal_access_key_secret(&id, secret.expose())
            .map_err(|error| Refused(error.to_string()))?;
        let owner = user.map_or(Owner::Root, Owner::User);
        let status = Status::Active;
        let key = AccessKey { id: id.clone(), account, owner, status, created: self.now(), sealed_secret };
        self.change_identities("add access key", move |transaction| {
            check_account(transaction, account)?;
            check_owner(transaction, &key)?;
            Ok(transaction.put_access_key(&key)?)
        })
        .await?;
        let secret = String::from_utf8_lossy(secret.expose()).into_owned();
        Ok(Reply::NewAccessKey { id, secret })
    }

    async fn set_access_key(&self, id: String, status: Status) -> Result<Reply, Refused> {
        self.change_identities("set access key", move |transaction| {
            let known = transaction.access_keys()?.into_iter().find(|key| key.id == id);
            let key = known.ok_or_else(|| {
                Refused(format!("no access key `{id}`; `trent admin access-key list` shows those there are"))
            })?;
            Ok(transaction.put_access_key(&AccessKey { status, ..key })?)
        })
        .await?;
        Ok(Reply::Done)
    }

    /// A secret as AWS makes them: 30 random bytes, 40 characters.
    fn new_access_key_secret(&self) -> Result<SecretBytes, KmsError> {
        let bytes = self.random_array::<30>()?;
        Ok(SecretBytes::from(STANDARD_NO_PAD.encode(bytes).into_bytes()))
    }

    // The directory in memory is replaced before the command is answered, so that an access key that was
    // disabled signs no request that starts after the answer.
    async fn change_identities(
        &self,
        name: &'static str,
        body: impl FnMut(&mut dyn Transaction) -> Result<(), Refused> + Send + 'static,
    ) -> Result<(), Refused> {
        trent_database::write(&*self.database, name, body).await??;
        self.reload_identities().await.map_err(Refused)
    }
}

fn check_account(transaction: &dyn Transaction, account: AccountId) -> Result<(), Refused> {
    if transaction.accounts()?.iter().any(|known| known.id == account) {
        return Ok(());
    }
    Err(unknown_account(account))
}

fn find_user(
    transaction: &dyn Transaction,
    account: AccountId,
    name: &str,
) -> Result<Option<User>, DatabaseError> {
    Ok(transaction.identities()?.into_iter().find_map(|record| match record {
        Record::User(user) if user.account == account && user.name == name => Some(user),
        _ => None,
    }))
}

fn unknown_account(account: AccountId) -> Refused {
    Refused(format!("no account {account}; `trent admin account list` shows those there are"))
}

fn unknown_user(account: AccountId, name: &str) -> Refused {
    Refused(format!("account {account} has no user `{name}`; `trent admin user list` shows those there are"))
}

fn check_owner(transaction: &dyn Transaction, key: &AccessKey) -> Result<(), Refused> {
    if let Owner::User(name) = &key.owner
        && find_user(transaction, key.account, name)?.is_none()
    {
        return Err(Refused(format!(
            "account {} has no user `{name}`; add it with `trent admin user add`",
            key.account
        )));
    }
    let keys = transaction.access_keys()?;
    let has = keys.iter().filter(|known| known.account == key.account && known.owner == key.owner).count();
    if has >= ACCESS_KEYS_PER_USER_MAX {
        return Err(Refused(format!(
            "{has} access keys are there already; a user may have {ACCESS_KEYS_PER_USER_MAX}"
        )));
    }
    Ok(())
}
