"""Request quotas as an SDK meets them: it is throttled, waits, and tries again."""

import re
import signal
import time
import urllib.request

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from server import ACCOUNT, Server

LIMITED = "[quotas]\nrequests = { ListAliases = 2 }\n"


@pytest.fixture
def limited(tmp_path):
    """A server that answers two ListAliases a second."""
    (tmp_path / "trent.toml").write_text(LIMITED)
    server = Server(tmp_path, ["--config", "trent.toml"]).start()
    yield server
    assert server.stop() == 0, server.log()


def throttled(server) -> int:
    text = urllib.request.urlopen(server.ops_endpoint + "/metrics").read().decode()
    found = re.search(rf'trent_quota_throttled_total{{account="{ACCOUNT}",limit="ListAliases"}} (\d+)', text)
    return int(found[1]) if found else 0


def until_throttled(kms) -> ClientError:
    """The refusal of one of many requests, which are made faster than two a second."""
    for _ in range(200):
        try:
            kms.list_aliases()
        except ClientError as error:
            return error
    raise AssertionError("200 requests were answered")


def test_an_sdk_is_throttled_and_tries_again(limited):
    refused = until_throttled(limited.client()).response
    assert refused["Error"] == {
        "Code": "ThrottlingException",
        "Message": "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
    }
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 400
    before = throttled(limited)
    assert before > 0
    patient = limited.client(config=Config(retries={"mode": "standard", "max_attempts": 12}))
    attempts = [patient.list_aliases()["ResponseMetadata"]["RetryAttempts"] for _ in range(4)]
    assert throttled(limited) - before == sum(attempts)
    # Other operations are not touched, and other Regions have quotas of their own.
    for _ in range(5):
        patient.list_keys()
    assert limited.client(region="us-west-2").list_aliases()["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_signal_lifts_a_quota(limited):
    until_throttled(limited.client())
    (limited.directory / "trent.toml").write_text("[quotas]\nprofile = 'aws'\n")
    limited.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 30
    while "configuration reloaded" not in limited.log():
        assert time.monotonic() < until, limited.log()
        time.sleep(0.05)
    kms = limited.client()
    for _ in range(20):
        kms.list_aliases()
