"""Checks without trent what trent made: records, PKCS#8 and SPKI of every kind, signatures, ciphertexts, secrets.

    python3 check_keys.py keys/made_by_rust.json

Needs `cryptography` 50 alone. Of ML-KEM-512, which that lacks, only the encodings are checked.
"""

import hashlib
import hmac
import json
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

import keys

# RFC 8032 section 5.1, for what `cryptography` lacks: Ed25519ph.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def edwards_add(one, two):
    (x1, y1), (x2, y2) = one, two
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def edwards_multiply(number, point):
    result = (0, 1)
    while number:
        if number & 1:
            result = edwards_add(result, point)
        point, number = edwards_add(point, point), number >> 1
    return result


def edwards_decode(content):
    y = int.from_bytes(content, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - square) % P == 0
    return (P - x if x & 1 != sign else x), y


BASE = edwards_decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def verify_ed25519ph(public, message, signature):
    dom2 = b"SigEd25519 no Ed25519 collisions\x01\x00"
    hash_ = hashlib.sha512(dom2 + signature[:32] + public + hashlib.sha512(message).digest()).digest()
    k, s = int.from_bytes(hash_, "little") % L, int.from_bytes(signature[32:], "little")
    right = edwards_add(edwards_decode(signature[:32]), edwards_multiply(k, edwards_decode(public)))
    assert s < L and edwards_multiply(s, BASE) == right


def verify(algorithm, public, message, signature):
    if algorithm == "ED25519_PH_SHA_512":
        # What is signed is the digest that was sent; Ed25519ph hashes it again.
        verify_ed25519ph(public.public_bytes_raw(), hashlib.sha512(message).digest(), signature)
    elif algorithm == "ED25519_SHA_512" or algorithm == "ML_DSA_SHAKE_256":
        public.verify(signature, message)
    elif algorithm.startswith("ECDSA"):
        public.verify(signature, message, ec.ECDSA(keys.HASHES[algorithm[-3:]]))
    else:
        hash_ = keys.HASHES[algorithm[-3:]]
        pss = padding.PSS(padding.MGF1(hash_), hash_.digest_size)
        public.verify(signature, message, pss if "PSS" in algorithm else padding.PKCS1v15(), hash_)


def oaep(algorithm):
    hash_ = keys.HASHES[algorithm.rsplit("_", 1)[1]]
    return padding.OAEP(padding.MGF1(hash_), hash_, None)


def check_pair(case):
    document, spki = bytes.fromhex(case["pkcs8"]), bytes.fromhex(case["spki"])
    spec, expanded, private, public = keys.read_record(bytes.fromhex(case["record"]))
    assert spec == case["spec"] and not expanded and public == spki
    if spec == "ML_KEM_512":
        assert document == keys.pkcs8(spec, keys.tlv(0x80, private))
        assert spki == keys.spki(spec, spki[-800:])
        return 2
    key = serialization.load_der_private_key(document, None)
    public = serialization.load_der_public_key(spki)
    assert keys.to_spki(key.public_key()) == spki and keys.to_pkcs8(key) == document
    if spec in keys.CURVES:
        assert key.private_numbers().private_value == int.from_bytes(private, "big")
    elif spec in keys.RSA:
        assert private == document and public.public_numbers().e == 65537 and public.key_size == keys.RSA[spec]
    else:
        assert key.private_bytes_raw() == private
    checks = 3
    message = bytes.fromhex(case["message"])
    for algorithm, signature in case["signatures"].items():
        verify(algorithm, public, message, bytes.fromhex(signature))
        checks += 1
    for algorithm, ciphertext in case.get("ciphertexts", {}).items():
        assert key.decrypt(bytes.fromhex(ciphertext), oaep(algorithm)) == message
        checks += 1
    if "secret" in case:
        assert key.decapsulate(bytes.fromhex(case["ciphertext"])).hex() == case["secret"]
        checks += 1
    if "agreed" in case:
        assert key.exchange(ec.ECDH(), public).hex() == case["agreed"]
        checks += 1
    return checks


def check_mac(case):
    spec, _, key, public = keys.read_record(bytes.fromhex(case["record"]))
    assert spec == case["spec"] and public == b""
    assert hmac.new(key, bytes.fromhex(case["message"]), keys.MACS[spec]).hexdigest() == case["mac"]
    return 2


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    done = sum(check_mac(case) if "mac" in case else check_pair(case) for case in cases)
    print(f"{path}: {len(cases)} keys, {done} checks")
