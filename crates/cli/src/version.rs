//! What `trent --version` prints: the version, and those of the formats that outlive a process.

use std::sync::LazyLock;

use trent_crypto::{ciphertext, envelope};
use trent_database::SCHEMA_VERSION;

/// Version and formats.
pub(crate) fn long() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        format!(
            "{}\ndatabase schema {SCHEMA_VERSION}\nciphertext format {}\nenvelope format {}",
            env!("CARGO_PKG_VERSION"),
            ciphertext::VERSION,
            envelope::VERSION,
        )
    });
    &TEXT
}
