//! Custom key stores.

mod cloud_hsm;
mod connect_custom_key_store;
mod create_custom_key_store;
mod cryptography;
mod delete_custom_key_store;
mod describe_custom_key_stores;
mod disconnect_custom_key_store;
mod health_checks;
mod hsm_keys;
mod hsm_orphans;
mod hsm_quotas;
mod hsm_stores;
mod keys;
mod update_custom_key_store;

use serde_json::{Value, json};
use trent_protocol::Operation::{
    ConnectCustomKeyStore, CreateCustomKeyStore, DescribeCustomKeyStores, DisconnectCustomKeyStore,
};
use trent_testkit::TestKms;

pub(crate) const SECRET: &str = "c2VjcmV0IG9mIGEgcHJveHksIDMyIGJ5dGVzIGxvbmc=";
pub(crate) const ACCESS_KEY_ID: &str = "ABCDEFGHIJKLMNOPQRST";

/// A request for an external key store at its own proxy.
pub(crate) fn external(name: &str) -> Value {
    json!({
        "CustomKeyStoreName": name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": format!("https://{name}.example.com"),
        "XksProxyUriPath": "/kms/xks/v1",
        "XksProxyAuthenticationCredential": {"AccessKeyId": ACCESS_KEY_ID, "RawSecretAccessKey": SECRET},
    })
}

/// A request with some members replaced, and those taken away that are null.
pub(crate) fn with(mut request: Value, members: Value) -> Value {
    let object = request.as_object_mut().expect("an object");
    for (name, value) in members.as_object().expect("an object").clone() {
        if value.is_null() {
            object.remove(&name)
        } else {
            object.insert(name, value)
        };
    }
    request
}

pub(crate) async fn create(kms: &TestKms, name: &str) -> String {
    let created = kms.ok(CreateCustomKeyStore, external(name)).await;
    created["CustomKeyStoreId"].as_str().expect("an id").to_owned()
}

/// A key store whose connection is established.
pub(crate) async fn connected(kms: &TestKms, name: &str) -> String {
    let id = create(kms, name).await;
    connect(kms, &id).await;
    assert_eq!(state(kms, &id).await, "CONNECTED");
    id
}

pub(crate) async fn connect(kms: &TestKms, id: &str) {
    kms.ok(ConnectCustomKeyStore, json!({"CustomKeyStoreId": id})).await;
    kms.settle_key_stores().await;
}

pub(crate) async fn disconnect(kms: &TestKms, id: &str) {
    kms.ok(DisconnectCustomKeyStore, json!({"CustomKeyStoreId": id})).await;
    kms.settle_key_stores().await;
}

/// What is shown of a key store.
pub(crate) async fn shown(kms: &TestKms, id: &str) -> Value {
    let mut found = kms.ok(DescribeCustomKeyStores, json!({"CustomKeyStoreId": id})).await;
    found["CustomKeyStores"][0].take()
}

/// The state of a connection, and why it failed.
pub(crate) async fn state(kms: &TestKms, id: &str) -> String {
    let shown = shown(kms, id).await;
    let state = shown["ConnectionState"].as_str().expect("a state");
    match shown["ConnectionErrorCode"].as_str() {
        Some(code) => format!("{state} {code}"),
        None => state.to_owned(),
    }
}

/// The code of an answer that is text.
pub(crate) fn code(refused: &str) -> &str {
    refused.split(':').next().unwrap_or_default()
}
