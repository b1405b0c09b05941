//! Deletes keys whose waiting period is over: the key, its material, aliases, tags and last usage.

use trent_audit::Internal;
use trent_gate::{DeleteExpiredKey, Deleted};

use super::round::Round;
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn delete_expired_keys(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let mut round = Round::at(now);
        while let Some(due) = round.next(self).await? {
            let done = self.gate.as_system::<DeleteExpiredKey>(due.region, due.id).delete(now).await;
            match round.count("key deleted after its waiting period", due, done) {
                Some(Deleted { in_hsms: Some(former), .. }) => self.destroy_later(former),
                Some(Deleted { arn, in_hsms: None }) => {
                    self.record(&Internal::delete_key(arn.to_string())).await?;
                }
                None => {}
            }
        }
        round.finish()
    }
}
