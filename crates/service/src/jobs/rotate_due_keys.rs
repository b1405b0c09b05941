//! Rotates keys whose automatic rotation is due.

use trent_gate::RotateDueKey;

use super::round::Round;
use crate::error::KmsError;
use crate::open::Service;
use crate::trail;

impl Service {
    pub(super) async fn rotate_due_keys(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let mut round = Round::at(now);
        while let Some(due) = round.next(self).await? {
            let done = self.gate.as_system::<RotateDueKey>(due.region, due.id).rotate(now).await;
            if let Some(rotated) = round.count("key rotated", due, done) {
                for event in trail::rotation("AUTOMATIC", &rotated) {
                    self.record(&event).await?;
                }
            }
        }
        round.finish()
    }
}
