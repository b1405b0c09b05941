"""What keys are used for elsewhere: certificates, web tokens, transactions. Signed by trent, checked by those who take them."""

import base64
import datetime
import json
import subprocess

import jwt
import others
import pytest
from coincurve import PublicKey
from Crypto.Hash import keccak
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.x509.oid import NameOID

MESSAGE = b"a message that is signed"


@pytest.fixture
def signer(kms):
    """Makes a key and gives its public half, as others read it, and what signs with it."""

    def make(spec):
        key = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        public = others.of_public(spec, kms.get_public_key(KeyId=key)["PublicKey"]).public

        def sign(algorithm, message, kind="RAW"):
            request = {"KeyId": key, "SigningAlgorithm": algorithm, "MessageType": kind}
            return kms.sign(**request, Message=message)["Signature"]

        return public, sign

    return make


class Remote:
    """A private key of `cryptography` that is trent's: it can sign and nothing else."""

    def __init__(self, public, sign):
        self.public, self.remote = public, sign

    def public_key(self):
        return self.public

    def _nothing_else(self, *_, **__):
        raise NotImplementedError("it never leaves trent")

    private_numbers = private_bytes = private_bytes_raw = exchange = decrypt = _nothing_else
    __copy__ = __deepcopy__ = _nothing_else


class RemoteCurve(Remote, ec.EllipticCurvePrivateKey):
    @property
    def curve(self):
        return self.public.curve

    @property
    def key_size(self):
        return self.public.key_size

    def sign(self, data, signature_algorithm):
        assert isinstance(signature_algorithm, ec.ECDSA)
        return self.remote(f"ECDSA_SHA_{signature_algorithm.algorithm.name[3:]}", data)


class RemoteRsa(Remote, rsa.RSAPrivateKey):
    @property
    def key_size(self):
        return self.public.key_size

    def sign(self, data, padding_, algorithm):
        scheme = "PSS" if isinstance(padding_, padding.PSS) else "PKCS1_V1_5"
        return self.remote(f"RSASSA_{scheme}_SHA_{algorithm.name[3:]}", data)


class RemoteEdwards(Remote, ed25519.Ed25519PrivateKey):
    def sign(self, data):
        return self.remote("ED25519_SHA_512", data)


PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
CERTIFICATES = {
    "ECC_NIST_P256": (RemoteCurve, hashes.SHA256(), {}),
    "ECC_NIST_P384": (RemoteCurve, hashes.SHA384(), {}),
    "ECC_NIST_P521": (RemoteCurve, hashes.SHA512(), {}),
    "RSA_2048": (RemoteRsa, hashes.SHA256(), {}),
    "RSA_3072": (RemoteRsa, hashes.SHA256(), {"rsa_padding": PSS}),
    "ECC_NIST_EDWARDS25519": (RemoteEdwards, None, {}),
}


def openssl(*words, given):
    done = subprocess.run(["openssl", *words], input=given, capture_output=True, timeout=30)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("spec", CERTIFICATES)
def test_a_request_for_a_tls_certificate_is_signed(signer, spec):
    remote, hash_, options = CERTIFICATES[spec]
    public, sign = signer(spec)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    hosts = x509.SubjectAlternativeName([x509.DNSName("shop.example"), x509.DNSName("www.shop.example")])
    wanted = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(hosts, critical=False)
    request = wanted.sign(remote(public, sign), hash_, **options).public_bytes(others.serialization.Encoding.DER)
    line = ["req", "-inform", "DER", "-verify", "-noout", "-subject"]
    code, told = openssl(*line, given=request)
    assert code == 0 and "verify OK" in told and "shop.example" in told, told
    # Its last byte is one of the signature.
    _, told = openssl(*line, given=request[:-1] + bytes([request[-1] ^ 1]))
    assert "verify OK" not in told


def test_a_certificate_authority_has_its_key_here(signer, tmp_path):
    public, sign = signer("ECC_NIST_P384")
    authority = RemoteCurve(public, sign)
    now = datetime.datetime.now(datetime.timezone.utc)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Shop CA")])

    def certificate(name, subject_key, is_authority):
        builder = x509.CertificateBuilder().issuer_name(issuer).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        builder = builder.subject_name(name).public_key(subject_key)
        constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
        made = builder.add_extension(constraints, critical=True).sign(authority, hashes.SHA384())
        return made.public_bytes(others.serialization.Encoding.PEM)

    (tmp_path / "ca.pem").write_bytes(certificate(issuer, public, True))
    shop = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    leaf = certificate(shop, others.generate("ECC_NIST_P256").public, False)
    code, told = openssl("verify", "-CAfile", tmp_path / "ca.pem", given=leaf)
    assert code == 0 and "OK" in told, told


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


