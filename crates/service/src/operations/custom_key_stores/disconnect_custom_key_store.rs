//! DisconnectCustomKeyStore: from here on no request goes to what is behind the key store; its keys are unavailable.

use trent_domain::key_store::KeyStore;
use trent_gate::DisconnectCustomKeyStore;
use trent_protocol::{DisconnectCustomKeyStoreRequest, DisconnectCustomKeyStoreResponse};

use super::record;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DisconnectCustomKeyStoreRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<DisconnectCustomKeyStoreResponse, KmsError> {
        let permit = ctx.gate().authorize_account::<DisconnectCustomKeyStore>(&ctx.facts())?;
        let place = (permit.account(), permit.region());
        let begin = |store: &mut KeyStore| Ok(store.disconnect()?);
        record::change("disconnect custom key store", self.custom_key_store_id, place, begin, ctx).await?;
        ctx.service.wake_key_stores();
        Ok(DisconnectCustomKeyStoreResponse {})
    }
}
