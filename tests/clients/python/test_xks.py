"""External key store proxies: the tester on one that was written apart and misbehaves, trent's own by the tester, by
curl and by Python, and how that one encrypts."""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from server import bare_environment, binary
from trent_proxy import TrentProxy
from xks_proxy import HOST, REGION, Authority, Proxy

WHO = {
    "awsPrincipalArn": "arn:aws:iam::123456789012:user/Alice",
    "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:/key/1234",
    "kmsOperation": "Encrypt",
    "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def python_proxy(authority):
    proxy = Proxy(authority.issue("python", HOST, dns=HOST))
    yield proxy
    proxy.stop()


def check(configuration, port, authority, *arguments, budget_ms=5000):
    """Runs the tester; gives its exit code and its report. Machines that run tests are slower than KMS allows."""
    line = [binary(), "xks", "check", "--configuration", configuration, "--endpoint", f"https://{HOST}", "--json"]
    line += ["--connect-to", f"127.0.0.1:{port}", "--ca-cert", authority.file, "--region", REGION]
    line += ["--samples", "10", "--iv-samples", "10", "--budget-ms", str(budget_ms), *arguments]
    done = subprocess.run(line, capture_output=True, text=True, env=bare_environment(), timeout=300)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


PYTHON_KEYS = ["--key", "key", "--encrypt-only-key", "encrypts", "--decrypt-only-key", "decrypts"]
PYTHON_KEYS += ["--impotent-key", "impotent", "--disabled-key", "disabled"]


def check_python(proxy, authority, tmp_path, **settings):
    configuration = proxy.write_configuration(tmp_path / "python.json")
    return check(configuration, proxy.port, authority, *PYTHON_KEYS, **settings)


def failed(report):
    return {check["check"]: check for check in report["checks"] if check["verdict"] == "failed"}


def test_a_proxy_that_keeps_to_the_api_passes(python_proxy, authority, tmp_path):
    code, report = check_python(python_proxy, authority, tmp_path)
    assert not failed(report), failed(report)
    assert code == 0 and report["passed"] > 120 and report["warned"] == 0
    assert "TLSv1_3" in report["transport"] and report["latency"]["samples"] == 10
    # What is personal to a caller is told in no health request.
    assert all("awsPrincipalArn" not in metadata for api, metadata in python_proxy.seen if api == "health")


AS_KMS = "a data key can be encrypted and decrypted"


FAULTS = {
    "wrong-integrity": [
        ("the integrity value is right, with AAD", "another one"),
        (AS_KMS, "AWS KMS cannot interpret the response"),
    ],
    "no-integrity": [("the integrity value is right, without AAD", "there is no integrity value")],
    "long-metadata": [
        ("it answers, for Encrypt", "more than 20 bytes"),
        (AS_KMS, "AWS KMS cannot interpret the response"),
    ],
    "long-iv": [("it answers, for Encrypt", "neither 12 nor 16")],
    "short-tag": [("it answers, for Encrypt", "16 bytes")],
    "short-ciphertext": [("it answers, for Encrypt", "4 bytes for a plaintext of 5")],
    "same-iv": [("10 calls have as many initialization vectors", "the IV of one before")],
    "bad-json": [("somebody serves", "not JSON")],
    "html": [("it answers, for KmsHealthCheck", "text/html")],
    "redirect": [
        ("it answers, for KmsHealthCheck", "302"),
        ("a key store can be connected", "XKS_PROXY_INVALID_RESPONSE"),
    ],
    "unavailable": [
        ("somebody serves", "UNAVAILABLE"),
        ("a key store can be connected", "XKS_PROXY_NOT_REACHABLE: The external key store proxy is in"),
    ],
    "no-fleet": [("it answers, for KmsHealthCheck", "xksProxyFleetSize")],
    "eleven": [("it answers, for KmsHealthCheck", "1 to 10")],
    "aes-128": [("the ordinary key is one that KMS takes", "AES_128")],
    "slow": [
        ("99 of 100 of 10 calls take less than 250 ms", "took up to"),
        ("a key store can be connected", "XKS_PROXY_TIMED_OUT: AWS KMS rejected the request because the"),
    ],
    "unsigned": [("Encrypt with a wrong secret is refused", "status 200")],
    "skew": [("a date 6 minutes old is refused", "status 200")],
    "get": [("GET on Encrypt is refused", "status 401")],
    "no-aad": [("a ciphertext with other AAD is refused", "status 200")],
    "no-lengths": [("metadata do not pass for AAD", "status 200")],
    "lenient": [("a ciphertext with an altered tag is refused", "status 200")],
    "wrong-plaintext": [("what was encrypted decrypts, with AAD", "another plaintext")],
    "ValidationException": [(AS_KMS, "ValidationException: AWS KMS cannot interpret the response")],
    "InvalidStateException": [(AS_KMS, "is not enabled in the external key manager")],
    "InvalidKeyUsageException": [(AS_KMS, "does not support the requested operation")],
    "AuthenticationFailedException": [("a key store can be connected", "INVALID_CREDENTIALS")],
    "AccessDeniedException": [(AS_KMS, "denied access to the operation")],
    "KeyNotFoundException": [(AS_KMS, "was not found in its external key manager")],
    "InvalidUriPathException": [("a key store can be connected", "XKS_PROXY_INVALID_CONFIGURATION")],
    "ThrottlingException": [(AS_KMS, "due to a very high request rate")],
    "InternalException": [(AS_KMS, "cannot communicate with the external key manager")],
    "UnsupportedOperationException": [(AS_KMS, "does not support the requested operation")],
    "DependencyTimeoutException": [("a key store can be connected", "XKS_PROXY_TIMED_OUT: The external key store")],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(python_proxy, authority, tmp_path, fault):
    python_proxy.faults = {fault}
    try:
        budget_ms = 250 if fault == "slow" else 5000
        code, report = check_python(python_proxy, authority, tmp_path, budget_ms=budget_ms)
    finally:
        python_proxy.faults = set()
    assert code == 1
    for name, found in FAULTS[fault]:
        named = failed(report)[name]
        assert found in named["found"], named
        assert named["demanded"] and named["specification"]
        # What a proxy says in confidence goes to the log alone, which here is the bracket at the end.
        assert "secret detail" not in named["found"].split(" (")[0]


@pytest.mark.parametrize(
    ("label", "name", "dns", "days", "found"),
    [
        ("expired", HOST, HOST, -1, "certificate expired"),
        ("wrong-name", "other.test", "other.test", 30, "not valid for name"),
    ],
)
def test_a_certificate_that_is_not_valid_is_found(authority, tmp_path, label, name, dns, days, found):
    proxy = Proxy(authority.issue(label, name, dns=dns, days=days))
    try:
        code, report = check_python(proxy, authority, tmp_path)
    finally:
        proxy.stop()
    assert code == 1 and found in report["checks"][0]["found"]


def test_a_certificate_of_an_unknown_authority_is_found(python_proxy, tmp_path):
    code, report = check_python(python_proxy, Authority(tmp_path), tmp_path)
    assert code == 1 and "invalid peer certificate" in report["checks"][0]["found"]


def test_a_common_name_that_is_not_the_hosts_is_a_warning(authority, tmp_path):
    proxy = Proxy(authority.issue("common", "other.test", dns=HOST, days=5))
    try:
        code, report = check_python(proxy, authority, tmp_path)
    finally:
        proxy.stop()
    warned = [check["check"] for check in report["checks"] if check["verdict"] == "warned"]
    assert code == 0 and len(warned) == 2, report
    assert "common name" in warned[0] and "10 days" in warned[1]


def test_tls_1_1_is_found(authority, tmp_path):
    proxy = Proxy(authority.issue("old", HOST, dns=HOST), old_tls=True)
    try:
        code, report = check_python(proxy, authority, tmp_path)
    finally:
        proxy.stop()
    assert list(failed(report)) == ["TLS 1.1 is refused"] and code == 1


def test_a_proxy_that_closes_and_one_that_is_not_there_are_found(python_proxy, authority, tmp_path):
    python_proxy.faults = {"close"}
    try:
        code, report = check_python(python_proxy, authority, tmp_path)
    finally:
        python_proxy.faults = set()
    assert code == 1 and "no HTTP response" in report["checks"][0]["found"]
    configuration = python_proxy.write_configuration(tmp_path / "python.json")
    code, report = check(configuration, 1, authority, "--key", "key")
    assert code == 1 and "no connection" in report["checks"][0]["found"]


@pytest.fixture(scope="module")
def trent_proxy(authority, tmp_path_factory):
    directory = tmp_path_factory.mktemp("xks")
    proxy = TrentProxy(directory, authority.issue("trent", HOST, dns=HOST))
    proxy.admin("xks-store", "add", "one", "--quota", "0")
    for name, *more in [("key",), ("encrypts", "--usage", "encrypt"), ("decrypts", "--usage", "decrypt"), ("disabled",)]:
        proxy.admin("xks-key", "add", "one", name, *more)
    proxy.admin("xks-key", "add", "one", "impotent", "--usage", "none")
    proxy.admin("xks-key", "disable", "one", "disabled")
    proxy.admin("xks-store", "add", "two")
    proxy.admin("xks-key", "add", "two", "theirs")
    yield proxy
    assert proxy.stop() == 0, proxy.log()


class Caller:
    """Asks a proxy through curl, whose signatures are its own."""

    def __init__(self, proxy, authority, configuration):
        told = json.loads(configuration.read_text())
        pair = told["XksProxyAuthenticationCredential"]
        self.user = f"{pair['AccessKeyId']}:{pair['RawSecretAccessKey']}"
        self.secret = pair["RawSecretAccessKey"]
        self.base = f"https://{HOST}{told['XksProxyUriPath']}"
        self.line = ["curl", "-sS", "--cacert", authority.file, "--connect-to", f"{HOST}:443:127.0.0.1:{proxy.port}"]

    def post(self, path, body, *more, user=None):
        line = [*self.line, "--aws-sigv4", f"aws:amz:{REGION}:kms-xks-proxy", "-u", user or self.user]
        line += ["-H", "content-type: application/json", "-w", "\n%{http_code}", "-d", json.dumps(body), *more]
        done = subprocess.run([*line, f"{self.base}/{path}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        text, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(text)


def test_trents_proxy_passes_all_checks_with_two_credentials(trent_proxy, authority):
    first = trent_proxy.configuration("one", "first.json")
    other = trent_proxy.configuration("two", "other.json")
    added = trent_proxy.admin("xks-store", "add-credential", "one")
    second = trent_proxy.configuration("one", "second.json")
    try:
        arguments = [*PYTHON_KEYS, "--second-configuration", second, "--other-configuration", other]
        code, report = check(first, trent_proxy.port, authority, *arguments, "--other-store-key", "theirs")
        assert code == 0 and not failed(report), failed(report)
        skipped = [check["check"] for check in report["checks"] if check["verdict"] == "skipped"]
        assert len(skipped) == 3 and all("certificate is refused" in check for check in skipped)
        assert "HTTP/2" in report["transport"] and report["warned"] == 0
    finally:
        trent_proxy.admin("xks-store", "delete-credential", "one", added["access_key_id"])
    code, report = check(second, trent_proxy.port, authority, "--key", "key")
    assert "Encrypt with a wrong secret is refused" not in failed(report)
    assert "it answers, for KmsHealthCheck" in failed(report)


def test_trents_proxy_takes_the_signatures_of_curl(trent_proxy, authority):
    caller = Caller(trent_proxy, authority, trent_proxy.configuration("one", "curl.json"))
    health = {"requestMetadata": {"kmsRequestId": "1", "kmsOperation": "KmsHealthCheck"}}
    for version in ["--http1.1", "--http2"]:
        status, answer = caller.post("health", health, version)
        assert status == 200 and answer["ekmFleetDetails"][0]["healthStatus"] == "ACTIVE"
    for version in ["1.2", "1.3"]:
        assert caller.post("health", health, "--tls-max", version)[0] == 200
    assert caller.post("health", health, user="A" * 20 + ":" + "b" * 43) == (
        401,
        {"errorName": "AuthenticationFailedException", "errorMessage": "the credential or the signature is wrong"},
    )
    body = {"requestMetadata": WHO, "plaintext": "c2VjcmV0IHRleHQ=", "encryptionAlgorithm": "AES_GCM"}
    body |= {"additionalAuthenticatedData": "YWFk", "ciphertextDataIntegrityValueAlgorithm": "SHA_256"}
    status, sealed = caller.post("keys/key/encrypt", body)
    assert status == 200
    value = sealed.pop("ciphertextDataIntegrityValue")
    parts = ["ciphertextMetadata", "initializationVector", "ciphertext", "authenticationTag"]
    joined = b"aad" + b"".join(base64.b64decode(sealed[part]) for part in parts)
    assert base64.b64decode(value) == hashlib.sha256(joined).digest()
    body = {"requestMetadata": WHO, "encryptionAlgorithm": "AES_GCM", "additionalAuthenticatedData": "YWFk"} | sealed
    assert caller.post("keys/key/decrypt", body) == (200, {"plaintext": "c2VjcmV0IHRleHQ="})
    # One line for each call, with the request id of KMS, and without what is secret.
    log = trent_proxy.log()
    assert WHO["kmsRequestId"] in log and 'api="Decrypt"' in log
    for secret in [caller.secret, "c2VjcmV0IHRleHQ", "secret text"]:
        assert secret not in log


def kdf(key, label, context):
    """NIST SP 800-108, counter mode, HMAC-SHA-256, one block."""
    text = b"\0\0\0\1" + label + b"\0" + context + (256).to_bytes(4, "big")
    return hmac.new(key, text, hashlib.sha256).digest()


def test_what_trents_proxy_encrypts_with_an_imported_key_decrypts_in_python(trent_proxy, authority):
    caller = Caller(trent_proxy, authority, trent_proxy.configuration("one", "imported.json"))
    materials = [os.urandom(32), os.urandom(32)]
    material = trent_proxy.directory / "material"
    material.write_bytes(materials[0])
    trent_proxy.admin("xks-key", "add", "one", "imported", "--import", "material")
    for version, key in enumerate(materials, start=1):
        if version == 2:
            material.write_bytes(key)
            trent_proxy.admin("xks-key", "rotate", "one", "imported", "--import", "material")
        plaintext, aad = os.urandom(4300), os.urandom(8192)
        body = {"requestMetadata": WHO, "encryptionAlgorithm": "AES_GCM"}
        body |= {"plaintext": base64.b64encode(plaintext).decode()}
        body |= {"additionalAuthenticatedData": base64.b64encode(aad).decode()}
        status, sealed = caller.post("keys/imported/encrypt", body)
        assert status == 200, sealed
        sealed = {name: base64.b64decode(value) for name, value in sealed.items()}
        metadata = sealed["ciphertextMetadata"]
        assert metadata[:4] == bytes([1, 0, 0, version]) and len(metadata) == 20
        associated = len(aad).to_bytes(2, "big") + aad + bytes([20]) + metadata
        message_key = kdf(key, b"trent/external/v1", metadata[4:])
        opened = AESGCM(message_key).decrypt(
            sealed["initializationVector"], sealed["ciphertext"] + sealed["authenticationTag"], associated
        )
        assert opened == plaintext
    material.write_bytes(bytes(31))
    with pytest.raises(AssertionError, match="31 bytes"):
        trent_proxy.admin("xks-key", "add", "one", "short", "--import", "material")


def test_rules_and_quotas_of_a_store(trent_proxy, authority):
    caller = Caller(trent_proxy, authority, trent_proxy.configuration("two", "rules.json"))
    body = {"requestMetadata": WHO, "plaintext": "aGk=", "encryptionAlgorithm": "AES_GCM"}
    health = {"requestMetadata": {"kmsRequestId": "1", "kmsOperation": "KmsHealthCheck"}}
    trent_proxy.admin("xks-store", "set-rules", "two", "--allow-principal", "arn:aws:iam::999999999999:*")
    assert caller.post("keys/theirs/encrypt", body)[0] == 403
    assert caller.post("health", health)[0] == 200
    assert "principals of the store" in trent_proxy.log()
    trent_proxy.admin("xks-store", "set-rules", "two", "--allow-region", "us-*")
    assert caller.post("keys/theirs/encrypt", body)[0] == 200
    trent_proxy.admin("xks-store", "set-quota", "two", "1")
    answers = [caller.post("keys/theirs/encrypt", body) for _ in range(12)]
    assert (429, {"errorName": "ThrottlingException"}) in answers


def test_client_certificates_are_demanded_and_a_new_certificate_is_taken(authority, tmp_path):
    name = "cks.kms.us-east-1.amazonaws.com"
    chain, key = authority.issue("served", HOST, dns=HOST)
    arguments = ["--client-roots", authority.file, "--client-name", name]
    proxy = TrentProxy(tmp_path, (chain, key), *arguments)
    try:
        proxy.admin("xks-store", "add", "one")
        proxy.admin("xks-key", "add", "one", "key")
        configuration = proxy.configuration("one", "one.json")
        client, client_key = authority.issue("client", name)
        as_client = ["--client-cert", client, "--client-key", client_key]
        code, report = check(configuration, proxy.port, authority, "--key", "key", *as_client)
        assert code == 0, failed(report)
        refused = [check for check in report["checks"] if "certificate is refused" in check["check"]]
        assert [check["verdict"] for check in refused] == ["passed"] * 3
        other, other_key = authority.issue("stranger", "stranger.test")
        as_other = ["--client-cert", other, "--client-key", other_key]
        code, report = check(configuration, proxy.port, authority, "--key", "key", *as_other)
        assert code == 1 and len(report["checks"]) == 1, report
        # A certificate that ended meanwhile is what the next handshake gets.
        expired, expired_key = authority.issue("ended", HOST, dns=HOST, days=-1)
        chain.write_bytes(expired.read_bytes())
        key.write_bytes(expired_key.read_bytes())
        proxy.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while "the certificate was read anew" not in proxy.log() and time.monotonic() < deadline:
            time.sleep(0.05)
        code, report = check(configuration, proxy.port, authority, "--key", "key", *as_client)
        assert code == 1 and "certificate expired" in report["checks"][0]["found"]
    finally:
        assert proxy.stop() == 0, proxy.log()


def test_keys_and_stores_outlive_a_restart_and_a_move_to_another_root_key(authority, tmp_path):
    certificate = authority.issue("again", HOST, dns=HOST)
    proxy = TrentProxy(tmp_path, certificate)
    proxy.admin("xks-store", "add", "one")
    proxy.admin("xks-key", "add", "one", "key")
    configuration = proxy.configuration("one", "one.json")
    caller = Caller(proxy, authority, configuration)
    body = {"requestMetadata": WHO, "plaintext": "aGk=", "encryptionAlgorithm": "AES_GCM"}
    _, sealed = caller.post("keys/key/encrypt", body)
    proxy.process.kill()
    proxy.process.wait()
    rekey = subprocess.run(
        [binary(), "rekey", "--to", "file", "--data-dir", "trent-data/xks"],
        cwd=tmp_path,
        env=bare_environment(),
        capture_output=True,
        text=True,
    )
    assert rekey.returncode == 0, rekey.stderr
    proxy = TrentProxy(tmp_path, certificate)
    try:
        caller = Caller(proxy, authority, configuration)
        body = {"requestMetadata": WHO, "encryptionAlgorithm": "AES_GCM"} | sealed
        assert caller.post("keys/key/decrypt", body) == (200, {"plaintext": "aGk="})
    finally:
        assert proxy.stop() == 0
