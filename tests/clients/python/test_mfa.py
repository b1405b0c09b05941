"""The second factor as clients use it: boto3, and a profile with `mfa_serial` of the stock AWS command line. The codes are made
here, by RFC 6238 from Python's `hmac`."""

import base64
import hmac
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import trail
from server import ACCOUNT, PATIENCE_SECONDS, REGION, Server, binary

STEP_SECONDS = 30
INVALID = "MultiFactorAuthentication failed with invalid MFA one time pass code. "


def code(key: str, later: int = 0) -> str:
    """The code that an app with this key shows now, or some steps later."""
    step = int(time.time()) // STEP_SECONDS + later
    mac = hmac.digest(base64.b32decode(key), step.to_bytes(8, "big"), "sha1")
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def test_codes_here_are_those_of_rfc_6238(monkeypatch):
    key = base64.b32encode(b"12345678901234567890").decode()
    for seconds, published in [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")]:
        monkeypatch.setattr(time, "time", lambda seconds=seconds: seconds)
        assert code(key) == published


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path).start()
    yield server
    assert server.stop() == 0, server.log()


def admin(server, *words):
    line = [binary(), "admin", "--json", "--data-dir", server.directory / "trent-data", *words]
    return json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)


def device(server, name):
    """A new device of the administrator: its serial number and its key."""
    made = admin(server, "mfa-device", "add", name, "--account", ACCOUNT, "--user", "admin")
    assert made["uri"] == f"otpauth://totp/trent:admin@{ACCOUNT}?secret={made['key']}&issuer=trent"
    return made["serial_number"], made["key"]


def role(server, name):
    """A role that only callers with a second factor may assume."""
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole", "Condition": condition}
    file = server.directory / "trust.json"
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    admin(server, "role", "add", name, "--account", ACCOUNT, "--trust", file)
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def test_a_session_with_a_second_factor(server):
    serial, key = device(server, "phone")
    assert [line["serial_number"] for line in admin(server, "mfa-device", "list")["devices"]] == [serial]
    sts = server.client(service="sts")
    with pytest.raises(ClientError) as wrong:
        sts.get_session_token(SerialNumber=serial, TokenCode=f"{(int(code(key)) + 500_000) % 1_000_000:06}")
    told = wrong.value.response
    assert (told["Error"]["Code"], told["Error"]["Message"]) == ("AccessDenied", INVALID)
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 403
    shown = code(key)
    credentials = sts.get_session_token(SerialNumber=serial, TokenCode=shown)["Credentials"]
    with pytest.raises(ClientError):
        sts.get_session_token(SerialNumber=serial, TokenCode=shown)

    own = server.client()
    allow = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    condition = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]})
    made = own.create_key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["KeyId"]
    session = server.client(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    session.encrypt(KeyId=made, Plaintext=b"p")
    with pytest.raises(ClientError) as denied:
        own.encrypt(KeyId=made, Plaintext=b"p")
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
    records = trail.records(server.directory / "trent-data/audit")
    (recorded, _) = [record for record in records if record["eventName"] == "Encrypt"]
    assert recorded["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"
    assert all(key not in json.dumps(record) for record in records)


def test_a_profile_with_mfa_serial(server):
    serial, key = device(server, "phone")
    arn = role(server, "careful")
    config = server.directory / "config"
    config.write_text(
        f"[profile careful]\nrole_arn = {arn}\nsource_profile = own\nmfa_serial = {serial}\nregion = {REGION}\n"
        f"[profile own]\nregion = {REGION}\naws_access_key_id = {server.access_key_id}\n"
        f"aws_secret_access_key = {server.secret}\n"
    )
    kept = {name: value for name, value in server.environment().items() if not name.startswith("AWS_")}
    environment = kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "HOME": str(server.directory),
    }
    process, terminal = pty.fork()
    if process == 0:
        words = ["aws", "--profile", "careful", "--output", "text", "sts", "get-caller-identity", "--query", "Arn"]
        os.execvpe("aws", words, environment)
    printed, answered = "", False
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            more = os.read(terminal, 4096)
        except OSError:  # How Linux tells that the other side of the terminal is gone.
            break
        if not more:
            break
        printed += more.decode()
        if not answered and f"Enter MFA code for {serial}: " in printed:
            os.write(terminal, f"{code(key)}\n".encode())
            answered = True
    else:
        os.kill(process, signal.SIGKILL)
    assert os.waitpid(process, 0)[1] == 0, printed
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/careful/" in printed
