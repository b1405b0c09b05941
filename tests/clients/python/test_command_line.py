"""The stock AWS command line, and with it the tour of the README."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import readme
from server import Server

TOOLS = Path(sys.executable).parent


def environment(server):
    found = server.environment()
    return found | {"PATH": f"{TOOLS}{os.pathsep}{found['PATH']}"}


@pytest.fixture
def aws(trent):
    """Runs `aws kms` and gives what it prints, as JSON if it is."""

    def run(*words, fails=None):
        line = ["aws", "kms", *words]
        done = subprocess.run(
            line, env=environment(trent), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        if fails:
            assert done.returncode != 0 and fails in done.stderr, done.stderr
            return None
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


DOCUMENTS = {
    "the README's tour": readme.tour(),
    "keys": "```sh\n" + readme.settings() + "```\n" + (readme.ROOT / "docs/book/keys.md").read_text(),
    "multi-Region keys": "```sh\n" + readme.settings() + "```\n" + (readme.ROOT / "docs/book/multi-region.md").read_text(),
    "import": "```sh\n" + readme.settings() + "```\n" + (readme.ROOT / "docs/book/import.md").read_text(),
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_examples_of_documents_work(tmp_path, document):
    server = Server(tmp_path).start()
    try:
        clean = {k: v for k, v in environment(server).items() if not k.startswith("AWS_")}
        done = subprocess.run(
            ["bash", "-c", readme.script(DOCUMENTS[document], server.endpoint)],
            cwd=tmp_path,
            env=clean | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    finally:
        assert server.stop() == 0


def test_a_file_is_encrypted_and_decrypted(aws, tmp_path):
    key = aws("create-key", "--description", "of the command line")["KeyMetadata"]["KeyId"]
    (tmp_path / "clear").write_bytes(bytes(range(256)))
    sealed = aws("encrypt", "--key-id", key, "--plaintext", f"fileb://{tmp_path}/clear", "--encryption-context", "a=1")
    (tmp_path / "sealed").write_bytes(base64.b64decode(sealed["CiphertextBlob"]))
    blob = f"fileb://{tmp_path}/sealed"
    opened = aws("decrypt", "--ciphertext-blob", blob, "--encryption-context", "a=1")
    assert base64.b64decode(opened["Plaintext"]) == bytes(range(256))
    aws("decrypt", "--ciphertext-blob", blob, fails="InvalidCiphertextException")


def test_errors_are_told(aws):
    aws("describe-key", "--key-id", "alias/nobody", fails="(NotFoundException)")
    aws("create-alias", "--alias-name", "nobody", "--target-key-id", "x", fails="must start with the prefix")
