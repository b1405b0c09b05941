"""Runs the trent binary: starts it on free ports, waits until it is ready, stops it as an operator does."""

import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config

ACCOUNT = "111122223333"
ACCESS_KEY_ID = "AKIACLIENTSOFTRENT00"
SECRET = "a-secret-that-is-used-in-tests-only-0000"
REGION = "eu-central-1"
READY_SECONDS = 30
STOP_SECONDS = 30
# Of who waits for something that a busy machine comes to late.
PATIENCE_SECONDS = 60


def binary() -> str:
    """The binary under test."""
    return os.environ["TRENT_BINARY"]


def bare_environment() -> dict[str, str]:
    """The environment without what would reach real AWS, or a server of the developer's."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TRENT_", "VAULT_", "BAO_", "SOPS_"))}


def until(condition, seconds=PATIENCE_SECONDS):
    """What the condition gives once that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it does not come to be")


@dataclass
class Server:
    """A running trent."""

    directory: Path
    arguments: list[str] = field(default_factory=list)
    command: str = "serve"
    access_key_id: str = ACCESS_KEY_ID
    secret: str = SECRET
    # With False, signals that this process ignores stay ignored: that a file is too large is an error then.
    restore_signals: bool = True
    process: subprocess.Popen | None = None
    endpoint: str = ""
    ready_line: str = ""

    def start(self) -> "Server":
        """Starts it in its directory, data in `trent-data`, and waits for the line that says it is ready."""
        environment = bare_environment() | {
            "TRENT_BOOTSTRAP_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "TRENT_BOOTSTRAP_SECRET_ACCESS_KEY": SECRET,
        }
        line = [binary(), self.command, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]
        if self.command == "serve":
            line += ["--account-id", ACCOUNT]
        self.errors = open(self.directory / "trent.log", "a")
        self.process = subprocess.Popen(
            line + self.arguments,
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            restore_signals=self.restore_signals,
        )
        self._wait_until_ready()
        return self

    def _wait_until_ready(self) -> None:
        # Killed if it is late: the read below ends then.
        watch = threading.Timer(READY_SECONDS, self.process.kill)
        watch.start()
        printed = []
        try:
            for text in self.process.stdout:
                printed.append(text)
                found = re.search(r"\bready\b.*?127\.0\.0\.1:(\d+)", text)
                if found:
                    self.ready_line = text
                    self.endpoint = f"http://127.0.0.1:{found[1]}"
                    return
        finally:
            watch.cancel()
        code = self.process.wait()
        raise AssertionError(f"trent was not ready; exit code {code}; printed {printed}; log: {self.log()}")

    def stop(self) -> int:
        """Asks it to end and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"trent did not end on SIGTERM; log: {self.log()}") from None
        finally:
            self.process.stdout.close()
            self.errors.close()

    def kill(self) -> None:
        """Ends it at once, as a power failure would."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def log(self) -> str:
        """What it has logged."""
        return (self.directory / "trent.log").read_text()

    @property
    def ops_endpoint(self) -> str:
        """The operations listener, which the line that says ready names second."""
        return "http://" + re.findall(r"127\.0\.0\.1:\d+", self.ready_line)[1]

    def client(self, region: str = REGION, service: str = "kms", parameter_validation: bool = True, **changed):
        """A boto3 client, by default the administrator's, that does not hide failures by trying again."""
        settings = {
            "endpoint_url": self.endpoint,
            "region_name": region,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret,
            "config": Config(
                retries={"total_max_attempts": 1},
                connect_timeout=5,
                read_timeout=30,
                parameter_validation=parameter_validation,
            ),
        }
        # Of a fresh session: no profile, no cached credentials.
        return boto3.session.Session().client(service, **(settings | changed))

    def environment(self, region: str = REGION) -> dict[str, str]:
        """The environment in which command lines and other programs find it."""
        return bare_environment() | {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_KMS": self.endpoint,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }
