"""Writes kdf.json and formats/v1/*.json. Inputs are hashes of names, so running it again changes nothing.

    python3 make_fixtures.py

Fixtures of a released version are never changed: every later version must still read them.
"""

import hashlib
import json
import pathlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import formats

HERE = pathlib.Path(__file__).parent
SOURCE = "make_fixtures.py, Python cryptography 48.0"


def some(name, length):
    return hashlib.shake_256(name.encode()).digest(length)


def write(path, cases):
    text = json.dumps({"source": SOURCE, "cases": cases}, indent=1, ensure_ascii=False)
    (HERE / path).write_text(text + "\n")


def kdf_cases():
    for number, (label, context) in enumerate([
        (b"trent/ciphertext/v1", some("nonce", 16)), (b"trent/envelope/v1", some("nonce", 16)),
        (b"trent/root-fingerprint/v1", b""), (b"", b""), (b"l", b"\0"), (b"label", some("long context", 1000)),
    ]):
        key = some(f"kdf key {number}", 32)
        derived = formats.kdf(key, label, context)
        yield {"key": key.hex(), "label": label.hex(), "context": context.hex(), "derived": derived.hex()}


CONTEXTS = [
    ("no context, data key of 32 bytes", False, None, 32),
    ("empty context is no context", False, {}, 32),
    ("multi-Region key", True, {"tenant": "17"}, 32),
    ("empty plaintext", False, None, 0),
    ("one byte", False, None, 1),
    ("many bytes", False, {"purpose": "backup"}, 300),
    ("a, bc", False, {"a": "bc"}, 16),
    ("ab, c", False, {"ab": "c"}, 16),
    ("empty key and value", False, {"": "", "a": ""}, 16),
    ("UTF-8 order is not UTF-16 order", False, {"\U0001f511": "1", "\uff5e": "2", "é": "3", "e": "4"}, 16),
    ("long context", True, {f"key {n}": "v" * 100 for n in range(30)}, 64),
]


def blob_cases():
    for name, multi_region, context, length in CONTEXTS:
        material, uuid = some(f"material {name}", 32), some(f"uuid {name}", 16)
        id_key = some("id key", 32)
        material_id = formats.material_id(id_key, multi_region, uuid, material)
        nonce, iv, plaintext = some(f"nonce {name}", 16), some(f"iv {name}", 12), some(f"text {name}", length)
        blob = formats.seal_blob(material, multi_region, uuid, material_id, context, plaintext, nonce, iv)
        yield {
            "name": name, "material": material.hex(), "id_key": id_key.hex(), "multi_region": multi_region,
            "uuid": uuid.hex(), "material_id": material_id.hex(), "context": context, "nonce": nonce.hex(),
            "iv": iv.hex(), "plaintext": plaintext.hex(), "blob": blob.hex(),
        }


def double_cases():
    for name, context, length, iv_length, metadata in [
        ("data key of 32 bytes", None, 32, 12, b"key_version=1"),
        ("no metadata", {"tenant": "17"}, 300, 12, None),
        ("empty metadata", {}, 1, 16, b""),
        ("as much as there can be", {"a": "bc"}, 4096, 16, some("metadata", 20)),
        ("empty plaintext", None, 0, 12, b"1"),
    ]:
        name = f"double {name}"
        material, uuid = some(f"material {name}", 32), some(f"uuid {name}", 16)
        material_id = formats.material_id(some("id key", 32), False, uuid, material)
        nonce, iv, plaintext = some(f"nonce {name}", 16), some(f"iv {name}", 12), some(f"text {name}", length)
        message, aad = formats.seal_message(material, uuid, material_id, context, plaintext, nonce, iv)
        outer_key, outer_iv = some(f"external key {name}", 32), some(f"outer iv {name}", iv_length)
        sealed = AESGCM(outer_key).encrypt(outer_iv, message, aad)
        blob = formats.join_double(uuid, material_id, sealed[:-16], outer_iv, sealed[-16:], metadata)
        yield {
            "name": name, "material": material.hex(), "uuid": uuid.hex(), "material_id": material_id.hex(),
            "context": context, "nonce": nonce.hex(), "iv": iv.hex(), "plaintext": plaintext.hex(),
            "message": message.hex(), "aad": aad.hex(), "outer_key": outer_key.hex(),
            "outer_ciphertext": sealed[:-16].hex(), "outer_iv": outer_iv.hex(), "outer_tag": sealed[-16:].hex(),
            "metadata": None if metadata is None else metadata.hex(), "blob": blob.hex(),
        }


