//! Jobs: what happens without a caller, when it is due.
//!
//! A job does one batch at a time and can be repeated; each key is judged again in its own transaction.

mod delete_expired_keys;
mod flush_last_usage;
mod rotate_due_keys;

use crate::error::KmsError;
use crate::open::Service;

/// How many keys one run of a job looks at.
const BATCH: usize = 256;

/// What one run of all jobs did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct JobReport {
    /// Keys that were deleted for good.
    pub deleted: usize,
    /// Keys that got new material.
    pub rotated: usize,
    /// Last usages that were written.
    pub usages: usize,
}

impl Service {
    /// Runs every job once.
    pub async fn run_jobs(&self) -> Result<JobReport, KmsError> {
        let deleted = self.delete_expired_keys().await?;
        let rotated = self.rotate_due_keys().await?;
        let usages = self.flush_last_usage().await?;
        Ok(JobReport { deleted, rotated, usages })
    }
}
