"""OpenBao: sealed with a key of trent, unsealed by itself after a restart."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from server import REGION

BAO = Path(sys.executable).parent / "bao"
UNSEAL_SECONDS = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class OpenBao:
    """A running OpenBao with raft storage and an `awskms` seal."""

    def __init__(self, trent, key, directory):
        self.trent, self.directory, self.port, self.token = trent, directory, free_port(), None
        (directory / "raft").mkdir()
        (directory / "bao.hcl").write_text(
            f"""
            disable_mlock = true
            api_addr      = "http://127.0.0.1:{self.port}"
            cluster_addr  = "http://127.0.0.1:{free_port()}"
            listener "tcp" {{
              address     = "127.0.0.1:{self.port}"
              tls_disable = true
            }}
            storage "raft" {{
              path    = "{directory}/raft"
              node_id = "one"
            }}
            seal "awskms" {{
              region     = "{REGION}"
              kms_key_id = "{key}"
              endpoint   = "{trent.endpoint}"
            }}
            """
        )

    def start(self):
        self.log = open(self.directory / "bao.log", "ab")
        environment = self.trent.environment() | {"HOME": str(self.directory)}
        line = [BAO, "server", "-config", self.directory / "bao.hcl"]
        self.process = subprocess.Popen(
            line, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        self.wait_for(lambda: self.status() is not None)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def call(self, method, path, body=None):
        headers = {"X-Vault-Token": self.token} if self.token else {}
        data = json.dumps(body).encode() if body is not None else None
        url = f"http://127.0.0.1:{self.port}/v1/{path}"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        answer = urllib.request.urlopen(request, timeout=60).read()
        return json.loads(answer) if answer else None

    def status(self):
        try:
            return self.call("GET", "sys/seal-status")
        except (urllib.error.URLError, ConnectionError):
            return None

    def wait_for(self, condition):
        begun = time.monotonic()
        while not condition():
            told = (self.directory / "bao.log").read_text()
            assert self.process.poll() is None and time.monotonic() - begun < UNSEAL_SECONDS, told
            time.sleep(0.1)

    def is_active(self):
        """Whether it is unsealed and answers; anything else is an error status here."""
        try:
            return self.call("GET", "sys/health")["initialized"]
        except (urllib.error.URLError, ConnectionError):
            return False


@pytest.fixture
def openbao(trent, key, tmp_path):
    bao = OpenBao(trent, key, tmp_path)
    bao.start()
    yield bao
    if bao.process.poll() is None:
        bao.kill()


def test_openbao_unseals_itself_after_a_restart(openbao, kms, key):
    status = openbao.status()
    assert (status["type"], status["initialized"], status["sealed"]) == ("awskms", False, True)
    made = openbao.call("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
    openbao.token = made["root_token"]
    openbao.wait_for(openbao.is_active)
    openbao.call("POST", "sys/mounts/secret", {"type": "kv"})
    openbao.call("POST", "secret/kept", {"value": "still here"})
    openbao.stop()

    openbao.start()
    openbao.wait_for(openbao.is_active)
    assert openbao.call("GET", "secret/kept")["data"] == {"value": "still here"}
    openbao.stop()

    # Once active it tries its seal, both ways: which of the two comes last is its own affair.
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"] in ("Encrypt", "Decrypt")
    kms.disable_key(KeyId=key)
    openbao_fails_to_unseal(openbao)
    kms.enable_key(KeyId=key)
    openbao.start()
    openbao.wait_for(openbao.is_active)
    assert openbao.call("GET", "secret/kept")["data"] == {"value": "still here"}


def openbao_fails_to_unseal(openbao):
    """Without its key it either ends or stays sealed, and says why."""
    try:
        openbao.start()
        time.sleep(2)
        status = openbao.status()
        assert status is None or status["sealed"]
        openbao.kill()
    except AssertionError:
        assert openbao.process.poll() is not None
    assert re.search("DisabledException|is disabled", (openbao.directory / "bao.log").read_text())
