//! Deletes keys whose waiting period is over: the key, its material, aliases, tags and last usage.

use trent_gate::DeleteExpiredKey;

use super::BATCH;
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn delete_expired_keys(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let due = trent_database::read(&*self.database, move |records| records.due_keys(now, BATCH)).await?;
        let mut deleted = 0;
        for (region, id) in due {
            if self.gate.as_system::<DeleteExpiredKey>(region, id).delete(now).await? {
                tracing::info!(%region, key = %id, "key deleted after its waiting period");
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}
