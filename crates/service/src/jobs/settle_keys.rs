//! Ends the states that pass by themselves: `Creating` of replicas, `Updating` while the primary Region changes.

use trent_gate::SettleKey;

use super::round::Round;
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn settle_keys(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let mut round = Round::at(now);
        while let Some(due) = round.next(self).await? {
            let done = self.gate.as_system::<SettleKey>(due.region, due.id).settle(now).await;
            round.count("key settled", due, done);
        }
        round.finish()
    }
}
