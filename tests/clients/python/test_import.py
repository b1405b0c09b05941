"""Imported key material: wrapped by `openssl` and by `cryptography`, then used by trent and checked by others.

Both wrap every kind of material with every algorithm that may wrap it, for wrapping keys of every length. Whoever wraps has the
material, so what trent does with it is computed once more outside, or undone: here with one algorithm, in test_matrix.py with all.
"""

import time
from datetime import datetime, timedelta, timezone

import others
import pytest
import wrapping
from checks import MESSAGE, check
from cryptography.hazmat.primitives import serialization
from others import formats
from server import Server
from test_matrix import TABLE
from wrapping import ONE_STEP, STAYS, TOOLS, TWO_STEPS, wrap

HMAC = {"HMAC_224": (28, 64), "HMAC_256": (32, 64), "HMAC_384": (48, 128), "HMAC_512": (64, 128)}
SHORT = ["SYMMETRIC_DEFAULT", *HMAC, *others.Curve.curves, "ECC_NIST_EDWARDS25519"]
RSA = ["RSA_2048", "RSA_3072", "RSA_4096"]
LONG = [*RSA, *others.MlDsa.private_keys, *others.MlKem.numbers]


def usages(spec):
    return [usage for each, usage in TABLE if each == spec]


@pytest.fixture
def external(kms):
    """Creates a key that waits for its material."""

    def make(spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT"):
        metadata = kms.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")["KeyMetadata"]
        assert (metadata["KeyState"], metadata["Origin"]) == ("PendingImport", "EXTERNAL")
        return metadata["KeyId"]

    return make


@pytest.fixture
def bring(kms):
    """Imports material."""

    def call(key, material, algorithm="RSAES_OAEP_SHA_256", **more):
        return wrapping.bring(kms, key, material, algorithm, **more)

    return call


# Every spec with every algorithm, and what openssl wraps with every length of wrapping key.
CASES = [(spec, algorithm, "RSA_2048") for spec in SHORT for algorithm in ONE_STEP + TWO_STEPS]
CASES += [(spec, algorithm, "RSA_2048") for spec in LONG for algorithm in TWO_STEPS]
LENGTHS = [
    (spec, algorithm, wrapping_spec)
    for wrapping_spec in ("RSA_3072", "RSA_4096")
    for spec in ("SYMMETRIC_DEFAULT", "HMAC_512", "ECC_SECG_P256K1", "RSA_2048")
    for algorithm in (ONE_STEP + TWO_STEPS if spec in SHORT else TWO_STEPS)
]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(("spec", "algorithm", "wrapping_spec"), CASES)
def test_what_was_wrapped_elsewhere_is_imported_and_used(kms, external, bring, refused, spec, algorithm, wrapping_spec, tool):
    wraps_and_uses(kms, external, bring, refused, spec, algorithm, wrapping_spec, tool)


@pytest.mark.parametrize(("spec", "algorithm", "wrapping_spec"), LENGTHS)
def test_larger_wrapping_keys_wrap_too(kms, external, bring, refused, spec, algorithm, wrapping_spec):
    wraps_and_uses(kms, external, bring, refused, spec, algorithm, wrapping_spec, "openssl")


def wraps_and_uses(kms, external, bring, refused, spec, algorithm, wrapping_spec, tool):
    own = others.generate(spec)
    for usage in usages(spec):
        key = external(spec, usage)
        if (spec, wrapping_spec) == ("ECC_NIST_P521", "RSA_2048") and algorithm in ONE_STEP:
            # Its PKCS#8 is longer than what such a key has room for.
            asked = {"WrappingAlgorithm": algorithm, "WrappingKeySpec": wrapping_spec}
            assert refused(kms.get_parameters_for_import, KeyId=key, **asked)[0] == "UnsupportedOperationException"
            continue
        bring(key, own.material, algorithm, tool=tool, wrapping=wrapping_spec)
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
        check(kms, key, usage, TABLE[spec, usage][0], own)


def test_the_cases_are_all_that_the_model_names(kms):
    model = kms.meta.service_model
    assert {spec for spec, _, _ in CASES} == set(model.shape_for("KeySpec").enum) - {"SM2"}
    wrapped_by = {algorithm for _, algorithm, _ in CASES}
    # AWS refuses the padding of PKCS #1 v1.5, and so does trent (below); SM2 is of Regions in China.
    assert wrapped_by == set(model.shape_for("AlgorithmSpec").enum) - {"RSAES_PKCS1_V1_5", "SM2PKE"}
    assert {each for _, _, each in CASES + LENGTHS} == set(model.shape_for("WrappingKeySpec").enum) - {"SM2"}


@pytest.mark.parametrize("spec", LONG)
def test_long_material_is_wrapped_in_two_steps_alone(kms, external, refused, spec):
    key = external(spec, usages(spec)[0])
    for algorithm in ONE_STEP:
        asked = {"WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_4096"}
        assert refused(kms.get_parameters_for_import, KeyId=key, **asked)[0] == "UnsupportedOperationException"


def test_the_padding_of_pkcs1_is_refused(kms, external, refused):
    asked = {"WrappingAlgorithm": "RSAES_PKCS1_V1_5", "WrappingKeySpec": "RSA_2048"}
    code, _ = refused(kms.get_parameters_for_import, KeyId=external(), **asked)
    assert code == "UnsupportedOperationException"


@pytest.mark.parametrize("spec", HMAC)
def test_hmac_keys_are_as_long_as_a_block_at_most(kms, external, bring, refused, spec):
    least, most = HMAC[spec]
    for length in (least, most):
        key, own = external(spec, "GENERATE_VERIFY_MAC"), bytes(range(length))
        bring(key, own)
        check(kms, key, "GENERATE_VERIFY_MAC", TABLE[spec, "GENERATE_VERIFY_MAC"][0], others.Secret(spec, own))
    for length in (least - 1, most + 1):
        code, _ = refused(bring, key=external(spec, "GENERATE_VERIFY_MAC"), material=bytes(length))
        assert code == "IncorrectKeyMaterialException"


@pytest.mark.parametrize("spec", SHORT + RSA)
def test_other_material_is_refused(external, bring, refused, spec):
    key = external(spec, usages(spec)[0])
    for other in (b"x", bytes(27), bytes(129), others.generate("ECC_NIST_EDWARDS25519").material + bytes(99)):
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


def test_tokens_and_material_outlive_a_restart(tmp_path):
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
