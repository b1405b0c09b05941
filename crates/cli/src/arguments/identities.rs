//! The words of `trent admin` about what accounts have: users, groups, roles, policies, providers, access keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use trent_domain::identifier::{AccountId, Region};

/// Something that an account has by name.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Its name.
    pub(crate) name: String,
    /// Its account.
    #[arg(long, value_name = "DIGITS")]
    pub(crate) account: AccountId,
}

/// What can be done with everything that an account has by name.
#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Show all there are.
    List,
    /// Show all that is known of one.
    Show(Named),
    /// Delete one. What named it means nobody from then on, even if another of its name is made.
    Delete(Named),
}

/// What users, groups and roles are given.
#[derive(Debug, Subcommand)]
pub(crate) enum RightsCommand {
    /// Attach a managed policy.
    Attach {
        #[command(flatten)]
        to: Named,
        /// The policy: its name, or `aws:AdministratorAccess` and the like.
        #[arg(long)]
        policy: String,
    },
    /// Detach a managed policy.
    Detach {
        #[command(flatten)]
        from: Named,
        /// The policy.
        #[arg(long)]
        policy: String,
    },
    /// Put a policy of its own in place.
    PutInline {
        #[command(flatten)]
        to: Named,
        /// What to call the policy.
        #[arg(long)]
        policy: String,
        /// The file with its text.
        #[arg(long, value_name = "FILE")]
        document: PathBuf,
    },
    /// Delete a policy of its own.
    DeleteInline {
        #[command(flatten)]
        from: Named,
        /// What the policy is called.
        #[arg(long)]
        policy: String,
    },
}

/// What users and roles have beside.
#[derive(Debug, Subcommand)]
pub(crate) enum PrincipalCommand {
    /// Bound the permissions by a managed policy; without --policy, no longer.
    Boundary {
        #[command(flatten)]
        of: Named,
        /// The policy.
        #[arg(long)]
        policy: Option<String>,
    },
    /// Add or replace tags.
    Tag {
        #[command(flatten)]
        of: Named,
        /// The tags, `key=value` each.
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = tag)]
        tags: Vec<(String, String)>,
    },
    /// Remove tags.
    Untag {
        #[command(flatten)]
        of: Named,
        /// Their keys.
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
}

