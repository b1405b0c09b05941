"""Keys of other kinds, checked by others: what trent signs, encrypts and agrees on is verified, made and computed outside.

By `cryptography` (OpenSSL), the `rsa` package, `hmac`, `openssl`, and for what these lack by the formulas in outside.py:
Ed25519ph, recovering a public key on secp256k1, Keccak. ML-KEM-512 has no implementation here; the tests in Rust
compare it with another one.
"""

import base64
import hashlib
import hmac
import json
import statistics
import subprocess
import threading
import time

import outside
import pytest
import rsa
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, utils
from cryptography.x509.oid import NameOID
from server import Server

MESSAGE = b"a message that is signed"
CURVES = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
HASHES = {"224": hashes.SHA224(), "256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
RSA = ["RSA_2048", "RSA_3072", "RSA_4096"]
RSASSA = [f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512)]


def test_the_formulas_are_those_of_the_standards():
    for size in (0, 1, 135, 136, 137, 500):
        assert outside.keccak256(bytes(size), suffix=6) == hashlib.sha3_256(bytes(size)).digest()
    # RFC 8032 section 7.3.
    secret = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
    public = ed25519.Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    signature = bytes.fromhex(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )
    assert outside.ed25519ph_is_valid(public, b"abc", signature)
    assert not outside.ed25519ph_is_valid(public, b"abd", signature)
    for spec, order in outside.ORDERS.items():
        first, last = (ec.derive_private_key(scalar, CURVES[spec]).public_key() for scalar in (1, order - 1))
        assert first.public_numbers().x == last.public_numbers().x
    # A signature that `cryptography` makes leads back to its key.
    private = ec.generate_private_key(ec.SECP256K1())
    hashed = hashlib.sha256(MESSAGE).digest()
    r, s = utils.decode_dss_signature(private.sign(hashed, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
    numbers = private.public_key().public_numbers()
    point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    assert point in [outside.recover_secp256k1(hashed, r, s, is_odd) for is_odd in (0, 1)]


def hash_of(algorithm):
    return HASHES[algorithm[-3:]]


def digest(algorithm, message):
    return hashlib.new(hash_of(algorithm).name, message).digest()


@pytest.fixture
def pair(kms):
    """Makes a key pair and gives its id and its public key, as others read it."""

    def make(spec, usage="SIGN_VERIFY"):
        key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        told = kms.get_public_key(KeyId=key)
        assert (told["KeySpec"], told["KeyUsage"], told["CustomerMasterKeySpec"]) == (spec, usage, spec)
        return key, serialization.load_der_public_key(told["PublicKey"])

    return make


@pytest.fixture
def sign(kms):
    def call(key, algorithm, message=MESSAGE, kind="RAW"):
        request = {"KeyId": key, "SigningAlgorithm": algorithm, "MessageType": kind, "Message": message}
        signature = kms.sign(**request)["Signature"]
        assert kms.verify(**request, Signature=signature)["SignatureValid"]
        return signature

    return call


def rsa_padding(algorithm):
    if "PKCS1" in algorithm:
        return padding.PKCS1v15()
    return padding.PSS(mgf=padding.MGF1(hash_of(algorithm)), salt_length=padding.PSS.DIGEST_LENGTH)


@pytest.mark.parametrize("spec", RSA)
def test_rsa_signatures_are_valid_outside(pair, sign, spec):
    key, public = pair(spec)
    assert public.key_size == int(spec[4:]) and public.public_numbers().e == 65537
    for algorithm in RSASSA:
        raw = sign(key, algorithm)
        digested = sign(key, algorithm, digest(algorithm, MESSAGE), "DIGEST")
        for signature in (raw, digested):
            public.verify(signature, MESSAGE, rsa_padding(algorithm), hash_of(algorithm))
        if "PKCS1" in algorithm:
            assert raw == digested
            numbers = public.public_numbers()
            assert rsa.verify(MESSAGE, raw, rsa.PublicKey(numbers.n, numbers.e)) == f"SHA-{algorithm[-3:]}"


@pytest.mark.parametrize("spec", CURVES)
def test_signatures_on_curves_are_valid_outside(kms, pair, sign, refused, spec):
    key, public = pair(spec)
    assert public.curve.name == CURVES[spec].name
    algorithm = kms.get_public_key(KeyId=key)["SigningAlgorithms"][0]
    for _ in range(10):
        for signature in (sign(key, algorithm), sign(key, algorithm, digest(algorithm, MESSAGE), "DIGEST")):
            public.verify(signature, MESSAGE, ec.ECDSA(hash_of(algorithm)))
    # Who has (r, s) has (r, n - s) too: both are valid, as with AWS.
    r, s = utils.decode_dss_signature(signature)
    twin = utils.encode_dss_signature(r, outside.ORDERS[spec] - s)
    request = {"KeyId": key, "SigningAlgorithm": algorithm, "Message": MESSAGE}
    assert kms.verify(**request, Signature=twin)["SignatureValid"]
    for wrong in [(0, s), (r, 0), (r + outside.ORDERS[spec], s), (outside.ORDERS[spec], s), (s, r)]:
        code, _ = refused(kms.verify, **request, Signature=utils.encode_dss_signature(*wrong))
        assert code == "KMSInvalidSignatureException"


def test_ed25519_signatures_are_valid_outside(pair, sign):
    key, public = pair("ECC_NIST_EDWARDS25519")
    assert isinstance(public, ed25519.Ed25519PublicKey)
    public.verify(sign(key, "ED25519_SHA_512"), MESSAGE)


def test_ed25519ph_hashes_the_digest_once_more(pair, sign):
    key, public = pair("ECC_NIST_EDWARDS25519")
    sent = hashlib.sha512(MESSAGE).digest()
    signature = sign(key, "ED25519_PH_SHA_512", sent, "DIGEST")
    raw = public.public_bytes_raw()
    assert outside.ed25519ph_is_valid(raw, sent, signature)
    assert not outside.ed25519ph_is_valid(raw, MESSAGE, signature)
    with pytest.raises(InvalidSignature):
        public.verify(signature, sent)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("ML_DSA_44", mldsa.MLDSA44PublicKey),
        ("ML_DSA_65", mldsa.MLDSA65PublicKey),
        ("ML_DSA_87", mldsa.MLDSA87PublicKey),
    ],
)
def test_ml_dsa_signatures_are_valid_outside(kms, pair, sign, spec, kind):
    key, public = pair(spec)
    assert isinstance(public, kind)
    raw_key = public.public_bytes_raw()
    tr = hashlib.shake_256(raw_key).digest(64)
    mu = hashlib.shake_256(tr + b"\0\0" + MESSAGE).digest(64)
    for signature in (sign(key, "ML_DSA_SHAKE_256"), sign(key, "ML_DSA_SHAKE_256", mu, "EXTERNAL_MU")):
        public.verify(signature, MESSAGE)
        public.verify_mu(signature, mu)
        for message, message_type in ((MESSAGE, "RAW"), (mu, "EXTERNAL_MU")):
            request = {"Message": message, "MessageType": message_type, "Signature": signature}
            assert kms.verify(KeyId=key, SigningAlgorithm="ML_DSA_SHAKE_256", **request)["SignatureValid"]


