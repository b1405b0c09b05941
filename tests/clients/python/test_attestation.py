"""Attested callers: documents of another maker, over HTTP, with the enclave's side done by OpenSSL and `cryptography`."""

import json
import subprocess

import pytest
from attested import Authority, Enclave
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from server import ACCOUNT, Server

ROLE = f"arn:aws:iam::{ACCOUNT}:role/data-proc"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}},
}
AES_256 = {"KeySpec": "AES_256"}


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def enclave(authority):
    return Enclave(authority)


@pytest.fixture(scope="module")
def trent(tmp_path_factory, authority):
    """A server that trusts the authority of these tests, and knows a role."""
    directory = tmp_path_factory.mktemp("attestation")
    (directory / "root.pem").write_bytes(authority.root_pem)
    (directory / "trust.json").write_text(json.dumps(TRUST))
    (directory / "identities.toml").write_text(
        f'[[account]]\nid = "{ACCOUNT}"\nname = "main"\n[[account.role]]\nname = "data-proc"\ntrust = "trust.json"\n'
    )
    (directory / "trent.toml").write_text(
        '[attestation]\nroots = ["aws", "tests=root.pem"]\n[identity]\nfile = "identities.toml"\n'
    )
    server = Server(directory, ["--config", "trent.toml"]).start()
    yield server
    assert server.stop() == 0, server.log()


def test_five_operations_answer_to_the_enclave_alone(kms, enclave):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    recipient = enclave.recipient()

    blob = kms.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    answer = kms.decrypt(CiphertextBlob=blob, Recipient=recipient)
    assert "Plaintext" not in answer and "KeyMaterialId" not in answer
    assert enclave.opened(answer["CiphertextForRecipient"]) == b"text"

    answer = kms.generate_data_key(KeyId=key, Recipient=recipient, **AES_256)
    assert "Plaintext" not in answer and "KeyMaterialId" not in answer
    plaintext = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])["Plaintext"]
    assert enclave.opened(answer["CiphertextForRecipient"]) == plaintext

    answer = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P384", Recipient=recipient)
    assert "PrivateKeyPlaintext" not in answer
    private = serialization.load_der_private_key(enclave.opened(answer["CiphertextForRecipient"]), None)
    assert private.public_key() == serialization.load_der_public_key(answer["PublicKey"])

    answer = kms.generate_random(NumberOfBytes=100, Recipient=recipient)
    assert "Plaintext" not in answer
    assert len(enclave.opened(answer["CiphertextForRecipient"])) == 100

    agreer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
    mine = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = mine.public_key().public_bytes(serialization.Encoding.DER, form)
    request = {"KeyId": agreer, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public}
    answer = kms.derive_shared_secret(Recipient=recipient, **request)
    assert "SharedSecret" not in answer
    theirs = serialization.load_der_public_key(kms.get_public_key(KeyId=agreer)["PublicKey"])
    assert enclave.opened(answer["CiphertextForRecipient"]) == mine.exchange(ec.ECDH(), theirs)


@pytest.mark.parametrize("bits", [3072, 4096])
def test_enclaves_may_have_longer_keys(kms, authority, bits):
    enclave = Enclave(authority, bits)
    answer = kms.generate_random(NumberOfBytes=32, Recipient=enclave.recipient(tagged=True))
    assert len(enclave.opened(answer["CiphertextForRecipient"])) == 32


def test_the_envelope_is_that_of_the_standard(kms, enclave):
    answer = kms.generate_random(NumberOfBytes=32, Recipient=enclave.recipient())
    line = ["openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "DER"]
    printed = subprocess.run(line, input=answer["CiphertextForRecipient"], capture_output=True, check=True).stdout.decode()
    told = [" ".join(row.split()) for row in printed.splitlines()]
    for expected in [
        "contentType: pkcs7-envelopedData (1.2.840.113549.1.7.3)",
        "d.ktri:",
        "d.subjectKeyIdentifier:",
        "algorithm: rsaesOaep (1.2.840.113549.1.1.7)",
        "contentType: pkcs7-data (1.2.840.113549.1.7.1)",
        "algorithm: aes-256-cbc (2.16.840.1.101.3.4.1.42)",
    ]:
        assert expected in told, printed
    assert told.count("version: 2") == 2 and printed.count("d.ktri") == 1, printed


def test_what_is_forged_or_foreign_is_refused(kms, enclave, refused):
    """No plaintext is given to whoever cannot prove what it is."""
    untrusted = Enclave(Authority())
    good = enclave.recipient()["AttestationDocument"]
    forged = good.replace(b"enc0123456789abcdef", b"enc0123456789abcdee")
    small = Enclave(enclave.authority, 1024)
    certificates = "its certificates are not valid: the first of them is not a trusted root."
    for document, told in [
        (untrusted.recipient()["AttestationDocument"], certificates),
        (forged, "its signature is not valid."),
        (good[:-1], "its CBOR ends too early."),
        (enclave.recipient(timestamp=0)["AttestationDocument"], "its member timestamp is invalid."),
        (enclave.recipient(public_key=...)["AttestationDocument"], "its member public_key is missing."),
        (enclave.recipient(pcrs={40: bytes(48)})["AttestationDocument"], "its member pcrs is invalid."),
        (
            small.recipient()["AttestationDocument"],
            "its public key is not an RSA key of 2048, 3072 or 4096 bits.",
        ),
    ]:
        recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}
        expected = ("ValidationException", f"The attestation document is not valid: {told}")
        assert refused(kms.generate_random, NumberOfBytes=8, Recipient=recipient) == expected


def test_a_document_as_long_as_can_be_is_read(kms, enclave):
    longest = 262_144
    spare = longest - len(enclave.recipient(later=bytes(1 << 16))["AttestationDocument"])
    recipient = enclave.recipient(later=bytes((1 << 16) + spare))
    assert len(recipient["AttestationDocument"]) == longest
    answer = kms.generate_random(NumberOfBytes=8, Recipient=recipient)
    assert len(enclave.opened(answer["CiphertextForRecipient"])) == 8


def test_a_policy_asks_what_was_measured(trent, kms, enclave, refused):
    """T116, T117 and T118 of the authorization cases."""
    measured = (b"\1" * 48).hex().upper()
    attested = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": measured}}
    app = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt", "Resource": "*", "Condition": attested}
    told = kms.create_key()["KeyMetadata"]
    blob = kms.encrypt(KeyId=told["KeyId"], Plaintext=b"text")["CiphertextBlob"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": app})
    kms.put_key_policy(KeyId=told["KeyId"], Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    session = trent.client(service="sts").assume_role(RoleArn=ROLE, RoleSessionName="s1")["Credentials"]
    app = trent.client(
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )

    answer = app.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient(pcrs={0: b"\1" * 48}))
    assert enclave.opened(answer["CiphertextForRecipient"]) == b"text"
    denied = (
        "AccessDeniedException",
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/data-proc/s1 is not authorized to perform: kms:Decrypt on resource: "
        f"{told['Arn']} because no resource-based policy allows the kms:Decrypt action",
    )
    assert refused(app.decrypt, CiphertextBlob=blob) == denied
    debugged = enclave.recipient(pcrs={index: bytes(48) for index in range(3)})
    assert refused(app.decrypt, CiphertextBlob=blob, Recipient=debugged) == denied
