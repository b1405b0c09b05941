"""A root key in an HSM, opened without trent: the key that encrypts it is one that this test has put there."""

import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from server import Server, bare_environment, binary
from softhsm import Tokens, run

sys.path.insert(0, str(Path(__file__).parents[3] / "crates/crypto/testdata"))

import formats  # noqa: E402

LABEL = b"trent/root-key-pkcs11/v1"


def lines_of(file):
    lines = [line.split(" ", 1) for line in file.read_text().splitlines() if not line.startswith("#")]
    assert [name for name, _ in lines[1:]] == ["iv", "wrapped", "check"] and lines[0] == ["trent-root-key-pkcs11", "1"]
    return {name: bytes.fromhex(value) for name, value in lines[1:]}


def test_a_wrapped_root_key_is_what_the_page_about_formats_says(tmp_path):
    tokens, key = Tokens(tmp_path / "hsm", "root"), os.urandom(32)
    tokens.write_key("root", "mine", key)
    configuration = tmp_path / "trent.toml"
    configuration.write_text(f'[root_key_pkcs11]\n{tokens.settings("root")}key_id = "ab01"\n')
    server = Server(tmp_path, ["--config", str(configuration), "--root-key-provider", "pkcs11"]).start()
    assert "can leave it" in server.log(), "a key that was written there is warned of"
    kms = server.client()
    blob = kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"hello")["CiphertextBlob"]
    assert server.stop() == 0

    # What trent has written opens here.
    file = tmp_path / "trent-data/root.pkcs11"
    told = lines_of(file)
    root = AESGCM(key).decrypt(told["iv"], told["wrapped"], LABEL)
    assert formats.checksum(LABEL, told["iv"] + told["wrapped"]) == told["check"]

    # What is written here opens there: the same root key under another IV, and as a file without any HSM.
    file.write_text(formats.wrapped_root_key(root, key, os.urandom(12)))
    server.start()
    assert server.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"hello"
    assert server.stop() == 0
    file.rename(tmp_path / "away")
    (tmp_path / "trent-data/root.key").write_text(formats.root_key_file(root))
    plain = Server(tmp_path).start()
    assert plain.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"hello"
    assert plain.stop() == 0

    line = [binary(), "rekey", "--to", "pkcs11", "--config", str(configuration)]
    said = run(line, cwd=tmp_path, env=bare_environment())
    assert "root.pkcs11" in said and "ab01" in said
    told = lines_of(file)
    again = AESGCM(key).decrypt(told["iv"], told["wrapped"], LABEL)
    assert again != root and len(again) == 32
