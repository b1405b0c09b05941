"""One trent keeps its keys with another: `trent serve` as KMS, `trent xks-proxy` behind it, TLS in between, boto3 in front."""

import json
import statistics
import threading
import time

import pytest
from botocore.exceptions import ClientError
from server import Server
from test_external_keys import LATE, NOT_REACHABLE, UNREADABLE, connect, create
from trent_proxy import TrentProxy
from xks_proxy import HOST, REGION, Authority

CALLERS = 4
PATIENCE_SECONDS = 90


class Pair:
    """A KMS and a proxy."""

    def __init__(self, directory):
        authority = Authority(directory / "authority")
        self.certificate = authority.issue("trent", HOST, dns=HOST)
        self.proxy_directory = directory / "proxy"
        self.proxy_directory.mkdir()
        self.proxy = TrentProxy(self.proxy_directory, self.certificate)
        self.port = self.proxy.port
        self.proxy.admin("xks-store", "add", "one", "--quota", "0")
        self.proxy.admin("xks-key", "add", "one", "theirs")
        told = json.loads(self.proxy.configuration("one", "one.json").read_text())
        self.credential = told["XksProxyAuthenticationCredential"]
        file = directory / "trent.toml"
        file.write_text(
            f"""
[xks]
extra_trust_roots = ["{authority.file}"]
request_timeout_ms = 2000
connect_override = [{{ host = "{HOST}", connect_to = ["127.0.0.1:{self.port}"] }}]
"""
        )
        self.server = Server(directory, arguments=["--config", str(file)]).start()
        self.kms = self.server.client(REGION)
        store = self.kms.create_custom_key_store(
            CustomKeyStoreName="one",
            CustomKeyStoreType="EXTERNAL_KEY_STORE",
            XksProxyConnectivity="PUBLIC_ENDPOINT",
            XksProxyUriEndpoint=f"https://{HOST}",
            XksProxyUriPath=told["XksProxyUriPath"],
            XksProxyAuthenticationCredential=self.credential,
        )
        self.store = store["CustomKeyStoreId"]
        connect(self.kms, self.store)
        self.key = create(self.kms, self.store, "theirs")
        self.own_key = self.kms.create_key()["KeyMetadata"]["KeyId"]

    def restart_proxy(self):
        self.proxy = TrentProxy(self.proxy_directory, self.certificate, port=self.port)

    def stop(self):
        assert self.server.stop() == 0, self.server.log()
        assert self.proxy.stop() == 0, self.proxy.log()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    pair = Pair(tmp_path_factory.mktemp("pair"))
    yield pair
    pair.stop()


class Load:
    """Callers who make data keys, and decrypt them, until they are told to stop."""

    def __init__(self, pair, key, callers):
        self.pair, self.key, self.ended = pair, key, threading.Event()
        self.done, self.failed, self.times = [0] * callers, [], []
        self.callers = [threading.Thread(target=self.run, args=[number]) for number in range(callers)]

    def __enter__(self):
        for caller in self.callers:
            caller.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for caller in self.callers:
            caller.join(PATIENCE_SECONDS)

    def run(self, number):
        kms = self.pair.server.client(REGION)
        while not self.ended.is_set():
            started = time.monotonic()
            try:
                made = kms.generate_data_key(KeyId=self.key, KeySpec="AES_256")
                assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
                self.done[number] += 1
            except ClientError as error:
                self.failed.append((error.response["Error"]["Code"], error.response["Error"]["Message"]))
            except Exception as error:  # noqa: BLE001
                self.failed.append((type(error).__name__, str(error)))
            self.times.append((time.monotonic(), time.monotonic() - started))

    def wait_for_each(self, more):
        """Waits until each caller has had so many more answers, all of them asked for from now on but the first."""
        before = list(self.done)
        wait_until(lambda: all(now >= then + more + 1 for now, then in zip(self.done, before, strict=True)))

    def median_ms(self, since, until):
        return 1000 * statistics.median(took for at, took in self.times if since <= at < until)


def wait_until(condition):
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_keys_of_one_trent_are_with_another(pair):
    made = pair.kms.generate_data_key(KeyId=pair.key, KeySpec="AES_256", EncryptionContext={"a": "b"})
    opened = pair.kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == made["Plaintext"]
    # The proxy has noted on whose behalf.
    log = pair.proxy.log()
    assert made["ResponseMetadata"]["RequestId"] in log and f"key/{pair.key}" in log and "GenerateDataKey" in log
    # New material there decrypts what the old has encrypted; a disabled key decrypts nothing.
    pair.proxy.admin("xks-key", "rotate", "one", "theirs")
    assert pair.kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})["KeyId"]
    pair.proxy.admin("xks-key", "disable", "one", "theirs")
    with pytest.raises(pair.kms.exceptions.KMSInvalidStateException, match="is not enabled in the external key manager"):
        pair.kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})
    pair.proxy.admin("xks-key", "enable", "one", "theirs")
    assert pair.kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})["KeyId"]


def test_a_credential_is_rotated_under_load_without_a_failed_request(pair):
    with Load(pair, pair.key, CALLERS) as load:
        load.wait_for_each(5)
        old = pair.credential
        for _ in range(2):
            added = pair.proxy.admin("xks-store", "add-credential", "one")
            new = {"AccessKeyId": added["access_key_id"], "RawSecretAccessKey": added["secret"]}
            pair.kms.update_custom_key_store(
                CustomKeyStoreId=pair.store, XksProxyAuthenticationCredential=new
            )
            # What was asked before the update may still be signed with the old one.
            load.wait_for_each(1)
            pair.proxy.admin("xks-store", "delete-credential", "one", old["AccessKeyId"])
            load.wait_for_each(5)
            old = new
    pair.credential = old
    print(f"{sum(load.done)} data keys made and decrypted by {CALLERS} callers over two rotations")
    assert load.failed == []


def test_a_killed_proxy_hurts_its_own_keys_alone_and_nobody_has_to_repair_anything(pair):
    with Load(pair, pair.key, CALLERS) as theirs, Load(pair, pair.own_key, 1) as own:
        theirs.wait_for_each(5)
        begin = time.monotonic()
        own.wait_for_each(30)
        killed = time.monotonic()
        pair.proxy.kill()
        wait_until(lambda: len(theirs.failed) > 20 * CALLERS)
        own.wait_for_each(30)
        back = time.monotonic()
        pair.restart_proxy()
        theirs.wait_for_each(5)
        recovered = time.monotonic()
        failed_at_recovery = len(theirs.failed)
        theirs.wait_for_each(5)
        assert len(theirs.failed) == failed_at_recovery
        before, during = own.median_ms(begin, killed), own.median_ms(killed, back)
    print(
        f"{len(theirs.failed)} requests failed; recovered {recovered - back:.1f} s after the proxy's start began; other "
        f"keys took {before:.1f} ms before and {during:.1f} ms meanwhile (median, two requests from Python)"
    )
    documented = {("KMSInvalidStateException", text) for text in [NOT_REACHABLE, LATE, UNREADABLE]}
    assert set(theirs.failed) <= documented, set(theirs.failed) - documented
    assert own.failed == []
    # The callers of dead keys fail at once and so call far more often than before: they take their share of the cores.
    assert during < 10 * before + 100