def hsm_cases():
    for name, context, length in [
        ("data key of 32 bytes", None, 32),
        ("with a context", {"tenant": "17", "a": "bc"}, 300),
        ("as much as Encrypt takes", {}, 4096),
        ("empty plaintext", None, 0),
    ]:
        name = f"hsm {name}"
        key, uuid, hsm_key = some(f"key {name}", 32), some(f"uuid {name}", 16), some(f"id {name}", 16)
        iv, plaintext = some(f"iv {name}", 12), some(f"text {name}", length)
        aad = formats.hsm_aad(uuid, hsm_key, context)
        blob = formats.join_hsm(uuid, hsm_key, iv, AESGCM(key).encrypt(iv, plaintext, aad))
        yield {
            "name": name, "key": key.hex(), "uuid": uuid.hex(), "hsm_key": hsm_key.hex(), "context": context,
            "iv": iv.hex(), "plaintext": plaintext.hex(), "aad": aad.hex(), "blob": blob.hex(),
        }


ENVELOPES = [
    ("domain-key", [("region", b"eu-central-1")], 32),
    ("key-material", [("account", b"111122223333"), ("region", b"us-east-1"), ("material", some("id", 32))], 32),
    ("access-key-secret", [("account", b"111122223333"), ("access-key", b"AKIAEXAMPLE")], 40),
    ("marker-ring", [], 32),
    ("key-material", [("account", b"")], 2400),
]


def envelope_cases():
    for number, (label, owner, length) in enumerate(ENVELOPES):
        wrapping, nonce, iv = some(f"w {number}", 32), some(f"n {number}", 16), some(f"i {number}", 12)
        plaintext = some(f"p {number}", length)
        envelope = formats.seal_envelope(wrapping, label, owner, plaintext, nonce, iv)
        yield {
            "wrapping": wrapping.hex(), "label": label, "owner": [[name, value.hex()] for name, value in owner],
            "nonce": nonce.hex(), "iv": iv.hex(), "plaintext": plaintext.hex(), "envelope": envelope.hex(),
        }


def root_cases():
    for name in ["one", "two"]:
        root = some(f"root {name}", 32)
        yield {"root": root.hex(), "file": formats.root_key_file(root), "fingerprint": formats.fingerprint(root).hex()}


def wrapped_root_cases():
    for name in ["one", "two"]:
        root, key, iv = some(f"root {name}", 32), some(f"hsm {name}", 32), some(f"wi {name}", 12)
        yield {"root": root.hex(), "key": key.hex(), "file": formats.wrapped_root_key(root, key, iv)}


def passphrase_cases():
    for memory_kib, passes, lanes in [(64 * 1024, 3, 4), (64, 1, 1), (256, 2, 3)]:
        passphrase, salt = "correct horse ☂", some(f"salt {memory_kib}", 16)
        nonce, iv = some(f"pn {memory_kib}", 16), some(f"pi {memory_kib}", 12)
        root, record = formats.passphrase_record(passphrase.encode(), memory_kib, passes, lanes, salt, nonce, iv)
        yield {
            "passphrase": passphrase, "memory_kib": memory_kib, "passes": passes, "lanes": lanes, "salt": salt.hex(),
            "nonce": nonce.hex(), "iv": iv.hex(), "root": root.hex(), "record": record.hex(),
        }


write("kdf.json", list(kdf_cases()))
write("formats/v1/blob.json", list(blob_cases()))
write("formats/v1/double.json", list(double_cases()))
write("formats/v1/hsm.json", list(hsm_cases()))
write("formats/v1/envelope.json", list(envelope_cases()))
write("formats/v1/root_key_file.json", list(root_cases()))
write("formats/v1/root_key_pkcs11.json", list(wrapped_root_cases()))
write("formats/v1/passphrase_record.json", list(passphrase_cases()))
