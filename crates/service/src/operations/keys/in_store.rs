//! CreateKey in a custom key store: what goes together in a request, what must be so before anything is kept, and the key
//! in HSMs.

use trent_database::Transaction;
use trent_domain::key::Key;
use trent_domain::key_store::{
    Backing, HeldAs, InStore, KeyStore, NOT_CONNECTED, Proxy, UnfitExternalKey, check_external_key,
};
use trent_gate::{AuthorizedAccount, CreateKey, NewHsmKey, UseError};
use trent_protocol::{CreateKeyRequest, CustomKeyStoreType, ErrorCode, KeySpec, KeyUsage, Origin};

use crate::context::Context;
use crate::error::KmsError;
use crate::operations::custom_key_stores::{find, find_in_transaction, not_connected_to_cluster};

/// Which key store a request names, and what the other half of the key is called there.
#[derive(Debug)]
pub(super) struct Wanted {
    store: String,
    external_key: Option<String>,
}

impl Wanted {
    /// What a request wants of a key store; nothing where trent is to hold the key.
    pub(super) fn parse(request: &CreateKeyRequest, spec: KeySpec) -> Result<Option<Self>, KmsError> {
        let origin = request.origin.unwrap_or(Origin::AwsKms);
        let in_store = matches!(origin, Origin::AwsCloudhsm | Origin::ExternalKeyStore);
        if in_store {
            check_kind(request, spec)?;
        }
        if in_store != request.custom_key_store_id.is_some() {
            return Err(KmsError::validation(format!(
                "CustomKeyStoreId must be specified with Origin AWS_CLOUDHSM or EXTERNAL_KEY_STORE, and with no other; Origin is {origin}."
            )));
        }
        if (origin == Origin::ExternalKeyStore) != request.xks_key_id.is_some() {
            return Err(KmsError::validation(format!(
                "XksKeyId must be specified with Origin EXTERNAL_KEY_STORE, and with no other; Origin is {origin}."
            )));
        }
        let external_key = request.xks_key_id.clone();
        if let Some(id) = &external_key {
            // What follows from the store is looked at when that is known.
            check_external_key(id, "", "").map_err(invalid)?;
        }
        Ok(request.custom_key_store_id.clone().map(|store| Self { store, external_key }))
    }

    /// The place of the new key, once the proxy has told that its external key is fit, or the HSMs have made it.
    pub(super) async fn find(
        self,
        key: &Key,
        permit: &AuthorizedAccount<'_, CreateKey>,
        ctx: &Context<'_>,
    ) -> Result<Found, KmsError> {
        let store = find(&self.store, permit.account(), permit.region(), ctx).await?;
        check_connected(&store)?;
        match (key.origin, &store.backing, self.external_key) {
            (Origin::ExternalKeyStore, Backing::External(proxy), Some(name)) => {
                let place = external(&store, proxy, name, permit, ctx).await?;
                Ok(Found { place, hsm_key: None, cluster: None })
            }
            (Origin::AwsCloudhsm, Backing::CloudHsm(cluster), None) => {
                let made = permit.make_hsm_key(&store, key.arn()).await.map_err(unmade)?;
                ctx.event.additional_texts("hsmSerials", made.hsms());
                Ok(Found { place: made.place(), hsm_key: Some(made), cluster: Some(cluster.id.clone()) })
            }
            (origin, ..) => Err(unfit(origin, store.kind())),
        }
    }
}

/// The place of a key that is about to be made.
pub(super) struct Found {
    pub(super) place: InStore,
    /// It is in HSMs already, and destroyed again unless it is kept.
    pub(super) hsm_key: Option<NewHsmKey>,
    /// The cluster of those.
    pub(super) cluster: Option<String>,
}

async fn external(
    store: &KeyStore,
    proxy: &Proxy,
    name: String,
    permit: &AuthorizedAccount<'_, CreateKey>,
    ctx: &Context<'_>,
) -> Result<InStore, KmsError> {
    check_name(&name, proxy)?;
    let place = InStore::external(store.id.clone(), name.clone());
    let asked = place.clone();
    trent_database::read(ctx.database(), move |records| {
        let found = records.keys_in_store(&asked.store, asked.external_key())?;
        Ok(check_free(found.is_empty()))
    })
    .await??;
    let found = permit.describe_external_key(store, &name, ctx.behalf()).await;
    found.map_err(unmade)?.check()?;
    Ok(place)
}

/// Whether the place of a key is still there, and free, in the transaction that makes the key.
pub(super) fn check_again(transaction: &dyn Transaction, key: &Key) -> Result<(), KmsError> {
    let Some(InStore { store, held_as }) = &key.in_store else { return Ok(()) };
    check_connected(&find_in_transaction(transaction, store.as_str(), key.account, key.region)?)?;
    match held_as {
        HeldAs::ExternalKey(name) => check_free(transaction.keys_in_store(store, Some(name))?.is_empty()),
        HeldAs::HsmKey(_) => Ok(()),
    }
}

/// Key stores hold symmetric encryption keys of one Region.
fn check_kind(request: &CreateKeyRequest, spec: KeySpec) -> Result<(), KmsError> {
    if request.multi_region == Some(true) {
        return Err(unsupported("Multi-Region keys cannot be created in a custom key store."));
    }
    let is_other_usage = request.key_usage.is_some_and(|usage| usage != KeyUsage::EncryptDecrypt);
    if spec != KeySpec::SymmetricDefault || is_other_usage {
        return Err(unsupported("Only symmetric encryption keys can be created in a custom key store."));
    }
    Ok(())
}

fn check_connected(store: &KeyStore) -> Result<(), KmsError> {
    if store.is_connected() {
        return Ok(());
    }
    let text = match &store.backing {
        Backing::External(_) => NOT_CONNECTED.to_owned(),
        Backing::CloudHsm(_) => not_connected_to_cluster(&store.id),
    };
    Err(KmsError::new(ErrorCode::CustomKeyStoreInvalidState, text))
}

fn check_name(external_key: &str, proxy: &Proxy) -> Result<(), KmsError> {
    check_external_key(external_key, proxy.endpoint.as_str(), &proxy.path).map_err(invalid)
}

fn check_free(free: bool) -> Result<(), KmsError> {
    if free {
        return Ok(());
    }
    let text = "The external key is already associated with another KMS key in this external key store.";
    Err(KmsError::new(ErrorCode::XksKeyAlreadyInUse, text))
}

fn unmade(error: UseError) -> KmsError {
    match error {
        UseError::Proxy(failure) => KmsError::new(failure.while_creating_a_key(), failure.message()),
        UseError::Hsm(failure) => KmsError::new(failure.while_creating_a_key(), failure.to_string()),
        // What else may be wrong with a cluster has no code of its own here.
        UseError::Cluster(error) => {
            KmsError::new(ErrorCode::CloudHsmClusterInvalidConfiguration, error.to_string())
        }
        other => other.into(),
    }
}

fn unfit(origin: Origin, kind: CustomKeyStoreType) -> KmsError {
    unsupported(&format!("Keys of Origin {origin} cannot be created in a custom key store of type {kind}."))
}

fn invalid(error: impl std::error::Error) -> KmsError {
    KmsError::validation(error.to_string())
}

fn unsupported(text: &str) -> KmsError {
    KmsError::new(ErrorCode::UnsupportedOperation, text)
}

impl From<UnfitExternalKey> for KmsError {
    fn from(error: UnfitExternalKey) -> Self {
        Self::new(UnfitExternalKey::CODE, error.to_string())
    }
}
