//! CreateCustomKeyStore: what goes together, what must be free, and that the proxy is asked before anything is kept.

use serde_json::{Value, json};
use trent_domain::key_store::ProxyFailure;

use trent_protocol::Operation::{CreateCustomKeyStore, DescribeCustomKeyStores};
use trent_service::{Options, Registry};
use trent_testkit::{ACCOUNT, TestKms};

use super::{ACCESS_KEY_ID, SECRET, code, create, external, shown, with};

const SERVICE: &str = "com.amazonaws.vpce.eu-central-1.vpce-svc-0123";

/// A request for a store whose proxy is reached through a private network.
pub(super) fn private(name: &str) -> Value {
    let members = json!({
        "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE",
        "XksProxyVpcEndpointServiceName": SERVICE,
        "XksProxyUriEndpoint": "https://private.example.com",
    });
    with(external(name), members)
}

pub(super) fn registry(changes: Value) -> Registry {
    let service = with(
        json!({
            "name": SERVICE,
            "owner_account": ACCOUNT,
            "load_balancer_type": "network",
            "availability_zones": ["eu-central-1a", "eu-central-1b"],
            "private_dns_name": "private.example.com",
            "domain_verification": "verified",
            "allowed_principals": ["cks.kms.eu-central-1.amazonaws.com"],
            "targets": ["127.0.0.1:1"],
        }),
        changes,
    );
    Registry { services: vec![serde_json::from_value(service).expect("a service")], ..Registry::default() }
}

async fn refused(kms: &TestKms, request: Value) -> String {
    kms.refused(CreateCustomKeyStore, request).await
}

#[tokio::test]
async fn a_store_is_made_once_its_proxy_has_been_asked() {
    let kms = TestKms::new().await;
    let created = kms.ok(CreateCustomKeyStore, external("one")).await;
    let id = created["CustomKeyStoreId"].as_str().unwrap();
    assert!(id.strip_prefix("cks-").is_some_and(|digits| digits.len() == 17), "{id}");
    let [asked] = <[_; 1]>::try_from(kms.proxies.take_asked()).unwrap();
    assert_eq!((asked.api, asked.operation), ("health", "CreateCustomKeyStore"));
    assert_eq!((asked.host.as_str(), asked.secret.as_slice()), ("one.example.com", SECRET.as_bytes()));
    assert_eq!((asked.principal, asked.key_arn), (None, None), "nothing about the caller is told");
    let shown = shown(&kms, id).await;
    assert_eq!(
        with(shown, json!({"CreationDate": null})),
        json!({
            "CustomKeyStoreId": id,
            "CustomKeyStoreName": "one",
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "ConnectionState": "DISCONNECTED",
            "XksProxyConfiguration": {
                "Connectivity": "PUBLIC_ENDPOINT",
                "AccessKeyId": ACCESS_KEY_ID,
                "UriEndpoint": "https://one.example.com",
                "UriPath": "/kms/xks/v1",
            },
        })
    );
}

#[tokio::test]
async fn nothing_is_kept_of_a_store_whose_proxy_cannot_be_used() {
    use ProxyFailure as Failure;
    let kms = TestKms::new().await;
    let cases = [
        (Failure::NotReachable, "XksProxyUriUnreachableException"),
        (Failure::Tls, "XksProxyUriUnreachableException"),
        (Failure::TimedOut, "XksProxyUriUnreachableException"),
        (Failure::Unhealthy, "XksProxyUriUnreachableException"),
        (Failure::DependencyTimeout, "XksProxyUriUnreachableException"),
        (Failure::Throttling, "XksProxyUriUnreachableException"),
        (Failure::InvalidState, "XksProxyUriUnreachableException"),
        (Failure::AuthenticationFailed, "XksProxyIncorrectAuthenticationCredentialException"),
        (Failure::InvalidUriPath, "XksProxyInvalidConfigurationException"),
        (Failure::AccessDenied, "XksProxyInvalidConfigurationException"),
        (Failure::Malformed, "XksProxyInvalidResponseException"),
        (Failure::Validation, "XksProxyInvalidResponseException"),
        (Failure::UnsupportedOperation, "XksProxyInvalidResponseException"),
        (Failure::Internal, "XksProxyInvalidResponseException"),
        (Failure::KeyNotFound, "XksProxyInvalidResponseException"),
    ];
    for (failure, code) in cases {
        kms.proxies.fail(Some(failure));
        let refused = refused(&kms, external("one")).await;
        assert_eq!(refused, format!("{code}: {}", failure.of_store().message()), "{failure:?}");
    }
    assert_eq!(kms.proxies.kept(), [], "no connection is left behind");
    let none = kms.ok(DescribeCustomKeyStores, json!({})).await;
    assert_eq!(none, json!({"CustomKeyStores": [], "Truncated": false}));
}

