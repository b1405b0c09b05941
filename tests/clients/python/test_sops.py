"""SOPS: a file encrypted under the ARN of a key."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOPS = Path(sys.executable).parent / "sops"
SECRETS = {"database": {"password": "correct horse"}, "ports": [1, 2]}


def sops(trent, directory, *words, fails=False):
    # Its SDK takes the endpoint from AWS_ENDPOINT_URL_KMS.
    done = subprocess.run(
        [SOPS, *words],
        cwd=directory,
        env=trent.environment() | {"HOME": str(directory)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stdout


@pytest.mark.parametrize("context", [[], ["--encryption-context", "team:blue"]])
def test_a_file_is_encrypted_and_decrypted(trent, kms, key, arn, tmp_path, context):
    (tmp_path / "secrets.json").write_text(json.dumps(SECRETS))
    sealed = sops(trent, tmp_path, "encrypt", "--kms", arn(key), *context, "secrets.json")
    assert "correct horse" not in sealed and arn(key) in sealed
    (tmp_path / "sealed.json").write_text(sealed)
    assert json.loads(sops(trent, tmp_path, "decrypt", "sealed.json")) == SECRETS
    kms.disable_key(KeyId=key)
    sops(trent, tmp_path, "decrypt", "sealed.json", fails=True)
