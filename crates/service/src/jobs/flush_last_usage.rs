//! Writes the last usages that were noted since the last run, in one batch.

use crate::error::KmsError;
use crate::open::Service;

impl Service {
    /// Also called when the process drains, so that a clean stop loses nothing.
    pub async fn flush_last_usage(&self) -> Result<usize, KmsError> {
        Ok(self.gate.flush_usage().await?)
    }
}
