"""Checks a key against other implementations: what trent makes they take, and what they make trent takes.

`own` is the same key as `others.py` has it, or the public half alone where trent made the key. Then half of the checks can be
done: what needs the private key is left out, not weakened.
"""

import others
import pytest
from botocore.exceptions import ClientError

MESSAGE = b"a message"
CONTEXT = {"a": "b"}


def refused(code, operation, **request):
    with pytest.raises(ClientError) as error:
        operation(**request)
    assert error.value.response["Error"]["Code"] == code


def altered(data, at=-1):
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def check_signing(kms, key, algorithm, own):
    kinds = ("DIGEST",) if algorithm == "ED25519_PH_SHA_512" else own.kinds
    for kind in kinds:
        request = {"KeyId": key, "SigningAlgorithm": algorithm, "MessageType": kind}
        sent, other = (own.sent(algorithm, kind, message) for message in (MESSAGE, MESSAGE + b"!"))
        made_here = kms.sign(**request, Message=sent)["Signature"]
        own.verify(algorithm, MESSAGE, kind, made_here)
        made = [made_here]
        if own.private is not None:
            made.append(own.sign(algorithm, MESSAGE, kind))
            own.verify(algorithm, MESSAGE, kind, made[-1])
        for signature in made:
            # However it was sent to be signed, it is a signature of the message.
            for other_kind in kinds:
                as_sent = request | {"MessageType": other_kind, "Message": own.sent(algorithm, other_kind, MESSAGE)}
                assert kms.verify(**as_sent, Signature=signature)["SignatureValid"]
            invalid = "KMSInvalidSignatureException"
            refused(invalid, kms.verify, **request, Message=other, Signature=signature)
            for at in (0, len(signature) // 2, -1):
                refused(invalid, kms.verify, **request, Message=sent, Signature=altered(signature, at))


def check_rsa_encryption(kms, key, algorithm, own):
    request = {"KeyId": key, "EncryptionAlgorithm": algorithm}
    longest = int(own.spec[4:]) // 8 - 2 * others.hash_of(algorithm).digest_size - 2
    for plaintext in (b"x", bytes(longest)):
        made_here = kms.encrypt(**request, Plaintext=plaintext)["CiphertextBlob"]
        if own.private is not None:
            assert own.decrypt(algorithm, made_here) == plaintext
        for blob in (made_here, own.encrypt(algorithm, plaintext)):
            opened = kms.decrypt(**request, CiphertextBlob=blob)
            assert opened["Plaintext"] == plaintext and "KeyMaterialId" not in opened
            refused("InvalidCiphertextException", kms.decrypt, **request, CiphertextBlob=altered(blob))


def check_symmetric_encryption(kms, key, algorithm, own):
    request = {"KeyId": key, "EncryptionAlgorithm": algorithm, "EncryptionContext": CONTEXT}
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    made = [kms.encrypt(**request, Plaintext=MESSAGE)["CiphertextBlob"]]
    if own is not None:
        assert own.open(metadata, CONTEXT, made[0]) == MESSAGE
        made.append(own.seal(metadata, CONTEXT, MESSAGE))
    for blob in made:
        opened = kms.decrypt(**request, CiphertextBlob=blob)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (MESSAGE, metadata["CurrentKeyMaterialId"])
        refused("InvalidCiphertextException", kms.decrypt, **request, CiphertextBlob=altered(blob))


def check_macs(kms, key, algorithm, own):
    for message in (b"x", MESSAGE, bytes(4096)):
        request = {"KeyId": key, "MacAlgorithm": algorithm, "Message": message}
        made = kms.generate_mac(**request)["Mac"]
        assert len(made) == others.hash_of(algorithm).digest_size
        if own is not None:
            assert made == own.mac(algorithm, message)
        assert kms.verify_mac(**request, Mac=made)["MacValid"]
        for wrong in (altered(made, 0), altered(made), made[:-1], made + b"\0", bytes(len(made))):
            refused("KMSInvalidMacException", kms.verify_mac, **request, Mac=wrong)


def check_agreement(kms, key, algorithm, own):
    for _ in range(5):
        mine = others.generate(own.spec)
        request = {"KeyId": key, "KeyAgreementAlgorithm": algorithm, "PublicKey": mine.spki}
        secret = kms.derive_shared_secret(**request)["SharedSecret"]
        assert secret == mine.agree(own)
        if own.private is not None:
            assert secret == own.agree(mine)
    for other in {"ECC_NIST_P256", "ECC_NIST_P384", "ECC_SECG_P256K1", "RSA_2048"} - {own.spec}:
        peer = others.generate(other).spki
        refused("ValidationException", kms.derive_shared_secret, **(request | {"PublicKey": peer}))


def check_encapsulation(kms, key, algorithm, own):
    request = {"KeyId": key, "EncapsulationAlgorithm": algorithm}

    def opened(blob):
        return kms.decapsulate(**request, SharedSecretCiphertextBlob=blob)["SharedSecret"]

    for _ in range(3):
        here = kms.encapsulate(**request)
        there, blob = own.encapsulate()
        made = [(here["SharedSecret"], here["SharedSecretCiphertextBlob"]), (there, blob)]
        for secret, blob in made:
            assert opened(blob) == secret and len(secret) == 32
            # FIPS 203 says which secret comes of an altered ciphertext.
            wrong = opened(altered(blob))
            assert wrong != secret
            if own.private is not None:
                assert own.decapsulate(blob) == secret and own.decapsulate(altered(blob)) == wrong


CHECKS = {
    "SIGN_VERIFY": check_signing,
    "GENERATE_VERIFY_MAC": check_macs,
    "KEY_AGREEMENT": check_agreement,
    "ENCAPSULATE_DECAPSULATE": check_encapsulation,
}


def check(kms, key, usage, algorithm, own):
    """All that the algorithm does with the key."""
    if usage != "ENCRYPT_DECRYPT":
        return CHECKS[usage](kms, key, algorithm, own)
    encryption = check_symmetric_encryption if algorithm == "SYMMETRIC_DEFAULT" else check_rsa_encryption
    return encryption(kms, key, algorithm, own)
