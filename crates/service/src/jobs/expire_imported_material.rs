//! Deletes imported material that has expired, as DeleteImportedKeyMaterial would: its key waits for an import again.

use trent_audit::Internal;
use trent_gate::ExpireImportedMaterial;

use super::round::Round;
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn expire_imported_material(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let mut round = Round::at(now);
        while let Some(due) = round.next(self).await? {
            let done = self.gate.as_system::<ExpireImportedMaterial>(due.region, due.id).expire(now).await;
            if let Some(arn) = round.count("imported material deleted at the end of its validity", due, done)
            {
                self.record(&Internal::delete_expired_key_material(arn.to_string())).await?;
            }
        }
        round.finish()
    }
}
