"""Writes formats/v1/key_record.json and keys/*.json: keys and what was done with them without trent.

    python3 make_key_fixtures.py          (cryptography 50, kyber-py, dilithium-py, pycryptodome)

Keys are made from names, so they are always the same. Signatures and ciphertexts that are random are not: running
it again changes those. Fixtures of a released version are never changed: every later version must still read them.
"""

import hashlib
import hmac
import json
import pathlib

from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from dilithium_py.ml_dsa import ML_DSA_44, ML_DSA_65, ML_DSA_87
from kyber_py.ml_kem import ML_KEM_512, ML_KEM_768, ML_KEM_1024

import keys
from keys import bits, integer, octets, pkcs8, sequence, some, tlv

HERE = pathlib.Path(__file__).parent
SOURCE = "make_key_fixtures.py, Python cryptography 50.0, kyber-py, dilithium-py, pycryptodome"
EXPAND = {"ML_DSA_44": ML_DSA_44, "ML_DSA_65": ML_DSA_65, "ML_DSA_87": ML_DSA_87,
          "ML_KEM_512": ML_KEM_512, "ML_KEM_768": ML_KEM_768, "ML_KEM_1024": ML_KEM_1024}


def write(path, cases):
    (HERE / path).parent.mkdir(exist_ok=True)
    text = json.dumps({"source": SOURCE, "cases": list(cases)}, indent=1, ensure_ascii=False)
    (HERE / path).write_text(text + "\n")


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


def frame_errors(document):
    yield "cut short", document[:-1], "Malformed"
    yield "a byte more", document + b"\0", "Malformed"
    yield "empty", b"", "Malformed"
    # The first byte of the version's content.
    at = document.index(b"\x02\x01\x00") + 2
    yield "version 2", document[:at] + b"\2" + document[at + 1:], "Malformed"


def rsa_case(spec):
    key, other = keys.private_key(spec, "key"), keys.private_key(spec, "other")
    numbers = keys.rsa_numbers(key)
    inner = keys.rsa_private_key(numbers)
    document, size = keys.to_pkcs8(key), keys.RSA[spec]
    assert document == pkcs8(spec, inner)
    imports = [("as it is", document), ("with attributes", pkcs8(spec, inner, attributes=b""))]
    refused = list(frame_errors(document))
    for position, what in enumerate(["n", "e", "d", "p", "q", "dp", "dq", "qinv"]):
        altered = list(numbers)
        altered[position] += 2
        refused.append((f"{what} altered", pkcs8(spec, keys.rsa_private_key(altered)), "Malformed"))
    mixed = [keys.rsa_numbers(other)[0], *numbers[1:]]
    refused.append(("modulus of another key", pkcs8(spec, keys.rsa_private_key(mixed)), "Malformed"))
    small = keys.rsa_key("small", size, 3)
    refused.append(("public exponent 3", keys.to_pkcs8(small), "Inconsistent"))
    short = keys.rsa_key("short", size - 64)
    refused.append(("64 bits too short", keys.to_pkcs8(short), "OtherSpec" if size > 2048 else "Malformed"))
    refused.append(("no parameters", sequence(integer(0), sequence(keys.algorithm(spec)[2:-2]), octets(inner)), "OtherSpec"))
    refused.append(("not in a frame", inner, "Malformed"))
    return document, keys.to_spki(key.public_key()), document, imports, refused


