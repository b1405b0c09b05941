"""The audit trail and notifications as a receiver over HTTPS gets them: in order, nothing lost, nobody held up."""

import hashlib
import hmac
import json
import re
import time
import urllib.request

import pytest
import trail
from receiver import Receiver
from server import Server

SECRET = b"a secret of tests that is long enough"

# A receiver that is new gets what is recorded from then on: neither that the trail was begun nor that trent was first started.
FROM = 2


@pytest.fixture
def receiver(tmp_path):
    receiver = Receiver(tmp_path).open()
    yield receiver
    receiver.released.set()
    receiver.close()


@pytest.fixture
def serve(tmp_path, receiver):
    """Starts servers on the same data; the last one is stopped."""
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    url = f"https://localhost:{receiver.port}"
    shared = f'ca_file = "{receiver.certificate}"\nsecret_file = "secret"\ntimeout_seconds = 1\n'
    (tmp_path / "trent.toml").write_text(
        f'[audit_webhook]\nurl = "{url}/audit"\nbatch_bytes = 4096\n{shared}'
        f'[notifications]\nurl = "{url}/events"\nfile = "events.jsonl"\n{shared}'
    )
    started = []

    def start():
        server = Server(tmp_path, ["--config", "trent.toml"]).start()
        started.append(server)
        return server

    yield start
    if started[-1].process.poll() is None:
        assert started[-1].stop() == 0, started[-1].log()


def sequences(receiver):
    return [record["trent"]["sequence"] for record in receiver.lines("/audit")]


def kept(tmp_path):
    """The numbers of all records in the files but the first, with which a receiver that is new does not begin."""
    return [record["trent"]["sequence"] for record in trail.records(tmp_path / "trent-data/audit")][FROM:]


def metric(server, name):
    text = urllib.request.urlopen(f"{server.ops_endpoint}/metrics", timeout=30).read().decode()
    return int(float(re.search(rf'^{name}\{{receiver="audit"\}} (\S+)$', text, re.MULTILINE)[1]))


def test_a_receiver_gets_what_the_files_have(tmp_path, receiver, serve):
    server = serve()
    kms = server.client()
    for _ in range(30):
        kms.generate_random(NumberOfBytes=8)
    receiver.wait(lambda: len(sequences(receiver)) >= 30)
    files = trail.records(tmp_path / "trent-data/audit")
    told = receiver.lines("/audit")
    assert told == files[FROM : FROM + len(told)]
    assert len(receiver.posts) > 1, "batches have a size"
    for _, headers, body in receiver.posts:
        assert headers["content-type"] == "application/x-ndjson"
        assert headers["trent-signature"] == "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()


def test_nothing_is_lost_and_nobody_waits_while_a_receiver_fails_or_hangs(tmp_path, receiver, serve):
    receiver.status = 503
    server = serve()
    kms = server.client()
    kms.generate_random(NumberOfBytes=8)
    receiver.wait(lambda: receiver.refused >= 2)
    receiver.status = "hangs"
    before = receiver.refused
    receiver.wait(lambda: receiver.refused > before)
    begun = time.monotonic()
    for _ in range(20):
        kms.generate_random(NumberOfBytes=8)
    assert time.monotonic() - begun < 20, "nobody waits for the receiver"
    assert metric(server, "trent_delivery_failures_total") >= 2
    assert metric(server, "trent_delivery_lag_records") >= 21
    # One that is not there at all, over a restart.
    receiver.released.set()
    receiver.close()
    assert server.stop() == 0, server.log()
    assert "a receiver of the audit trail fails" in server.log()
    server = serve()
    server.client().generate_random(NumberOfBytes=8)
    receiver.status = 200
    receiver.open()
    receiver.wait(lambda: len(set(sequences(receiver))) >= 24)
    expected = kept(tmp_path)
    receiver.wait(lambda: len(set(sequences(receiver))) >= len(expected))
    assert sorted(set(sequences(receiver)))[: len(expected)] == expected
    assert "takes what it is sent again" in server.log()


def test_after_a_restart_it_goes_on_where_it_was(tmp_path, receiver, serve):
    server = serve()
    for _ in range(10):
        server.client().generate_random(NumberOfBytes=8)
    receiver.wait(lambda: len(sequences(receiver)) >= 10)
    server.kill()
    server = serve()
    for _ in range(10):
        server.client().generate_random(NumberOfBytes=8)
    # 20 calls, and the record that the second start makes.
    receiver.wait(lambda: len(set(sequences(receiver))) >= 21)
    told = sequences(receiver)
    assert sorted(set(told)) == kept(tmp_path)[: len(set(told))]
    # At most the batch that was under way comes twice.
    assert len(told) - len(set(told)) <= 10


def test_notifications_have_the_form_of_eventbridge(tmp_path, receiver, serve):
    server = serve()
    kms = server.client()
    key = kms.create_key()["KeyMetadata"]
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    receiver.wait(lambda: receiver.lines("/events"))
    [told] = receiver.lines("/events")
    assert re.fullmatch(r"[0-9a-f-]{36}", told.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told.pop("time"))
    _, _, _, region, account, _ = key["Arn"].split(":")
    assert told == {
        "version": "0",
        "detail-type": "KMS CMK Rotation",
        "source": "aws.kms",
        "account": account,
        "region": region,
        "resources": [key["Arn"]],
        "detail": {"key-id": key["KeyId"]},
    }
    # The file is another receiver: it may be later.
    deadline = time.monotonic() + 60
    file = tmp_path / "events.jsonl"
    while not file.exists() or not file.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [written] = [json.loads(line) for line in file.read_text().splitlines()]
    assert written["detail"] == told["detail"]


def test_what_cannot_be_a_receiver_is_told_at_the_start(tmp_path, receiver):
    for config, told in [
        ('[audit_webhook]\nurl = "http://localhost:1/"', "audit_webhook.url: records are sent over https:// alone"),
        (
            '[notifications]\nurl = "https://localhost:1/"\nsecret_file = "short"',
            "[notifications] short: a secret has 32 to 64 bytes",
        ),
        ('[audit]\nmode = "off"\n[notifications]\nfile = "x"', 'audit.mode is "off"'),
    ]:
        (tmp_path / "short").write_text("short")
        (tmp_path / "trent.toml").write_text(config)
        with pytest.raises(AssertionError, match="trent was not ready"):
            Server(tmp_path, ["--config", "trent.toml"]).start()
        assert told in (tmp_path / "trent.log").read_text()
