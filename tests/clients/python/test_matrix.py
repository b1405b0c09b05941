"""Every spec with every algorithm that it has, in both directions, against other implementations.

The table is written down from AWS's documentation. That it misses nothing is shown from the SDK's model: what the model
names and the table does not have is refused.
"""

import functools
import itertools

import others
import pytest
from checks import check
from wrapping import bring

RSASSA = [f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)]
OAEP = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
EDWARDS = ["ED25519_SHA_512", "ED25519_PH_SHA_512"]

TABLE = {("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"): ["SYMMETRIC_DEFAULT"]}
TABLE |= {(f"RSA_{bits}", "SIGN_VERIFY"): RSASSA for bits in (2048, 3072, 4096)}
TABLE |= {(f"RSA_{bits}", "ENCRYPT_DECRYPT"): OAEP for bits in (2048, 3072, 4096)}
TABLE |= {
    ("ECC_NIST_P256", "SIGN_VERIFY"): ["ECDSA_SHA_256"],
    ("ECC_NIST_P384", "SIGN_VERIFY"): ["ECDSA_SHA_384"],
    ("ECC_NIST_P521", "SIGN_VERIFY"): ["ECDSA_SHA_512"],
    ("ECC_SECG_P256K1", "SIGN_VERIFY"): ["ECDSA_SHA_256"],
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"): EDWARDS,
}
TABLE |= {(f"ECC_NIST_P{bits}", "KEY_AGREEMENT"): ["ECDH"] for bits in (256, 384, 521)}
TABLE |= {(f"ML_DSA_{set_}", "SIGN_VERIFY"): ["ML_DSA_SHAKE_256"] for set_ in (44, 65, 87)}
TABLE |= {(f"ML_KEM_{set_}", "ENCAPSULATE_DECAPSULATE"): ["ML_KEM"] for set_ in (512, 768, 1024)}
TABLE |= {(f"HMAC_{bits}", "GENERATE_VERIFY_MAC"): [f"HMAC_SHA_{bits}"] for bits in (224, 256, 384, 512)}

# Of Regions in China alone.
SM2 = {"SM2", "SM2DSA", "SM2PKE"}
# The shape of the model that names the algorithms of a usage.
SHAPES = {
    "SIGN_VERIFY": "SigningAlgorithmSpec",
    "ENCRYPT_DECRYPT": "EncryptionAlgorithmSpec",
    "GENERATE_VERIFY_MAC": "MacAlgorithmSpec",
    "KEY_AGREEMENT": "KeyAgreementAlgorithmSpec",
    "ENCAPSULATE_DECAPSULATE": "EncapsulationAlgorithmSpec",
}
# What describing a key calls them.
LISTS = {
    "SIGN_VERIFY": "SigningAlgorithms",
    "ENCRYPT_DECRYPT": "EncryptionAlgorithms",
    "GENERATE_VERIFY_MAC": "MacAlgorithms",
    "KEY_AGREEMENT": "KeyAgreementAlgorithms",
    "ENCAPSULATE_DECAPSULATE": "EncapsulationAlgorithms",
}
CELLS = [(spec, usage, algorithm) for (spec, usage), algorithms in TABLE.items() for algorithm in algorithms]


@pytest.fixture
def model(kms):
    """The values of an enumeration of the SDK's model."""
    return lambda shape: set(kms.meta.service_model.shape_for(shape).enum)


def test_the_table_has_all_that_the_model_names(model):
    assert {spec for spec, _ in TABLE} == model("KeySpec") - SM2
    assert set(SHAPES) == set(LISTS) == {usage for _, usage in TABLE} == model("KeyUsageType")
    for usage, shape in SHAPES.items():
        assert {algorithm for _, used, algorithm in CELLS if used == usage} == model(shape) - SM2


def test_what_is_not_in_the_table_is_refused(kms, model, refused):
    for spec, usage in sorted(itertools.product(model("KeySpec"), model("KeyUsageType")) - TABLE.keys()):
        code, _ = refused(kms.create_key, KeySpec=spec, KeyUsage=usage)
        assert code in {"ValidationException", "UnsupportedOperationException"}, (spec, usage)


def call(kms, spec, usage, algorithm):
    """Something that this algorithm does."""
    if usage == "SIGN_VERIFY":
        kind, size = {"ED25519_PH_SHA_512": ("DIGEST", 64)}.get(algorithm, ("RAW", 32))
        return kms.sign, {"SigningAlgorithm": algorithm, "MessageType": kind, "Message": bytes(size)}
    if usage == "ENCRYPT_DECRYPT":
        return kms.encrypt, {"EncryptionAlgorithm": algorithm, "Plaintext": b"x"}
    if usage == "GENERATE_VERIFY_MAC":
        return kms.generate_mac, {"MacAlgorithm": algorithm, "Message": b"x"}
    if usage == "KEY_AGREEMENT":
        peer = others.generate(spec if spec in others.Curve.curves else "ECC_NIST_P256").spki
        return kms.derive_shared_secret, {"KeyAgreementAlgorithm": algorithm, "PublicKey": peer}
    return kms.encapsulate, {"EncapsulationAlgorithm": algorithm}


@pytest.mark.parametrize(("spec", "usage"), TABLE)
def test_a_key_has_the_algorithms_of_the_table_and_no_other(kms, model, refused, spec, usage):
    metadata = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    key = metadata["KeyId"]
    assert sorted(metadata[LISTS[usage]]) == sorted(TABLE[spec, usage])
    assert {name for name in LISTS.values() if name in metadata} == {LISTS[usage]}
    for each, shape in SHAPES.items():
        for algorithm in sorted(model(shape)):
            operation, request = call(kms, spec, each, algorithm)
            if each == usage and algorithm in TABLE[spec, usage]:
                assert operation(KeyId=key, **request)["KeyId"] == metadata["Arn"]
            else:
                code, message = refused(operation, KeyId=key, **request)
                assert code == ("ValidationException" if algorithm in SM2 else "InvalidKeyUsageException"), message


@pytest.fixture(scope="module")
def imported(trent):
    """A key with the material of somebody else, and that; one for all algorithms."""

    @functools.cache
    def make(spec, usage):
        kms, own = trent.client(), others.generate(spec)
        key = kms.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        bring(kms, key, own.material)
        if own.spki is not None:
            assert kms.get_public_key(KeyId=key)["PublicKey"] == own.spki
        return key, own

    return make


@pytest.fixture(scope="module")
def generated(trent):
    """A key that trent made, and its public half, if it has one."""

    @functools.cache
    def make(spec, usage):
        kms = trent.client()
        key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        if others.kind_of(spec) is others.Secret:
            return key, None
        told = kms.get_public_key(KeyId=key)
        assert (told["KeySpec"], told["KeyUsage"], told["CustomerMasterKeySpec"]) == (spec, usage, spec)
        return key, others.of_public(spec, told["PublicKey"])

    return make


@pytest.mark.parametrize(("spec", "usage", "algorithm"), CELLS)
def test_an_imported_key_does_what_others_do_with_it(kms, imported, spec, usage, algorithm):
    key, own = imported(spec, usage)
    check(kms, key, usage, algorithm, own)


@pytest.mark.parametrize(("spec", "usage", "algorithm"), CELLS)
def test_what_a_key_made_here_does_is_right_for_others(kms, generated, spec, usage, algorithm):
    key, own = generated(spec, usage)
    check(kms, key, usage, algorithm, own)