def ec_case(spec):
    key, other = keys.private_key(spec, "key"), keys.private_key(spec, "other")
    number = keys.scalar(f"key {spec}", spec)
    private = keys.scalar_bytes(spec, number)
    public, other_public = keys.point(key.public_key()), keys.point(other.public_key())
    curve = tlv(0xA0, keys.CURVE_OIDS[spec])

    def inner(private, *more):
        return sequence(integer(1), octets(private), *more)

    own = tlv(0xA1, bits(public))
    document = keys.to_pkcs8(key)
    assert document == pkcs8(spec, inner(private, own))
    imports = [
        ("as it is", document),
        ("no public key", pkcs8(spec, inner(private))),
        ("with the curve", pkcs8(spec, inner(private, curve))),
        ("with both", pkcs8(spec, inner(private, curve, own))),
        ("with attributes", pkcs8(spec, inner(private, own), attributes=b"")),
        ("version 1, public key outside", pkcs8(spec, inner(private), 1, public=public)),
    ]
    another = next(name for name in keys.CURVES if name != spec)
    refused = [
        *frame_errors(document),
        ("another public key", pkcs8(spec, inner(private, tlv(0xA1, bits(other_public)))), "Inconsistent"),
        ("another public key outside", pkcs8(spec, inner(private, own), 1, public=other_public), "Inconsistent"),
        ("public key outside in version 0", pkcs8(spec, inner(private), public=public), "Malformed"),
        ("another curve inside", pkcs8(spec, inner(private, tlv(0xA0, keys.CURVE_OIDS[another]))), "Malformed"),
        ("zero", pkcs8(spec, inner(bytes(len(private)))), "Inconsistent"),
        ("the order", pkcs8(spec, inner(keys.scalar_bytes(spec, keys.ORDERS[spec]))), "Inconsistent"),
        ("too long", pkcs8(spec, inner(b"\0" + private)), "Malformed"),
        ("no scalar", pkcs8(spec, inner(b"")), "Inconsistent"),
        ("version 2 inside", pkcs8(spec, sequence(integer(2), octets(private))), "Malformed"),
        ("something after it", pkcs8(spec, inner(private, own, b"\5\0")), "Malformed"),
        ("another curve", keys.to_pkcs8(keys.private_key(another, "key")), "OtherSpec"),
        ("not in a frame", inner(private, curve, own), "Malformed"),
    ]
    return private, keys.to_spki(key.public_key()), document, imports, refused


def ed25519_case(spec):
    key, other = keys.private_key(spec, "key"), keys.private_key(spec, "other")
    seed = some(f"key {spec}", 32)
    public, other_public = key.public_key().public_bytes_raw(), other.public_key().public_bytes_raw()
    document = keys.to_pkcs8(key)
    imports = [
        ("as it is", document),
        ("with attributes", pkcs8(spec, octets(seed), attributes=b"")),
        ("version 1, with the public key", pkcs8(spec, octets(seed), 1, public=public)),
    ]
    refused = [
        *frame_errors(document),
        ("another public key", pkcs8(spec, octets(seed), 1, public=other_public), "Inconsistent"),
        ("half a public key", pkcs8(spec, octets(seed), 1, public=public[:16]), "Inconsistent"),
        ("31 bytes", pkcs8(spec, octets(seed[:31])), "Malformed"),
        ("33 bytes", pkcs8(spec, octets(seed + b"\0")), "Malformed"),
        ("not in two octet strings", pkcs8(spec, seed), "Malformed"),
        ("X25519", document.replace(bytes.fromhex("2b6570"), bytes.fromhex("2b656e")), "OtherSpec"),
    ]
    return seed, keys.to_spki(key.public_key()), document, imports, refused


def lattice_case(spec):
    length = 32 if spec in keys.ML_DSA else 64
    seed, other_seed = some(f"key {spec}", length), some(f"other {spec}", length)
    public, expanded = EXPAND[spec].key_derive(seed)
    other_public, other_expanded = EXPAND[spec].key_derive(other_seed)
    document = pkcs8(spec, tlv(0x80, seed))
    if spec != "ML_KEM_512":
        key = keys.private_key(spec, "key")
        assert document == keys.to_pkcs8(key) and keys.spki(spec, public) == keys.to_spki(key.public_key())
    both = sequence(octets(seed), octets(expanded))
    imports = [
        ("seed", document),
        ("both", pkcs8(spec, both)),
        ("seed, version 1, with the public key", pkcs8(spec, tlv(0x80, seed), 1, public=public)),
    ]
    refused = [
        *frame_errors(document),
        ("another public key", pkcs8(spec, tlv(0x80, seed), 1, public=other_public), "Inconsistent"),
        ("short seed", pkcs8(spec, tlv(0x80, seed[1:])), "Malformed"),
        ("long seed", pkcs8(spec, tlv(0x80, seed + b"\0")), "Malformed"),
        ("seed in an octet string", pkcs8(spec, octets(seed)), "Malformed"),
        ("short expanded key", pkcs8(spec, octets(expanded[1:])), "Malformed"),
        ("both, of two keys", pkcs8(spec, sequence(octets(seed), octets(other_expanded))), "Inconsistent"),
        ("both, and more", pkcs8(spec, sequence(octets(seed), octets(expanded), b"\5\0")), "Malformed"),
        ("both, expanded key altered", pkcs8(spec, sequence(octets(seed), octets(flipped(expanded, 5)))), "Inconsistent"),
    ]
    if spec in keys.ML_DSA:
        # rho (32) ‖ K (32) ‖ tr (64) ‖ s1, s2, t0.
        altered = {"rho": 0, "tr": 70, "s1": 130, "t0": len(expanded) - 1}
    else:
        # dk_PKE ‖ ek ‖ H(ek) ‖ z.
        altered = {"dk": 9, "ek": len(expanded) - 64 - 100, "H(ek)": len(expanded) - 40}
    for what, at in altered.items():
        refused.append((f"expanded key, {what} altered", pkcs8(spec, octets(flipped(expanded, at))), "Inconsistent"))
    return seed, public, expanded, document, imports, refused


