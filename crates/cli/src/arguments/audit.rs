//! `trent audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Say whether every record is there, as it was written and in its order; exit with 1 if not.
    Verify(VerifyArguments),
    /// Print the records that fit, one a line; exit with 1 if there are none.
    Find(FindArguments),
    /// Print the records that fit as one object {"Records": [...]}, as tools for CloudTrail read it.
    Export(FindArguments),
}

/// Where the files are.
#[derive(Debug, Clone, Args)]
pub(crate) struct AuditPlace {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The directory of the files [default: that of the configuration].
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) place: AuditPlace,
    /// The public key of checkpoints, 64 hexadecimal digits [default: as the database tells].
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Option<String>,
    /// The number of the first record, where older files were moved away.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) begins_at: u64,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct FindArguments {
    #[command(flatten)]
    pub(crate) place: AuditPlace,
    /// The id of a request or of an event.
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
    /// A key or an alias: its ARN, its id, its name.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Who did it: ARN, user name, access key id or principal id.
    #[arg(long, value_name = "WHO")]
    pub(crate) principal: Option<String>,
    /// The name of the event, such as Encrypt.
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Option<String>,
    /// The error code, such as AccessDenied.
    #[arg(long, value_name = "CODE")]
    pub(crate) error: Option<String>,
    /// From this time on: 2026-01-31, or 2026-01-31T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to and with this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}
