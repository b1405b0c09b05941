"""External keys of `trent xks-proxy` that are in a token: by the tester, by Python with a key that it knows, through KMS,
with a token that fails."""

import base64
import os
import time
import urllib.request

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from softhsm import Tokens
from test_xks import PYTHON_KEYS, WHO, Caller, check, failed
from trent_proxy import TrentProxy
from xks_proxy import HOST, Authority

HEALTH = {"requestMetadata": {"kmsRequestId": "1", "kmsOperation": "KmsHealthCheck"}}
PATIENCE_SECONDS = 90


class World:
    """A proxy with a store `one`, all keys of which are in the token `hsm`."""

    def __init__(self, directory):
        self.tokens = Tokens(directory / "hsm", "external")
        self.authority = Authority(directory / "authority")
        self.known = os.urandom(32)
        self.tokens.write_key("external", "known", self.known)
        (directory / "proxy").mkdir()
        configuration = directory / "trent.toml"
        configuration.write_text(
            "[hsm]\nstart_seconds = 60\ncall_seconds = 5\n"
            f'[[xks_proxy.token]]\nname = "hsm"\n{self.tokens.settings("external", self.tokens.shim())}'
        )
        self.configuration = configuration
        self.certificate = self.authority.issue("trent", HOST, dns=HOST)
        self.proxy = self.start(directory / "proxy")
        self.proxy.admin("xks-store", "add", "one", "--quota", "0")
        for name, *usage in [("key",), ("encrypts", "--usage", "encrypt"), ("decrypts", "--usage", "decrypt")]:
            self.proxy.admin("xks-key", "add", "one", name, "--token", "hsm", *usage)
        self.proxy.admin("xks-key", "add", "one", "impotent", "--token", "hsm", "--usage", "none")
        self.proxy.admin("xks-key", "add", "one", "disabled", "--token", "hsm")
        self.proxy.admin("xks-key", "disable", "one", "disabled")
        self.caller = Caller(self.proxy, self.authority, self.proxy.configuration("one", "one.json"))

    def start(self, directory):
        return TrentProxy(
            directory, self.certificate, "--config", str(self.configuration), "--ops-listen", "127.0.0.1:0"
        )

    def restart(self):
        assert self.proxy.stop() == 0, self.proxy.log()
        self.proxy = self.start(self.proxy.directory)
        self.caller = Caller(self.proxy, self.authority, self.proxy.directory / "one.json")

    def encrypt(self, key, plaintext, aad):
        body = {"requestMetadata": WHO, "encryptionAlgorithm": "AES_GCM"}
        body |= {"plaintext": base64.b64encode(plaintext).decode()}
        body |= {"additionalAuthenticatedData": base64.b64encode(aad).decode()}
        return self.caller.post(f"keys/{key}/encrypt", body)

    def decrypt(self, key, sealed, aad):
        body = {"requestMetadata": WHO, "encryptionAlgorithm": "AES_GCM"} | sealed
        body |= {"additionalAuthenticatedData": base64.b64encode(aad).decode()}
        return self.caller.post(f"keys/{key}/decrypt", body)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    assert world.proxy.stop() == 0, world.proxy.log()


def test_a_store_in_a_token_passes_all_checks(world):
    configuration = world.proxy.configuration("one", "check.json")
    code, report = check(configuration, world.proxy.port, world.authority, *PYTHON_KEYS)
    assert code == 0 and not failed(report), failed(report)
    assert report["passed"] > 110 and report["warned"] == 0
    status, health = world.caller.post("health", HEALTH)
    assert status == 200
    assert [(one["id"], one["healthStatus"]) for one in health["ekmFleetDetails"]] == [("token hsm", "ACTIVE")]
    assert "SoftHSM" in health["ekmFleetDetails"][0]["model"]


def test_keys_are_made_in_the_token_and_cannot_leave_it(world):
    listed = world.proxy.admin("xks-key", "describe", "one", "key")["keys"][0]
    objects = world.tokens.tool("external", "--list-objects")
    made = next(part for part in objects.split("Secret Key Object") if f"one/{listed['id']} 1" in part)
    assert "AES length 32" in made and "always sensitive, never extractable, local" in made
    assert listed["token"] == {"token": "hsm", "id": made.split("ID:")[1].split()[0]} and not listed["imported"]


