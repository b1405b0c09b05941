"""`trent dev` in a test suite: the clock, faults, and what SDKs make of them."""

import json
import socket
import time

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from server import Server


@pytest.fixture
def dev(tmp_path):
    """A server for tests, with its admin socket."""
    server = Server(
        tmp_path, ["--data-dir", "kms"], command="dev", access_key_id="test", secret="test"
    ).start()
    yield server
    assert server.stop() == 0, server.log()


def admin(server, **command):
    """A command of the admin socket, as the book shows it."""
    with socket.socket(socket.AF_UNIX) as admin:
        admin.connect(str(server.directory / "kms" / "admin.sock"))
        admin.sendall(json.dumps(command).encode() + b"\n")
        reply = json.loads(admin.makefile().readline())
    assert reply["reply"] != "refused", reply
    return reply


def client(server, **retries):
    return server.client(config=Config(retries=retries))


def test_a_week_passes_in_a_moment(dev):
    kms = dev.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"gone in a week")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    started = time.monotonic()
    assert admin(dev, command="advance-clock", by="7d")["happened"]["deleted"] == 1
    assert time.monotonic() - started < 2
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId=key)
    with pytest.raises(ClientError):
        kms.decrypt(CiphertextBlob=sealed)
    # The client signs by its own clock, a week behind, and is believed.
    made = kms.create_key()["KeyMetadata"]
    now = admin(dev, command="show-clock")["milliseconds"] / 1000
    assert abs(made["CreationDate"].timestamp() - now) < 60


def test_an_import_token_grows_old(dev):
    kms = dev.client()
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    parameters = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    admin(dev, command="advance-clock", by="25h")
    with pytest.raises(kms.exceptions.ExpiredImportTokenException):
        kms.import_key_material(
            KeyId=key,
            ImportToken=parameters["ImportToken"],
            EncryptedKeyMaterial=b"x" * 256,
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        )


@pytest.mark.parametrize("kind", ["throttling", "internal-error", "key-unavailable", "dependency-timeout", "reset"])
def test_the_sdk_tries_again(dev, kind):
    kms = client(dev, mode="standard", max_attempts=3)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    fault = {"kind": kind, "operations": ["Encrypt"], "count": 2}
    admin(dev, command="add-fault", fault=fault)
    answer = kms.encrypt(KeyId=key, Plaintext=b"in the end")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    [standing] = admin(dev, command="list-faults")["faults"]
    assert standing["struck"] == 2


def test_the_sdk_gives_up(dev):
    kms = client(dev, mode="standard", max_attempts=2)
    admin(dev, command="add-fault", fault={"kind": "throttling"})
    with pytest.raises(ClientError) as refused:
        kms.list_keys()
    assert refused.value.response["Error"] == {
        "Code": "ThrottlingException",
        "Message": "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
    }
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 2
    admin(dev, command="clear-faults")
    admin(dev, command="add-fault", fault={"kind": "reset"})
    with pytest.raises(ConnectionClosedError):
        kms.list_keys()
    admin(dev, command="clear-faults")
    assert kms.list_keys()["Keys"] == []
