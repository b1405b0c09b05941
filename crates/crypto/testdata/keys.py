"""Keys and their formats, written a second time: with Python's `cryptography`, and by hand where that lacks something.

Deliberately shares nothing with the Rust code but docs/book/formats.md and the standards, so that agreement means
something.
"""

import functools
import hashlib
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, rsa

CURVES = {
    "ECC_NIST_P256": ec.SECP256R1(), "ECC_NIST_P384": ec.SECP384R1(), "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
ORDERS = {
    "ECC_NIST_P256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ECC_NIST_P384": int("F" * 48 + "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    "ECC_NIST_P521": int("1" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
    "ECC_SECG_P256K1": int("F" * 31 + "EBAAEDCE6AF48A03BBFD25E8CD0364141", 16),
}
ML_DSA = {"ML_DSA_44": mldsa.MLDSA44PrivateKey, "ML_DSA_65": mldsa.MLDSA65PrivateKey,
          "ML_DSA_87": mldsa.MLDSA87PrivateKey}
ML_KEM = {"ML_KEM_768": mlkem.MLKEM768PrivateKey, "ML_KEM_1024": mlkem.MLKEM1024PrivateKey}
RSA = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
MACS = {"HMAC_224": "sha224", "HMAC_256": "sha256", "HMAC_384": "sha384", "HMAC_512": "sha512"}
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512(), "1": hashes.SHA1()}

CODES = {
    "HMAC_224": 0x01, "HMAC_256": 0x02, "HMAC_384": 0x03, "HMAC_512": 0x04,
    "RSA_2048": 0x11, "RSA_3072": 0x12, "RSA_4096": 0x13,
    "ECC_NIST_P256": 0x21, "ECC_NIST_P384": 0x22, "ECC_NIST_P521": 0x23, "ECC_SECG_P256K1": 0x24,
    "ECC_NIST_EDWARDS25519": 0x31,
    "ML_DSA_44": 0x41, "ML_DSA_65": 0x42, "ML_DSA_87": 0x43,
    "ML_KEM_512": 0x51, "ML_KEM_768": 0x52, "ML_KEM_1024": 0x53,
}


def record(spec, private, public, expanded=False):
    return bytes([1, CODES[spec], expanded]) + struct.pack(">I", len(private)) + private + public


def read_record(bytes_):
    """Gives (spec, expanded?, private part, public key)."""
    if bytes_[0] != 1:
        raise ValueError("unknown version")
    spec = next(spec for spec, code in CODES.items() if code == bytes_[1])
    end = 7 + struct.unpack(">I", bytes_[3:7])[0]
    return spec, bytes_[2] == 1, bytes_[7:end], bytes_[end:]


def some(name, length):
    return hashlib.shake_256(name.encode()).digest(length)


# DER by hand.

def tlv(tag, *parts):
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def sequence(*parts):
    return tlv(0x30, *parts)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(content):
    return tlv(0x04, content)


def bits(content):
    return tlv(0x03, b"\0" + content)


CURVE_OIDS = {
    "ECC_NIST_P256": bytes.fromhex("06082a8648ce3d030107"), "ECC_NIST_P384": bytes.fromhex("06052b81040022"),
    "ECC_NIST_P521": bytes.fromhex("06052b81040023"), "ECC_SECG_P256K1": bytes.fromhex("06052b8104000a"),
}
NIST = bytes.fromhex("0609608648016503")


def algorithm(spec):
    if spec in RSA:
        return sequence(bytes.fromhex("06092a864886f70d0101010500"))
    if spec in CURVES:
        return sequence(bytes.fromhex("06072a8648ce3d0201"), CURVE_OIDS[spec])
    if spec == "ECC_NIST_EDWARDS25519":
        return sequence(bytes.fromhex("06032b6570"))
    arcs = {"ML_DSA_44": (3, 17), "ML_DSA_65": (3, 18), "ML_DSA_87": (3, 19),
            "ML_KEM_512": (4, 1), "ML_KEM_768": (4, 2), "ML_KEM_1024": (4, 3)}
    return sequence(NIST, b"\x04", bytes(arcs[spec]))


def pkcs8(spec, private, version=0, attributes=None, public=None):
    parts = [integer(version), algorithm(spec), octets(private)]
    if attributes is not None:
        parts.append(tlv(0xA0, attributes))
    if public is not None:
        parts.append(tlv(0x81, b"\0" + public))
    return sequence(*parts)


def spki(spec, public):
    return sequence(algorithm(spec), bits(public))


# Keys that are always the same.

def is_prime(number):
    if any(number % small == 0 for small in SMALL):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in SMALL[:12]:
        value = pow(base, odd, number)
        if value in (1, number - 1):
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


SMALL = [number for number in range(3, 8000, 2) if all(number % other for other in range(3, int(number**0.5) + 1, 2))]


@functools.cache
def rsa_key(name, size, exponent=65537):
    primes = []
    for which in "pq":
        # The two highest bits are set, so that the product has all its bits.
        candidate = int.from_bytes(some(f"{name} {which}", size // 16), "big")
        candidate |= 3 << (size // 2 - 2) | 1
        while not is_prime(candidate) or candidate % exponent == 1:
            candidate += 2
        primes.append(candidate)
    p, q = max(primes), min(primes)
    d = pow(exponent, -1, (p - 1) * (q - 1))
    return rsa_from(p, q, d, exponent)


def rsa_from(p, q, d, exponent):
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p),
                                    rsa.RSAPublicNumbers(exponent, p * q))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def rsa_private_key(numbers):
    """RSAPrivateKey, RFC 8017 appendix A.1.2."""
    return sequence(integer(0), *(integer(number) for number in numbers))


def rsa_numbers(key):
    private = key.private_numbers()
    public = private.public_numbers
    return [public.n, public.e, private.d, private.p, private.q, private.dmp1, private.dmq1, private.iqmp]


def scalar(name, spec):
    return int.from_bytes(some(name, 80), "big") % (ORDERS[spec] - 1) + 1


def scalar_bytes(spec, number):
    return number.to_bytes((ORDERS[spec].bit_length() + 7) // 8, "big")


def private_key(spec, name):
    """The key of `spec` and `name`, as an object of `cryptography`."""
    if spec in RSA:
        return rsa_key(f"{name} {spec}", RSA[spec])
    if spec in CURVES:
        return ec.derive_private_key(scalar(f"{name} {spec}", spec), CURVES[spec])
    if spec == "ECC_NIST_EDWARDS25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(some(f"{name} {spec}", 32))
    if spec in ML_DSA:
        return ML_DSA[spec].from_seed_bytes(some(f"{name} {spec}", 32))
    return ML_KEM[spec].from_seed_bytes(some(f"{name} {spec}", 64))


def to_pkcs8(key):
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def to_spki(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def point(key):
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def mu(public, message):
    """FIPS 204 algorithm 7 line 6, for pure ML-DSA with an empty context."""
    return hashlib.shake_256(hashlib.shake_256(public).digest(64) + b"\0\0" + message).digest(64)
