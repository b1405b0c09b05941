//! Rotates keys whose automatic rotation is due.

use trent_gate::RotateDueKey;

use super::BATCH;
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn rotate_due_keys(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let due = trent_database::read(&*self.database, move |records| records.due_keys(now, BATCH)).await?;
        let mut rotated = 0;
        for (region, id) in due {
            if self.gate.as_system::<RotateDueKey>(region, id).rotate(now).await? {
                tracing::info!(%region, key = %id, "key rotated");
                rotated += 1;
            }
        }
        Ok(rotated)
    }
}