def record_cases():
    for spec in keys.CODES:
        if spec in keys.MACS:
            key = some(f"key {spec}", hashlib.new(keys.MACS[spec]).digest_size)
            yield {"name": spec, "spec": spec, "private": key.hex(), "spki": "", "record": keys.record(spec, key, b"").hex()}
        elif spec in EXPAND:
            seed, public, expanded, document, imports, refused = lattice_case(spec)
            public = keys.spki(spec, public)
            yield case(spec, spec, seed, public, document, imports, refused)
            imported = pkcs8(spec, octets(expanded))
            yield case(f"{spec} expanded", spec, expanded, public, imported, [("expanded", imported)], [], True)
        else:
            make = rsa_case if spec in keys.RSA else ec_case if spec in keys.CURVES else ed25519_case
            private, public, document, imports, refused = make(spec)
            yield case(spec, spec, private, public, document, imports, refused)


def case(name, spec, private, public, document, imports, refused, expanded=False):
    return {
        "name": name, "spec": spec, "private": private.hex(), "spki": public.hex(), "pkcs8": document.hex(),
        "record": keys.record(spec, private, public, expanded).hex(),
        "imports": [{"name": name, "pkcs8": document.hex()} for name, document in imports],
        "refused": [{"name": name, "pkcs8": document.hex(), "because": why} for name, document, why in refused],
    }


MESSAGES = [b"m", some("message", 100), some("long message", 4096)]


def digest(name, message):
    return hashlib.new(f"sha{name}", message).digest()


def rsa_signatures():
    for spec in keys.RSA:
        key = keys.private_key(spec, "key")
        for name in ["256", "384", "512"]:
            hash_ = keys.HASHES[name]
            pss = padding.PSS(padding.MGF1(hash_), padding.PSS.DIGEST_LENGTH)
            for scheme, pad in [("PSS", pss), ("PKCS1_V1_5", padding.PKCS1v15())]:
                for message in MESSAGES:
                    signature = key.sign(message, pad, hash_)
                    yield spec, f"RSASSA_{scheme}_SHA_{name}", "RAW", message, signature
                    yield spec, f"RSASSA_{scheme}_SHA_{name}", "DIGEST", digest(name, message), signature


def ec_signatures():
    for spec, name in zip(keys.CURVES, ["256", "384", "512", "256"]):
        key = keys.private_key(spec, "key")
        for message in MESSAGES:
            signature = key.sign(message, ec.ECDSA(keys.HASHES[name]))
            yield spec, f"ECDSA_SHA_{name}", "RAW", message, signature
            yield spec, f"ECDSA_SHA_{name}", "DIGEST", digest(name, message), signature


def ed25519_signatures():
    spec = "ECC_NIST_EDWARDS25519"
    key = keys.private_key(spec, "key")
    other = eddsa.import_private_key(key.private_bytes_raw())
    for message in MESSAGES:
        yield spec, "ED25519_SHA_512", "RAW", message, key.sign(message)
        # The digest is the message of Ed25519ph, which hashes it again.
        sent = digest("512", message)
        yield spec, "ED25519_PH_SHA_512", "DIGEST", sent, eddsa.new(other, "rfc8032").sign(SHA512.new(sent))


def ml_dsa_signatures():
    for spec in keys.ML_DSA:
        key = keys.private_key(spec, "key")
        for message in MESSAGES:
            signature = key.sign(message)
            yield spec, "ML_DSA_SHAKE_256", "RAW", message, signature
            mu = keys.mu(key.public_key().public_bytes_raw(), message)
            yield spec, "ML_DSA_SHAKE_256", "EXTERNAL_MU", mu, signature