TOKENS = {
    "RS256": ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256"),
    "RS512": ("RSA_3072", "RSASSA_PKCS1_V1_5_SHA_512"),
    "PS256": ("RSA_2048", "RSASSA_PSS_SHA_256"),
    "ES256": ("ECC_NIST_P256", "ECDSA_SHA_256"),
    "ES384": ("ECC_NIST_P384", "ECDSA_SHA_384"),
    "ES512": ("ECC_NIST_P521", "ECDSA_SHA_512"),
    "ES256K": ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
    "EdDSA": ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_json_web_token_is_signed(signer, name):
    spec, algorithm = TOKENS[name]
    public, sign = signer(spec)
    header, claims = {"alg": name, "typ": "JWT"}, {"sub": "alice", "aud": "shop"}
    to_sign = b".".join(url64(json.dumps(part).encode()) for part in (header, claims))
    signature = sign(algorithm, to_sign)
    if name.startswith("ES"):
        # RFC 7518 section 3.4: both numbers in a row.
        size = (public.curve.key_size + 7) // 8
        signature = b"".join(number.to_bytes(size, "big") for number in utils.decode_dss_signature(signature))
    token = (to_sign + b"." + url64(signature)).decode()
    assert jwt.decode(token, public, algorithms=[name], audience="shop") == claims
    forged = b".".join(url64(json.dumps(part).encode()) for part in (header, claims | {"sub": "mallory"}))
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode((forged + b"." + url64(signature)).decode(), public, algorithms=[name], audience="shop")


def keccak256(data):
    return keccak.new(digest_bits=256, data=data).digest()


def test_the_signer_of_a_transaction_is_recovered_from_its_signature(signer):
    """As Ethereum does it: a Keccak digest, the smaller s, a recovery id, and the address instead of the public key."""
    public, sign = signer("ECC_SECG_P256K1")
    numbers, order = public.public_numbers(), public.curve.group_order
    known = PublicKey.from_point(numbers.x, numbers.y)
    address = keccak256(known.format(compressed=False)[1:])[-20:]
    for number in range(10):
        digest = keccak256(b"transaction %d" % number)
        r, s = utils.decode_dss_signature(sign("ECDSA_SHA_256", digest, "DIGEST"))
        low = min(s, order - s)
        compact = r.to_bytes(32, "big") + low.to_bytes(32, "big")
        signers = set()
        for recovery_id in (0, 1):
            recovered = PublicKey.from_signature_and_message(compact + bytes([recovery_id]), digest, hasher=None)
            signers.add(keccak256(recovered.format(compressed=False)[1:])[-20:])
        assert address in signers and len(signers) == 2
        # libsecp256k1 takes nothing but the smaller s.
        assert known.verify(utils.encode_dss_signature(r, low), digest, hasher=None)
        assert not known.verify(utils.encode_dss_signature(r, order - low), digest, hasher=None)


def test_both_forms_of_s_are_valid_here_and_wrong_numbers_are_not(kms, refused):
    """Who has (r, s) has (r, n - s) too: both are valid, as with AWS."""
    for spec, curve in others.Curve.curves.items():
        key = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        order = curve.group_order
        request = {"KeyId": key["KeyId"], "SigningAlgorithm": key["SigningAlgorithms"][0], "Message": MESSAGE}
        r, s = utils.decode_dss_signature(kms.sign(**request)["Signature"])
        assert kms.verify(**request, Signature=utils.encode_dss_signature(r, order - s))["SignatureValid"]
        for wrong in [(0, s), (r, 0), (r + order, s), (order, s), (s, r)]:
            code, _ = refused(kms.verify, **request, Signature=utils.encode_dss_signature(*wrong))
            assert code == "KMSInvalidSignatureException"


def test_ed25519ph_is_not_ed25519(signer):
    public, sign = signer("ECC_NIST_EDWARDS25519")
    digest = others.digest("ED25519_PH_SHA_512", MESSAGE)
    signature = sign("ED25519_PH_SHA_512", digest, "DIGEST")
    for message in (digest, MESSAGE):
        with pytest.raises(InvalidSignature):
            public.verify(signature, message)


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_what_was_padded_otherwise_does_not_open(kms, refused, algorithm):
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    public = others.of_public("RSA_2048", kms.get_public_key(KeyId=key)["PublicKey"]).public
    hash_ = others.hash_of(algorithm)
    other = hashes.SHA1() if algorithm.endswith("_256") else hashes.SHA256()
    for wrong in (
        padding.PKCS1v15(),
        padding.OAEP(mgf=padding.MGF1(hash_), algorithm=hash_, label=b"label"),
        padding.OAEP(mgf=padding.MGF1(other), algorithm=hash_, label=None),
        padding.OAEP(mgf=padding.MGF1(other), algorithm=other, label=None),
    ):
        blob = public.encrypt(b"x", wrong)
        code, _ = refused(kms.decrypt, KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
        assert code == "InvalidCiphertextException"
