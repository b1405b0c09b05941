//! Jobs: what happens without a caller, when it is due.
//!
//! A job can be interrupted and repeated; each key is judged again in its own transaction. What waits for others, that is
//! for what is behind custom key stores, is no part of a run of all jobs: nobody is to wait for them but themselves.

mod check_key_stores;
mod delete_expired_keys;
mod destroy_hsm_keys;
mod expire_imported_material;
mod flush_last_usage;
mod rotate_due_keys;
mod rotate_session_keys;
mod round;
mod settle_clusters;
mod settle_key_stores;
mod settle_keys;
mod settling;
mod side_by_side;

use trent_domain::time::Timestamp;

pub(crate) use check_key_stores::HealthChecks;
pub(crate) use settling::Settling;

use crate::error::KmsError;
use crate::open::Service;

/// What one run of all jobs did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct JobReport {
    /// Keys that were deleted for good.
    pub deleted: usize,
    /// Keys whose passing state has ended.
    pub settled: usize,
    /// Keys that got new material.
    pub rotated: usize,
    /// Keys that lost imported material at the end of its validity.
    pub expired: usize,
    /// Last usages that were written.
    pub usages: usize,
}

impl Service {
    /// When the next thing is due that a job does, if that is not after `until`.
    pub async fn next_due(&self, until: Timestamp) -> Result<Option<Timestamp>, KmsError> {
        let next =
            trent_database::read(&*self.database, move |records| records.due_keys(until, None, 1)).await?;
        Ok(next.first().map(|due| due.at))
    }

    /// Runs every job once. The error is that of the first that failed; the others have run all the same.
    pub async fn run_jobs(&self) -> Result<JobReport, KmsError> {
        if !self.trail.accepts() {
            return Err(KmsError::unrecordable());
        }
        let deleted = self.delete_expired_keys().await;
        let settled = self.settle_keys().await;
        let rotated = self.rotate_due_keys().await;
        let expired = self.expire_imported_material().await;
        let usages = self.flush_last_usage().await;
        let session_keys = self.rotate_session_keys().await;
        let checkpoint = self.keep_checkpoint().await;
        checkpoint?;
        session_keys?;
        Ok(JobReport {
            deleted: deleted?,
            settled: settled?,
            rotated: rotated?,
            expired: expired?,
            usages: usages?,
        })
    }
}
