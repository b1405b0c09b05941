"""Keys of other kinds beside what they compute, which is in test_matrix.py: pairs for others, and that nobody waits for them."""

import statistics
import threading
import time

import others
import pytest
from cryptography.hazmat.primitives import serialization
from server import Server

MESSAGE = b"a message that is signed"

PAIRS = {"RSA_2048", "RSA_3072", "RSA_4096", *others.Curve.curves, "ECC_NIST_EDWARDS25519", *others.MlKem.numbers}


def test_pairs_of_all_specs_of_the_model_are_looked_at(kms):
    assert PAIRS == set(kms.meta.service_model.shape_for("DataKeyPairSpec").enum) - {"SM2"}


def private_half(spec, document):
    """A private key that trent made, as others read it."""
    if spec in others.MlKem.numbers:
        return others.MlKem.of_private(spec, document)
    private = serialization.load_der_private_key(document, None)
    return others.kind_of(spec)(spec, private.public_key(), private)


@pytest.mark.parametrize("spec", sorted(PAIRS))
def test_data_key_pairs_are_of_use_outside(kms, key, spec):
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext={"a": "1"})
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext={"a": "1"})
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    halves_fit(spec, made["PrivateKeyPlaintext"], made["PublicKey"])
    sealed = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in sealed
    opened = kms.decrypt(CiphertextBlob=sealed["PrivateKeyCiphertextBlob"])["Plaintext"]
    halves_fit(spec, opened, sealed["PublicKey"])


def halves_fit(spec, private, public):
    own, public = private_half(spec, private), others.of_public(spec, public)
    if spec in others.MlKem.numbers:
        secret, blob = public.encapsulate()
        assert own.decapsulate(blob) == secret and own.material == private
        return
    assert own.spki == public.spki
    algorithm = {"ECC_NIST_P384": "ECDSA_SHA_384", "ECC_NIST_EDWARDS25519": "ED25519_SHA_512"}.get(spec, "PSS_SHA_256")
    public.verify(algorithm, MESSAGE, "RAW", own.sign(algorithm, MESSAGE, "RAW"))


def test_an_rsa_key_that_is_made_delays_nobody(tmp_path):
    server = Server(tmp_path).start()  # One of its own, which has no pairs ready.
    kms, others = server.client(), server.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    making = threading.Thread(target=others.create_key, kwargs={"KeySpec": "RSA_4096", "KeyUsage": "SIGN_VERIFY"})
    waits = []
    making.start()
    while making.is_alive():
        asked = time.perf_counter()
        kms.describe_key(KeyId=key)
        waits.append(time.perf_counter() - asked)
    making.join()
    # Half of them: on a machine that is busy with other things, some are late.
    assert len(waits) > 5 and statistics.median(waits) < 0.1
    assert server.stop() == 0


def test_keys_of_all_kinds_outlive_the_process(tmp_path):
    server = Server(tmp_path).start()
    kms = server.client()
    signer = kms.create_key(KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    opener = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    signed = {"KeyId": signer, "SigningAlgorithm": "ECDSA_SHA_384", "Message": MESSAGE}
    signature = kms.sign(**signed)["Signature"]
    sealed = {"KeyId": opener, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = kms.encrypt(**sealed, Plaintext=b"x")["CiphertextBlob"]
    # Asked to end while pairs are being made that nobody waits for.
    assert server.stop() == 0
    server.start()
    kms = server.client()
    assert kms.verify(**signed, Signature=signature)["SignatureValid"]
    assert kms.decrypt(**sealed, CiphertextBlob=blob)["Plaintext"] == b"x"
    assert server.stop() == 0
