"""Keys of a seed file, with material that Python has too."""

import hashlib
import hmac
import json
import os
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server import REGION, Server

sys.path.insert(0, str(Path(__file__).parents[3] / "crates/crypto/testdata"))
import formats  # noqa: E402

AES = "1234abcd-12ab-34cd-56ef-1234567890ab"
MAC = "2234abcd-12ab-34cd-56ef-1234567890ab"
EC = "3234abcd-12ab-34cd-56ef-1234567890ab"
MATERIAL = bytes(range(32))
OLD = bytes(range(32, 64))
# What the book says of the key under which `trent dev` makes material ids.
ID_KEY = bytes(32)


def started(tmp_path, text, name="keys.yaml"):
    (tmp_path / name).write_text(text)
    arguments = ["--seed-file", name, "--seed-region", REGION]
    return Server(tmp_path, arguments, command="dev", access_key_id="test", secret="test").start()


def pem(key, form=serialization.PrivateFormat.PKCS8):
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def test_material_is_that_of_the_file(tmp_path):
    private = ec.generate_private_key(ec.SECP256R1())
    seed = {
        "keys": [
            {"id": AES, "materials": [{"hex": OLD.hex()}, {"hex": MATERIAL.hex()}]},
            {"id": MAC, "spec": "HMAC_256", "material": {"hex": MATERIAL.hex()}},
            {"id": EC, "spec": "ECC_NIST_P256", "usage": "SIGN_VERIFY", "material": {"pem": pem(private)}},
        ]
    }
    server = started(tmp_path, json.dumps(seed), "keys.json")
    kms = server.client()
    # Blobs that Python makes, as the book describes them, under the current material and the one before.
    for material in (OLD, MATERIAL):
        uuid = bytes.fromhex(AES.replace("-", ""))
        named = formats.material_id(ID_KEY, False, uuid, material)
        blob = formats.seal_blob(
            material, False, uuid, named, {"for": "test"}, b"made by Python", os.urandom(16), os.urandom(12)
        )
        opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"for": "test"})
        assert opened["Plaintext"] == b"made by Python"
    sealed = kms.encrypt(KeyId=AES, Plaintext=b"made by trent")["CiphertextBlob"]
    assert formats.open_blob(MATERIAL, {}, sealed)[3] == b"made by trent"
    mac = kms.generate_mac(KeyId=MAC, Message=b"message", MacAlgorithm="HMAC_SHA_256")["Mac"]
    assert mac == hmac.new(MATERIAL, b"message", hashlib.sha256).digest()
    signature = kms.sign(KeyId=EC, Message=b"message", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    private.public_key().verify(signature, b"message", ec.ECDSA(hashes.SHA256()))
    assert server.stop() == 0


def indented(text):
    return "".join(f"          {line}\n" for line in text.splitlines())


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_files_of_local_kms(tmp_path, form):
    form = getattr(serialization.PrivateFormat, form)
    curve = ec.generate_private_key(ec.SECP384R1())
    modulus = rsa.generate_private_key(65537, 2048)
    server = started(
        tmp_path,
        f"""
Keys:
  Symmetric:
    Aes:
      - Metadata:
          KeyId: {AES}
          Description: of local-kms
        BackingKeys:
          - {MATERIAL.hex()}
      - Metadata:
          KeyId: {MAC}
          Origin: EXTERNAL
  Asymmetric:
    Rsa:
      - Metadata:
          KeyId: 4234abcd-12ab-34cd-56ef-1234567890ab
          KeyUsage: SIGN_VERIFY
        PrivateKeyPem: |
{indented(pem(modulus, form))}
    Ecc:
      - Metadata:
          KeyId: {EC}
          KeyUsage: SIGN_VERIFY
        PrivateKeyPem: |
{indented(pem(curve, form))}
Aliases:
  - AliasName: alias/testing
    TargetKeyId: {AES}
""",
    )
    kms = server.client()
    sealed = kms.encrypt(KeyId="alias/testing", Plaintext=b"text")["CiphertextBlob"]
    assert formats.open_blob(MATERIAL, {}, sealed)[3] == b"text"
    assert kms.describe_key(KeyId=MAC)["KeyMetadata"]["KeyState"] == "PendingImport"
    for key, private in ((EC, curve), ("4234abcd-12ab-34cd-56ef-1234567890ab", modulus)):
        public = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
        assert public.public_numbers() == private.public_key().public_numbers()
    assert server.stop() == 0
