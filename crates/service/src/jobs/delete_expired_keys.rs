//! Deletes keys whose waiting period is over: the key, its material, aliases, tags and last usage.

use trent_audit::Internal;
use trent_domain::identifier::KeyArn;
use trent_gate::{DeleteExpiredKey, Deleted, FormerHsmKey};

use super::round::Round;
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn delete_expired_keys(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let mut round = Round::at(now);
        while let Some(due) = round.next(self).await? {
            let done = self.gate.as_system::<DeleteExpiredKey>(due.region, due.id).delete(now).await;
            if let Some(Deleted { arn, in_hsms }) =
                round.count("key deleted after its waiting period", due, done)
            {
                in_hsms.iter().for_each(|former| log(&arn, former));
                self.record(&Internal::delete_key(arn.to_string())).await?;
            }
        }
        round.finish()
    }
}

/// Nobody tries again: whoever runs the HSMs has to know what is left in them.
fn log(arn: &KeyArn, former: &FormerHsmKey) {
    let FormerHsmKey { store, cluster, id, destroyed } = former;
    let cluster = cluster.as_deref().unwrap_or_default();
    let (key, key_store) = (arn, store);
    match destroyed {
        Ok(()) => {
            tracing::info!(%key, %key_store, cluster, hsm_key = %id, "key destroyed in HSMs");
        }
        Err(error) => {
            tracing::error!(%key, %key_store, cluster, hsm_key = %id, %error, "key orphaned in HSMs");
        }
    }
}
