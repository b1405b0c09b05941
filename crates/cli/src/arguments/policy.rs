//! `trent policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use trent_domain::identifier::{AccountId, Region};
use trent_service::PolicyKind;

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyWords {
    /// Say what would refuse a policy and what in it is probably not meant; exit with 1 if it would be refused.
    Check(CheckArguments),
    /// Ask the server that runs whether somebody may do something, and why; exit with 3 if not.
    Explain(Box<ExplainArguments>),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArguments {
    /// The document; - reads it from standard input.
    pub(crate) file: PathBuf,
    /// What the document is for.
    #[arg(long, value_name = "KIND", default_value = "key")]
    pub(crate) kind: PolicyFor,
    /// The account of the key or the identity, 12 digits; with it, what other accounts are given is looked at.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<AccountId>,
    /// Exit with 1 on warnings too.
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a document is for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PolicyFor {
    /// A key.
    Key,
    /// A user, a group, a role, a session, or whoever stands below it.
    Identity,
    /// A role: who may assume it.
    Trust,
}

impl From<PolicyFor> for PolicyKind {
    fn from(kind: PolicyFor) -> Self {
        match kind {
            PolicyFor::Key => Self::Key,
            PolicyFor::Identity => Self::Identity,
            PolicyFor::Trust => Self::Trust,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Who: the ARN of a user, role, session or root, or the name of a service.
    #[arg(long, value_name = "ARN")]
    pub(crate) principal: String,
    /// What: an action, such as kms:Decrypt.
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: String,
    /// On which key: its id, its ARN, an alias. Left out for actions about no key, such as kms:CreateKey.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// On which alias, of the actions that are asked about an alias too.
    #[arg(long, value_name = "NAME", conflicts_with = "key")]
    pub(crate) alias: Option<String>,
    /// The Region [default: that of the key's ARN, else us-east-1].
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<Region>,
    /// A condition key that the request has, as in kms:EncryptionContext:App=web; more than once for more values.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
    /// As if the key had the policy in this file.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) key_policy: Option<PathBuf>,
    /// As if the session had been begun with the policy in this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) session_policy: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