def opened(world, sealed, aad, version):
    """What a ciphertext under the known key says, by Python's AES-GCM."""
    raw = {name: base64.b64decode(value) for name, value in sealed.items()}
    assert raw["ciphertextMetadata"] == bytes([2, 0, 0, version])
    associated = len(aad).to_bytes(2, "big") + aad + bytes([4]) + raw["ciphertextMetadata"]
    return AESGCM(world.known).decrypt(raw["initializationVector"], raw["ciphertext"] + raw["authenticationTag"], associated)


def test_what_a_known_key_of_the_token_encrypts_decrypts_in_python(world):
    refused = world.proxy.admin
    refused("xks-key", "add", "one", "known", "--token", "hsm", "--token-key-label", "known")
    plaintext, aad = os.urandom(4300), os.urandom(8192)
    status, sealed = world.encrypt("known", plaintext, aad)
    assert status == 200, sealed
    assert opened(world, sealed, aad, 1) == plaintext
    assert world.decrypt("known", sealed, aad) == (200, {"plaintext": base64.b64encode(plaintext).decode()})
    # From another token of the operator's hand to the database and back, the old still decrypts.
    world.proxy.admin("xks-key", "rotate", "one", "known")
    status, second = world.encrypt("known", b"second", b"")
    assert base64.b64decode(second["ciphertextMetadata"]) == bytes([2, 0, 0, 2])
    world.proxy.admin("xks-key", "rotate", "one", "known", "--token", "hsm", "--token-key-id", "ab01")
    status, third = world.encrypt("known", b"third", b"")
    assert opened(world, third, b"", 3) == b"third"
    for text, one, data in [(plaintext, sealed, aad), (b"second", second, b""), (b"third", third, b"")]:
        assert world.decrypt("known", one, data) == (200, {"plaintext": base64.b64encode(text).decode()})
    # The version of another is no other key's word.
    moved = third | {"ciphertextMetadata": second["ciphertextMetadata"]}
    assert world.decrypt("known", moved, b"")[0] == 400


def test_a_key_moves_from_the_database_into_the_token(world):
    world.proxy.admin("xks-key", "add", "one", "moves")
    first = world.encrypt("moves", b"first", b"aad")[1]
    world.proxy.admin("xks-key", "rotate", "one", "moves", "--token", "hsm")
    second = world.encrypt("moves", b"second", b"aad")[1]
    assert [base64.b64decode(one["ciphertextMetadata"])[:4] for one in (first, second)] == [b"\1\0\0\1", b"\2\0\0\2"]
    world.restart()
    for text, sealed in [(b"first", first), (b"second", second)]:
        assert world.decrypt("moves", sealed, b"aad") == (200, {"plaintext": base64.b64encode(text).decode()})


def test_what_cannot_be_is_refused(world):
    for words, why in [
        (["--token", "none"], "there is no token `none`"),
        (["--token", "hsm", "--token-key-label", "absent"], "the key is not there"),
        (["--token", "hsm", "--token-key-id", "xyz"], "pairs of hex digits"),
    ]:
        with pytest.raises(AssertionError, match=why):
            world.proxy.admin("xks-key", "add", "one", "wrong", *words)
    world.tokens.tool("external", "--keygen", "--key-type", "AES:16", "--label", "short")
    with pytest.raises(AssertionError, match="no AES-256 key"):
        world.proxy.admin("xks-key", "add", "one", "wrong", "--token", "hsm", "--token-key-label", "short")


def health_of(world):
    status, health = world.caller.post("health", HEALTH)
    assert status == 200
    return [one["healthStatus"] for one in health["ekmFleetDetails"]]


