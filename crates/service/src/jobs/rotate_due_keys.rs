//! Rotates keys whose automatic rotation is due.

use trent_gate::RotateDueKey;

use super::{BATCH, Tally};
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn rotate_due_keys(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let due = trent_database::read(&*self.database, move |records| records.due_keys(now, BATCH)).await?;
        let mut tally = Tally::default();
        for (region, id) in due {
            let done = self.gate.as_system::<RotateDueKey>(region, id).rotate(now).await;
            tally.count("key rotated", (region, id), done);
        }
        tally.finish()
    }
}