def signature_cases():
    for make in [rsa_signatures, ec_signatures, ed25519_signatures, ml_dsa_signatures]:
        for spec, algorithm, type_, message, signature in make():
            yield {"spec": spec, "algorithm": algorithm, "type": type_, "message": message.hex(), "signature": signature.hex()}


def oaep(name):
    return padding.OAEP(padding.MGF1(keys.HASHES[name]), keys.HASHES[name], None)


def ciphertext_cases():
    for spec, size in keys.RSA.items():
        for name in ["1", "256"]:
            bytes_max = size // 8 - 2 * keys.HASHES[name].digest_size - 2
            for length in [1, 32, bytes_max]:
                plaintext = some(f"plaintext {length}", length)
                ciphertext = keys.private_key(spec, "key").public_key().encrypt(plaintext, oaep(name))
                yield {"spec": spec, "algorithm": f"RSAES_OAEP_SHA_{name}", "plaintext": plaintext.hex(), "ciphertext": ciphertext.hex()}


def wrapped_cases():
    for spec, size in keys.RSA.items():
        public = keys.private_key(spec, "key").public_key()
        materials = [some("material", 32), some("odd material", 29)]
        for material in materials:
            yield wrapped(spec, "RSAES_PKCS1_V1_5", material, public.encrypt(material, padding.PKCS1v15()))
        for name in ["1", "256"]:
            for material in materials:
                yield wrapped(spec, f"RSAES_OAEP_SHA_{name}", material, public.encrypt(material, oaep(name)))
            for material in [*materials, keys.to_pkcs8(keys.private_key("RSA_2048", "other"))]:
                aes = some(f"aes {name}", 32)
                blob = public.encrypt(aes, oaep(name)) + keywrap.aes_key_wrap_with_padding(aes, material)
                yield wrapped(spec, f"RSA_AES_KEY_WRAP_SHA_{name}", material, blob)


def wrapped(spec, algorithm, material, blob):
    return {"spec": spec, "algorithm": algorithm, "material": material.hex(), "wrapped": blob.hex()}


def shared_secret_cases():
    for spec in ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"]:
        for name in ["other", "third", "fourth"]:
            peer = keys.private_key(spec, name)
            secret = peer.exchange(ec.ECDH(), keys.private_key(spec, "key").public_key())
            yield {"spec": spec, "peer": keys.to_spki(peer.public_key()).hex(), "secret": secret.hex()}


def encapsulation_cases():
    for spec in ["ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"]:
        public, private = EXPAND[spec].key_derive(some(f"key {spec}", 64))
        for _ in range(3):
            secret, ciphertext = EXPAND[spec].encaps(public)
            yield encapsulation(spec, ciphertext, secret)
            # Implicit rejection: altered ciphertexts give secrets that only the private key determines.
            altered = flipped(ciphertext, 100)
            yield encapsulation(spec, altered, EXPAND[spec].decaps(private, altered))
        if spec in keys.ML_KEM:
            key = keys.private_key(spec, "key")
            secret, ciphertext = key.public_key().encapsulate()
            yield encapsulation(spec, ciphertext, secret)
            yield encapsulation(spec, flipped(ciphertext, 0), key.decapsulate(flipped(ciphertext, 0)))


def encapsulation(spec, ciphertext, secret):
    return {"spec": spec, "ciphertext": ciphertext.hex(), "secret": secret.hex()}


def mac_cases():
    for spec, name in keys.MACS.items():
        hash_ = hashlib.new(name)
        for length in [hash_.digest_size, hash_.digest_size + 1, hash_.block_size]:
            for message in MESSAGES:
                key = some(f"key {spec} {length}", length)
                yield {"spec": spec, "key": key.hex(), "message": message.hex(), "mac": hmac.new(key, message, name).hexdigest()}


if __name__ == "__main__":
    write("formats/v1/key_record.json", record_cases())
    write("keys/signatures.json", signature_cases())
    write("keys/ciphertexts.json", ciphertext_cases())
    write("keys/wrapped.json", wrapped_cases())
    write("keys/shared_secrets.json", shared_secret_cases())
    write("keys/encapsulations.json", encapsulation_cases())
    write("keys/macs.json", mac_cases())
