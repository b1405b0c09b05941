"""Private endpoints: listeners whose policy requests have to pass, and that policies of keys can ask for."""

import json
import re
import signal
import time

import pytest
from botocore.exceptions import ClientError

from server import ACCOUNT, Server

ENDPOINT = "vpce-0a1b2c3d4e5f6a7b8"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
ADMIN = f"arn:aws:iam::{ACCOUNT}:user/admin"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect="Allow", principal=ROOT, action="kms:*", **more):
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*"} | more


class Estate:
    """A server with one endpoint."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "trent.toml").write_text('[identity]\nfile = "identities.toml"\ncheck_seconds = 0\n')
        self.write()
        self.server = Server(directory, ["--config", "trent.toml"]).start()
        self.private = "http://" + re.search(rf"{ENDPOINT} http://(\S+)", self.server.ready_line)[1]

    def write(self, document=None, there=True):
        text = f'[[endpoint]]\nvpce_id = "{ENDPOINT}"\nvpc_id = "vpc-1"\nlistener = "127.0.0.1:0"\n'
        if document:
            (self.directory / "endpoint.json").write_text(document)
            text += 'policy = "endpoint.json"\n'
        (self.directory / "identities.toml").write_text(text if there else "")

    def reload(self, *arguments, **named):
        self.write(*arguments, **named)
        before = self.server.log().count("configuration reloaded")
        self.server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 30
        while self.server.log().count("configuration reloaded") == before:
            assert time.monotonic() < until, self.server.log()
            time.sleep(0.05)

    def through(self, service="kms"):
        return self.server.client(service=service, endpoint_url=self.private)

    def key(self, *statements):
        kms = self.server.client()
        own = statement(action=["kms:PutKeyPolicy", "kms:DescribeKey"])
        made = kms.create_key(Policy=policy(own, *statements), BypassPolicyLockoutSafetyCheck=True)
        return made["KeyMetadata"]["KeyId"]


def encrypts(kms, key):
    """Nothing, or the text of the denial."""
    try:
        kms.encrypt(KeyId=key, Plaintext=b"p")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return error.response["Error"]["Message"]
    return None


@pytest.fixture
def estate(tmp_path):
    estate = Estate(tmp_path)
    yield estate
    if estate.server.process.poll() is None:
        assert estate.server.stop() == 0, estate.server.log()


def conditioned(**condition):
    return statement(effect="Deny", principal={"AWS": "*"}, action="kms:Encrypt", Condition=condition)


def test_policies_of_keys_know_the_endpoint(estate):
    public, private = estate.server.client(), estate.through()
    for condition, outside, inside in [
        ({"StringNotEquals": {"aws:SourceVpce": ENDPOINT}}, False, True),
        ({"StringNotEquals": {"aws:SourceVpc": "vpc-2"}}, False, False),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True, False),
        ({"NotIpAddress": {"aws:VpcSourceIp": "127.0.0.0/8"}}, False, True),
        ({"Null": {"aws:SourceVpce": "false"}}, True, False),
    ]:
        key = estate.key(statement(), conditioned(**condition))
        denied = [encrypts(kms, key) for kms in (public, private)]
        assert [text is None for text in denied] == [outside, inside], condition
        assert all("with an explicit deny in a resource-based policy" in text for text in denied if text)


def test_the_policy_of_an_endpoint_is_a_ceiling(estate):
    key = estate.key(statement())
    public, private = estate.server.client(), estate.through()
    assert encrypts(private, key) is None
    sealed = public.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    arn = public.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    start = f"User: {ADMIN} is not authorized to perform: kms:"

    estate.reload(policy(statement(principal="*", action="kms:Decrypt")))
    assert private.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"p"
    nothing = f"{start}Encrypt on resource: {arn} because no VPC endpoint policy allows the kms:Encrypt action"
    assert encrypts(private, key) == nothing
    assert encrypts(public, key) is None

    estate.reload(policy(statement(principal="*"), statement("Deny", "*", "kms:Encrypt")))
    assert encrypts(private, key) == f"{start}Encrypt on resource: {arn} with an explicit deny in a VPC endpoint policy"

    # It gives nobody anything.
    estate.reload(policy(statement(principal="*")))
    closed = estate.key()
    assert "because no" in encrypts(private, closed) or "identity-based" in encrypts(private, closed)

    # STS passes by it too; what is no more lets nothing through.
    with pytest.raises(ClientError, match="AccessDenied"):
        estate.reload(there=False)
        estate.through("sts").get_caller_identity()
    assert encrypts(private, key) == f"The VPC endpoint {ENDPOINT} does not exist."
    assert encrypts(public, key) is None


def test_the_trail_tells_the_endpoint(estate):
    key = estate.key(statement())
    assert encrypts(estate.through(), key) is None
    assert encrypts(estate.server.client(), key) is None
    estate.through("sts").get_caller_identity()
    assert estate.server.stop() == 0
    files = sorted((estate.directory / "trent-data/audit").glob("*.jsonl"))
    records = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    told = [(r["eventName"], r.get("vpcEndpointId")) for r in records if r["eventName"] in ("Encrypt", "GetCallerIdentity")]
    assert told == [("Encrypt", ENDPOINT), ("Encrypt", None), ("GetCallerIdentity", ENDPOINT)]
