//! Deletes imported material that has expired, as DeleteImportedKeyMaterial would: its key waits for an import again.

use trent_gate::ExpireImportedMaterial;

use super::{BATCH, Tally};
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn expire_imported_material(&self) -> Result<usize, KmsError> {
        let now = self.now();
        let due = trent_database::read(&*self.database, move |records| records.due_keys(now, BATCH)).await?;
        let mut tally = Tally::default();
        for (region, id) in due {
            let done = self.gate.as_system::<ExpireImportedMaterial>(region, id).expire(now).await;
            tally.count("imported material deleted at the end of its validity", (region, id), done);
        }
        tally.finish()
    }
}
