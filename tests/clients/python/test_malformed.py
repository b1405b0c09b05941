"""Documents that are no keys: PKCS#8 that is imported, SPKI that is agreed with. Refused by name, never taken, never a failure."""

import base64
import subprocess

import others
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pyasn1.codec.der import decoder, encoder
from pyasn1.type import univ
from wrapping import STAYS, TOOLS

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
UNCOMPRESSED = serialization.PublicFormat.UncompressedPoint
SPECS = [
    "RSA_2048",
    *others.Curve.curves,
    "ECC_NIST_EDWARDS25519",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
]


@pytest.fixture
def imports(kms):
    """Tries to import into one key, whose token stays good as long as nothing is imported. What it answered."""

    def into(spec, usage):
        key = kms.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        told = kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        by_rsa, by_aes = TOOLS["cryptography"]
        aes = bytes(range(32))
        head = by_rsa("RSA_AES_KEY_WRAP_SHA_256", told["PublicKey"], aes)

        def call(material):
            asked = {"KeyId": key, "ImportToken": told["ImportToken"], "EncryptedKeyMaterial": head + by_aes(aes, material)}
            try:
                kms.import_key_material(**asked, **STAYS)
            except kms.exceptions.IncorrectKeyMaterialException:
                assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
                return False
            return True

        return call

    return into


def usage(spec):
    return "ENCAPSULATE_DECAPSULATE" if spec.startswith("ML_KEM") else "SIGN_VERIFY"


def content_of(document):
    """What is in the outermost sequence, and its header."""
    header = 2 if document[1] < 0x80 else 2 + (document[1] & 0x7F)
    return document[:header], document[header:]


