//! Custom key stores: made as by the root of their account, by an operator who has the proxy's configuration file; and the
//! wrong passwords of HSMs, forgotten by one who has put them right.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use trent_audit::Event;
use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::Caller;
use trent_domain::key_store::KeyStore;
use trent_domain::secret::Secret;
use trent_gate::{Connection, Standing};
use trent_protocol::{
    CreateCustomKeyStoreRequest, ErrorCode, Request, SecretString, XksProxyAuthenticationCredential,
};

use super::{Outcome, Refused, Reply, unknown_account};
use crate::context::Call;
use crate::error::KmsError;
use crate::open::Service;
use crate::pipeline::run;

/// An external key store that is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKeyStore {
    /// Whose it is.
    pub account: AccountId,
    /// Its Region.
    pub region: Region,
    /// Its name.
    pub name: String,
    /// `https://` and the host of the proxy.
    pub endpoint: String,
    /// The VPC endpoint service that leads to it; absent for a public one.
    pub service: Option<String>,
    /// The account that owns the service, if not the same.
    pub service_owner: Option<AccountId>,
    /// The path at the proxy.
    pub path: String,
    /// By what the proxy knows KMS.
    pub access_key_id: String,
    /// The secret half of that.
    pub secret: Secret,
}

impl Service {
    pub(super) async fn create_key_store(&self, new: NewKeyStore) -> Outcome {
        let NewKeyStore { account, region, .. } = new;
        let stored = trent_database::read(&*self.database, |records| records.accounts()).await?;
        if !stored.iter().any(|known| known.id == account)
            && !self.configured.lock().await.has_account(account)
        {
            return Err(unknown_account(account));
        }
        if self.options.regions.as_ref().is_some_and(|regions| !regions.contains(&region)) {
            return Err(Refused::new(format!(
                "requests for {region} are not served; auth.regions says which are"
            )));
        }
        let call = Call {
            caller: Arc::new(Caller::root(account, "")),
            standing: Arc::new(Standing::default()),
            region,
            request_id: self.new_request_id(),
            connection: Connection::default(),
        };
        // The record is that of the command.
        let event = Event::new(self.new_event_id(), false);
        let made = run(self, request(new)?, &call, &event).await.map_err(|error| explained(&error))?;
        Ok(Reply::KeyStore { id: made.custom_key_store_id.unwrap_or_default() })
    }
}

impl Service {
    pub(super) async fn unlock_key_store(&self, id: &str) -> Outcome {
        let unknown = || {
            Refused::new(format!(
                "no CloudHSM key store {id}; `aws kms describe-custom-key-stores` shows those there are"
            ))
        };
        let id = id.parse().map_err(|_| unknown())?;
        let unlocked = self.change_key_store("unlock custom key store", &id, KeyStore::unlock).await;
        if !unlocked.map_err(|error| Refused::new(error.to_string()))? {
            return Err(unknown());
        }
        self.gate.forgive_hsms(&id);
        self.wake_key_stores();
        Ok(Reply::Done)
    }
}

/// The request that the API has for it.
fn request(new: NewKeyStore) -> Result<CreateCustomKeyStoreRequest, Refused> {
    let mut members = json!({
        "CustomKeyStoreName": new.name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": new.endpoint,
        "XksProxyUriPath": new.path,
    });
    if let (Some(service), Some(members)) = (new.service, members.as_object_mut()) {
        members.insert("XksProxyConnectivity".to_owned(), "VPC_ENDPOINT_SERVICE".into());
        members.insert("XksProxyVpcEndpointServiceName".to_owned(), service.into());
        if let Some(owner) = new.service_owner {
            members.insert("XksProxyVpcEndpointServiceOwner".to_owned(), owner.as_str().into());
        }
    }
    let request = CreateCustomKeyStoreRequest::decode(members.to_string().as_bytes());
    let credential = XksProxyAuthenticationCredential {
        access_key_id: SecretString::new(new.access_key_id),
        raw_secret_access_key: new.secret.into(),
    };
    Ok(CreateCustomKeyStoreRequest {
        xks_proxy_authentication_credential: Some(credential),
        ..request.map_err(|error| Refused::new(error.to_string()))?
    })
}

/// What callers are told, and what an operator can do about it.
fn explained(error: &KmsError) -> Refused {
    let next = match error.code {
        ErrorCode::XksProxyUriUnreachable => {
            "`trent xks check` tells more; [xks] of the configuration says where connections go and which roots are \
             trusted, and SIGHUP brings it into force"
        }
        ErrorCode::XksProxyIncorrectAuthenticationCredential => {
            "take a new configuration file from the proxy: `trent xks-proxy config` writes one"
        }
        ErrorCode::XksProxyInvalidConfiguration => {
            "the proxy at this endpoint does not serve the path in the file: is it the file of another proxy?"
        }
        ErrorCode::XksProxyInvalidResponse => "`trent xks check` says what is wrong with the proxy's answers",
        ErrorCode::XksProxyVpcEndpointServiceNotFound
        | ErrorCode::XksProxyVpcEndpointServiceInvalidConfiguration => {
            "services are declared in [[xks.vpc_endpoint_service]] of the configuration, which SIGHUP brings into force"
        }
        ErrorCode::CustomKeyStoreNameInUse
        | ErrorCode::XksProxyUriInUse
        | ErrorCode::XksProxyUriEndpointInUse
        | ErrorCode::XksProxyVpcEndpointServiceInUse => {
            "`aws kms describe-custom-key-stores` shows which there are"
        }
        ErrorCode::LimitExceeded => "limits.custom_key_stores of the configuration is another number",
        _ => "nothing was made",
    };
    let message = error.message.clone().unwrap_or_else(|| error.code.to_string());
    Refused::new(format!("{}; {next}", message.trim_end_matches('.')))
}
