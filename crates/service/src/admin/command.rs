//! The commands of the admin socket and their replies, as JSON has them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;
use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::{Kind, Owner, ProviderKeys, Record, RecordName, Status};
use trent_domain::secret::Secret;

use super::explain::{Explained, Question};
use super::key_stores::NewKeyStore;

/// A command of the admin socket. Those without members have braces, since serde lets unit variants have unknown ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// All accounts.
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
    /// All users.
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
    /// All that accounts have of one kind.
    ListRecords {
        /// The kind.
        kind: Kind,
    },
    /// All that is known of something.
    ShowRecord {
        /// What.
        name: RecordName,
    },
    /// Deletes something; a user with its access keys.
    DeleteRecord {
        /// What.
        name: RecordName,
    },
    /// A new group.
    AddGroup {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: String,
        /// Its path.
        path: String,
    },
    /// A new role.
    AddRole {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: String,
        /// Its path.
        path: String,
        /// The policy that says who may assume it.
        trust: String,
        /// How long a session may last.
        max_session_seconds: u32,
    },
    /// Another trust policy, or another longest session, of a role.
    UpdateRole {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: String,
        /// The policy that says who may assume it.
        trust: Option<String>,
        /// How long a session may last.
        max_session_seconds: Option<u32>,
    },
    /// Ends all sessions of a role that have begun.
    RevokeSessions {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: String,
    },
    /// A new customer managed policy, or another text of one.
    PutPolicy {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: String,
        /// Its path, if it is new.
        path: String,
        /// Its text.
        document: String,
        /// Whether it is there already.
        replace: bool,
    },
    /// A new provider of web identities.
    AddOidcProvider {
        /// Its account.
        account: AccountId,
        /// Its URL.
        url: String,
        /// Whom its tokens may be for.
        client_ids: BTreeSet<String>,
        /// Where its keys come from.
        keys: ProviderKeys,
        /// The certificates to trust when it is asked, as PEM.
        ca: Option<String>,
    },
    /// Gives a user, group or role a managed policy.
    AttachPolicy {
        /// Who.
        to: RecordName,
        /// The policy: its name, or `aws:` and the name of a built-in one.
        policy: String,
    },
    /// Takes a managed policy away.
    DetachPolicy {
        /// From whom.
        from: RecordName,
        /// The policy.
        policy: String,
    },
    /// Gives a user, group or role a policy of its own, or another text of one.
    PutInlinePolicy {
        /// Who.
        to: RecordName,
        /// The policy's name.
        policy: String,
        /// Its text.
        document: String,
    },
    /// Takes a policy of its own away.
    DeleteInlinePolicy {
        /// From whom.
        from: RecordName,
        /// The policy's name.
        policy: String,
    },
    /// Bounds the permissions of a user or role, or no longer.
    SetBoundary {
        /// Who.
        of: RecordName,
        /// The managed policy; absent for none.
        policy: Option<String>,
    },
    /// Adds or replaces tags of a user or role.
    Tag {
        /// Who.
        of: RecordName,
        /// The tags.
        tags: BTreeMap<String, String>,
    },
    /// Removes tags of a user or role.
    Untag {
        /// Who.
        of: RecordName,
        /// Their keys.
        keys: BTreeSet<String>,
    },
    /// Puts a user into a group.
    AddToGroup {
        /// Their account.
        account: AccountId,
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// Takes a user out of a group.
    RemoveFromGroup {
        /// Their account.
        account: AccountId,
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// All access keys, without their secrets.
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
    /// Deletes an access key.
    DeleteAccessKey {
        /// Its id.
        id: String,
    },
    /// All devices for one-time codes, without their keys.
    ListMfaDevices {},
    /// A new device for one-time codes of a user, or of the account's root.
    AddMfaDevice {
        /// The account.
        account: AccountId,
        /// The user; absent for the root.
        user: Option<String>,
        /// Its name.
        name: String,
    },
    /// Whether somebody may do something, and why.
    Explain {
        /// Who, and what.
        question: Question,
    },
    /// Has another key seal session tokens from now on.
    RotateSessionKey {},
    /// All API tokens; of the tokens themselves nothing is kept.
    ListTokens {},
    /// A new API token of a user, of a session of a role, or of the account's root.
    CreateToken {
        /// The account.
        account: AccountId,
        /// The user.
        user: Option<String>,
        /// The role.
        role: Option<String>,
        /// The name of the role's session.
        session: Option<String>,
        /// The Region of requests that name none.
        region: Region,
        /// For how many days it is good.
        days: u32,
        /// What it is for.
        description: String,
    },
    /// Refuses an API token from now on.
    RevokeToken {
        /// Its id.
        id: String,
    },
    /// A new external key store.
    CreateKeyStore {
        /// What it is to be.
        new: NewKeyStore,
    },
    /// What is in the HSMs behind a CloudHSM key store, as far as it is not as it should be.
    ListOrphans {
        /// The id of the key store, or of its cluster.
        store: String,
    },
    /// Destroys keys in HSMs that no key of the deployment has.
    DestroyOrphans {
        /// The id of the key store, or of its cluster.
        store: String,
        /// What they are called in the HSMs.
        keys: BTreeSet<String>,
        /// How old each must be.
        min_age_minutes: u32,
    },
    /// Forgets the wrong passwords of the HSMs behind a CloudHSM key store.
    UnlockKeyStore {
        /// Its id.
        id: String,
    },
}

impl Command {
    /// Whether it changes nothing.
    pub fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::ListAccounts {}
                | Self::ListUsers {}
                | Self::ListAccessKeys {}
                | Self::ListMfaDevices {}
                | Self::ListTokens {}
                | Self::ListOrphans { .. }
                | Self::ListRecords { .. }
                | Self::ShowRecord { .. }
                | Self::Explain { .. }
        )
    }
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
    /// Groups, roles, policies or providers.
    Records {
        /// One line each.
        records: Vec<RecordLine>,
    },
    /// All that is known of something.
    Record {
        /// It.
        record: Record,
        /// Who manages it.
        managed: Managed,
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
        secret: Secret,
    },
    /// Devices for one-time codes.
    MfaDevices {
        /// One line each.
        devices: Vec<MfaDeviceLine>,
    },
    /// A new device for one-time codes. Its key is shown this once.
    NewMfaDevice {
        /// Its full name, which requests tell.
        serial_number: String,
        /// Its key, in base 32.
        key: Secret,
        /// The same as apps read it, from a QR code or not.
        uri: Secret,
    },
    /// A new custom key store.
    KeyStore {
        /// Its id.
        id: String,
    },
    /// What is in HSMs and should not be, and the other way round.
    Orphans {
        /// Keys in HSMs that no key of the deployment has.
        orphans: Vec<OrphanLine>,
        /// Keys that some HSMs lack.
        lacking: Vec<LackingLine>,
        /// HSMs that could not be looked at, and why.
        unseen: BTreeMap<String, String>,
    },
    /// What has become of keys that were to be destroyed in HSMs, by what they are called there.
    Destroyed {
        /// Those that are gone.
        destroyed: Vec<String>,
        /// The others, and why.
        left: BTreeMap<String, String>,
    },
    /// A decision, explained.
    Explanation {
        /// It.
        explanation: Box<Explained>,
    },
    /// API tokens.
    Tokens {
        /// One line each.
        tokens: Vec<TokenLine>,
    },
    /// A new API token, shown this once.
    NewToken {
        /// The token.
        token: Secret,
        /// When it ends.
        expires: String,
    },
    /// Done; there is nothing to tell.
    Done,
    /// Not done.
    Refused {
        /// Why, and what to do.
        problem: String,
    },
}

