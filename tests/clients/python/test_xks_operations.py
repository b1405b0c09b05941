"""External key stores as an operator sees them: checks of their health, metrics, and what their proxies do to others."""

import concurrent.futures
import json
import re
import signal
import statistics
import subprocess
import time
import urllib.request

import pytest
from botocore.config import Config
from server import ACCOUNT, Server, bare_environment, binary, until
from trent_proxy import TrentProxy
from xks_proxy import HOST, REGION, Authority, Proxy, configuration, request


def told(proxy, authority, more="", **settings):
    """The configuration of a server that finds the proxy under its name, and asks it each second how it is."""
    often = "health_check_seconds = 1\n"
    return configuration(proxy, authority, **settings) + often + more + "[jobs]\ninterval_seconds = 1\n"


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


def make_key(kms, store, external_key="key"):
    made = kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=external_key)
    return made["KeyMetadata"]["KeyId"]


def admin(directory, *words):
    """`trent admin`, as the operator of the server in this directory."""
    line = [binary(), "admin", "--json", *words]
    return subprocess.run(line, cwd=directory, env=bare_environment(), capture_output=True, text=True, timeout=60)


def test_a_store_is_made_of_the_configuration_file_that_trents_proxy_writes(authority, tmp_path):
    (tmp_path / "proxy").mkdir()
    certificate = authority.issue("written", HOST, dns=HOST)
    proxy = TrentProxy(tmp_path / "proxy", certificate, "--ops-listen", "127.0.0.1:0")
    proxy.admin("xks-store", "add", "prod")
    proxy.admin("xks-key", "add", "prod", "payments")
    file = proxy.configuration("prod", "prod.json")
    (tmp_path / "trent.toml").write_text(told(proxy, authority, timeout_ms=5000))
    server = Server(tmp_path, arguments=["--config", "trent.toml"]).start()
    try:
        kms = server.client(REGION)

        def create(name, config=file, endpoint=f"https://{HOST}", account=ACCOUNT, more=()):
            where = ["--account", account, "--region", REGION, "--endpoint", endpoint]
            return admin(tmp_path, "key-store", "create", name, *where, "--proxy-config", config, *more)

        # What goes wrong says what to do next, and no secret.
        secret = json.loads(file.read_text())["XksProxyAuthenticationCredential"]["RawSecretAccessKey"]
        other = secret[:-2] + ("A=" if secret[-2] != "A" else "B=")
        broken, wrong, elsewhere = [tmp_path / f"{name}.json" for name in ["broken", "wrong", "elsewhere"]]
        broken.write_text(file.read_text().replace("AccessKeyId", "Id"))
        wrong.write_text(file.read_text().replace(secret, other))
        elsewhere.write_text(file.read_text().replace("/prod/", "/test/"))
        service = ["--service", f"com.amazonaws.vpce.{REGION}.vpce-svc-0"]
        for refused, text in [
            (create("a", tmp_path / "none.json"), "none.json: No such file"),
            (create("a", broken), "broken.json is no proxy configuration file"),
            (create("a", wrong), "could not authenticate"),
            (create("a", wrong), "`trent xks-proxy config` writes one"),
            (create("a", elsewhere), "does not serve the path in the file"),
            (create("a", endpoint="https://nowhere.example.test"), "`trent xks check` tells more"),
            (create("a", endpoint="https://127.0.0.1"), "fully qualified domain name"),
            (create("a", endpoint=f"https://{HOST}:443"), "xksProxyUriEndpoint"),
            (create("a", account="999999999999"), "`trent admin account list`"),
            (create("a", more=service), "[[xks.vpc_endpoint_service]]"),
        ]:
            assert refused.returncode != 0 and text in refused.stdout + refused.stderr, (text, refused)
            assert secret not in refused.stdout + refused.stderr and other not in refused.stdout + refused.stderr
        assert kms.describe_custom_key_stores()["CustomKeyStores"] == []
        made = create("mine")
        assert made.returncode == 0, made
        store = json.loads(made.stdout)["id"]
        taken = create("mine")
        assert "already exists" in taken.stdout + taken.stderr and taken.returncode != 0
        # It is a store like any other.
        kms.connect_custom_key_store(CustomKeyStoreId=store)
        until(lambda: state(kms, store) == "CONNECTED")
        key = make_key(kms, store, "payments")
        sealed = kms.encrypt(KeyId=key, Plaintext=b"text")
        opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])
        assert opened["Plaintext"] == b"text"
        # The proxy's record of each call has the id of the request to KMS.
        for answer, api in [(sealed, "Encrypt"), (opened, "Decrypt")]:
            lines = [line for line in proxy.log().splitlines() if answer["ResponseMetadata"]["RequestId"] in line]
            assert len(lines) == 1 and f'api="{api}"' in lines[0] and 'outcome="Success"' in lines[0], lines
        log = server.log() + proxy.log() + "".join(
            path.read_text() for path in (tmp_path / "trent-data").rglob("*.jsonl")
        )
        assert secret not in log
        # The proxy counts what it was asked.
        page = lambda path: urllib.request.urlopen(proxy.ops_endpoint + path).read().decode()  # noqa: E731
        assert page("/healthz") == "ok\n" and page("/readyz") == "ready\n"
        metrics = page("/metrics")
        for operation, result, least in [
            ("Encrypt", "OK", 1),
            ("Decrypt", "OK", 1),
            ("GetKeyMetadata", "OK", 1),
            ("GetHealthStatus", "OK", 2),
            ("GetHealthStatus", "AuthenticationFailedException", 2),
            ("none", "InvalidUriPathException", 1),
        ]:
            found = re.search(
                rf'trent_xks_requests_total\{{operation="{operation}",result="{result}"\}} (\d+)', metrics
            )
            assert found and int(found[1]) >= least, (operation, result, metrics)
        assert 'trent_xks_request_seconds_count{operation="Encrypt"} 1' in metrics
    finally:
        assert server.stop() == 0, server.log()
        assert proxy.stop() == 0, proxy.log()


