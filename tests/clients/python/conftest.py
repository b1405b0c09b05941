"""What the tests share: one server for all that only use it, and a Region of its own for each that counts."""

import itertools
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).parent))

from server import ACCOUNT, REGION, Server  # noqa: E402

FRESH_REGIONS = itertools.count(1)


@pytest.fixture(scope="session")
def trent(tmp_path_factory):
    """A running server; stopped at the end, with exit code 0."""
    server = Server(tmp_path_factory.mktemp("trent")).start()
    yield server
    assert server.stop() == 0, server.log()


@pytest.fixture
def kms(trent):
    """The administrator's client."""
    return trent.client()


@pytest.fixture
def unchecked_kms(trent):
    """A client that sends what its own model of the API forbids."""
    return trent.client(parameter_validation=False)


@pytest.fixture
def region():
    """A Region that no other test uses."""
    return f"eu-test-{next(FRESH_REGIONS)}"


@pytest.fixture
def empty_kms(trent, region):
    """A client in a Region without keys."""
    return trent.client(region)


@pytest.fixture
def key(kms):
    """The id of a new key."""
    return kms.create_key()["KeyMetadata"]["KeyId"]


@pytest.fixture
def arn():
    """The ARN of a key of the administrator's account."""
    return lambda key_id, region=REGION: f"arn:aws:kms:{region}:{ACCOUNT}:key/{key_id}"


@pytest.fixture
def refused():
    """Calls what must be refused, and gives code and message."""

    def call(operation, **request):
        with pytest.raises(ClientError) as error:
            operation(**request)
        told = error.value.response
        assert told["ResponseMetadata"]["HTTPStatusCode"] == 400
        return told["Error"]["Code"], told["Error"]["Message"]

    return call
