"""External key stores as an operator sees them: checks of their health, metrics, and what their proxies do to others."""

import re
import signal
import time
import urllib.request

import pytest
from server import Server
from xks_proxy import HOST, REGION, Authority, Proxy, configuration, request

PATIENCE = 30


def told(proxy, authority, more=""):
    """The configuration of a server that finds the proxy under its name, and asks it each second how it is."""
    often = "health_check_seconds = 1\n"
    return configuration(proxy, authority) + often + more + "[jobs]\ninterval_seconds = 1\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def proxy(authority):
    proxy = Proxy(authority.issue("operations", HOST, dns=HOST, days=9))
    yield proxy
    proxy.stop()


@pytest.fixture
def server(authority, proxy, tmp_path):
    file = tmp_path / "trent.toml"
    file.write_text(told(proxy, authority))
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    yield server
    assert server.stop() == 0, server.log()


def until(condition):
    """What the condition gives once that is something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it does not come to be")


def state(kms, store):
    return kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"][0]["ConnectionState"]


def connected(kms, proxy, name="store", **members):
    """A key store that is connected."""
    store = kms.create_custom_key_store(**request(proxy, name, **members))["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    until(lambda: state(kms, store) == "CONNECTED")
    return store


class Metrics:
    """The metrics of a key store."""

    def __init__(self, server, store):
        text = urllib.request.urlopen(server.ops_endpoint + "/metrics").read().decode()
        self.found = []
        for line in text.splitlines():
            found = re.fullmatch(r"trent_(\w+)\{(.*)\} (\S+)", line)
            labels = dict(re.findall(r'(\w+)="([^"]*)"', found[2])) if found else {}
            if labels.pop("CustomKeyStoreId", None) == store:
                self.found.append((found[1], labels, float(found[3])))

    def one(self, name, **wanted):
        """The value of the metric with this name and, beside others, these labels."""
        values = [value for n, labels, value in self.found if n == name and wanted.items() <= labels.items()]
        return values[0] if len(values) == 1 else None


def test_a_connected_proxy_is_looked_after_and_its_death_is_seen_in_metrics_alone(server, proxy):
    kms = server.client(REGION)
    store = connected(kms, proxy)
    checks = until(lambda: [who for _, who in proxy.seen if who["kmsOperation"] == "KmsHealthCheck"])
    assert set(checks[0]) == {"kmsOperation", "kmsRequestId"}, "nobody is behind it"
    health = {"KmsOperation": "KmsHealthCheck", "XksOperation": "GetHealthStatus", "KeySpec": "SYMMETRIC_DEFAULT"}
    until(lambda: Metrics(server, store).one("XksProxyRequests_total", **health))
    seen = Metrics(server, store)
    assert seen.one("XksProxyLatency_count", **health) >= 1
    assert seen.one("XksProxyErrors_total", **health) is None
    assert 8.9 < seen.one("XksProxyCertificateDaysToExpire", CertificateName=HOST) < 9.0
    assert 0 <= seen.one("XksProxyCredentialAge") < 0.1
    states = lambda: [  # noqa: E731
        Metrics(server, store).one("XksExternalKeyManagerStates", XksExternalKeyManagerState=name)
        for name in ["Active", "Degraded", "Unavailable"]
    ]
    assert states() == [1, 0, 0]
    proxy.faults = {"unavailable"}
    until(lambda: states() == [0, 0, 1])
    proxy.faults = {"InternalException"}
    failed = health | {"ErrorType": "Retryable errors", "ExceptionName": "InternalException"}
    until(lambda: Metrics(server, store).one("XksProxyErrors_total", **failed))
    # Connections that are open are closed, and no other is taken.
    proxy.faults = {"close"}
    proxy.stop()
    unreached = health | {"ErrorType": "Retryable errors", "ExceptionName": "XksProxyUnreachableException"}
    count = lambda: Metrics(server, store).one("XksProxyErrors_total", **unreached) or 0  # noqa: E731
    before = count()
    until(lambda: count() > before)
    assert states() == [None, None, None]
    assert state(kms, store) == "CONNECTED"
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    until(lambda: state(kms, store) == "DISCONNECTED")
    until(lambda: Metrics(server, store).found == [])


TLS = "cannot establish a TLS connection to the external key store proxy"


def test_what_the_configuration_says_of_proxies_is_reloaded_and_what_is_wrong_in_it_changes_nothing(
    server, proxy, authority, tmp_path
):
    kms = server.client(REGION)
    file, others = tmp_path / "trent.toml", Authority(tmp_path / "others")

    def reload(text, said):
        before = server.log().count(said)
        file.write_text(text)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.log().count(said) > before)

    def refused(**members):
        with pytest.raises(kms.exceptions.XksProxyUriUnreachableException) as error:
            kms.create_custom_key_store(**request(proxy, "other", **members))
        return error.value.response["Error"]["Message"]

    store = connected(kms, proxy)
    # It moves to another port, with another authority's certificate, and asks for that of the client.
    moved = Proxy(others.issue("moved", HOST, dns=HOST), clients=authority)
    try:
        moved.path = "/moved/kms/xks/v1"
        elsewhere = {"XksProxyUriPath": moved.path}
        reload(told(moved, authority), "configuration reloaded")
        assert TLS in refused(**elsewhere), "its authority is not known"
        reload(told(moved, others), "configuration reloaded")
        assert TLS in refused(**elsewhere), "no certificate is shown to it"
        name = f"cks.kms.{REGION}.amazonaws.com"
        chain, key = authority.issue("shown", name)
        stranger, stranger_key = others.issue("stranger", name)

        def shown(chain, key, host="*.example.test", prefix="/moved"):
            return (
                f'[[xks.client_certificate]]\nhost = "{host}"\nuri_path_prefix = "{prefix}"\n'
                f'certificate = "{chain}"\nkey = "{key}"\n'
            )

        for not_it in [shown(stranger, stranger_key), shown(chain, key, prefix="/python"), shown(chain, key, "a.test")]:
            reload(told(moved, others, not_it), "configuration reloaded")
            assert TLS in refused(**elsewhere)
        reload(told(moved, others, shown(chain, key)), "configuration reloaded")
        other = connected(kms, moved, "other", **elsewhere)
        assert moved.seen[-1][0] == "health"
        # What is wrong is told, and the old stays.
        kms.disconnect_custom_key_store(CustomKeyStoreId=other)
        until(lambda: state(kms, other) == "DISCONNECTED")
        reload(told(moved, others, shown(tmp_path / "none.pem", key)), "none.pem: No such file")
        reload(told(moved, others, shown(chain, stranger_key)), "the configuration stays as it was")
        reload(told(moved, others, shown(key, key)), "the configuration stays as it was")
        kms.connect_custom_key_store(CustomKeyStoreId=other)
        until(lambda: state(kms, other) == "CONNECTED")
        assert state(kms, store) == "CONNECTED"
        assert "need a restart" not in server.log()
    finally:
        moved.stop()