@pytest.mark.parametrize("spec", RSA)
def test_rsa_ciphertexts_go_in_and_out(kms, pair, refused, spec):
    key, public = pair(spec, "ENCRYPT_DECRYPT")
    size = int(spec[4:]) // 8
    for algorithm, hash_ in (("RSAES_OAEP_SHA_1", hashes.SHA1()), ("RSAES_OAEP_SHA_256", hashes.SHA256())):
        oaep = padding.OAEP(mgf=padding.MGF1(hash_), algorithm=hash_, label=None)
        longest = size - 2 * hash_.digest_size - 2
        for plaintext in (b"x", bytes(longest)):
            made_outside = public.encrypt(plaintext, oaep)
            made_here = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionAlgorithm=algorithm)["CiphertextBlob"]
            assert len(made_here) == size
            for blob in (made_outside, made_here):
                opened = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
                assert opened["Plaintext"] == plaintext and "KeyMaterialId" not in opened
        other = "RSAES_OAEP_SHA_256" if algorithm.endswith("_1") else "RSAES_OAEP_SHA_1"
        code, _ = refused(kms.decrypt, KeyId=key, CiphertextBlob=made_outside, EncryptionAlgorithm=other)
        assert code == "InvalidCiphertextException"
        # The other padding, a label, and another hash in MGF1 do not open either.
        for wrong in (
            padding.PKCS1v15(),
            padding.OAEP(mgf=padding.MGF1(hash_), algorithm=hash_, label=b"label"),
            padding.OAEP(mgf=padding.MGF1(hashes.SHA384()), algorithm=hash_, label=None),
        ):
            blob = public.encrypt(b"x", wrong)
            code, _ = refused(kms.decrypt, KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
            assert code == "InvalidCiphertextException"


@pytest.mark.parametrize("bits", ["224", "256", "384", "512"])
def test_macs_are_macs(kms, refused, bits):
    """Their key never leaves, so nobody outside can compute one; the vectors in `crates/crypto` are known answers."""
    algorithm = f"HMAC_SHA_{bits}"
    key = kms.create_key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    request = {"KeyId": key, "MacAlgorithm": algorithm, "Message": MESSAGE}
    mac = kms.generate_mac(**request)["Mac"]
    assert len(mac) == int(bits) // 8 and mac == kms.generate_mac(**request)["Mac"]
    assert kms.verify_mac(**request, Mac=mac)["MacValid"]
    weak = hmac.new(bytes(len(mac)), MESSAGE, f"sha{bits}").digest()
    for wrong in (mac[:-1], mac + b"\0", weak, mac[::-1]):
        assert refused(kms.verify_mac, **request, Mac=wrong)[0] == "KMSInvalidMacException"


@pytest.mark.parametrize(("spec", "size"), [("ECC_NIST_P256", 32), ("ECC_NIST_P384", 48), ("ECC_NIST_P521", 66)])
def test_agreed_secrets_are_the_same_outside(kms, pair, refused, spec, size):
    key, public = pair(spec, "KEY_AGREEMENT")
    for _ in range(5):
        mine = ec.generate_private_key(CURVES[spec])
        request = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": spki(mine.public_key())}
        told = kms.derive_shared_secret(**request)
        assert told["SharedSecret"] == mine.exchange(ec.ECDH(), public) and len(told["SharedSecret"]) == size
        assert told["KeyOrigin"] == "AWS_KMS"
    other = spki(ec.generate_private_key(ec.SECP256K1()).public_key())
    code, _ = refused(kms.derive_shared_secret, KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=other)
    assert code == "ValidationException"


@pytest.mark.parametrize(
    ("spec", "kind"), [("ML_KEM_768", mlkem.MLKEM768PublicKey), ("ML_KEM_1024", mlkem.MLKEM1024PublicKey)]
)
def test_secrets_that_were_encapsulated_outside_are_opened(kms, pair, spec, kind):
    key, public = pair(spec, "ENCAPSULATE_DECAPSULATE")
    assert isinstance(public, kind)
    for _ in range(5):
        secret, blob = public.encapsulate()
        request = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": blob}
        assert kms.decapsulate(**request)["SharedSecret"] == secret
        altered = blob[:-1] + bytes([blob[-1] ^ 1])
        assert kms.decapsulate(**request | {"SharedSecretCiphertextBlob": altered})["SharedSecret"] != secret


@pytest.mark.parametrize("spec", ["ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"])
def test_encapsulated_secrets_are_opened_again(kms, spec):
    key = kms.create_key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"]["KeyId"]
    made = kms.encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")
    blob = made["SharedSecretCiphertextBlob"]
    opened = kms.decapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=blob)
    assert opened["SharedSecret"] == made["SharedSecret"] and len(made["SharedSecret"]) == 32


