//! Checks of the health of connected stores: when proxies are asked, and that nothing comes of it but metrics.

use serde_json::json;
use trent_domain::key_store::ProxyFailure;
use trent_protocol::Operation::{DeleteCustomKeyStore, DisconnectCustomKeyStore};
use trent_service::Options;
use trent_testkit::{Asked, TestKms};

use super::{connected, create, disconnect, state};

const FIVE_MINUTES: i64 = 300;
/// The interval, and as much later as the check of a store may be.
const INTERVAL: i64 = FIVE_MINUTES + FIVE_MINUTES / 10;

async fn check(kms: &TestKms) -> usize {
    kms.service.check_key_stores().await.expect("checks run")
}

fn only(asked: Vec<Asked>) -> Asked {
    let [one] = <[_; 1]>::try_from(asked).expect("one request");
    one
}

#[tokio::test]
async fn a_connected_proxy_is_asked_how_it_is_every_five_minutes() {
    let kms = TestKms::new().await;
    connected(&kms, "one").await;
    create(&kms, "two").await;
    kms.proxies.take_asked();
    assert_eq!(check(&kms).await, 0, "connecting was a check");
    kms.clock.advance_millis(1000 * (FIVE_MINUTES - 1));
    assert_eq!(check(&kms).await, 0);
    kms.clock.advance_millis(1000 * (INTERVAL - FIVE_MINUTES + 1));
    assert_eq!(check(&kms).await, 1);
    let asked = only(kms.proxies.take_asked());
    assert_eq!(
        (asked.api, asked.operation, asked.host.as_str()),
        ("health", "KmsHealthCheck", "one.example.com")
    );
    assert_eq!((asked.principal, asked.key_arn), (None, None));
    assert_eq!(check(&kms).await, 0);
    // Memory of it does not outlive the process, whose connection has to be opened anyway.
    let kms = kms.restart().await;
    assert_eq!(check(&kms).await, 1);
    assert_eq!(check(&kms).await, 0);
}

#[tokio::test]
async fn a_dead_proxy_is_asked_again_and_stays_connected() {
    let kms = TestKms::new().await;
    let id = connected(&kms, "one").await;
    kms.proxies.fail(Some(ProxyFailure::NotReachable));
    kms.proxies.take_asked();
    for _ in 0..12 {
        kms.clock.advance_millis(1000 * INTERVAL);
        assert_eq!(check(&kms).await, 1);
        assert_eq!(state(&kms, &id).await, "CONNECTED");
    }
    assert_eq!(kms.proxies.take_asked().len(), 12);
}

#[tokio::test]
async fn a_store_that_is_not_connected_is_not_asked() {
    let kms = TestKms::new().await;
    let id = connected(&kms, "one").await;
    disconnect(&kms, &id).await;
    kms.proxies.take_asked();
    kms.clock.advance_millis(1000 * INTERVAL);
    assert_eq!(check(&kms).await, 0);
    kms.ok(DeleteCustomKeyStore, json!({"CustomKeyStoreId": id})).await;
    assert_eq!(check(&kms).await, 0);
    assert_eq!(kms.proxies.take_asked(), []);
}

#[tokio::test]
async fn a_check_that_ends_after_the_store_was_disconnected_leaves_no_connection() {
    let kms = TestKms::new().await;
    let id = connected(&kms, "one").await;
    kms.clock.advance_millis(1000 * INTERVAL);
    kms.proxies.take_asked();
    kms.proxies.stall(true);
    let checks = tokio::spawn({
        let kms = kms.clone();
        async move { check(&kms).await }
    });
    while kms.proxies.take_asked().is_empty() {
        tokio::task::yield_now().await;
    }
    disconnect(&kms, &id).await;
    kms.proxies.stall(false);
    assert_eq!(checks.await.unwrap(), 1);
    assert_eq!(kms.proxies.kept(), []);
    assert_eq!(state(&kms, &id).await, "DISCONNECTED");
}

#[tokio::test]
async fn proxies_that_do_not_answer_keep_no_job_waiting_and_are_asked_sixteen_at_once() {
    let kms = TestKms::with_options(Options { key_stores_per_region_max: 20, ..Options::default() }).await;
    for number in 0..20 {
        connected(&kms, &format!("store-{number}")).await;
    }
    kms.clock.advance_millis(1000 * INTERVAL);
    kms.proxies.take_asked();
    kms.proxies.stall(true);
    let checks = tokio::spawn({
        let kms = kms.clone();
        async move { check(&kms).await }
    });
    let mut asked = 0;
    while asked < 16 {
        asked += kms.proxies.take_asked().len();
        tokio::task::yield_now().await;
    }
    kms.run_jobs().await;
    assert_eq!(asked + kms.proxies.take_asked().len(), 16);
    kms.proxies.stall(false);
    assert_eq!(checks.await.unwrap(), 20);
    assert_eq!(kms.proxies.take_asked().len(), 4);
}

#[tokio::test]
async fn nobody_is_asked_where_the_operator_wants_no_checks() {
    let kms = TestKms::with_options(Options { health_check_seconds: 0, ..Options::default() }).await;
    let id = connected(&kms, "one").await;
    kms.proxies.take_asked();
    kms.clock.advance_millis(1000 * INTERVAL);
    assert_eq!(check(&kms).await, 0);
    kms.ok(DisconnectCustomKeyStore, json!({"CustomKeyStoreId": id})).await;
    assert_eq!(kms.proxies.take_asked(), []);
}