#[tokio::test]
async fn members_go_together_or_are_refused() {
    let kms = TestKms::new().await;
    let hsm = json!({
        "CustomKeyStoreName": "hsm",
        "CloudHsmClusterId": "cluster-234abcdefABC",
        "TrustAnchorCertificate": "PEM",
        "KeyStorePassword": "password",
    });
    let change = |members| with(external("one"), members);
    let wrong = [
        with(hsm.clone(), json!({"TrustAnchorCertificate": null})),
        with(hsm.clone(), json!({"KeyStorePassword": null})),
        with(hsm.clone(), json!({"CloudHsmClusterId": null})),
        with(hsm.clone(), json!({"XksProxyUriPath": "/kms/xks/v1"})),
        with(hsm.clone(), json!({"CloudHsmClusterId": "cluster-1a23b4cdefg"})),
        change(json!({"CloudHsmClusterId": "cluster-234abcdefABC"})),
        change(json!({"KeyStorePassword": "password"})),
        change(json!({"XksProxyConnectivity": null})),
        change(json!({"XksProxyUriEndpoint": null})),
        change(json!({"XksProxyUriPath": null})),
        change(json!({"XksProxyAuthenticationCredential": null})),
        change(json!({"XksProxyVpcEndpointServiceName": SERVICE})),
        change(json!({"XksProxyVpcEndpointServiceOwner": ACCOUNT})),
        change(json!({"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"})),
        change(json!({"XksProxyUriEndpoint": "http://one.example.com"})),
        change(json!({"XksProxyUriEndpoint": "https://one.example.com:8443"})),
        change(json!({"XksProxyUriEndpoint": "https://one.example.com/"})),
        change(json!({"XksProxyUriEndpoint": "https://10.11.12.13"})),
        change(json!({"XksProxyUriPath": "/kms/xks/v1/"})),
        change(json!({"XksProxyUriPath": "kms/xks/v1"})),
        change(json!({"XksProxyUriPath": "/a b/kms/xks/v1"})),
    ];
    for request in wrong {
        let refused = refused(&kms, request.clone()).await;
        assert_eq!(code(&refused), "ValidationException", "{request}: {refused}");
    }
    let version = change(json!({"XksProxyUriPath": "/kms/xks/v2"}));
    assert_eq!(code(&refused(&kms, version).await), "XksProxyInvalidConfigurationException");
    for password in ["secret", "a password of more than 32 letters"] {
        let refused = refused(&kms, with(hsm.clone(), json!({"KeyStorePassword": password}))).await;
        assert_eq!(code(&refused), "ValidationException");
        assert!(!refused.contains(password), "{refused}");
    }
    assert_eq!(kms.proxies.take_asked(), []);
    // No cluster is known, whatever its id.
    assert_eq!(code(&refused(&kms, hsm).await), "CloudHsmClusterNotFoundException");
}

