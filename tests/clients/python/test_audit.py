"""The audit trail, verified by another implementation: whole after a stop and after kills, and what is done to it found."""

import json
import resource
import subprocess
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

import trail
from server import Server, binary


def audit(server, *arguments):
    """Runs `trent audit` on the data of a server."""
    line = [binary(), "audit", *arguments, "--data-dir", server.directory / "trent-data"]
    return subprocess.run(line, capture_output=True, text=True)


def directory(server):
    return server.directory / "trent-data/audit"


def public_key(server):
    return trail.records(directory(server))[0]["serviceEventDetails"]["publicKey"]


def request_id(answer):
    return answer["ResponseMetadata"]["RequestId"]


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path).start()
    yield server
    if server.process.poll() is None:
        server.kill()


def story(server):
    """A few calls; gives their request ids by the names of the operations."""
    kms = server.client()
    key = kms.create_key()
    key_id = key["KeyMetadata"]["KeyId"]
    encrypted = kms.encrypt(KeyId=key_id, Plaintext=b"a plaintext", EncryptionContext={"order": "7"})
    decrypted = kms.decrypt(CiphertextBlob=encrypted["CiphertextBlob"], EncryptionContext={"order": "7"})
    with pytest.raises(ClientError) as refused:
        kms.describe_key(KeyId="alias/none")
    answers = {"CreateKey": key, "Encrypt": encrypted, "Decrypt": decrypted, "DescribeKey": refused.value.response}
    return key_id, {name: request_id(answer) for name, answer in answers.items()}


def test_a_trail_is_verified_by_its_format_alone(server):
    key_id, ids = story(server)
    with pytest.raises(ClientError):
        server.client(aws_secret_access_key="wrong").list_keys()
    assert server.stop() == 0
    faults, signatures = trail.verify(directory(server), public_key(server))
    assert (faults, signatures) == ([], 2)
    verified = audit(server, "verify")
    assert verified.returncode == 0, verified.stdout

    records = {record.get("requestID"): record for record in trail.records(directory(server))}
    for name, identifier in ids.items():
        assert records[identifier]["eventName"] == name
    encrypt = records[ids["Encrypt"]]
    assert encrypt["requestParameters"]["encryptionContext"] == {"order": "7"}
    assert encrypt["sourceIPAddress"] == "127.0.0.1" and "Boto3" in encrypt["userAgent"]
    assert records[ids["DescribeKey"]]["errorCode"] == "NotFoundException"
    unsigned = [record for record in records.values() if record["eventCategory"] == "Security"]
    assert [record["errorCode"] for record in unsigned] == ["InvalidSignatureException"]
    assert unsigned[0]["userIdentity"] == {"type": "Unknown", "accessKeyId": server.access_key_id}

    found = audit(server, "find", "--request", ids["Encrypt"])
    assert json.loads(found.stdout) == encrypt
    found = audit(server, "find", "--key", key_id, "--event", "Decrypt", "--principal", "admin")
    assert json.loads(found.stdout)["requestID"] == ids["Decrypt"]
    assert audit(server, "find", "--event", "Sign").returncode == 1
    exported = json.loads(audit(server, "export").stdout)["Records"]
    assert exported == trail.records(directory(server))


def test_changes_are_found_by_both(server):
    story(server)
    assert server.stop() == 0
    key = public_key(server)
    (file,) = trail.files(directory(server))
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    changed = {
        "a byte": whole.replace(b'"order":"7"', b'"order":"8"'),
        "a record less": b"".join(lines[:2] + lines[3:]),
        "two exchanged": b"".join([*lines[:1], lines[2], lines[1], *lines[3:]]),
        "the last line less": b"".join(lines[:-1]),
    }
    for what, content in changed.items():
        file.write_bytes(content)
        # That the end was cut off only the database knows.
        if what != "the last line less":
            assert trail.verify(directory(server), key)[0], what
        verified = audit(server, "verify")
        assert verified.returncode == 1 and file.name in verified.stdout, (what, verified.stdout)
    file.write_bytes(whole)
    assert audit(server, "verify").returncode == 0


def test_a_kill_loses_no_record_of_what_was_answered(server):
    answered, rounds = set(), 3
    for number in range(rounds):
        if number > 0:
            server.start()
        kms = server.client()
        key = kms.create_key()
        answered.add(request_id(key))
        key_id = key["KeyMetadata"]["KeyId"]

        def call():
            client = server.client()
            try:
                while True:
                    answered.add(request_id(client.encrypt(KeyId=key_id, Plaintext=b"x")))
            except (BotoCoreError, ClientError):
                pass

        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        time.sleep(1.5)
        server.kill()
        for caller in callers:
            caller.join()
    server.start()
    assert server.stop() == 0
    recorded = {record.get("requestID") for record in trail.records(directory(server))}
    assert len(answered) > 100
    assert answered <= recorded
    assert trail.verify(directory(server), public_key(server))[0] == []
    verified = audit(server, "verify")
    assert verified.returncode == 0, verified.stdout


def test_without_room_nothing_is_answered_until_there_is(tmp_path):
    server = Server(tmp_path, restore_signals=False).start()
    kms = server.client()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    answered = 0
    (file,) = trail.files(directory(server))
    # Nothing but the journal grows by as much: the calls write nothing else.
    # The database's files keep the room that they have, and lines are written ahead into files of 512 KiB.
    room = max(path.stat().st_size for path in (server.directory / "trent-data").rglob("*") if path.is_file())
    room = max(room, 512 << 10)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (room + 100_000, resource.RLIM_INFINITY))
    with pytest.raises(ClientError) as refused:
        for answered in range(20_000):
            kms.encrypt(KeyId=key_id, Plaintext=b"x")
    assert refused.value.response["Error"]["Code"] == "KMSInternalException"
    assert answered > 50
    with pytest.raises(ClientError):
        kms.encrypt(KeyId=key_id, Plaintext=b"x")
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for _ in range(50):
        try:
            last = kms.encrypt(KeyId=key_id, Plaintext=b"x")
            break
        except ClientError:
            time.sleep(0.1)
    assert request_id(last) in {record.get("requestID") for record in trail.records(directory(server))}
    assert server.stop() == 0
    assert trail.verify(directory(server), public_key(server))[0] == []
    encrypts = [record for record in trail.records(directory(server)) if record.get("eventName") == "Encrypt"]
    assert len(encrypts) >= answered + 1
