//! What must be free, and what must be well, before a key store is made or changed: from cheap to expensive.

use trent_domain::identifier::AccountId;
use trent_domain::key_store::{
    Backing, Connection, InvalidConnectionState, KeyStore, KeyStoreId, Reach, ServiceError, Taken,
};
use trent_gate::{Behalf, KeyStoreCredential};
use trent_protocol::{ErrorCode, Operation};

use super::clusters::check_free;
use crate::context::Context;
use crate::error::KmsError;

/// Whether an account may have another key store in a Region.
pub(super) fn check_quota(stores: &[KeyStore], account: AccountId, max: usize) -> Result<(), KmsError> {
    let count = stores.iter().filter(|store| store.account == account).count();
    if count < max {
        return Ok(());
    }
    let text = format!(
        "Custom key store quota for this account in this region is {max} but the current usage is {count}."
    );
    Err(KmsError::new(ErrorCode::LimitExceeded, text))
}

/// Whether a name is free in an account, for the key store `own` or for a new one.
pub(super) fn check_name(
    stores: &[KeyStore],
    account: AccountId,
    name: &str,
    own: Option<&KeyStoreId>,
) -> Result<(), KmsError> {
    let takes = |other: &KeyStore| Some(&other.id) != own && other.account == account && other.name == name;
    if stores.iter().any(takes) {
        let text = format!("A custom key store named {name} already exists.");
        return Err(KmsError::new(ErrorCode::CustomKeyStoreNameInUse, text));
    }
    Ok(())
}

/// Whether what is behind a key store shares nothing with another that it may not share.
pub(super) fn check_shared(stores: &[KeyStore], store: &KeyStore) -> Result<(), KmsError> {
    let mut others = stores.iter().filter(|other| other.id != store.id);
    match &store.backing {
        Backing::CloudHsm(cluster) => {
            check_free(others.filter(|other| other.account == store.account), cluster)
        }
        Backing::External(proxy) => match others.find_map(|other| proxy.taken(store.account, other)) {
            Some(taken) => Err(taken.into()),
            None => Ok(()),
        },
    }
}

/// Whether the proxy of a key store can be reached and is well, as far as that can be seen before it is connected.
pub(super) async fn check_proxy(
    store: &KeyStore,
    credential: &KeyStoreCredential,
    operation: Operation,
    ctx: &Context<'_>,
) -> Result<(), KmsError> {
    let Some(proxy) = store.proxy() else { return Ok(()) };
    ctx.gate().check_route(store)?;
    // Without a route a proxy in a private network is not reached before the store is connected.
    let private = matches!(proxy.reach, Reach::VpcEndpointService { .. });
    if private && store.connection != Connection::Connected {
        return Ok(());
    }
    let behalf = Behalf::health(operation.name(), ctx.call.request_id);
    let health = ctx.gate().proxy_health(store, credential, behalf).await;
    // What was only tried leaves no connection behind: a store that is not made would never be disconnected.
    if health.is_err() || store.connection != Connection::Connected {
        ctx.gate().forget_key_store(&store.id);
    }
    health.map_err(|failure| {
        let failure = failure.of_store();
        KmsError::new(failure.while_configuring(), failure.message())
    })
}

impl From<Taken> for KmsError {
    fn from(taken: Taken) -> Self {
        let code = match taken {
            Taken::Uri => ErrorCode::XksProxyUriInUse,
            Taken::Endpoint => ErrorCode::XksProxyUriEndpointInUse,
            Taken::Service => ErrorCode::XksProxyVpcEndpointServiceInUse,
        };
        Self::new(code, taken.to_string())
    }
}

impl From<InvalidConnectionState> for KmsError {
    fn from(error: InvalidConnectionState) -> Self {
        Self::new(ErrorCode::CustomKeyStoreInvalidState, error.to_string())
    }
}

impl From<ServiceError> for KmsError {
    fn from(error: ServiceError) -> Self {
        Self::new(error.while_configuring(), error.to_string())
    }
}
