"""Custom key stores over real TLS: their records and connections, with a proxy that was written apart."""

import time

import pytest
from server import ACCOUNT, Server
from xks_proxy import HOST, REGION, Authority, Proxy, configuration, request

SERVICE = f"com.amazonaws.vpce.{REGION}.vpce-svc-0123"
PRIVATE_HOST = "private.example.test"
# Kept for a caller's client to look for.
NOT_REACHABLE = "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue."
LATE = "the external key store proxy did not respond in time"


def private_service(proxy):
    """The way to the proxy through a private network."""
    return f"""
[[xks.vpc_endpoint_service]]
name = "{SERVICE}"
owner_account = "{ACCOUNT}"
load_balancer_type = "network"
availability_zones = ["{REGION}a", "{REGION}b"]
private_dns_name = "{PRIVATE_HOST}"
domain_verification = "verified"
allowed_principals = ["cks.kms.{REGION}.amazonaws.com"]
targets = ["127.0.0.1:{proxy.port}"]
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def proxy(authority):
    proxy = Proxy(authority.issue("python", HOST, dns=HOST))
    yield proxy
    proxy.stop()


@pytest.fixture
def stores(authority, proxy, tmp_path):
    """A client of a server that finds the proxy under its name."""
    file = tmp_path / "trent.toml"
    file.write_text(configuration(proxy, authority) + private_service(proxy))
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    yield server.client(REGION)
    assert server.stop() == 0, server.log()


def shown(kms, store):
    return kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"][0]


def settled(kms, store):
    """The state of a connection once it no longer passes, and why it failed."""
    for _ in range(200):
        found = shown(kms, store)
        if not found["ConnectionState"].endswith("ING"):
            return found["ConnectionState"], found.get("ConnectionErrorCode")
        time.sleep(0.05)
    raise AssertionError(f"{store} stays {found['ConnectionState']}")


def test_a_store_is_made_connected_changed_and_deleted(stores, proxy):
    store = stores.create_custom_key_store(**request(proxy))["CustomKeyStoreId"]
    assert proxy.seen == [("health", proxy.seen[0][1])]
    assert proxy.seen[0][1]["kmsOperation"] == "CreateCustomKeyStore"
    assert set(proxy.seen[0][1]) == {"kmsOperation", "kmsRequestId"}
    stores.connect_custom_key_store(CustomKeyStoreId=store)
    assert settled(stores, store) == ("CONNECTED", None)
    # Of two credentials that the proxy takes, the new one is tried before it is kept.
    new = {"AccessKeyId": "ABCDEFGHIJKLMNOPQRST", "RawSecretAccessKey": "n" * 44}
    with pytest.raises(stores.exceptions.XksProxyIncorrectAuthenticationCredentialException):
        stores.update_custom_key_store(CustomKeyStoreId=store, XksProxyAuthenticationCredential=new)
    proxy.credentials[new["AccessKeyId"]] = new["RawSecretAccessKey"]
    stores.update_custom_key_store(CustomKeyStoreId=store, XksProxyAuthenticationCredential=new)
    assert shown(stores, store)["XksProxyConfiguration"]["AccessKeyId"] == new["AccessKeyId"]
    stores.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert settled(stores, store) == ("DISCONNECTED", None)
    stores.delete_custom_key_store(CustomKeyStoreId=store)
    assert stores.describe_custom_key_stores()["CustomKeyStores"] == []


@pytest.mark.parametrize(
    "fault, code, text",
    [
        ("AuthenticationFailedException", "XksProxyIncorrectAuthenticationCredentialException", "could not authenticate"),
        ("InvalidUriPathException", "XksProxyInvalidConfigurationException", "invalid URI path"),
        ("html", "XksProxyInvalidResponseException", "cannot interpret the response"),
        ("bad-json", "XksProxyInvalidResponseException", "cannot interpret the response"),
        ("redirect", "XksProxyInvalidResponseException", "cannot interpret the response"),
        ("slow", "XksProxyUriUnreachableException", LATE),
        ("unavailable", "XksProxyUriUnreachableException", "unhealthy state"),
        ("no-instance", "XksProxyInvalidResponseException", "cannot interpret the response"),
        ("eleven", "XksProxyInvalidResponseException", "cannot interpret the response"),
        ("no-fleet", "XksProxyInvalidResponseException", "cannot interpret the response"),
        ("AccessDeniedException", "XksProxyInvalidConfigurationException", "denied access"),
    ],
)
def test_no_store_is_kept_that_does_not_work(stores, proxy, fault, code, text):
    proxy.faults = {fault}
    with pytest.raises(stores.exceptions.ClientError) as error:
        stores.create_custom_key_store(**request(proxy))
    told = error.value.response["Error"]
    assert told["Code"] == code and text in told["Message"], told
    assert "secret detail" not in told["Message"]
    assert stores.describe_custom_key_stores()["CustomKeyStores"] == []


def test_a_proxy_that_is_not_there_or_not_trusted_is_told(stores, proxy, authority, tmp_path_factory):
    store = stores.create_custom_key_store(**request(proxy))["CustomKeyStoreId"]
    proxy.faults = {"slow"}
    stores.connect_custom_key_store(CustomKeyStoreId=store)
    assert settled(stores, store) == ("FAILED", "XKS_PROXY_TIMED_OUT")
    stores.disconnect_custom_key_store(CustomKeyStoreId=store)
    settled(stores, store)
    # No other name leads to the proxy, and addresses of this machine are not connected to.
    for host in ["localhost.example.test", "elsewhere.example.test"]:
        with pytest.raises(stores.exceptions.XksProxyUriUnreachableException, match=NOT_REACHABLE):
            stores.create_custom_key_store(**request(proxy, "other", XksProxyUriEndpoint=f"https://{host}"))


def test_a_proxy_in_a_private_network_is_reached_through_its_service_alone(stores, proxy, authority):
    private = request(
        proxy,
        XksProxyConnectivity="VPC_ENDPOINT_SERVICE",
        XksProxyUriEndpoint=f"https://{PRIVATE_HOST}",
        XksProxyVpcEndpointServiceName=SERVICE,
    )
    store = stores.create_custom_key_store(**private)["CustomKeyStoreId"]
    assert proxy.seen == []
    configuration = shown(stores, store)["XksProxyConfiguration"]
    assert configuration["VpcEndpointServiceOwner"] == ACCOUNT
    stores.connect_custom_key_store(CustomKeyStoreId=store)
    # It is reached, and shows a certificate of another name.
    assert settled(stores, store) == ("FAILED", "XKS_PROXY_INVALID_TLS_CONFIGURATION")


def test_an_attempt_to_connect_says_why_it_failed(stores, proxy, authority):
    store = stores.create_custom_key_store(**request(proxy))["CustomKeyStoreId"]

    def connect():
        stores.connect_custom_key_store(CustomKeyStoreId=store)
        found = settled(stores, store)
        stores.disconnect_custom_key_store(CustomKeyStoreId=store)
        assert settled(stores, store) == ("DISCONNECTED", None)
        return found

    for fault, code in [
        ("AuthenticationFailedException", "INVALID_CREDENTIALS"),
        ("InvalidUriPathException", "XKS_PROXY_INVALID_CONFIGURATION"),
        ("bad-json", "XKS_PROXY_INVALID_RESPONSE"),
        ("AccessDeniedException", "XKS_PROXY_ACCESS_DENIED"),
        ("unavailable", "XKS_PROXY_NOT_REACHABLE"),
        ("slow", "XKS_PROXY_TIMED_OUT"),
    ]:
        proxy.faults = {fault}
        assert connect() == ("FAILED", code), fault
    # As long as one instance of the key manager serves, all is well.
    proxy.faults = {"degraded"}
    assert connect() == ("CONNECTED", None)
    proxy.context.load_cert_chain(*authority.issue("ended", HOST, dns=HOST, days=-1))
    assert connect() == ("FAILED", "XKS_PROXY_INVALID_TLS_CONFIGURATION")
    proxy.stop()
    assert connect() == ("FAILED", "XKS_PROXY_NOT_REACHABLE")


def test_a_proxy_at_another_address_is_asked_by_its_name_and_once_more_after_a_time_out(stores, proxy):
    stores.create_custom_key_store(**request(proxy))
    assert proxy.names == {("tls", HOST), ("http", HOST)}
    proxy.faults, before = {"slow"}, len(proxy.seen)
    with pytest.raises(stores.exceptions.XksProxyUriUnreachableException, match=LATE):
        other = {"XksProxyUriPath": "/at/other" + proxy.path}
        stores.create_custom_key_store(**request(proxy, "other", **other))
    deadline = time.monotonic() + 30
    while len(proxy.seen) < before + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(proxy.seen) == before + 2
