//! Which members of a request go together, and what they say: rules that need nothing but the request.

use trent_domain::identifier::AccountId;
use trent_domain::key_store::{Credential, Endpoint, EndpointError, Property, Proxy, Reach};
use trent_domain::time::Timestamp;
use trent_gate::KeyStoreCredential;
use trent_protocol::{
    CreateCustomKeyStoreRequest, CustomKeyStoreType, ErrorCode, SecretString, UpdateCustomKeyStoreRequest,
    XksProxyAuthenticationCredential, XksProxyConnectivity,
};

use crate::error::KmsError;

/// What CreateCustomKeyStore is to make.
pub(super) enum New {
    /// A store backed by a cluster of HSMs.
    CloudHsm(NewCluster),
    /// A store backed by a key manager behind a proxy, and the secret half of the credential.
    External(Proxy, SecretString),
}

/// What a request says of a cluster of HSMs.
pub(super) struct NewCluster {
    /// Its id.
    pub(super) id: String,
    /// The certificate that signed its own, PEM.
    pub(super) trust_anchor: String,
    /// The password of `kmsuser`.
    pub(super) password: SecretString,
}

/// Reads what a request says of a new key store.
pub(super) fn create(
    request: CreateCustomKeyStoreRequest,
    caller: AccountId,
    now: Timestamp,
) -> Result<New, KmsError> {
    let kind = request.custom_key_store_type.unwrap_or(CustomKeyStoreType::AwsCloudhsm);
    match kind {
        CustomKeyStoreType::AwsCloudhsm => {
            let members = [
                ("XksProxyConnectivity", request.xks_proxy_connectivity.is_some()),
                ("XksProxyUriEndpoint", request.xks_proxy_uri_endpoint.is_some()),
                ("XksProxyUriPath", request.xks_proxy_uri_path.is_some()),
                (CREDENTIAL, request.xks_proxy_authentication_credential.is_some()),
                (SERVICE_NAME, request.xks_proxy_vpc_endpoint_service_name.is_some()),
                (SERVICE_OWNER, request.xks_proxy_vpc_endpoint_service_owner.is_some()),
            ];
            forbid(&members, kind.as_str())?;
            Ok(New::CloudHsm(NewCluster {
                id: required("CloudHsmClusterId", request.cloud_hsm_cluster_id)?,
                trust_anchor: required("TrustAnchorCertificate", request.trust_anchor_certificate)?,
                password: required("KeyStorePassword", request.key_store_password)?,
            }))
        }
        CustomKeyStoreType::ExternalKeyStore => {
            let members = [
                ("CloudHsmClusterId", request.cloud_hsm_cluster_id.is_some()),
                ("TrustAnchorCertificate", request.trust_anchor_certificate.is_some()),
                ("KeyStorePassword", request.key_store_password.is_some()),
            ];
            forbid(&members, kind.as_str())?;
            let connectivity = required("XksProxyConnectivity", request.xks_proxy_connectivity)?;
            let endpoint = required("XksProxyUriEndpoint", request.xks_proxy_uri_endpoint)?;
            let path = required("XksProxyUriPath", request.xks_proxy_uri_path)?;
            let given = required(CREDENTIAL, request.xks_proxy_authentication_credential)?;
            let reach = match connectivity {
                XksProxyConnectivity::PublicEndpoint => {
                    forbid_for_public(
                        request.xks_proxy_vpc_endpoint_service_name.is_some(),
                        request.xks_proxy_vpc_endpoint_service_owner.is_some(),
                    )?;
                    Reach::Public
                }
                XksProxyConnectivity::VpcEndpointService => Reach::VpcEndpointService {
                    name: required(SERVICE_NAME, request.xks_proxy_vpc_endpoint_service_name)?,
                    owner: owner(request.xks_proxy_vpc_endpoint_service_owner)?.unwrap_or(caller),
                },
            };
            let (credential, secret) = credential(given, now)?;
            let (endpoint, path) = (Endpoint::parse(&endpoint)?, checked_path(path)?);
            Ok(New::External(Proxy { endpoint, path, reach, credential }, secret))
        }
    }
}

/// What UpdateCustomKeyStore is to change of an external key store.
pub(super) struct ProxyUpdate {
    endpoint: Option<Endpoint>,
    path: Option<String>,
    connectivity: Option<XksProxyConnectivity>,
    service: Option<String>,
    owner: Option<AccountId>,
    credential: Option<Credential>,
    /// The secret half of the new credential.
    pub(super) secret: Option<SecretString>,
}

/// What UpdateCustomKeyStore is to change.
pub(super) struct Update {
    /// The new name.
    pub(super) name: Option<String>,
    /// The id of another cluster.
    pub(super) cluster: Option<String>,
    /// The password that `kmsuser` has now.
    pub(super) password: Option<SecretString>,
    /// The members about a proxy.
    pub(super) proxy: ProxyUpdate,
}

