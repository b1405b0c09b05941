//! UpdateCustomKeyStore: each property in its states, all or nothing, and never to values that do not work.

use serde_json::{Value, json};
use trent_domain::key_store::ProxyFailure;
use trent_protocol::Operation::{ConnectCustomKeyStore, CreateCustomKeyStore, UpdateCustomKeyStore};
use trent_testkit::TestKms;

use super::create_custom_key_store::{private, registry};
use super::{SECRET, code, connect, connected, create, shown, state, with};

const OTHER_SECRET: &str = "YW5vdGhlciBzZWNyZXQsIGFsc28gMzIgYnl0ZXMgb2s=";

fn to(id: &str, members: Value) -> Value {
    with(json!({"CustomKeyStoreId": id}), members)
}

fn credential() -> Value {
    json!({"XksProxyAuthenticationCredential": {"AccessKeyId": "ZYXWVUTSRQPONMLKJIHG", "RawSecretAccessKey": OTHER_SECRET}})
}

#[tokio::test]
async fn a_new_credential_is_tried_and_then_in_force_while_connected() {
    let kms = TestKms::new().await;
    let id = connected(&kms, "one").await;
    kms.proxies.take_asked();
    assert_eq!(kms.ok(UpdateCustomKeyStore, to(&id, credential())).await, json!({}));
    let [asked] = <[_; 1]>::try_from(kms.proxies.take_asked()).unwrap();
    assert_eq!((asked.operation, asked.secret.as_slice()), ("UpdateCustomKeyStore", OTHER_SECRET.as_bytes()));
    assert_eq!(state(&kms, &id).await, "CONNECTED");
    assert_eq!(shown(&kms, &id).await["XksProxyConfiguration"]["AccessKeyId"], "ZYXWVUTSRQPONMLKJIHG");
    // The next request is signed with it.
    kms.ok(UpdateCustomKeyStore, to(&id, json!({"XksProxyUriPath": "/b/kms/xks/v1"}))).await;
    let [asked] = <[_; 1]>::try_from(kms.proxies.take_asked()).unwrap();
    assert_eq!(
        (asked.access_key_id.as_str(), asked.secret.as_slice()),
        ("ZYXWVUTSRQPONMLKJIHG", OTHER_SECRET.as_bytes())
    );
}

#[tokio::test]
async fn what_does_not_work_is_not_kept() {
    let kms = TestKms::new().await;
    let id = connected(&kms, "one").await;
    let before = shown(&kms, &id).await;
    kms.proxies.fail(Some(ProxyFailure::AuthenticationFailed));
    let refused = kms.refused(UpdateCustomKeyStore, to(&id, credential())).await;
    assert_eq!(code(&refused), "XksProxyIncorrectAuthenticationCredentialException");
    assert_eq!(shown(&kms, &id).await, before);
    kms.proxies.fail(None);
    kms.proxies.take_asked();
    kms.ok(UpdateCustomKeyStore, to(&id, json!({"XksProxyUriPath": "/b/kms/xks/v1"}))).await;
    assert_eq!(kms.proxies.take_asked()[0].secret, SECRET.as_bytes());
}

