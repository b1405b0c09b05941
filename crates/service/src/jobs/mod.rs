//! Jobs: what happens without a caller, when it is due.
//!
//! A job can be interrupted and repeated; each key is judged again in its own transaction.

mod check_key_stores;
mod delete_expired_keys;
mod expire_imported_material;
mod flush_last_usage;
mod rotate_due_keys;
mod rotate_session_keys;
mod round;
mod settle_clusters;
mod settle_key_stores;
mod settle_keys;
mod side_by_side;

use trent_domain::time::Timestamp;

pub(crate) use check_key_stores::HealthChecks;

use crate::error::KmsError;
use crate::open::Service;

/// What one run of all jobs did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct JobReport {
    /// Keys that were deleted for good.
    pub deleted: usize,
    /// Keys whose passing state has ended.
    pub settled: usize,
    /// Custom key stores whose connection was established, failed, or was taken down.
    pub key_stores: usize,
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
        let key_stores = self.settle_key_stores().await;
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
            key_stores: key_stores?,
            rotated: rotated?,
            expired: expired?,
            usages: usages?,
        })
    }
}
