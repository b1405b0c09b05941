"""Imported key material: wrapped by `openssl` and by `cryptography`, then used by trent and checked by others.

Both wrap every kind of material with every algorithm that may wrap it. Whoever wraps has the material, so what trent does
with it is computed once more outside, or undone.
"""

import hashlib
import hmac
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import outside
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from server import Server

sys.path.insert(0, str(Path(__file__).parents[3] / "crates/crypto/testdata"))

import formats  # noqa: E402

OAEP = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
TWO_STEPS = ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
MESSAGE = b"a message"
STAYS = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}

CURVES = {
    "ECC_NIST_P256": (ec.SECP256R1(), hashes.SHA256()),
    "ECC_NIST_P384": (ec.SECP384R1(), hashes.SHA384()),
    "ECC_NIST_P521": (ec.SECP521R1(), hashes.SHA512()),
    "ECC_SECG_P256K1": (ec.SECP256K1(), hashes.SHA256()),
}
ML_DSA = {
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
}
ML_KEM = {"ML_KEM_768": mlkem.MLKEM768PrivateKey, "ML_KEM_1024": mlkem.MLKEM1024PrivateKey}
HMAC = {"HMAC_224": (28, 64), "HMAC_256": (32, 64), "HMAC_384": (48, 128), "HMAC_512": (64, 128)}
SIGNING = ["RSA_2048", "RSA_3072", "RSA_4096", *CURVES, "ECC_NIST_EDWARDS25519", *ML_DSA]
SHORT = ["SYMMETRIC_DEFAULT", *HMAC, *CURVES, "ECC_NIST_EDWARDS25519"]
LONG = ["RSA_2048", "RSA_3072", "RSA_4096", *ML_DSA, *ML_KEM, "ML_KEM_512"]


def hash_of(algorithm):
    return hashes.SHA256() if algorithm.endswith("_256") else hashes.SHA1()


# Wrapping.


def oaep_by_cryptography(algorithm, public, plaintext, _):
    digest = hash_of(algorithm)
    scheme = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    return serialization.load_der_public_key(public).encrypt(plaintext, scheme)


def oaep_by_openssl(algorithm, public, plaintext, directory):
    (directory / "wrapping.der").write_bytes(public)
    digest = hash_of(algorithm).name
    line = ["openssl", "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", directory / "wrapping.der"]
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


@pytest.fixture
def wrap(tmp_path):
    def call(tool, algorithm, public, material):
        oaep, aes = TOOLS[tool]
        if algorithm in OAEP:
            return oaep(algorithm, public, material, tmp_path)
        key = hashlib.sha256(public).digest()
        return oaep(algorithm, public, key, tmp_path) + aes(key, material)

    return call


# Material.


def pkcs8(private):
    encoding = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return private.private_bytes(*encoding)


def generate(spec):
    """A private key, or the bytes of a key that has no public half."""
    if spec in CURVES:
        return ec.generate_private_key(CURVES[spec][0])
    if spec.startswith("RSA"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(spec[4:]))
    if spec == "ECC_NIST_EDWARDS25519":
        return ed25519.Ed25519PrivateKey.generate()
    if spec in ML_DSA | ML_KEM:
        return (ML_DSA | ML_KEM)[spec].generate()
    return hashlib.sha512(spec.encode()).digest()[: HMAC.get(spec, (32, 32))[0]]


def material_of(key):
    return key if isinstance(key, bytes) else pkcs8(key)


def usages(spec):
    if spec == "SYMMETRIC_DEFAULT":
        return ["ENCRYPT_DECRYPT"]
    if spec in HMAC:
        return ["GENERATE_VERIFY_MAC"]
    if spec.startswith("ML_KEM"):
        return ["ENCAPSULATE_DECAPSULATE"]
    also = {"RSA": ["ENCRYPT_DECRYPT"], "ECC_NIST_P": ["KEY_AGREEMENT"]}
    return ["SIGN_VERIFY"] + [usage for prefix, more in also.items() if spec.startswith(prefix) for usage in more]


@pytest.fixture
def external(kms):
    """Creates a key that waits for its material."""

    def make(spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT"):
        metadata = kms.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")["KeyMetadata"]
        assert (metadata["KeyState"], metadata["Origin"]) == ("PendingImport", "EXTERNAL")
        return metadata["KeyId"]

    return make


@pytest.fixture
def bring(kms, wrap):
    """Imports material."""

    def call(key, material, algorithm="RSAES_OAEP_SHA_256", tool="cryptography", wrapping="RSA_2048", **more):
        told = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=wrapping)
        assert len(told["ImportToken"]) <= 6144
        wrapped = wrap(tool, algorithm, told["PublicKey"], material)
        request = {"KeyId": key, "ImportToken": told["ImportToken"], "EncryptedKeyMaterial": wrapped}
        return kms.import_key_material(**request, **(STAYS | more))

    return call


