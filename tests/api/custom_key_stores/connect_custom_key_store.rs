//! ConnectCustomKeyStore: an attempt begins, a job ends it, and what it says of a failure is exact.

use std::time::Duration;

use serde_json::{Value, json};
use trent_domain::key_store::ProxyFailure;
use trent_protocol::Operation::{ConnectCustomKeyStore, CreateCustomKeyStore, DisconnectCustomKeyStore};
use trent_service::Registry;
use trent_testkit::TestKms;

use super::create_custom_key_store::{private, registry};
use super::{code, connect, connected, create, disconnect, state};

fn named(id: &str) -> Value {
    json!({"CustomKeyStoreId": id})
}

#[tokio::test]
async fn a_store_is_connecting_until_its_proxy_has_answered() {
    let kms = TestKms::new().await;
    let id = create(&kms, "one").await;
    kms.proxies.take_asked();
    assert_eq!(kms.ok(ConnectCustomKeyStore, named(&id)).await, json!({}));
    assert_eq!(state(&kms, &id).await, "CONNECTING");
    kms.ok(ConnectCustomKeyStore, named(&id)).await;
    assert_eq!(kms.proxies.take_asked(), [], "the answer does not wait for the proxy");
    assert_eq!(kms.settle_key_stores().await, 1);
    assert_eq!(state(&kms, &id).await, "CONNECTED");
    let [asked] = <[_; 1]>::try_from(kms.proxies.take_asked()).unwrap();
    assert_eq!((asked.api, asked.operation), ("health", "ConnectCustomKeyStore"));
    kms.ok(ConnectCustomKeyStore, named(&id)).await;
    assert_eq!(kms.settle_key_stores().await, 0);
    assert_eq!(kms.proxies.take_asked(), [], "it is connected already");
}

#[tokio::test]
async fn a_failure_says_why() {
    use ProxyFailure as Failure;
    let kms = TestKms::new().await;
    let id = create(&kms, "one").await;
    let cases = [
        (Failure::AuthenticationFailed, "INVALID_CREDENTIALS"),
        (Failure::InvalidUriPath, "XKS_PROXY_INVALID_CONFIGURATION"),
        (Failure::Malformed, "XKS_PROXY_INVALID_RESPONSE"),
        (Failure::Validation, "XKS_PROXY_INVALID_RESPONSE"),
        (Failure::Internal, "XKS_PROXY_INVALID_RESPONSE"),
        (Failure::UnsupportedOperation, "XKS_PROXY_INVALID_RESPONSE"),
        (Failure::Tls, "XKS_PROXY_INVALID_TLS_CONFIGURATION"),
        (Failure::NotReachable, "XKS_PROXY_NOT_REACHABLE"),
        (Failure::Unhealthy, "XKS_PROXY_NOT_REACHABLE"),
        (Failure::InvalidState, "XKS_PROXY_NOT_REACHABLE"),
        (Failure::Throttling, "XKS_PROXY_NOT_REACHABLE"),
        (Failure::TimedOut, "XKS_PROXY_TIMED_OUT"),
        (Failure::DependencyTimeout, "XKS_PROXY_TIMED_OUT"),
        (Failure::AccessDenied, "XKS_PROXY_ACCESS_DENIED"),
    ];
    for (failure, why) in cases {
        kms.proxies.fail(Some(failure));
        connect(&kms, &id).await;
        assert_eq!(state(&kms, &id).await, format!("FAILED {why}"), "{failure:?}");
        let refused = kms.refused(ConnectCustomKeyStore, named(&id)).await;
        assert_eq!(
            refused,
            format!(
                "CustomKeyStoreInvalidStateException: The custom key store {id} is FAILED; this can be done only \
                 while it is DISCONNECTED."
            )
        );
        assert_eq!(state(&kms, &id).await, format!("FAILED {why}"));
        disconnect(&kms, &id).await;
        assert_eq!(state(&kms, &id).await, "DISCONNECTED");
    }
}