def badly_written(document):
    """The same key in other encodings, and parts of it."""
    header, content = content_of(document)
    length = len(content).to_bytes(4, "big")
    yield "one byte missing", document[:-1]
    yield "half", document[: len(document) // 2]
    yield "its first byte missing", document[1:]
    yield "one byte more", document + b"\0"
    yield "twice", document * 2
    yield "a length longer than it need be", b"\x30\x84" + length + content
    yield "a length without end", b"\x30\x80" + content + b"\0\0"
    yield "another tag", b"\x31" + header[1:] + content
    yield "another version", document.replace(b"\x02\x01\x00", b"\x02\x01\x02", 1)
    yield "a version of two bytes", b"\x30\x84" + (len(content) + 1).to_bytes(4, "big") + b"\x02\x02\x00\x00" + content[3:]
    yield "another algorithm", document.replace(b"\x06", b"\x05", 1)
    yield "as a string", encoder.encode(univ.OctetString(document))
    yield "base64", base64.b64encode(document)
    yield "zeros", bytes(len(document))


def otherwise_written(own):
    if isinstance(own, others.MlKem):
        return
    pkcs8, traditional = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
    yield "PEM", own.private.private_bytes(PEM, pkcs8, serialization.NoEncryption())
    yield "encrypted", own.private.private_bytes(DER, pkcs8, serialization.BestAvailableEncryption(b"password"))
    yield "the public key", own.spki
    if isinstance(own, others.Rsa | others.Curve):
        yield "without PKCS#8", own.private.private_bytes(DER, traditional, serialization.NoEncryption())


@pytest.mark.parametrize("spec", SPECS)
def test_a_private_key_has_one_encoding(imports, spec):
    own, take = others.generate(spec), imports(spec, usage(spec))
    for name, document in [*badly_written(own.material), *otherwise_written(own)]:
        assert not take(document), name
    assert take(own.material)


@pytest.mark.parametrize("spec", SPECS)
def test_a_private_key_of_another_spec_is_refused(imports, spec):
    take = imports(spec, usage(spec))
    for other in {*SPECS, "RSA_3072"} - {spec}:
        assert not take(others.generate(other).material), other


def pkcs8_with(material, inner):
    """The document with other content in its private key."""
    read, _ = decoder.decode(material)
    read[2] = univ.OctetString(inner)
    return encoder.encode(read)


def ec_private(scalar, public, size):
    made = univ.Sequence()
    made[0], made[1] = univ.Integer(1), univ.OctetString(scalar.to_bytes(size, "big"))
    # Context-specific, constructed, 1: the bit string of the point.
    bits = encoder.encode(univ.BitString.fromOctetString(public))
    inner = encoder.encode(made)
    _, content = content_of(inner)
    content += b"\xa1" + bytes([len(bits)] if len(bits) < 128 else [0x81, len(bits)]) + bits
    head = bytes([0x30, len(content)] if len(content) < 128 else [0x30, 0x81, len(content)])
    return head + content


@pytest.mark.parametrize("spec", others.Curve.curves)
def test_scalars_are_of_the_group_and_points_are_theirs(imports, spec):
    own, other, take = others.generate(spec), others.generate(spec), imports(spec, "SIGN_VERIFY")
    order, size = own.public.curve.group_order, (own.public.curve.key_size + 7) // 8
    mine, theirs = (each.public.public_bytes(serialization.Encoding.X962, UNCOMPRESSED) for each in (own, other))
    scalar = own.private.private_numbers().private_value
    off_the_curve = mine[:-1] + bytes([mine[-1] ^ 1])
    for name, wrong in {
        "zero": (0, mine, size),
        "the order": (order, mine, size),
        "more than the order": (order + 1, mine, size),
        "the twin below zero": (order - scalar, mine, size),
        "the point of another": (scalar, theirs, size),
        "no point": (scalar, off_the_curve, size),
        "a scalar that is too long": (scalar, mine, size + 1),
    }.items():
        assert not take(pkcs8_with(own.material, ec_private(*wrong))), name
    assert take(pkcs8_with(own.material, ec_private(scalar, mine, size)))


def rsa_private(*numbers):
    made = univ.Sequence()
    for index, number in enumerate((0, *numbers)):
        made[index] = univ.Integer(number)
    return encoder.encode(made)


def test_the_numbers_of_rsa_belong_together(imports):
    own, other, take = others.generate("RSA_2048"), others.generate("RSA_2048"), imports("RSA_2048", "SIGN_VERIFY")
    private = own.private.private_numbers()
    public, theirs = private.public_numbers, other.private.private_numbers()
    right = (public.n, public.e, private.d, private.p, private.q, private.dmp1, private.dmq1, private.iqmp)
    wrong = {f"number {at} is one more": (*right[:at], right[at] + 1, *right[at + 1 :]) for at in range(8)}
    wrong |= {f"number {at} is zero": (*right[:at], 0, *right[at + 1 :]) for at in range(8)}
    wrong |= {f"number {at} is negative": (*right[:at], -right[at], *right[at + 1 :]) for at in range(8)}
    wrong["the modulus of another"] = (theirs.public_numbers.n, *right[1:])
    wrong["primes of another"] = (*right[:3], theirs.p, theirs.q, *right[5:])
    wrong["one prime is 1"] = (*right[:3], public.n, 1, *right[5:])
    wrong["too few numbers"] = right[:7]
    wrong["too many numbers"] = (*right, 1)
    for name, numbers in wrong.items():
        assert not take(pkcs8_with(own.material, rsa_private(*numbers))), name
    for name, key in {
        "an exponent of 3": rsa.generate_private_key(public_exponent=3, key_size=2048),
        "a shorter modulus": rsa.generate_private_key(public_exponent=65537, key_size=1024),
        "a modulus of 2056 bits": rsa.generate_private_key(public_exponent=65537, key_size=2056),
    }.items():
        assert not take(others.pkcs8(key)), name
    assert take(pkcs8_with(own.material, rsa_private(*right)))


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256"])
def test_a_private_key_with_an_altered_byte_is_refused(imports, spec):
    material, take = others.generate(spec).material, imports(spec, "SIGN_VERIFY")
    version = len(content_of(material)[0]) + 2
    # RFC 5958 has two versions, 0 and 1, and either is taken.
    for at in set(range(0, len(material), 1 if len(material) < 300 else 9)) - {version}:
        altered = material[:at] + bytes([material[at] ^ 0x01]) + material[at + 1 :]
        assert not take(altered), at


def wrong_peers(spec):
    own = others.generate(spec)
    document, point = own.spki, own.public.public_bytes(serialization.Encoding.X962, UNCOMPRESSED)
    size = (own.public.curve.key_size + 7) // 8
    for name, wrong in badly_written(document):
        if name not in {"another version", "a version of two bytes"}:  # It has none.
            yield name, wrong
    compressed = own.public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    hybrid = bytes([6 + (point[-1] & 1)]) + point[1:]
    for name, bits in {
        "a compressed point": compressed,
        "a hybrid point": hybrid,
        "the point at infinity": b"\0",
        "no point": b"",
        "a point off the curve": point[:-1] + bytes([point[-1] ^ 1]),
        "zero and zero": b"\4" + bytes(2 * size),
        "coordinates beyond the field": b"\4" + b"\xff" * (2 * size),
        "one coordinate": point[: size + 1],
    }.items():
        read, _ = decoder.decode(document)
        read[1] = univ.BitString.fromOctetString(bits)
        yield name, encoder.encode(read)
    yield "a private key", own.material
    yield "the point alone", point
    yield "PEM", own.public.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for other in {"ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "RSA_2048"} - {spec}:
        yield other, others.generate(other).spki
    yield "Ed25519", others.generate("ECC_NIST_EDWARDS25519").spki


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_a_peer_has_one_encoding_and_a_point_on_the_curve(kms, refused, spec):
    key = kms.create_key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
    for name, peer in wrong_peers(spec):
        asked = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}
        assert refused(kms.derive_shared_secret, **asked)[0] == "ValidationException", name
    assert kms.derive_shared_secret(**(asked | {"PublicKey": others.generate(spec).spki}))["SharedSecret"]


def explicit_parameters(spec):
    """openssl writes the curve out where it could name it."""
    curve = {"ECC_NIST_P256": "P-256", "ECC_NIST_P384": "P-384", "ECC_NIST_P521": "P-521"}[spec]
    line = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"]
    line += ["-pkeyopt", "ec_param_enc:explicit", "-outform", "DER"]
    private = subprocess.run(line, capture_output=True, check=True).stdout
    line = ["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"]
    return private, subprocess.run(line, input=private, capture_output=True, check=True).stdout


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_a_curve_is_named_never_written_out(kms, imports, refused, spec):
    private, public = explicit_parameters(spec)
    assert not imports(spec, "SIGN_VERIFY")(private)
    key = kms.create_key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
    asked = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public}
    assert refused(kms.derive_shared_secret, **asked)[0] == "ValidationException"
