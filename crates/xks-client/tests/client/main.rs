//! The client of external key store proxies, over TLS, against proxies that behave and others.

#[cfg(test)]
mod proxy;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use proxy::{Authority, ClientOf, Manner, Proxy, Stopped, four_bytes};
use trent_domain::quota::Rate;
use trent_xks_client::{ClientCertificate, Failure, Settings};

#[tokio::test]
async fn a_proxy_is_sent_as_many_requests_in_a_second_as_the_quota_says() {
    let authority = Authority::new();
    let proxy = Proxy::start(&authority, Manner::Answers, None).await;
    let clock = Arc::new(Stopped::default());
    let with = ClientOf::new(&authority);
    let settings = Settings { rate: Rate::per_second(1800.0), ..with.settings };
    let client = proxy.client(ClientOf { settings, clock: Arc::clone(&clock) as _, ..with });
    let key = "key".parse().unwrap();
    for _ in 0..1800 {
        client.encrypt(&key, &four_bytes()).await.unwrap();
    }
    assert_eq!(client.encrypt(&key, &four_bytes()).await, Err(Failure::OverQuota));
    assert_eq!(proxy.count(), 1800, "the proxy is not asked");
    client.health("KmsHealthCheck", "1").await.unwrap();
    assert_eq!(proxy.count(), 1801, "a check of its health is not in the quota");
    clock.0.fetch_add(1, SeqCst);
    client.encrypt(&key, &four_bytes()).await.unwrap();
    assert_eq!(client.encrypt(&key, &four_bytes()).await, Err(Failure::OverQuota));
}

#[tokio::test]
async fn a_proxy_that_demands_a_certificate_is_shown_one_and_another_is_a_failure_of_tls() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let proxy = Proxy::start(&authority, Manner::Answers, Some(&clients)).await;
    let over_http2 = Proxy::start(&authority, Manner::PrefersHttp2, Some(&clients)).await;
    let ask = async |proxy: &Proxy, shows: Option<ClientCertificate>| {
        let client = proxy.client(ClientOf { shows, ..ClientOf::new(&authority) });
        client.health("KmsHealthCheck", "1").await
    };
    let name = "cks.kms.us-east-1.amazonaws.com";
    assert!(ask(&proxy, Some(clients.issue(name))).await.is_ok());
    for proxy in [&proxy, &over_http2] {
        for shows in [None, Some(authority.issue(name))] {
            let failure = ask(proxy, shows).await.unwrap_err();
            assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
        }
    }
    assert_eq!((proxy.count(), over_http2.count()), (1, 0));
}

#[tokio::test]
async fn a_connection_that_is_cut_is_no_failure_of_tls_and_a_proxy_without_tls_is_one() {
    let authority = Authority::new();
    for manner in [Manner::HangsUp, Manner::Resets, Manner::SpeaksHttp] {
        let proxy = Proxy::start(&authority, manner, None).await;
        let failure =
            proxy.client(ClientOf::new(&authority)).health("KmsHealthCheck", "1").await.unwrap_err();
        match manner {
            Manner::SpeaksHttp => assert!(matches!(failure, Failure::Tls(_)), "{failure:?}"),
            _ => {
                let Failure::Unreachable(why) = failure else { panic!("{manner:?}: {failure:?}") };
                assert!(why.starts_with("the connection was cut"), "{manner:?}: {why}");
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_that_speaks_again_is_asked_again_whatever_it_says() {
    let authority = Authority::new();
    let proxy = Proxy::start(&authority, Manner::HangsThenBabbles, None).await;
    let with = ClientOf::new(&authority);
    let settings = Settings { attempt: Duration::from_millis(200), ..with.settings };
    let client = proxy.client(ClientOf { settings, ..with });
    // Whether the proxy was asked, and what came of it.
    let ask = async || {
        let before = proxy.count();
        let failure = client.health("KmsHealthCheck", "1").await.unwrap_err();
        (proxy.count() > before, failure)
    };
    while ask().await.0 {}
    proxy.babbles.store(true, SeqCst);
    while !matches!(ask().await.1, Failure::Malformed(_)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Were it still given up, nobody would ask it for five seconds.
    let asked = async { while !ask().await.0 {} };
    tokio::time::timeout(Duration::from_secs(3), asked).await.unwrap();
}
