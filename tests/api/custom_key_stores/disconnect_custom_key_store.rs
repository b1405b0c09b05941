//! DisconnectCustomKeyStore: ends whatever there is, and clears what went wrong.

use serde_json::json;
use trent_domain::key_store::ProxyFailure;
use trent_protocol::Operation::{ConnectCustomKeyStore, DisconnectCustomKeyStore};
use trent_testkit::TestKms;

use super::{code, connect, connected, create, state};

#[tokio::test]
async fn whatever_there_is_ends() {
    let kms = TestKms::new().await;
    let (one, two, three) =
        (connected(&kms, "one").await, create(&kms, "two").await, create(&kms, "three").await);
    kms.proxies.fail(Some(ProxyFailure::TimedOut));
    connect(&kms, &two).await;
    assert_eq!(state(&kms, &two).await, "FAILED XKS_PROXY_TIMED_OUT");
    kms.ok(ConnectCustomKeyStore, json!({"CustomKeyStoreId": three})).await;
    for id in [&one, &two, &three] {
        assert_eq!(kms.ok(DisconnectCustomKeyStore, json!({"CustomKeyStoreId": id})).await, json!({}));
        assert_eq!(state(&kms, id).await, "DISCONNECTING");
        for operation in [ConnectCustomKeyStore, DisconnectCustomKeyStore] {
            let refused = kms.refused(operation, json!({"CustomKeyStoreId": id})).await;
            assert_eq!(code(&refused), "CustomKeyStoreInvalidStateException");
        }
    }
    assert_eq!(kms.settle_key_stores().await, 3);
    for id in [&one, &two, &three] {
        assert_eq!(state(&kms, id).await, "DISCONNECTED");
        let refused = kms.refused(DisconnectCustomKeyStore, json!({"CustomKeyStoreId": id})).await;
        assert_eq!(code(&refused), "CustomKeyStoreInvalidStateException");
    }
}