#[tokio::test]
async fn each_property_has_its_states() {
    let kms = TestKms::new().await;
    let id = connected(&kms, "one").await;
    let wrong_state = "CustomKeyStoreInvalidStateException";
    for members in [
        json!({"XksProxyUriEndpoint": "https://other.example.com"}),
        json!({"XksProxyConnectivity": "PUBLIC_ENDPOINT", "XksProxyUriEndpoint": "https://one.example.com"}),
        json!({"XksProxyVpcEndpointServiceName": "com.amazonaws.vpce.eu-central-1.vpce-svc-0123"}),
        json!({"XksProxyVpcEndpointServiceOwner": "444455556666"}),
        json!({"XksProxyUriEndpoint": "https://other.example.com", "NewCustomKeyStoreName": "renamed"}),
    ] {
        assert_eq!(code(&kms.refused(UpdateCustomKeyStore, to(&id, members)).await), wrong_state);
    }
    assert_eq!(shown(&kms, &id).await["CustomKeyStoreName"], "one");
    kms.proxies.take_asked();
    kms.ok(UpdateCustomKeyStore, to(&id, json!({"NewCustomKeyStoreName": "renamed"}))).await;
    kms.ok(UpdateCustomKeyStore, to(&id, json!({"NewCustomKeyStoreName": "renamed"}))).await;
    kms.ok(UpdateCustomKeyStore, to(&id, json!({}))).await;
    assert_eq!(kms.proxies.take_asked(), [], "a name is nothing to the proxy");
    assert_eq!(shown(&kms, &id).await["CustomKeyStoreName"], "renamed");

    let failed = create(&kms, "two").await;
    kms.proxies.fail(Some(ProxyFailure::TimedOut));
    connect(&kms, &failed).await;
    let rename = json!({"NewCustomKeyStoreName": "three"});
    assert_eq!(code(&kms.refused(UpdateCustomKeyStore, to(&failed, rename.clone())).await), wrong_state);
    kms.proxies.fail(None);
    let connecting = create(&kms, "four").await;
    kms.ok(ConnectCustomKeyStore, json!({"CustomKeyStoreId": connecting})).await;
    assert_eq!(code(&kms.refused(UpdateCustomKeyStore, to(&connecting, rename)).await), wrong_state);
}

#[tokio::test]
async fn members_belong_to_the_type_and_to_each_other() {
    let kms = TestKms::new().await;
    let id = create(&kms, "one").await;
    for members in [
        json!({"KeyStorePassword": "password"}),
        json!({"CloudHsmClusterId": "cluster-234abcdefABC"}),
        json!({"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"}),
        json!({"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE", "XksProxyUriEndpoint": "https://one.example.com"}),
        json!({"XksProxyConnectivity": "PUBLIC_ENDPOINT"}),
        json!({"XksProxyVpcEndpointServiceName": "com.amazonaws.vpce.eu-central-1.vpce-svc-0123"}),
        json!({"XksProxyVpcEndpointServiceOwner": "444455556666"}),
    ] {
        let refused = kms.refused(UpdateCustomKeyStore, to(&id, members.clone())).await;
        assert_eq!(code(&refused), "ValidationException", "{members}: {refused}");
    }
    create(&kms, "two").await;
    let taken = kms.refused(UpdateCustomKeyStore, to(&id, json!({"NewCustomKeyStoreName": "two"}))).await;
    assert_eq!(code(&taken), "CustomKeyStoreNameInUseException");
    let taken = json!({"XksProxyUriEndpoint": "https://two.example.com"});
    assert_eq!(code(&kms.refused(UpdateCustomKeyStore, to(&id, taken)).await), "XksProxyUriInUseException");
    // The empty name of a service is none: AWS's console sends it to make a proxy public.
    let public = json!({
        "XksProxyConnectivity": "PUBLIC_ENDPOINT", "XksProxyUriEndpoint": "https://one.example.com",
        "XksProxyVpcEndpointServiceName": "",
    });
    kms.ok(UpdateCustomKeyStore, to(&id, public)).await;
    assert_eq!(kms.proxies.kept(), [], "what is disconnected keeps no connection");
}

#[tokio::test]
async fn what_led_to_a_private_proxy_is_forgotten_when_it_becomes_public() {
    let kms = TestKms::new().await;
    kms.service.register(registry(json!({})));
    let created = kms.ok(CreateCustomKeyStore, private("one")).await;
    let id = created["CustomKeyStoreId"].as_str().expect("an id");
    let public = json!({
        "XksProxyConnectivity": "PUBLIC_ENDPOINT", "XksProxyUriEndpoint": "https://one.example.com",
        "XksProxyVpcEndpointServiceName": "",
    });
    kms.ok(UpdateCustomKeyStore, to(id, public)).await;
    let shown = shown(&kms, id).await["XksProxyConfiguration"].take();
    assert_eq!(shown["Connectivity"], "PUBLIC_ENDPOINT");
    assert_eq!(shown["UriEndpoint"], "https://one.example.com");
    assert!(shown.get("VpcEndpointServiceName").is_none(), "{shown}");
    assert!(shown.get("VpcEndpointServiceOwner").is_none(), "{shown}");
}
