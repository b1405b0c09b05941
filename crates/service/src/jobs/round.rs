//! One round of a job: all keys that are due, a batch at a time, and what became of them.

use std::collections::VecDeque;

use trent_database::DueKey;
use trent_domain::time::Timestamp;
use trent_gate::Refusal;

use crate::error::KmsError;
use crate::open::Service;

/// How many keys are read at once.
const BATCH: usize = 256;

/// Each key that is due has one turn in a round: those that fail every time keep no other from it, however many they
/// are, and their error waits until all have had theirs.
pub(super) struct Round {
    now: Timestamp,
    waiting: VecDeque<DueKey>,
    last: Option<DueKey>,
    done: usize,
    failed: Option<Refusal>,
}

impl Round {
    pub(super) const fn at(now: Timestamp) -> Self {
        Self { now, waiting: VecDeque::new(), last: None, done: 0, failed: None }
    }

    /// The key whose turn it is; none when all have had theirs.
    pub(super) async fn next(&mut self, service: &Service) -> Result<Option<DueKey>, KmsError> {
        if self.waiting.is_empty() {
            let (now, after) = (self.now, self.last);
            let read = move |records: &dyn trent_database::Records| records.due_keys(now, after, BATCH);
            self.waiting = trent_database::read(&*service.database, read).await?.into();
        }
        let next = self.waiting.pop_front();
        self.last = next.or(self.last);
        Ok(next)
    }

    /// Notes what the job did to a key, and gives what it tells of it.
    pub(super) fn count<T>(
        &mut self,
        what: &'static str,
        key: DueKey,
        done: Result<Option<T>, Refusal>,
    ) -> Option<T> {
        let DueKey { region, id, .. } = key;
        match done {
            Ok(Some(told)) => {
                tracing::info!(%region, key = %id, "{what}");
                self.done += 1;
                return Some(told);
            }
            // It is not due any more, or not for this job.
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%region, key = %id, %error, "not done, and tried again: {what}");
                self.failed.get_or_insert(error);
            }
        }
        None
    }

    /// How many keys the job did something to, or the first error.
    pub(super) fn finish(self) -> Result<usize, KmsError> {
        match self.failed {
            Some(error) => Err(error.into()),
            None => Ok(self.done),
        }
    }
}