/// Reads what a request says of changes.
pub(super) fn update(request: UpdateCustomKeyStoreRequest, now: Timestamp) -> Result<Update, KmsError> {
    let (credential, secret) = match request.xks_proxy_authentication_credential {
        Some(given) => credential(given, now).map(|(credential, secret)| (Some(credential), Some(secret)))?,
        None => (None, None),
    };
    let proxy = ProxyUpdate {
        endpoint: request.xks_proxy_uri_endpoint.as_deref().map(Endpoint::parse).transpose()?,
        path: request.xks_proxy_uri_path.map(checked_path).transpose()?,
        connectivity: request.xks_proxy_connectivity,
        service: request.xks_proxy_vpc_endpoint_service_name,
        owner: owner(request.xks_proxy_vpc_endpoint_service_owner)?,
        credential,
        secret,
    };
    // A way to a proxy is changed as a whole.
    let incomplete = match proxy.connectivity {
        Some(XksProxyConnectivity::VpcEndpointService) => proxy.endpoint.is_none() || proxy.service.is_none(),
        Some(XksProxyConnectivity::PublicEndpoint) => proxy.endpoint.is_none(),
        None => false,
    };
    if incomplete {
        let text = "To change XksProxyConnectivity, XksProxyUriEndpoint must be specified, and for \
                    VPC_ENDPOINT_SERVICE also XksProxyVpcEndpointServiceName.";
        return Err(KmsError::validation(text));
    }
    let (cluster, password) = (request.cloud_hsm_cluster_id, request.key_store_password);
    Ok(Update { name: request.new_custom_key_store_name, cluster, password, proxy })
}

impl Update {
    /// What changes: each property has states in which it may.
    pub(super) fn properties(&self) -> Vec<Property> {
        let ProxyUpdate { endpoint, path, connectivity, service, owner, credential, .. } = &self.proxy;
        let route = endpoint.is_some() || connectivity.is_some() || service.is_some() || owner.is_some();
        let named = [
            (self.name.is_some(), Property::Name),
            (credential.is_some(), Property::Credential),
            (path.is_some(), Property::Path),
            (route, Property::Route),
            (self.cluster.is_some() || self.password.is_some(), Property::Cluster),
        ];
        named.into_iter().filter_map(|(given, property)| given.then_some(property)).collect()
    }

    /// Whether anything but the name and what is about a cluster changes: then the proxy is looked at.
    pub(super) fn changes_proxy(&self) -> bool {
        self.properties().iter().any(|property| !matches!(property, Property::Name | Property::Cluster))
    }
}

impl ProxyUpdate {
    /// The proxy as it is afterwards.
    pub(super) fn apply(&self, proxy: &Proxy, caller: AccountId) -> Result<Proxy, KmsError> {
        Ok(Proxy {
            endpoint: self.endpoint.clone().unwrap_or_else(|| proxy.endpoint.clone()),
            path: self.path.clone().unwrap_or_else(|| proxy.path.clone()),
            reach: self.reach(&proxy.reach, caller)?,
            credential: self.credential.clone().unwrap_or_else(|| proxy.credential.clone()),
        })
    }

    fn reach(&self, current: &Reach, caller: AccountId) -> Result<Reach, KmsError> {
        match (self.connectivity.unwrap_or(current.connectivity()), current) {
            (XksProxyConnectivity::PublicEndpoint, _) => {
                forbid_for_public(self.service.is_some(), self.owner.is_some())?;
                Ok(Reach::Public)
            }
            (XksProxyConnectivity::VpcEndpointService, Reach::Public) => Ok(Reach::VpcEndpointService {
                name: required(SERVICE_NAME, self.service.clone())?,
                owner: self.owner.unwrap_or(caller),
            }),
            (XksProxyConnectivity::VpcEndpointService, Reach::VpcEndpointService { name, owner }) => {
                Ok(Reach::VpcEndpointService {
                    name: self.service.clone().unwrap_or_else(|| name.clone()),
                    owner: self.owner.unwrap_or(*owner),
                })
            }
        }
    }
}

const CREDENTIAL: &str = "XksProxyAuthenticationCredential";
const SERVICE_NAME: &str = "XksProxyVpcEndpointServiceName";
const SERVICE_OWNER: &str = "XksProxyVpcEndpointServiceOwner";

fn required<T>(member: &str, given: Option<T>) -> Result<T, KmsError> {
    given.ok_or_else(|| {
        KmsError::validation(format!("{member} is required for this type of custom key store."))
    })
}

/// Refuses the first member that is given although it may not be, for `what`.
pub(super) fn forbid(members: &[(&str, bool)], what: &str) -> Result<(), KmsError> {
    match members.iter().find(|(_, given)| *given) {
        Some((member, _)) => Err(KmsError::validation(format!("{member} must not be specified for {what}."))),
        None => Ok(()),
    }
}

/// The secret of a request, for the gate.
pub(super) fn taken(secret: &SecretString) -> KeyStoreCredential {
    KeyStoreCredential::new(secret.expose_secret().as_bytes().to_vec().into())
}

fn forbid_for_public(service: bool, owner: bool) -> Result<(), KmsError> {
    forbid(&[(SERVICE_NAME, service), (SERVICE_OWNER, owner)], "XksProxyConnectivity PUBLIC_ENDPOINT")
}

fn credential(
    given: XksProxyAuthenticationCredential,
    now: Timestamp,
) -> Result<(Credential, SecretString), KmsError> {
    let access_key_id = given.access_key_id.expose_secret().to_owned();
    Ok((Credential { access_key_id, set: now }, given.raw_secret_access_key))
}

fn checked_path(path: String) -> Result<String, KmsError> {
    Proxy::check_path(&path)?;
    Ok(path)
}

fn owner(given: Option<String>) -> Result<Option<AccountId>, KmsError> {
    let wrong = |_| KmsError::validation(format!("{SERVICE_OWNER} must be the 12 digits of an account"));
    given.map(|digits| digits.parse().map_err(wrong)).transpose()
}

impl From<EndpointError> for KmsError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Host => Self::validation(error.to_string()),
            EndpointError::Version => Self::new(ErrorCode::XksProxyInvalidConfiguration, error.to_string()),
        }
    }
}
