"""Runs `trent xks-proxy`."""

import json
import re
import signal
import subprocess
import threading
from pathlib import Path

from server import READY_SECONDS, STOP_SECONDS, bare_environment, binary


class TrentProxy:
    """A running `trent xks-proxy`."""

    def __init__(self, directory: Path, certificate, *arguments, port=0):
        self.directory = directory
        chain, key = certificate
        line = [binary(), "xks-proxy", "--listen", f"127.0.0.1:{port}", "--tls-cert", chain, "--tls-key", key, *arguments]
        self.errors = open(directory / "xks.log", "a")
        self.process = subprocess.Popen(
            line, cwd=directory, env=bare_environment(), stdout=subprocess.PIPE, stderr=self.errors, text=True
        )
        watch = threading.Timer(READY_SECONDS, self.process.kill)
        watch.start()
        ready = self.process.stdout.readline()
        watch.cancel()
        assert "ready" in ready, self.log()
        self.port = int(re.search(r" xks https://127\.0\.0\.1:(\d+)", ready)[1])
        operations = re.search(r" ops (http://\S+)", ready)
        self.ops_endpoint = operations and operations[1]

    def run(self, *words):
        done = subprocess.run(
            [binary(), *words], cwd=self.directory, env=bare_environment(), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def admin(self, *words):
        return json.loads(self.run("admin", "--json", *words))

    def configuration(self, store, name):
        self.run("xks-proxy", "config", "--store", store, "--output", name)
        assert (self.directory / name).stat().st_mode & 0o777 == 0o600
        return self.directory / name

    def log(self):
        return (self.directory / "xks.log").read_text()

    def kill(self):
        """Ends it at once."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        self.process.stdout.close()
        self.errors.close()
        return code
