"""The audit trail as syslog servers get it: RFC 5424, by datagrams on a socket of the machine and, with octet counting, over TCP."""

import json
import re
import socket
import tempfile
import threading
from pathlib import Path

import pytest

import trail
from server import Server, until

# A receiver that is new gets what is recorded from then on: neither that the trail was begun nor that trent was first started.
FROM = 2
MESSAGE = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) ([!-~]{1,255}) trent (\d+) ([!-~]{1,32}) - ({.*})", re.DOTALL
)


class Datagrams:
    """A socket as `/dev/log` is one."""

    def __init__(self, path):
        self.messages = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while message := self.socket.recv(1 << 20):
            self.messages.append(message)


class Frames:
    """A server that takes messages with their lengths before them, on a port that stays the same when it is opened again."""

    def __init__(self):
        self.messages, self.connections = [], []
        # Bound as long as the test lasts: nobody else gets the port while nobody listens.
        self.reserved = socket.socket()
        self.reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.reserved.bind(("127.0.0.1", 0))
        self.port = self.reserved.getsockname()[1]

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.take, args=(connection,), daemon=True).start()

    def take(self, connection):
        with connection, connection.makefile("rb") as stream:
            while True:
                length = b""
                while (byte := stream.read(1)).isdigit():
                    length += byte
                if not byte:
                    return
                assert byte == b" " and not length.startswith(b"0")
                self.messages.append(stream.read(int(length)))

    def close(self):
        # Shut down first: a call that waits for a connection keeps the port otherwise.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.shutdown(socket.SHUT_RDWR)
        self.connections = []


@pytest.fixture
def serve(tmp_path):
    """Starts servers on the same data, with this configuration; the last one is stopped."""
    started = []

    def start(section):
        (tmp_path / "trent.toml").write_text(f"[audit_syslog]\ntimeout_seconds = 2\n{section}\n")
        started.append(Server(tmp_path, ["--config", "trent.toml"]).start())
        return started[-1]

    yield start
    assert started[-1].stop() == 0, started[-1].log()


def told(receiver):
    return [json.loads(MESSAGE.fullmatch(message)[6]) for message in list(receiver.messages)]


def unique(records):
    """Without what came again: a receiver that was slow gets a batch twice."""
    return list({record["trent"]["sequence"]: record for record in records}.values())


def kept(server):
    return trail.records(server.directory / "trent-data/audit")[FROM:]


def check(server, messages, priority):
    for message in list(messages):
        found = MESSAGE.fullmatch(message)
        assert found, message
        record = json.loads(found[6])
        assert (int(found[1]), int(found[4])) == (priority, server.process.pid)
        assert (found[2].decode(), found[5].decode()) == (record["eventTime"], record["eventName"][:32])
        assert found[3].decode() == re.sub(r"[^!-~]", "", socket.gethostname())


def test_a_socket_of_the_machine_gets_what_the_files_have(serve):
    # The path of a socket has 107 bytes at most, those of tests are longer.
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "log")
        receiver = Datagrams(path)
        server = serve(f'address = "unix:{path}"')
        kms = server.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        for number in range(20):
            kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="ECC_NIST_P256")
            kms.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext={"umlaut": f"ä{number}"})
        until(lambda: len(unique(told(receiver))) >= 41)
        assert unique(told(receiver))[:41] == kept(server)[:41]
        check(server, receiver.messages, 13 * 8 + 6)


def test_a_server_over_tcp_that_goes_and_comes_back_misses_nothing(serve):
    receiver = Frames().open()
    section = f'address = "tcp:127.0.0.1:{receiver.port}"\nfacility = 16'
    server = serve(section)
    kms = server.client()
    for _ in range(10):
        kms.generate_random(NumberOfBytes=8)
    until(lambda: len(receiver.messages) >= 10)
    check(server, receiver.messages, 16 * 8 + 6)
    receiver.close()
    for _ in range(10):
        kms.generate_random(NumberOfBytes=8)
    until(lambda: "a receiver of the audit trail fails" in server.log())
    # Over a restart too.
    assert server.stop() == 0, server.log()
    server = serve(section)
    server.client().generate_random(NumberOfBytes=8)
    until(lambda: server.log().count("a receiver of the audit trail fails") >= 2)
    receiver.open()

    def numbers():
        return {record["trent"]["sequence"] for record in told(receiver)}

    expected = {record["trent"]["sequence"] for record in kept(server)}
    until(lambda: expected <= numbers())
    until(lambda: "takes what it is sent again" in server.log())


def test_what_is_no_address_is_told_at_the_start(tmp_path):
    (tmp_path / "trent.toml").write_text('[audit_syslog]\naddress = "udp:localhost:514"\n')
    with pytest.raises(AssertionError, match="trent was not ready"):
        Server(tmp_path, ["--config", "trent.toml"]).start()
    assert "`udp:localhost:514` is neither unix:/PATH" in (tmp_path / "trent.log").read_text()