# What the imported key does, checked by whoever has the material.


def check(kms, key, spec, usage, own):
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    if not isinstance(own, bytes):
        public = own.public_key()
        encoding = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        assert kms.get_public_key(KeyId=key)["PublicKey"] == public.public_bytes(*encoding)
    if usage == "SIGN_VERIFY":
        check_signatures(kms, key, spec, public)
    elif usage == "GENERATE_VERIFY_MAC":
        algorithm = f"HMAC_SHA_{spec[5:]}"
        mac = kms.generate_mac(KeyId=key, MacAlgorithm=algorithm, Message=MESSAGE)["Mac"]
        assert mac == hmac.digest(own, MESSAGE, f"sha{spec[5:]}")
    elif usage == "KEY_AGREEMENT":
        other = ec.generate_private_key(CURVES[spec][0])
        peer = other.public_key().public_bytes(*encoding)
        told = kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
        assert told["SharedSecret"] == own.exchange(ec.ECDH(), other.public_key())
        assert told["KeyOrigin"] == "EXTERNAL"
    elif usage == "ENCAPSULATE_DECAPSULATE":
        check_encapsulation(kms, key, public)
    elif spec == "SYMMETRIC_DEFAULT":
        sealed = kms.encrypt(KeyId=key, Plaintext=MESSAGE, EncryptionContext={"a": "b"})
        _, _, material_id, opened = formats.open_blob(own, {"a": "b"}, sealed["CiphertextBlob"])
        assert opened == MESSAGE
        assert material_id.hex() == kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    else:
        scheme = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
        opened = {"KeyId": key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        assert kms.decrypt(CiphertextBlob=public.encrypt(MESSAGE, scheme), **opened)["Plaintext"] == MESSAGE
        assert own.decrypt(kms.encrypt(Plaintext=MESSAGE, **opened)["CiphertextBlob"], scheme) == MESSAGE


def check_signatures(kms, key, spec, public):
    algorithm = kms.get_public_key(KeyId=key)["SigningAlgorithms"][0]
    signature = kms.sign(KeyId=key, SigningAlgorithm=algorithm, Message=MESSAGE)["Signature"]
    if spec in CURVES:
        public.verify(signature, MESSAGE, ec.ECDSA(CURVES[spec][1]))
    elif spec.startswith("RSA"):
        assert algorithm == "RSASSA_PKCS1_V1_5_SHA_256"
        public.verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    else:
        public.verify(signature, MESSAGE)


def check_encapsulation(kms, key, public):
    secret, blob = public.encapsulate()
    request = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    assert kms.decapsulate(**request, SharedSecretCiphertextBlob=blob)["SharedSecret"] == secret


CASES = [(spec, algorithm) for spec in SHORT for algorithm in OAEP + TWO_STEPS]
CASES += [(spec, algorithm) for spec in LONG for algorithm in TWO_STEPS if spec != "ML_KEM_512"]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(("spec", "algorithm"), CASES)
def test_what_was_wrapped_elsewhere_is_imported_and_used(kms, external, bring, spec, algorithm, tool):
    own = generate(spec)
    wrapping = "RSA_3072" if spec == "ECC_NIST_P521" and algorithm in OAEP else "RSA_2048"
    for usage in usages(spec):
        key = external(spec, usage)
        bring(key, material_of(own), algorithm, tool, wrapping)
        check(kms, key, spec, usage, own)


@pytest.mark.parametrize("algorithm", TWO_STEPS)
def test_an_ml_kem_512_key_opens_again_what_it_encapsulated(kms, external, bring, algorithm):
    """Nothing here computes ML-KEM-512; that the material is the imported one shows in that it opens old secrets."""
    seed = hashlib.sha512(b"a seed").digest()
    name = outside.der(outside.SEQUENCE, bytes.fromhex("060960864801650304" + "0401"))
    private = outside.der(outside.OCTET_STRING, outside.der(0x80, seed))
    own = outside.der(outside.SEQUENCE, b"\x02\x01\x00", name, private)
    key, twin = (external("ML_KEM_512", "ENCAPSULATE_DECAPSULATE") for _ in range(2))
    for each in (key, twin):
        bring(each, own, algorithm, "openssl")
    with_key = {"EncapsulationAlgorithm": "ML_KEM"}
    made = kms.encapsulate(KeyId=key, **with_key)
    kms.delete_imported_key_material(KeyId=key)
    bring(key, own, algorithm)
    for each in (key, twin):
        blob = made["SharedSecretCiphertextBlob"]
        opened = kms.decapsulate(KeyId=each, SharedSecretCiphertextBlob=blob, **with_key)
        assert opened["SharedSecret"] == made["SharedSecret"]


@pytest.mark.parametrize("wrapping", ["RSA_3072", "RSA_4096"])
@pytest.mark.parametrize(("tool", "algorithm"), [("cryptography", "RSAES_OAEP_SHA_256"), ("openssl", "RSA_AES_KEY_WRAP_SHA_1")])
def test_larger_wrapping_keys_wrap_too(kms, external, bring, tool, algorithm, wrapping):
    key, own = external(), generate("SYMMETRIC_DEFAULT")
    bring(key, own, algorithm, tool, wrapping)
    check(kms, key, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", own)


@pytest.mark.parametrize("spec", HMAC)
def test_hmac_keys_are_as_long_as_a_block_at_most(kms, external, bring, refused, spec):
    least, most = HMAC[spec]
    for length in (least, most):
        key, own = external(spec, "GENERATE_VERIFY_MAC"), bytes(range(length))
        bring(key, own)
        check(kms, key, spec, "GENERATE_VERIFY_MAC", own)
    for length in (least - 1, most + 1):
        code, _ = refused(bring, key=external(spec, "GENERATE_VERIFY_MAC"), material=bytes(length))
        assert code == "IncorrectKeyMaterialException"


@pytest.mark.parametrize("spec", SHORT + LONG[:3])
def test_other_material_is_refused(external, bring, refused, spec):
    key = external(spec, usages(spec)[0])
    for other in (b"x", bytes(27), bytes(129), pkcs8(ed25519.Ed25519PrivateKey.generate()) + bytes(99)):
        code, _ = refused(bring, key=key, material=other, algorithm="RSA_AES_KEY_WRAP_SHA_256")
        assert code == "IncorrectKeyMaterialException"


def test_parameters_are_good_for_a_day(kms, external, arn):
    key = external()
    told = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_3072"
    )
    assert told["KeyId"] == arn(key)
    left = told["ParametersValidTo"] - datetime.now(timezone.utc)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    public = serialization.load_der_public_key(told["PublicKey"])
    assert public.key_size == 3072 and public.public_numbers().e == 65537


def test_material_goes_when_its_time_has_come(kms, external, bring):
    key = external()
    end = datetime.now(timezone.utc) + timedelta(seconds=4)
    bring(key, bytes(32), ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=end)
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert metadata["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert abs(metadata["ValidTo"] - end) < timedelta(milliseconds=2)
    patience = time.monotonic() + 90
    while kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingImport":
        assert time.monotonic() < patience
        time.sleep(0.2)
    assert datetime.now(timezone.utc) >= end
    assert "ValidTo" not in kms.describe_key(KeyId=key)["KeyMetadata"]


def test_tokens_and_material_outlive_a_restart(tmp_path, wrap):
    server = Server(tmp_path).start()
    kms = server.client()
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    told = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    assert server.stop() == 0
    kms = server.start().client()
    wrapped = wrap("openssl", "RSAES_OAEP_SHA_256", told["PublicKey"], bytes(32))
    kms.import_key_material(KeyId=key, ImportToken=told["ImportToken"], EncryptedKeyMaterial=wrapped, **STAYS)
    blob = kms.encrypt(KeyId=key, Plaintext=MESSAGE)["CiphertextBlob"]
    server.kill()
    kms = server.start().client()
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == MESSAGE
    assert server.stop() == 0


def test_a_key_rotates_to_new_material(kms, external, bring):
    key, materials = external(), [bytes([number]) * 32 for number in range(3)]
    bring(key, materials[0], KeyMaterialDescription="the first")
    blobs = [kms.encrypt(KeyId=key, Plaintext=b"0")["CiphertextBlob"]]
    for number in (1, 2):
        bring(key, materials[number], ImportType="NEW_KEY_MATERIAL")
        kms.rotate_key_on_demand(KeyId=key)
        blobs.append(kms.encrypt(KeyId=key, Plaintext=b"%d" % number)["CiphertextBlob"])
    for number, blob in enumerate(blobs):
        assert formats.open_blob(materials[number], {}, blob)[3] == b"%d" % number
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"%d" % number
    listed = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [each["KeyMaterialState"] for each in listed] == ["NON_CURRENT", "NON_CURRENT", "CURRENT"]
    assert {each["ImportState"] for each in listed} == {"IMPORTED"}
    assert listed[0]["KeyMaterialDescription"] == "the first"