#[tokio::test]
async fn names_and_proxies_are_one_stores_own() {
    let kms = TestKms::new().await;
    create(&kms, "one").await;
    let elsewhere = json!({"XksProxyUriEndpoint": "https://other.example.com"});
    assert_eq!(
        code(&refused(&kms, with(external("one"), elsewhere)).await),
        "CustomKeyStoreNameInUseException"
    );
    let same = json!({"CustomKeyStoreName": "two"});
    assert_eq!(code(&refused(&kms, with(external("one"), same)).await), "XksProxyUriInUseException");
    let path = json!({"CustomKeyStoreName": "two", "XksProxyUriPath": "/two/kms/xks/v1"});
    kms.ok(CreateCustomKeyStore, with(external("one"), path)).await;
    kms.in_region("us-east-1").ok(CreateCustomKeyStore, external("one")).await;
    kms.in_account("444455556666").ok(CreateCustomKeyStore, external("one")).await;
}

#[tokio::test]
async fn a_private_proxy_is_not_asked_but_its_service_is_looked_at() {
    let kms = TestKms::new().await;
    let not_found = "XksProxyVpcEndpointServiceNotFoundException";
    let invalid = "XksProxyVpcEndpointServiceInvalidConfigurationException";
    assert_eq!(code(&refused(&kms, private("one")).await), not_found);
    let wrong = [
        (json!({"allowed_principals": []}), not_found),
        (json!({"owner_account": "444455556666"}), not_found),
        (json!({"availability_zones": ["eu-central-1a"]}), invalid),
        (json!({"acceptance_required": true}), invalid),
        (json!({"private_dns_name": "other.example.com"}), invalid),
        (json!({"domain_verification": "pendingVerification"}), invalid),
        (json!({"load_balancer_type": "gateway"}), invalid),
    ];
    for (changes, expected) in wrong {
        kms.service.register(registry(changes.clone()));
        assert_eq!(code(&refused(&kms, private("one")).await), expected, "{changes}");
    }
    kms.service.register(registry(json!({"owner_account": "444455556666"})));
    kms.proxies.fail(Some(ProxyFailure::NotReachable));
    let owner = json!({"XksProxyVpcEndpointServiceOwner": "444455556666"});
    let created = kms.ok(CreateCustomKeyStore, with(private("one"), owner)).await;
    assert_eq!(kms.proxies.take_asked(), []);
    let configuration =
        &shown(&kms, created["CustomKeyStoreId"].as_str().unwrap()).await["XksProxyConfiguration"];
    assert_eq!(configuration["VpcEndpointServiceOwner"], "444455556666");
    assert_eq!(configuration["VpcEndpointServiceName"], SERVICE);

    // One service is one store's; one name is not reached in two ways.
    kms.proxies.fail(None);
    let members = json!({
        "CustomKeyStoreName": "two", "XksProxyVpcEndpointServiceOwner": "444455556666", "XksProxyUriPath": "/b/kms/xks/v1"
    });
    let code_of_same_endpoint = refused(&kms, with(private("two"), members)).await;
    assert_eq!(code(&code_of_same_endpoint), "XksProxyUriEndpointInUseException");
    let public = json!({"XksProxyUriEndpoint": "https://private.example.com"});
    let foreign = kms.in_account("444455556666");
    let taken = refused(&foreign, with(external("two"), public)).await;
    assert_eq!(code(&taken), "XksProxyUriEndpointInUseException");
    let service =
        refused(&foreign, with(private("two"), json!({"XksProxyUriEndpoint": "https://p.example.com"})))
            .await;
    assert_eq!(code(&service), "XksProxyVpcEndpointServiceInUseException");
}

#[tokio::test]
async fn an_account_has_a_quota() {
    let options = Options { key_stores_per_region_max: 2, ..Options::default() };
    let kms = TestKms::with_options(options).await;
    create(&kms, "one").await;
    create(&kms, "two").await;
    assert_eq!(code(&refused(&kms, external("one")).await), "LimitExceededException", "before the name");
    create(&kms.in_region("us-east-1"), "three").await;
    create(&kms.in_account("444455556666"), "three").await;
}
