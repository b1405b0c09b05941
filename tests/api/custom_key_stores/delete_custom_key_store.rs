//! DeleteCustomKeyStore: only of a disconnected store without keys; what it had is free again.

use serde_json::json;
use trent_domain::key_store::ProxyFailure;
use trent_protocol::Operation::{DeleteCustomKeyStore, DescribeCustomKeyStores};
use trent_testkit::TestKms;

use super::{code, connect, connected, create, disconnect, external};

#[tokio::test]
async fn what_a_deleted_store_had_is_free_again() {
    let kms = TestKms::new().await;
    let id = connected(&kms, "one").await;
    let delete = json!({"CustomKeyStoreId": id});
    assert_eq!(
        code(&kms.refused(DeleteCustomKeyStore, delete.clone()).await),
        "CustomKeyStoreInvalidStateException"
    );
    disconnect(&kms, &id).await;
    kms.proxies.fail(Some(ProxyFailure::TimedOut));
    connect(&kms, &id).await;
    assert_eq!(
        code(&kms.refused(DeleteCustomKeyStore, delete.clone()).await),
        "CustomKeyStoreInvalidStateException"
    );
    disconnect(&kms, &id).await;
    assert_eq!(kms.ok(DeleteCustomKeyStore, delete.clone()).await, json!({}));
    for gone in [delete.clone(), json!({"CustomKeyStoreName": "one"})] {
        assert_eq!(
            code(&kms.refused(DescribeCustomKeyStores, gone).await),
            "CustomKeyStoreNotFoundException"
        );
    }
    assert_eq!(code(&kms.refused(DeleteCustomKeyStore, delete).await), "CustomKeyStoreNotFoundException");
    kms.proxies.fail(None);
    kms.ok(trent_protocol::Operation::CreateCustomKeyStore, external("one")).await;
    assert_ne!(create(&kms, "two").await, id);
}
