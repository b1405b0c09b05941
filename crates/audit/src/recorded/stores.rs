//! Custom key stores. Passwords, the credentials of proxies and certificates are not recorded.

use super::recorded;

recorded! {
    CreateCustomKeyStoreRequest {
        "customKeyStoreName": custom_key_store_name, "customKeyStoreType": custom_key_store_type,
        "clusterId": cloud_hsm_cluster_id, "xksProxyUriEndpoint": xks_proxy_uri_endpoint,
        "xksProxyUriPath": xks_proxy_uri_path,
        "xksProxyVpcEndpointServiceName": xks_proxy_vpc_endpoint_service_name,
        "xksProxyVpcEndpointServiceOwner": xks_proxy_vpc_endpoint_service_owner,
        "xksProxyConnectivity": xks_proxy_connectivity,
    } answers { "customKeyStoreId": custom_key_store_id };
    UpdateCustomKeyStoreRequest {
        "customKeyStoreId": custom_key_store_id, "newCustomKeyStoreName": new_custom_key_store_name,
        "clusterId": cloud_hsm_cluster_id, "xksProxyUriEndpoint": xks_proxy_uri_endpoint,
        "xksProxyUriPath": xks_proxy_uri_path,
        "xksProxyVpcEndpointServiceName": xks_proxy_vpc_endpoint_service_name,
        "xksProxyVpcEndpointServiceOwner": xks_proxy_vpc_endpoint_service_owner,
        "xksProxyConnectivity": xks_proxy_connectivity,
    };
    ConnectCustomKeyStoreRequest { "customKeyStoreId": custom_key_store_id };
    DeleteCustomKeyStoreRequest { "customKeyStoreId": custom_key_store_id };
    DescribeCustomKeyStoresRequest {
        "customKeyStoreId": custom_key_store_id, "customKeyStoreName": custom_key_store_name, "limit": limit,
        "marker": marker,
    };
    DisconnectCustomKeyStoreRequest { "customKeyStoreId": custom_key_store_id };
}