def test_each_state_of_a_connection_outlives_a_kill(proxy, authority, tmp_path):
    file = tmp_path / "trent.toml"
    file.write_text(told(proxy, authority, timeout_ms=20_000))
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    kms = server.client(REGION)
    at = lambda name: {"XksProxyUriPath": f"/at/{name}{proxy.path}"}  # noqa: E731
    create = lambda name: kms.create_custom_key_store(**request(proxy, name, **at(name)))["CustomKeyStoreId"]  # noqa: E731
    stands, disconnecting = [connected(kms, proxy, name, **at(name)) for name in ["stands", "ending"]]
    failed, connecting, disconnected = [create(name) for name in ["failed", "connecting", "never"]]
    key = make_key(kms, stands)
    sealed = kms.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    proxy.faults = {"AuthenticationFailedException"}
    kms.connect_custom_key_store(CustomKeyStoreId=failed)
    until(lambda: state(kms, failed) == "FAILED")
    proxy.faults = set()
    # One attempt has no answer, and another store comes to the end of its own.
    proxy.hangs = "/at/connecting"
    kms.connect_custom_key_store(CustomKeyStoreId=connecting)
    until(lambda: proxy.hanging == 1)
    kms.disconnect_custom_key_store(CustomKeyStoreId=disconnecting)
    states = lambda: [  # noqa: E731
        state(kms, store) for store in [disconnected, connecting, stands, failed, disconnecting]
    ]
    assert states()[:4] == ["DISCONNECTED", "CONNECTING", "CONNECTED", "FAILED"]
    # Nobody holds it up: it may have ended already.
    assert state(kms, disconnecting) in {"DISCONNECTING", "DISCONNECTED"}
    server.kill()
    proxy.seen.clear()
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    try:
        kms = server.client(REGION)
        # What was used is used, though nobody has connected it; its proxy is asked how it is meanwhile.
        assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"text"
        until(lambda: proxy.hanging == 2)
        assert states()[:4] == ["DISCONNECTED", "CONNECTING", "CONNECTED", "FAILED"]
        until(lambda: any(who["kmsOperation"] == "KmsHealthCheck" for _, who in proxy.seen))
        proxy.hangs = None
        until(lambda: state(kms, connecting) == "CONNECTED")
        until(lambda: state(kms, disconnecting) == "DISCONNECTED")
        assert states() == ["DISCONNECTED", "CONNECTED", "CONNECTED", "FAILED", "DISCONNECTED"]
        shown = kms.describe_custom_key_stores(CustomKeyStoreId=failed)["CustomKeyStores"][0]
        assert shown["ConnectionErrorCode"] == "INVALID_CREDENTIALS"
    finally:
        proxy.hangs = None
        assert server.stop() == 0, server.log()


