"""Wraps key material to be imported, by `openssl` and by `cryptography`."""

import os
import subprocess
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from others import hash_of, oaep

ONE_STEP = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
TWO_STEPS = ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
STAYS = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def oaep_by_cryptography(algorithm, public, plaintext):
    return serialization.load_der_public_key(public).encrypt(plaintext, oaep(algorithm))


def oaep_by_openssl(algorithm, public, plaintext):
    digest = hash_of(algorithm).name
    with tempfile.TemporaryDirectory() as directory:
        key = Path(directory, "wrapping.der")
        key.write_bytes(public)
        line = ["openssl", "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", key]
        for option in ("rsa_padding_mode:oaep", f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}"):
            line += ["-pkeyopt", option]
        return subprocess.run(line, input=plaintext, capture_output=True, check=True).stdout


def aes_by_openssl(key, plaintext):
    line = ["openssl", "enc", "-e", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", key.hex()]
    return subprocess.run(line, input=plaintext, capture_output=True, check=True).stdout


TOOLS = {
    "cryptography": (oaep_by_cryptography, aes_key_wrap_with_padding),
    "openssl": (oaep_by_openssl, aes_by_openssl),
}


def wrap(tool, algorithm, public, material):
    by_rsa, by_aes = TOOLS[tool]
    if algorithm in ONE_STEP:
        return by_rsa(algorithm, public, material)
    key = os.urandom(32)
    return by_rsa(algorithm, public, key) + by_aes(key, material)


def bring(kms, key, material, algorithm="RSA_AES_KEY_WRAP_SHA_256", tool="cryptography", wrapping="RSA_2048", **more):
    """Imports material."""
    told = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=wrapping)
    assert len(told["ImportToken"]) <= 6144
    assert serialization.load_der_public_key(told["PublicKey"]).key_size == int(wrapping[4:])
    wrapped = wrap(tool, algorithm, told["PublicKey"], material)
    request = {"KeyId": key, "ImportToken": told["ImportToken"], "EncryptedKeyMaterial": wrapped}
    return kms.import_key_material(**request, **(STAYS | more))
