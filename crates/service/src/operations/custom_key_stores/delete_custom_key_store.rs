//! DeleteCustomKeyStore: forgets a key store that has no keys. Nothing behind it is touched.

use trent_gate::DeleteCustomKeyStore;
use trent_protocol::{DeleteCustomKeyStoreRequest, DeleteCustomKeyStoreResponse, ErrorCode};

use super::failed_logins;
use super::record::{find_in_transaction, note};
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DeleteCustomKeyStoreRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<DeleteCustomKeyStoreResponse, KmsError> {
        let permit = ctx.gate().authorize_account::<DeleteCustomKeyStore>(&ctx.facts())?;
        let (account, region, id) = (permit.account(), permit.region(), self.custom_key_store_id);
        let deleted = trent_database::write(ctx.database(), "delete custom key store", move |transaction| {
            let store = find_in_transaction(transaction, &id, account, region)?;
            store.check_delete()?;
            if !transaction.keys_in_store(&store.id, None)?.is_empty() {
                let text = format!("Custom key store {id} contains KMS keys. Delete them first.");
                return Err(KmsError::new(ErrorCode::CustomKeyStoreHasCmks, text));
            }
            failed_logins::keep(transaction, &store)?;
            transaction.delete_key_store(&store.id)?;
            Ok(store)
        });
        note(&deleted.await??, ctx);
        Ok(DeleteCustomKeyStoreResponse {})
    }
}