def test_a_key_is_held_to_the_quota_of_its_store_and_seen_in_its_metrics(proxy, authority, tmp_path):
    file = tmp_path / "trent.toml"
    file.write_text(told(proxy, authority, "requests_per_second = 1\n", timeout_ms=20_000))
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    try:
        kms = server.client(REGION)
        store = connected(kms, proxy)
        key, plain = make_key(kms, store), kms.create_key()["KeyMetadata"]["KeyId"]
        sent = lambda: len([api for api, _ in proxy.seen if api == "encrypt"])  # noqa: E731

        def refused():
            try:
                kms.encrypt(KeyId=key, Plaintext=b"text")
            except kms.exceptions.ClientError as error:
                return error.response["Error"]

        # One in a second, and as many as fall into the time that this takes.
        throttled = until(refused)
        assert throttled["Code"] == "ThrottlingException"
        assert "exceeded the rate" in throttled["Message"]
        of = {"KmsOperation": "Encrypt", "KeySpec": "SYMMETRIC_DEFAULT"}
        seen = Metrics(server, store)
        assert seen.one("ExternalKeyStoreThrottle_total", **of) == 1
        assert seen.one("XksProxyRequests_total", XksOperation="Encrypt", **of) == sent() >= 1
        assert seen.one("XksProxyLatency_count", XksOperation="Encrypt", **of) == sent()
        kms.encrypt(KeyId=plain, Plaintext=b"text")
        proxy.faults = {"KeyNotFoundException"}
        until(lambda: (refused() or {}).get("Code") == "KMSInvalidStateException")
        error = {"ErrorType": "Non-retryable errors", "ExceptionName": "KeyNotFoundException"}
        assert Metrics(server, store).one("XksProxyErrors_total", XksOperation="Encrypt", **of, **error) == 1
    finally:
        assert server.stop() == 0, server.log()


CALLERS = 200


def test_a_proxy_that_hangs_delays_its_own_callers_alone(proxy, authority, tmp_path):
    file = tmp_path / "trent.toml"
    file.write_text(told(proxy, authority, timeout_ms=2000))
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    try:
        hundreds_of_callers(server, proxy)
    finally:
        proxy.hangs = None
        assert server.stop() == 0, server.log()


def hundreds_of_callers(server, proxy):
    kms = server.client(
        REGION, config=Config(max_pool_connections=CALLERS, retries={"total_max_attempts": 1}, read_timeout=60)
    )
    at = lambda name: {"XksProxyUriPath": f"/at/{name}{proxy.path}"}  # noqa: E731
    hangs, well = [make_key(kms, connected(kms, proxy, name, **at(name))) for name in ["hangs", "well"]]
    plain = kms.create_key()["KeyMetadata"]["KeyId"]
    measuring = server.client(REGION)

    def median_ms(key, times=15):
        took = []
        for _ in range(times):
            begun = time.monotonic()
            measuring.encrypt(KeyId=key, Plaintext=b"text")
            took.append(1000 * (time.monotonic() - begun))
        return statistics.median(took)

    def call(_):
        try:
            kms.encrypt(KeyId=hangs, Plaintext=b"text")
        except kms.exceptions.KMSInvalidStateException as error:
            return error.response["Error"]["Message"]

    before = {name: median_ms(key) for name, key in [("plain", plain), ("well", well)]}
    proxy.hangs = "/at/hangs"
    with concurrent.futures.ThreadPoolExecutor(CALLERS) as callers:
        begun = time.monotonic()
        calls = [callers.submit(call, number) for number in range(CALLERS)]
        until(lambda: proxy.hanging > 0)
        while_hanging = {name: median_ms(key) for name, key in [("plain", plain), ("well", well)]}
        told_to = {call.result() for call in calls}
        took = time.monotonic() - begun
    reached = proxy.hanging
    print(f"median before {before}, meanwhile {while_hanging}; {CALLERS} calls took {took:.1f} s, {reached} got there")
    assert all("did not respond in time" in told or "cannot communicate" in told for told in told_to), told_to
    # Were they waited for, a call would take as long as a time-out.
    assert max(while_hanging.values()) < 1000
    # The breaker lets few more by; they fail at once.
    proxy.hanging = 0
    begun = time.monotonic()
    assert all(call(number) for number in range(20))
    again = time.monotonic() - begun
    proxy.hangs = None
    print(f"20 more calls, one after another, took {again:.2f} s, {proxy.hanging} got there")
    assert proxy.hanging <= 10
    # And it is used again once it answers.
    until(lambda: call(0) is None)
