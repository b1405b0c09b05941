//! The words of `trent admin cluster`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Show all clusters, and their HSMs.
    List,
    /// Ask the HSMs of a cluster whether they are there; with a password, try them with a key that is destroyed again.
    Check {
        /// The id of the cluster.
        id: String,
        /// The file with the password of the crypto user. Each HSM that does not take it counts that.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}
