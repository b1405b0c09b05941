//! Deletes keys whose waiting period is over: the key, its material, aliases, tags and last usage.

use trent_gate::DeleteExpiredKey;

use super::{BATCH, Tally};
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn delete_expired_keys(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let due = trent_database::read(&*self.database, move |records| records.due_keys(now, BATCH)).await?;
        let mut tally = Tally::default();
        for (region, id) in due {
            let done = self.gate.as_system::<DeleteExpiredKey>(region, id).delete(now).await;
            tally.count("key deleted after its waiting period", (region, id), done);
        }
        tally.finish()
    }
}