def again(ask, expected):
    """Asks until the answer is as expected: a worker that has died is left alone for a moment."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (answer := ask())[0] != expected:
        assert time.monotonic() < end, answer
        time.sleep(0.05)
    return answer


def test_a_token_that_fails_is_told_and_comes_back(world):
    sealed = world.encrypt("key", b"hello", b"")[1]
    for order, status, name in [
        ("fail 30", 500, "InternalException"),
        ("crash", 500, "InternalException"),
        ("hang", 503, "DependencyTimeoutException"),
    ]:
        world.tokens.order("C_Encrypt", order)
        got, answer = world.encrypt("key", b"hello", b"")
        assert (got, answer["errorName"]) == (status, name), (order, answer)
        world.tokens.order("C_Encrypt", None)
        again(lambda: world.encrypt("key", b"hello", b""), 200)
        assert world.decrypt("key", sealed, b"")[0] == 200
    # One that answers too late for KMS is as good as one that does not.
    for order in ["fail 30", "wait 1500"]:
        world.tokens.order("C_GenerateRandom", order)
        status, health = world.caller.post("health", HEALTH)
        assert status == 200 and health["ekmFleetDetails"][0]["healthStatus"] == "UNAVAILABLE"
        world.tokens.order("C_GenerateRandom", None)
        again(lambda: health_of(world), "ACTIVE")
    with urllib.request.urlopen(f"{world.proxy.ops_endpoint}/metrics", timeout=30) as answer:
        metrics = answer.read().decode()
    for operation, result in [("encrypt", "OK"), ("encrypt", "device"), ("encrypt", "died"), ("encrypt", "timed_out")]:
        label = f'{{cluster="",hsm="hsm",operation="{operation}",result="{result}"}}'
        assert f"trent_hsm_requests_total{label}" in metrics, metrics
    assert 'trent_hsm_up{cluster="",hsm="hsm"} 1' in metrics
    assert 'operation="encrypt" result="timed_out"' in world.proxy.log()
    # A key that somebody has destroyed in the token.
    made = world.proxy.admin("xks-key", "add", "one", "gone", "--token", "hsm")["keys"][0]["token"]["id"]
    world.tokens.tool("external", "--delete-object", "--type", "secrkey", "--id", made)
    plain = {"requestMetadata": WHO}
    assert world.caller.post("keys/gone/metadata", plain)[1]["errorName"] == "KeyNotFoundException"
    assert world.encrypt("gone", b"hello", b"")[1]["errorName"] == "KeyNotFoundException"
    # A PIN that is not taken is not tried again and again.
    world.tokens.order("C_Login", "fail a0")
    said = len(world.proxy.log())
    world.restart()
    check_one_pin_is_tried(world, said)
    world.tokens.order("C_Login", None)
    assert world.encrypt("key", b"hello", b"")[0] == 500, "only a restart tries again"
    world.restart()
    assert world.encrypt("key", b"hello", b"")[0] == 200
    # Nor one that is no longer taken when the worker has died and must be logged in anew.
    world.tokens.order("C_Login", "fail a0")
    world.tokens.order("C_Encrypt", "crash")
    said = len(world.proxy.log())
    assert world.encrypt("key", b"hello", b"")[0] == 500
    world.tokens.order("C_Encrypt", None)
    check_one_pin_is_tried(world, said)
    world.tokens.order("C_Login", None)
    world.restart()
    assert world.encrypt("key", b"hello", b"")[0] == 200


def check_one_pin_is_tried(world, said):
    for _ in range(5):
        assert world.encrypt("key", b"hello", b"")[1]["errorName"] == "InternalException"
    log = world.proxy.log()[said:]
    assert log.count('operation="login" result="pin_incorrect"') == 1, log
    assert "does not take the PIN; put the right one in place" in log and "wrong ones are counted" in log


def test_a_token_that_opens_slowly_opens_for_callers_who_do_not_wait(world):
    world.tokens.order("C_Login", "wait 3000")
    world.restart()
    body = {"requestMetadata": WHO, "encryptionAlgorithm": "AES_GCM", "plaintext": "aGVsbG8="}
    end, answers = time.monotonic() + PATIENCE_SECONDS, []
    while not answers or answers[-1] != 200:
        assert time.monotonic() < end, answers
        try:
            answers.append(world.caller.post("keys/key/encrypt", body, "--max-time", "0.5")[0])
        except AssertionError as error:
            answers.append(str(error))
    assert len(answers) > 1, "somebody has hung up"
    world.tokens.order("C_Login", None)
