//! Key stores that tests share, and keys in them.

use serde_json::{Value, json};
use trent_protocol::Operation;

use crate::kms::TestKms;

impl TestKms {
    /// A connected external key store at a proxy of its own.
    pub async fn connected_store(&self, name: &str) -> String {
        let credential = json!({"AccessKeyId": "ABCDEFGHIJKLMNOPQRST", "RawSecretAccessKey": "a".repeat(44)});
        let request = json!({
            "CustomKeyStoreName": name,
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
            "XksProxyUriEndpoint": format!("https://{name}.example.com"),
            "XksProxyUriPath": "/kms/xks/v1",
            "XksProxyAuthenticationCredential": credential,
        });
        let made = self.ok(Operation::CreateCustomKeyStore, request).await;
        let store = made["CustomKeyStoreId"].as_str().expect("an id").to_owned();
        self.connect_store(&store).await;
        store
    }

    /// Connects a key store that is disconnected.
    pub async fn connect_store(&self, store: &str) {
        self.ok(Operation::ConnectCustomKeyStore, named(store)).await;
        self.settle_key_stores().await;
    }

    /// Disconnects a key store that is connected.
    pub async fn disconnect_store(&self, store: &str) {
        self.ok(Operation::DisconnectCustomKeyStore, named(store)).await;
        self.settle_key_stores().await;
    }

    /// Creates a key on an external key that is there and fit.
    pub async fn create_key_in(&self, store: &str, external_key: &str) -> String {
        self.proxies.add_good_key(external_key);
        let request =
            json!({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": external_key});
        self.create_key_with(request).await
    }

    /// Creates a key in the HSMs behind a key store.
    pub async fn create_hsm_key_in(&self, store: &str) -> String {
        self.create_key_with(json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store})).await
    }
}

fn named(store: &str) -> Value {
    json!({"CustomKeyStoreId": store})
}