impl Reply {
    /// What a record tells of it; nothing where that the command was done says all.
    pub(super) fn recorded(&self) -> Vec<u8> {
        match self {
            Self::Destroyed { destroyed, left } => {
                json!({"destroyed": destroyed, "left": left}).to_string().into_bytes()
            }
            _ => Vec::new(),
        }
    }
}

/// A key in HSMs that no key of the deployment has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanLine {
    /// What it is called there, `CKA_ID`.
    pub id: String,
    /// Its label: the ARN of the key that it was made for.
    pub label: String,
    /// How long ago that was.
    pub age_minutes: u64,
    /// The HSMs that have it.
    pub hsms: Vec<String>,
}

/// A key that some HSMs lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LackingLine {
    /// What it is called in HSMs, `CKA_ID`.
    pub id: String,
    /// The ARN of the key.
    pub key: String,
    /// The HSMs that lack it.
    pub hsms: Vec<String>,
}

/// Who manages an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Managed {
    /// `trent admin`.
    Database,
    /// The identity file.
    File,
}

impl std::fmt::Display for Managed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Database => "database",
            Self::File => "file",
        })
    }
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
    /// Who manages it.
    pub managed: Managed,
}

/// A user in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLine {
    /// Its full name.
    pub arn: String,
    /// Its unique id.
    pub unique_id: String,
    /// What it has been given.
    pub rights: Rights,
    /// Whether it may sign.
    pub status: Status,
    /// Who manages it.
    pub managed: Managed,
}

/// What a user has been given, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rights {
    /// Everything in its account.
    Administrator,
    /// What its policies and groups say.
    Policies,
    /// Nothing but what key policies and grants say.
    None,
}

impl std::fmt::Display for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Administrator => "administrator",
            Self::Policies => "policies",
            Self::None => "none",
        })
    }
}

/// A group, role, policy or provider in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLine {
    /// Its full name.
    pub arn: String,
    /// Its unique id; providers have none.
    pub unique_id: String,
    /// Who manages it.
    pub managed: Managed,
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
    /// Who manages it.
    pub managed: Managed,
}

/// A device for one-time codes in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaDeviceLine {
    /// Its full name, which requests tell.
    pub serial_number: String,
    /// Whose codes it makes.
    pub owner: Owner,
    /// Who manages it.
    pub managed: Managed,
}

/// An API token in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLine {
    /// Its id, which the token begins with.
    pub id: String,
    /// For whom it speaks; the unique id where there is nobody of it any more.
    pub principal: String,
    /// The Region of requests that name none.
    pub region: Region,
    /// When it was made.
    pub created: String,
    /// When it ends.
    pub expires: String,
    /// What it is for.
    pub description: String,
}
