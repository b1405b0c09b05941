//! Ends the states that pass by themselves: `Creating` of replicas, `Updating` while the primary Region changes.

use trent_gate::SettleKey;

use super::{BATCH, Tally};
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn settle_keys(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let due = trent_database::read(&*self.database, move |records| records.due_keys(now, BATCH)).await?;
        let mut tally = Tally::default();
        for (region, id) in due {
            let done = self.gate.as_system::<SettleKey>(region, id).settle(now).await;
            tally.count("key settled", (region, id), done);
        }
        tally.finish()
    }
}
