"""What trent's answers are compared with where no package here has it: written from the standards, slow and short."""

import hashlib

# Orders of the base points: FIPS 186-4 and SEC 2.
ORDERS = {
    "ECC_NIST_P256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ECC_NIST_P384": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
    ),
    "ECC_NIST_P521": int(
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA"
        "51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        16,
    ),
    "ECC_SECG_P256K1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}

# DER.


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


SEQUENCE, SET, BIT_STRING, OCTET_STRING, ATTRIBUTES = 0x30, 0x31, 0x03, 0x04, 0xA0
EXTENSION_REQUEST = bytes.fromhex("06092a864886f70d01090e")
SUBJECT_ALTERNATIVE_NAME = bytes.fromhex("0603551d11")
ECDSA_WITH_SHA256 = bytes.fromhex("06082a8648ce3d040302")
ECDSA_WITH_SHA384 = bytes.fromhex("06082a8648ce3d040303")
SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b0500")
ED25519 = bytes.fromhex("06032b6570")


def certification_request_info(subject: bytes, public_key: bytes, alternative_names: bytes) -> bytes:
    """What is signed of a certificate signing request (RFC 2986 section 4.1)."""
    extension = der(SEQUENCE, SUBJECT_ALTERNATIVE_NAME, der(OCTET_STRING, alternative_names))
    wanted = der(SEQUENCE, EXTENSION_REQUEST, der(SET, der(SEQUENCE, extension)))
    return der(SEQUENCE, b"\x02\x01\x00", subject, public_key, der(ATTRIBUTES, wanted))


def signed(content: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """Content with its signature, as requests and certificates have it."""
    return der(SEQUENCE, content, der(SEQUENCE, algorithm), der(BIT_STRING, b"\0", signature))


# Ed25519ph (RFC 8032 section 5.1): the curve -x² + y² = 1 + d x² y².

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def _add(a, b):
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def _times(scalar, point, add, zero):
    total = zero
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def _decompress(data: bytes):
    number = int.from_bytes(data, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_M1 % P
    if x * x % P != square:
        return None
    return (P - x if x & 1 != sign else x), y


BASE = _decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519ph_is_valid(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is one of the message with Ed25519ph and an empty context."""
    key, commitment = _decompress(public), _decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or s >= L:
        return False
    domain = b"SigEd25519 no Ed25519 collisions" + bytes([1, 0])
    hashed = hashlib.sha512(domain + signature[:32] + public + hashlib.sha512(message).digest()).digest()
    challenge = int.from_bytes(hashed, "little") % L
    zero = (0, 1)
    return _times(s, BASE, _add, zero) == _add(commitment, _times(challenge, key, _add, zero))


# secp256k1 (SEC 1 section 4.1.6, SEC 2): the curve y² = x³ + 7.

FIELD = 2**256 - 2**32 - 977
ORDER = ORDERS["ECC_SECG_P256K1"]
GENERATOR = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def _add_k1(a, b):
    if a is None or b is None:
        return a or b
    (x1, y1), (x2, y2) = a, b
    if x1 == x2 and (y1 + y2) % FIELD == 0:
        return None
    if a == b:
        slope = 3 * x1 * x1 * pow(2 * y1, -1, FIELD) % FIELD
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, FIELD) % FIELD
    x3 = (slope * slope - x1 - x2) % FIELD
    return x3, (slope * (x1 - x3) - y1) % FIELD


def recover_secp256k1(digest: bytes, r: int, s: int, is_odd: int) -> bytes | None:
    """The public key, both coordinates, that made the signature; its commitment has a y that is odd or even."""
    y = pow(r**3 + 7, (FIELD + 1) // 4, FIELD)
    if y * y % FIELD != (r**3 + 7) % FIELD:
        return None
    commitment = (r, y if y & 1 == is_odd else FIELD - y)
    inverse = pow(r, -1, ORDER)
    of_commitment = _times(s * inverse % ORDER, commitment, _add_k1, None)
    of_generator = _times(-int.from_bytes(digest, "big") * inverse % ORDER, GENERATOR, _add_k1, None)
    point = _add_k1(of_commitment, of_generator)
    return None if point is None else b"".join(coordinate.to_bytes(32, "big") for coordinate in point)


# Keccak-256, which is SHA3-256 with the padding that it had before it became a standard.

MASK = 2**64 - 1


def _rotated(lane, by):
    return (lane << by | lane >> (64 - by)) & MASK if by else lane


def _permute(lanes):
    bits = 1
    for _ in range(24):
        parity = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        mixed = [parity[x - 1] ^ _rotated(parity[(x + 1) % 5], 1) for x in range(5)]
        lanes = [[lanes[x][y] ^ mixed[x] for y in range(5)] for x in range(5)]
        x, y, moved = 1, 0, lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            moved, lanes[x][y] = lanes[x][y], _rotated(moved, (step + 1) * (step + 2) // 2 % 64)
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5])
        for step in range(7):
            bits = (bits << 1 ^ (bits >> 7) * 0x71) % 256
            if bits & 2:
                lanes[0][0] ^= 1 << ((1 << step) - 1)
    return lanes


def keccak256(message: bytes, suffix: int = 1) -> bytes:
    """The digest; with the suffix 6 it is SHA3-256."""
    rate, lanes = 136, [[0] * 5 for _ in range(5)]
    padded = bytearray(message) + bytearray(rate - len(message) % rate)
    padded[len(message)] ^= suffix
    padded[-1] ^= 0x80
    for start in range(0, len(padded), rate):
        for index in range(rate // 8):
            at = start + 8 * index
            lanes[index % 5][index // 5] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lanes[index % 5][index // 5].to_bytes(8, "little") for index in range(4))
