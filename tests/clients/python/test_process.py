"""The process: start, stop, restart, what it leaves on disk."""

import os
import subprocess
import urllib.request
from configparser import ConfigParser

import pytest
from server import ACCESS_KEY_ID, SECRET, Server, bare_environment, binary


@pytest.fixture
def own(tmp_path):
    """A server of the test's own; killed if the test does not stop it."""
    server = Server(tmp_path).start()
    yield server
    if server.process.poll() is None:
        server.kill()


def test_keys_outlive_a_restart(own):
    kms = own.client()
    key = kms.create_key(Description="kept")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    assert own.stop() == 0
    kms = own.start().client()
    assert kms.describe_key(KeyId="alias/kept")["KeyMetadata"]["Description"] == "kept"
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    assert own.stop() == 0


def test_what_was_answered_outlives_a_kill(own):
    kms = own.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    own.kill()
    kms = own.start().client()
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    assert own.stop() == 0


def test_the_first_start_writes_credentials_for_its_owner_alone(own):
    path = own.directory / "trent-data/aws-credentials"
    assert path.stat().st_mode & 0o777 == 0o600
    profiles = ConfigParser()
    profiles.read(path)
    [profile] = profiles.sections()
    assert profiles[profile]["aws_access_key_id"] == ACCESS_KEY_ID
    assert profiles[profile]["aws_secret_access_key"] == SECRET


def test_a_second_process_on_the_same_data_is_refused(own):
    second = subprocess.run(
        [binary(), "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"],
        cwd=own.directory,
        env=bare_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode in {1, 2} and len(second.stderr.strip().splitlines()) == 1
    assert own.client().list_keys()["Keys"] == []


def test_an_address_that_others_reach_needs_tls(tmp_path):
    line = [binary(), "serve", "--listen", "0.0.0.0:0", "--ops-listen", "127.0.0.1:0"]
    refused = subprocess.run(
        line, cwd=tmp_path, env=bare_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert refused.returncode == 2 and "--allow-plain-http" in refused.stderr


def test_no_plaintext_and_no_secret_lies_on_disk(own):
    kms = own.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
    kms.encrypt(KeyId=key, Plaintext=b"a plaintext that is easy to find")
    assert own.stop() == 0
    for folder, _, names in os.walk(own.directory):
        for name in names:
            content = open(os.path.join(folder, name), "rb").read()
            assert b"easy to find" not in content and data_key not in content, name
            assert name == "aws-credentials" or SECRET.encode() not in content, name


def test_the_operations_listener_answers(trent):
    for path in ["/healthz", "/readyz"]:
        assert urllib.request.urlopen(trent.ops_endpoint + path).status == 200
    metrics = urllib.request.urlopen(trent.ops_endpoint + "/metrics").read().decode()
    assert "trent_" in metrics


def test_dev_has_an_account_and_a_key_that_everybody_knows(tmp_path):
    server = Server(tmp_path, command="dev", access_key_id="test", secret="test").start()
    try:
        metadata = server.client().create_key()["KeyMetadata"]
        assert metadata["AWSAccountId"] == "000000000000"
    finally:
        assert server.stop() == 0
    assert not (tmp_path / "trent-data").exists()