def spki(public):
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("spec", [*RSA, *CURVES, "ECC_NIST_EDWARDS25519", "ML_KEM_768", "ML_KEM_1024"])
def test_data_key_pairs_are_loaded_outside(kms, key, spec):
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext={"a": "1"})
    private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    assert spki(private.public_key()) == made["PublicKey"]
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext={"a": "1"})
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    sealed = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in sealed
    opened = kms.decrypt(CiphertextBlob=sealed["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert spki(serialization.load_der_private_key(opened, None).public_key()) == sealed["PublicKey"]


def test_a_data_key_pair_encapsulates_and_opens_outside(kms, key):
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ML_KEM_768")
    assert len(made["PrivateKeyPlaintext"]) == 86
    private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    secret, blob = serialization.load_der_public_key(made["PublicKey"]).encapsulate()
    assert private.decapsulate(blob) == secret


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "RSA_2048", "ECC_NIST_EDWARDS25519"])
def test_a_request_for_a_tls_certificate_is_signed(kms, pair, sign, tmp_path, spec):
    key, public = pair(spec)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    hosts = x509.SubjectAlternativeName([x509.DNSName("shop.example"), x509.DNSName("www.shop.example")])
    algorithm, oid = {
        "ECC_NIST_P256": ("ECDSA_SHA_256", outside.ECDSA_WITH_SHA256),
        "ECC_NIST_P384": ("ECDSA_SHA_384", outside.ECDSA_WITH_SHA384),
        "RSA_2048": ("RSASSA_PKCS1_V1_5_SHA_256", outside.SHA256_WITH_RSA),
        "ECC_NIST_EDWARDS25519": ("ED25519_SHA_512", outside.ED25519),
    }[spec]
    to_sign = outside.certification_request_info(name.public_bytes(), spki(public), hosts.public_bytes())
    request = outside.signed(to_sign, oid, sign(key, algorithm, to_sign))
    loaded = x509.load_der_x509_csr(request)
    assert loaded.is_signature_valid and spki(loaded.public_key()) == spki(public)
    assert loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == hosts
    (tmp_path / "request").write_bytes(request)
    line = ["openssl", "req", "-in", tmp_path / "request", "-inform", "DER", "-verify", "-noout", "-subject"]
    told = subprocess.run(line, capture_output=True, text=True, check=True)
    assert "verify OK" in told.stderr + told.stdout and "shop.example" in told.stdout


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@pytest.mark.parametrize(
    ("spec", "algorithm", "name"),
    [
        ("ECC_NIST_P256", "ECDSA_SHA_256", "ES256"),
        ("ECC_NIST_P521", "ECDSA_SHA_512", "ES512"),
        ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", "RS256"),
        ("RSA_2048", "RSASSA_PSS_SHA_256", "PS256"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "EdDSA"),
    ],
)
def test_a_json_web_token_is_signed(pair, sign, spec, algorithm, name):
    key, public = pair(spec)
    header, claims = {"alg": name, "typ": "JWT", "kid": key}, {"sub": "alice", "aud": "shop"}
    to_sign = b".".join(url64(json.dumps(part).encode()) for part in (header, claims))
    signature = sign(key, algorithm, to_sign)
    if name.startswith("ES"):
        size = (public.curve.key_size + 7) // 8
        signature = b"".join(number.to_bytes(size, "big") for number in utils.decode_dss_signature(signature))
    token = to_sign + b"." + url64(signature)

    # As whoever is given the token does it.
    signed, _, part = token.rpartition(b".")
    received = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    if name.startswith("ES"):
        half = len(received) // 2
        der = utils.encode_dss_signature(int.from_bytes(received[:half], "big"), int.from_bytes(received[half:], "big"))
        public.verify(der, signed, ec.ECDSA(hash_of(algorithm)))
    elif name == "EdDSA":
        public.verify(received, signed)
    elif name == "RS256":
        numbers = public.public_numbers()
        assert rsa.verify(signed, received, rsa.PublicKey(numbers.n, numbers.e)) == "SHA-256"
    else:
        public.verify(received, signed, rsa_padding(algorithm), hash_of(algorithm))


def test_the_signer_of_a_transaction_is_recovered_from_its_signature(pair, sign):
    """As Ethereum does it: a Keccak digest, the smaller s, and the address instead of the public key."""
    key, public = pair("ECC_SECG_P256K1")
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)[1:]
    address = outside.keccak256(point)[-20:]
    for number in range(5):
        transaction = outside.keccak256(b"transaction %d" % number)
        r, s = utils.decode_dss_signature(sign(key, "ECDSA_SHA_256", transaction, "DIGEST"))
        s = min(s, outside.ORDERS["ECC_SECG_P256K1"] - s)
        signers = [outside.recover_secp256k1(transaction, r, s, is_odd) for is_odd in (0, 1)]
        assert address in [outside.keccak256(signer)[-20:] for signer in signers if signer]


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
