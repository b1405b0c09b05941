"""What trent has sealed and signed, opened and checked by the Python programs that are the formats' second description."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTDATA = Path(__file__).parents[3] / "crates/crypto/testdata"


@pytest.mark.parametrize(
    "words",
    [
        ["open_blob.py", "formats/v1/blob.json", "formats/v1/blob_rust.json"],
        ["check_keys.py", "keys/made_by_rust.json"],
        ["sm2.py", "check", "keys/sm2_rust.json"],
    ],
    ids=lambda words: words[0],
)
def test_what_was_made_here_is_understood_elsewhere(words):
    done = subprocess.run([sys.executable, *words], cwd=TESTDATA, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "it says what it checked"
