//! CreateCustomKeyStore: a record of where keys will be. Connecting comes later, and is asked for apart.

use trent_domain::key_store::{Backing, Connection, KeyStore, KeyStoreId};
use trent_gate::CreateCustomKeyStore;
use trent_protocol::{CreateCustomKeyStoreRequest, CreateCustomKeyStoreResponse, Operation};

use super::checks::{check_name, check_proxy, check_quota, check_shared};
use super::clusters::{made_before, new_cluster};
use super::failed_logins;
use super::parameters::{self, New, taken};
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for CreateCustomKeyStoreRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<CreateCustomKeyStoreResponse, KmsError> {
        let name = self.custom_key_store_name.clone();
        let new = parameters::create(self, ctx.call.caller.account, ctx.now)?;
        let permit = ctx.gate().authorize_account::<CreateCustomKeyStore>(&ctx.facts())?;
        let (account, region) = (permit.account(), permit.region());
        let max = ctx.service.options.key_stores_per_region_max;
        let stores = trent_database::read(ctx.database(), move |records| records.key_stores(Some(region)));
        let stores = stores.await?;
        if let New::CloudHsm(new) = &new
            && let Some(store) = made_before(&stores, account, &name, new, ctx)?
        {
            return Ok(CreateCustomKeyStoreResponse { custom_key_store_id: Some(store.id.to_string()) });
        }
        check_quota(&stores, account, max)?;
        check_name(&stores, account, &name, None)?;
        let (backing, secret) = match new {
            New::External(proxy, secret) => (Backing::External(proxy), secret),
            New::CloudHsm(new) => {
                (Backing::CloudHsm(new_cluster(&stores, account, &new, ctx)?), new.password)
            }
        };
        let mut store = KeyStore {
            id: KeyStoreId::generate(ctx.service.random_array()?),
            account,
            region,
            name,
            created: ctx.now,
            backing,
            sealed_secret: Vec::new(),
            connection: Connection::Disconnected,
            attempt: 0,
            version: 0,
        };
        check_shared(&stores, &store)?;
        let credential = taken(&secret);
        check_proxy(&store, &credential, Operation::CreateCustomKeyStore, ctx).await?;
        store.sealed_secret = ctx.gate().seal_key_store_secret(&store, &credential).await?;
        let answer = CreateCustomKeyStoreResponse { custom_key_store_id: Some(store.id.to_string()) };
        trent_database::write(ctx.database(), "create custom key store", move |transaction| {
            // Asked again: another request may have taken what was free.
            let stores = transaction.key_stores(Some(region))?;
            check_quota(&stores, account, max)?;
            check_name(&stores, account, &store.name, None)?;
            check_shared(&stores, &store)?;
            let mut store = store.clone();
            failed_logins::resume(transaction, &mut store)?;
            Ok::<_, KmsError>(transaction.insert_key_store(&store)?)
        })
        .await??;
        Ok(answer)
    }
}
