//! ConnectCustomKeyStore: begins an attempt, and answers before it has ended. A job goes on with it.

use trent_domain::key_store::{KeyStore, RegisteredCluster, find_cluster};
use trent_gate::ConnectCustomKeyStore;
use trent_protocol::{ConnectCustomKeyStoreRequest, ConnectCustomKeyStoreResponse};

use super::record;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for ConnectCustomKeyStoreRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ConnectCustomKeyStoreResponse, KmsError> {
        let permit = ctx.gate().authorize_account::<ConnectCustomKeyStore>(&ctx.facts())?;
        let (place, now) = ((permit.account(), permit.region()), ctx.now);
        let registry = ctx.gate().registered();
        let begin = move |store: &mut KeyStore| {
            let begins = store.connect(now)?;
            if let (true, Some(cluster)) = (begins, store.cluster()) {
                // One that is gone is found to be so by the attempt.
                let found = find_cluster(&registry.clusters, &cluster.id, store.account, store.region);
                found.map_or(Ok(()), RegisteredCluster::check_connectable)?;
            }
            Ok(())
        };
        record::change("connect custom key store", self.custom_key_store_id, place, begin, ctx).await?;
        ctx.service.wake_key_stores();
        Ok(ConnectCustomKeyStoreResponse {})
    }
}
