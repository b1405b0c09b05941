"""The stock AWS command line, and with it the tour of the README."""

import base64
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import readme
from server import Server, bare_environment, binary

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


def runs(document, directory):
    """Runs the examples of a document against a server of their own."""
    server = Server(directory).start()
    try:
        clean = {k: v for k, v in environment(server).items() if not k.startswith("AWS_")}
        done = subprocess.run(
            ["bash", "-c", readme.script(document, server.endpoint)],
            cwd=directory,
            env=clean | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "HOME": str(directory)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_examples_of_documents_work(tmp_path, document):
    runs(DOCUMENTS[document], tmp_path)


def test_the_chapter_on_hsms_works(tmp_path):
    document = (readme.ROOT / "docs/book/hsm.md").read_text()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/trent").symlink_to(Path(binary()).resolve())
    found = bare_environment()
    done = subprocess.run(
        ["bash", "-c", "trap 'kill $(jobs -p) || :' EXIT\n" + readme.script(document, f"http://127.0.0.1:{port}")],
        cwd=tmp_path,
        env=found
        | {
            "PATH": os.pathsep.join([str(tmp_path / "bin"), str(TOOLS), found["PATH"]]),
            "TRENT_HTTP__LISTEN": f"127.0.0.1:{port}",
            "TRENT_OPS__LISTEN": "127.0.0.1:0",
            # The machine may be a busy one.
            "TRENT_HSM__START_SECONDS": "120",
            "TRENT_HSM__CALL_SECONDS": "60",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "HOME": str(tmp_path),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("a trial key works in all HSMs") == 2, done.stdout
    objects = done.stdout.split("Secret Key Object")
    assert any("trent-root-key" in one and "never extractable" in one for one in objects), done.stdout
    for topic in ["cluster cluster-234abcdefABC: hsm-a", "cluster cluster-234abcdefABC: hsm-b", "HSM of the root key"]:
        assert f"ok       {topic}: the token" in done.stdout, done.stdout


WRAPPINGS = [(f"RSA_{bits}", sha) for bits in (2048, 3072, 4096) for sha in ("256", "1")]


# As they stand, the examples have RSA_3072 and SHA-256; that is run above.
@pytest.mark.parametrize(("wrapping", "sha"), [each for each in WRAPPINGS if each != ("RSA_3072", "256")])
def test_the_examples_of_importing_work_with_every_wrapping_key(tmp_path, wrapping, sha):
    wraps, rest = DOCUMENTS["import"].split("## Delete it, and import it again")
    assert wraps.count("--wrapping-key-spec RSA_3072") == 4 and "rotate-key-on-demand" in rest
    for algorithm in ("RSAES_OAEP_SHA_", "RSA_AES_KEY_WRAP_SHA_"):
        command = f"--wrapping-algorithm {algorithm}"
        assert f"{command}256 " in wraps
        wraps = wraps.replace(f"{command}256 ", f"{command}{sha} ")
    wraps = wraps.replace("--wrapping-key-spec RSA_3072", f"--wrapping-key-spec {wrapping}")
    # As the document says.
    wraps = wraps.replace("oaep_md:sha256", f"oaep_md:sha{sha}").replace("mgf1_md:sha256", f"mgf1_md:sha{sha}")
    runs(wraps, tmp_path)


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
