//! A key store as DescribeCustomKeyStores shows it: never its secret.

use trent_domain::key_store::{Backing, KeyStore, Reach};
use trent_protocol::{CustomKeyStoresListEntry, SecretString, XksProxyConfiguration};

use crate::operations::keys::epoch;

pub(super) fn entry(store: &KeyStore) -> CustomKeyStoresListEntry {
    let shown = CustomKeyStoresListEntry {
        custom_key_store_id: Some(store.id.to_string()),
        custom_key_store_name: Some(store.name.clone()),
        custom_key_store_type: Some(store.kind()),
        connection_state: Some(store.connection.state()),
        connection_error_code: store.connection.error_code(),
        creation_date: Some(epoch(store.created)),
        ..CustomKeyStoresListEntry::default()
    };
    match &store.backing {
        Backing::CloudHsm(cluster) => CustomKeyStoresListEntry {
            cloud_hsm_cluster_id: Some(cluster.id.clone()),
            trust_anchor_certificate: Some(cluster.trust_anchor.clone()),
            ..shown
        },
        Backing::External(proxy) => {
            let (service, owner) = match &proxy.reach {
                Reach::Public => (None, None),
                Reach::VpcEndpointService { name, owner } => (Some(name.clone()), Some(owner.to_string())),
            };
            let configuration = XksProxyConfiguration {
                connectivity: Some(proxy.reach.connectivity()),
                access_key_id: Some(SecretString::new(proxy.credential.access_key_id.clone())),
                uri_endpoint: Some(proxy.endpoint.as_str().to_owned()),
                uri_path: Some(proxy.path.clone()),
                vpc_endpoint_service_name: service,
                vpc_endpoint_service_owner: owner,
            };
            CustomKeyStoresListEntry { xks_proxy_configuration: Some(configuration), ..shown }
        }
    }
}