fn tag(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    pair.ok_or_else(|| format!("`{text}` is not KEY=VALUE"))
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user.
    #[command(alias = "create")]
    Add {
        #[command(flatten)]
        user: Named,
        /// Its path.
        #[arg(long, default_value = "/")]
        path: String,
        /// Let it do everything in its account; otherwise policies and grants say what it may do.
        #[arg(long)]
        administrator: bool,
    },
    /// Refuse a user, whatever access key it has, from now on.
    Disable(Named),
    /// Accept a user again.
    Enable(Named),
    /// Put a user into a group.
    Join {
        #[command(flatten)]
        user: Named,
        /// The group.
        #[arg(long)]
        group: String,
    },
    /// Take a user out of a group.
    Leave {
        #[command(flatten)]
        user: Named,
        /// The group.
        #[arg(long)]
        group: String,
    },
    #[command(flatten)]
    Record(RecordCommand),
    #[command(flatten)]
    Rights(RightsCommand),
    #[command(flatten)]
    Principal(PrincipalCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Add a group.
    #[command(alias = "create")]
    Add {
        #[command(flatten)]
        group: Named,
        /// Its path.
        #[arg(long, default_value = "/")]
        path: String,
    },
    #[command(flatten)]
    Record(RecordCommand),
    #[command(flatten)]
    Rights(RightsCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Add a role.
    #[command(alias = "create")]
    Add {
        #[command(flatten)]
        role: Named,
        /// Its path.
        #[arg(long, default_value = "/")]
        path: String,
        /// The file with the policy that says who may assume it.
        #[arg(long, value_name = "FILE")]
        trust: PathBuf,
        /// How long its sessions may last: 3600 to 43200 seconds.
        #[arg(long, default_value_t = 3600)]
        max_session_seconds: u32,
    },
    /// Change who may assume it, or how long its sessions may last.
    Update {
        #[command(flatten)]
        role: Named,
        /// The file with the policy that says who may assume it.
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
        /// How long its sessions may last: 3600 to 43200 seconds.
        #[arg(long)]
        max_session_seconds: Option<u32>,
    },
    /// End all its sessions that have begun.
    RevokeSessions(Named),
    #[command(flatten)]
    Record(RecordCommand),
    #[command(flatten)]
    Rights(RightsCommand),
    #[command(flatten)]
    Principal(PrincipalCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Add a policy.
    #[command(alias = "create")]
    Add {
        #[command(flatten)]
        policy: Named,
        /// Its path.
        #[arg(long, default_value = "/")]
        path: String,
        /// The file with its text.
        #[arg(long, value_name = "FILE")]
        document: PathBuf,
    },
    /// Replace the text of a policy. It is in force at once for all who have it.
    Update {
        #[command(flatten)]
        policy: Named,
        /// The file with its text.
        #[arg(long, value_name = "FILE")]
        document: PathBuf,
    },
    #[command(flatten)]
    Record(RecordCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum OidcProviderCommand {
    /// Add a provider; its name is its URL.
    #[command(alias = "create")]
    Add {
        #[command(flatten)]
        provider: Named,
        /// Whom its tokens may be for; may be given several times.
        #[arg(long = "client-id", value_name = "ID")]
        client_ids: Vec<String>,
        /// The file with its keys, a JSON Web Key Set; without one the provider is asked.
        #[arg(long, value_name = "FILE")]
        jwks: Option<PathBuf>,
        /// The file with the certificates to trust when it is asked, as PEM.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    #[command(flatten)]
    Record(RecordCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccessKeyCommand {
    /// Show all access keys.
    List,
    /// Make an access key and print its secret, this once.
    #[command(alias = "create")]
    Add {
        /// The account.
        #[arg(long, value_name = "DIGITS")]
        account: AccountId,
        /// The user that it is for; the root of the account without one.
        #[arg(long)]
        user: Option<String>,
    },
    /// Refuse an access key from now on.
    Disable {
        /// Its id.
        id: String,
    },
    /// Accept an access key again.
    Enable {
        /// Its id.
        id: String,
    },
    /// Delete an access key.
    Delete {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MfaDeviceCommand {
    /// Show all devices, and whose codes they make.
    List,
    /// Make a device and print its key, this once. An app that has the key makes codes from then on.
    #[command(alias = "create")]
    Add {
        #[command(flatten)]
        device: Named,
        /// The user that it is for; the root of the account without one.
        #[arg(long)]
        user: Option<String>,
    },
    /// Delete a device. Sessions that were begun with it go on.
    Delete(Named),
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionKeyCommand {
    /// Have another key seal session tokens from now on. Those before it open what they sealed until that is over.
    Rotate,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Show all API tokens: their ids, for whom they speak, and until when.
    List,
    /// Make an API token and print it, this once.
    #[command(alias = "add")]
    Create {
        /// The account.
        #[arg(long, value_name = "DIGITS")]
        account: AccountId,
        /// The user that it speaks for; the root of the account without one and without --role.
        #[arg(long, conflicts_with = "role")]
        user: Option<String>,
        /// The role that it speaks for, in a session.
        #[arg(long, requires = "session")]
        role: Option<String>,
        /// What to call the session of the role.
        #[arg(long, requires = "role")]
        session: Option<String>,
        /// The Region of requests that name none.
        #[arg(long, default_value = "us-east-1")]
        region: Region,
        /// For how many days it is good.
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// What it is for.
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Refuse an API token from now on.
    #[command(alias = "delete")]
    Revoke {
        /// Its id, which the token begins with.
        id: String,
    },
}