#[tokio::test]
async fn a_connection_outlives_its_proxy_and_the_process() {
    let kms = TestKms::new().await;
    let (one, two) = (connected(&kms, "one").await, create(&kms, "two").await);
    kms.ok(ConnectCustomKeyStore, named(&two)).await;
    kms.proxies.fail(Some(ProxyFailure::NotReachable));
    let kms = kms.restart().await;
    assert_eq!(state(&kms, &one).await, "CONNECTED");
    assert_eq!(state(&kms, &two).await, "CONNECTING");
    kms.settle_key_stores().await;
    assert_eq!(state(&kms, &one).await, "CONNECTED", "it says that a connection was established");
    assert_eq!(state(&kms, &two).await, "FAILED XKS_PROXY_NOT_REACHABLE", "the attempt went on");
    kms.ok(DisconnectCustomKeyStore, named(&one)).await;
    let kms = kms.restart().await;
    assert_eq!(state(&kms, &one).await, "DISCONNECTING");
    kms.settle_key_stores().await;
    assert_eq!(state(&kms, &one).await, "DISCONNECTED");
}

#[tokio::test]
async fn one_proxy_that_does_not_answer_keeps_no_other_store_waiting() {
    let kms = TestKms::new().await;
    let (one, two) = (create(&kms, "one").await, create(&kms, "two").await);
    kms.ok(ConnectCustomKeyStore, named(&one)).await;
    kms.ok(ConnectCustomKeyStore, named(&two)).await;
    kms.proxies.take_asked();
    kms.proxies.stall(true);
    let jobs = tokio::spawn({
        let kms = kms.clone();
        async move { kms.settle_key_stores().await }
    });
    // Each looks its store up first, so one may be asked some time after the other.
    let mut asked = 0;
    let both = async {
        while asked < 2 {
            asked += kms.proxies.take_asked().len();
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), both).await;
    assert_eq!((waited, asked), (Ok(()), 2), "both are asked before either has answered");
    kms.proxies.stall(false);
    assert_eq!(jobs.await.unwrap(), 2);
}

#[tokio::test]
async fn the_late_result_of_an_attempt_that_was_given_up_is_nobodys() {
    let kms = TestKms::new().await;
    let id = create(&kms, "one").await;
    kms.ok(ConnectCustomKeyStore, named(&id)).await;
    kms.proxies.take_asked();
    kms.proxies.stall(true);
    let jobs = tokio::spawn({
        let kms = kms.clone();
        async move { kms.settle_key_stores().await }
    });
    while kms.proxies.take_asked().is_empty() {
        tokio::task::yield_now().await;
    }
    kms.ok(DisconnectCustomKeyStore, named(&id)).await;
    kms.proxies.stall(false);
    assert_eq!(jobs.await.unwrap(), 0);
    assert_eq!(state(&kms, &id).await, "DISCONNECTING");
    kms.settle_key_stores().await;
    assert_eq!(state(&kms, &id).await, "DISCONNECTED");
}

#[tokio::test]
async fn only_stores_of_the_caller_are_found() {
    let kms = TestKms::new().await;
    let id = create(&kms, "one").await;
    let not_found =
        |id: &str| format!("CustomKeyStoreNotFoundException: Custom key store {id} does not exist.");
    for (caller, id) in [
        (&kms, "cks-00000000000000000"),
        (&kms, "no id at all"),
        (&kms.in_region("us-east-1"), id.as_str()),
        (&kms.in_account("444455556666"), id.as_str()),
    ] {
        assert_eq!(caller.refused(ConnectCustomKeyStore, named(id)).await, not_found(id));
    }
    let refused = kms.as_user("bob").refused(ConnectCustomKeyStore, named(&id)).await;
    assert_eq!(code(&refused), "AccessDeniedException");
}

#[tokio::test]
async fn an_endpoint_service_is_looked_at_again_when_its_store_is_connected() {
    let kms = TestKms::new().await;
    kms.service.register(registry(json!({})));
    let created = kms.ok(CreateCustomKeyStore, private("one")).await;
    let id = created["CustomKeyStoreId"].as_str().expect("an id");
    let wrong = [
        (Registry::default(), "FAILED XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND"),
        (registry(json!({"allowed_principals": []})), "FAILED XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND"),
        (
            registry(json!({"acceptance_required": true})),
            "FAILED XKS_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION",
        ),
    ];
    for (registry, expected) in wrong {
        kms.service.register(registry);
        connect(&kms, id).await;
        assert_eq!(state(&kms, id).await, expected);
        disconnect(&kms, id).await;
    }
    assert_eq!(kms.proxies.take_asked(), [], "no way leads to the proxy");
    kms.service.register(registry(json!({})));
    connect(&kms, id).await;
    assert_eq!(state(&kms, id).await, "CONNECTED");
}
