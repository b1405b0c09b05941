//! UpdateCustomKeyStore: changes what a record says, all of it or nothing. Nothing is kept that does not work.

use trent_domain::key_store::{Backing, Cluster, KeyStore, Property};
use trent_gate::UpdateCustomKeyStore;
use trent_protocol::{ErrorCode, Operation, UpdateCustomKeyStoreRequest, UpdateCustomKeyStoreResponse};

use super::checks::{check_name, check_proxy, check_shared};
use super::parameters::{self, Update, forbid, taken};
use super::{clusters, record};
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for UpdateCustomKeyStoreRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<UpdateCustomKeyStoreResponse, KmsError> {
        let id = self.custom_key_store_id.clone();
        let mut update = parameters::update(self, ctx.now)?;
        let permit = ctx.gate().authorize_account::<UpdateCustomKeyStore>(&ctx.facts())?;
        let (account, region) = (permit.account(), permit.region());
        let stored = record::find(&id, account, region, ctx).await?;
        check_kind(&stored, &update)?;
        stored.check_update(&update.properties())?;
        if update.properties().is_empty() {
            record::note(&stored, ctx);
            return Ok(UpdateCustomKeyStoreResponse {});
        }
        let mut changed = apply(&stored, &update, ctx)?;
        let stores =
            trent_database::read(ctx.database(), move |records| records.key_stores(Some(region))).await?;
        check_name(&stores, account, &changed.name, Some(&changed.id))?;
        check_shared(&stores, &changed)?;
        if update.changes_proxy() {
            let credential = match update.proxy.secret.take() {
                Some(secret) => taken(&secret),
                None => ctx.gate().open_key_store_secret(&stored)?,
            };
            check_proxy(&changed, &credential, Operation::UpdateCustomKeyStore, ctx).await?;
            changed.sealed_secret = ctx.gate().seal_key_store_secret(&changed, &credential).await?;
        }
        if let Some(password) = update.password.take() {
            changed.sealed_secret = ctx.gate().seal_key_store_secret(&changed, &taken(&password)).await?;
        }
        let written = trent_database::write(ctx.database(), "update custom key store", move |transaction| {
            let current = record::find_in_transaction(transaction, &id, account, region)?;
            current.check_update(&update.properties())?;
            // What was checked is what is written. Of two changes at once, one is told to try again.
            if (&current.backing, &current.name) != (&stored.backing, &stored.name) {
                return Err(KmsError::new(
                    ErrorCode::KmsInternal,
                    "The custom key store was being changed. Try again.",
                ));
            }
            let (KeyStore { name, backing, .. }, sealed_secret) =
                (changed.clone(), changed.sealed_secret.clone());
            let current = KeyStore { name, backing, sealed_secret, ..current };
            let stores = transaction.key_stores(Some(region))?;
            check_name(&stores, account, &current.name, Some(&current.id))?;
            check_shared(&stores, &current)?;
            transaction.update_key_store(&current)?;
            Ok(current)
        });
        record::note(&written.await??, ctx);
        Ok(UpdateCustomKeyStoreResponse {})
    }
}

/// Whether the members of a request are about a key store of this type.
fn check_kind(store: &KeyStore, update: &Update) -> Result<(), KmsError> {
    let given = update.properties();
    let has = |property| given.contains(&property);
    match store.backing {
        Backing::CloudHsm(_) => {
            let about_proxy = has(Property::Credential) || has(Property::Path) || has(Property::Route);
            forbid(&[("A member about an external key store proxy", about_proxy)], store.kind().as_str())
        }
        Backing::External(_) => {
            forbid(&[("A member about a cluster", has(Property::Cluster))], store.kind().as_str())
        }
    }
}

fn apply(store: &KeyStore, update: &Update, ctx: &Context<'_>) -> Result<KeyStore, KmsError> {
    let backing = match (&store.backing, &update.cluster) {
        (Backing::External(proxy), _) => Backing::External(update.proxy.apply(proxy, store.account)?),
        (Backing::CloudHsm(cluster), Some(id)) => {
            let Cluster { trust_anchor, lineage, passwords, .. } = cluster.clone();
            let id = clusters::moved(store, id, ctx)?.id;
            Backing::CloudHsm(Cluster { id, trust_anchor, lineage, passwords })
        }
        (cluster @ Backing::CloudHsm(_), None) => cluster.clone(),
    };
    let name = update.name.clone().unwrap_or_else(|| store.name.clone());
    Ok(KeyStore { name, backing, ..store.clone() })
}
