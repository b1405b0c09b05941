//! Jobs: what happens without a caller, when it is due.
//!
//! A job does one batch at a time and can be repeated; each key is judged again in its own transaction.

mod delete_expired_keys;
mod expire_imported_material;
mod flush_last_usage;
mod rotate_due_keys;
mod settle_keys;

use trent_domain::identifier::{KeyId, Region};
use trent_domain::time::Timestamp;
use trent_gate::Refusal;

use crate::error::KmsError;
use crate::open::Service;

/// How many keys one run of a job looks at.
const BATCH: usize = 256;

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
        let next = trent_database::read(&*self.database, move |records| {
            let Some((region, id)) = records.due_keys(until, 1)?.pop() else { return Ok(None) };
            Ok(records.key(region, id)?.and_then(|key| key.due_at()))
        });
        Ok(next.await?)
    }

    /// Runs every job once. The error is that of the first that failed; the others have run all the same.
    pub async fn run_jobs(&self) -> Result<JobReport, KmsError> {
        let deleted = self.delete_expired_keys().await;
        let settled = self.settle_keys().await;
        let rotated = self.rotate_due_keys().await;
        let expired = self.expire_imported_material().await;
        let usages = self.flush_last_usage().await;
        Ok(JobReport {
            deleted: deleted?,
            settled: settled?,
            rotated: rotated?,
            expired: expired?,
            usages: usages?,
        })
    }
}

/// What a job did to the keys that were due. A key that fails every time must not keep the others from their turn,
/// so its error waits until they have had it.
#[derive(Default)]
struct Tally {
    done: usize,
    failed: Option<Refusal>,
}

impl Tally {
    fn count(&mut self, what: &'static str, (region, id): (Region, KeyId), done: Result<bool, Refusal>) {
        match done {
            Ok(true) => {
                tracing::info!(%region, key = %id, "{what}");
                self.done += 1;
            }
            // It is not due any more.
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%region, key = %id, %error, "not done, and tried again: {what}");
                self.failed.get_or_insert(error);
            }
        }
    }

    fn finish(self) -> Result<usize, KmsError> {
        match self.failed {
            Some(error) => Err(error.into()),
            None => Ok(self.done),
        }
    }
}
