"""The formats of docs/book/formats.md, written a second time with Python's `cryptography` (48.0).

Deliberately shares nothing with the Rust code but the document, so that agreement means something.
"""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode


def kdf(key, label, context):
    return KBKDFHMAC(
        algorithm=hashes.SHA256(), mode=Mode.CounterMode, length=32, rlen=4, llen=4,
        location=CounterLocation.BeforeFixed, label=label, context=context, fixed=None,
    ).derive(key)


def u32(number):
    return struct.pack(">I", number)


def prefixed(part):
    return u32(len(part)) + part


def canonical_context(context):
    pairs = sorted((key.encode(), value.encode()) for key, value in (context or {}).items())
    return u32(len(pairs)) + b"".join(prefixed(key) + prefixed(value) for key, value in pairs)


def key_id_bytes(multi_region, uuid):
    return (b"m" if multi_region else b"s") + uuid


def seal_blob(material, multi_region, uuid, material_id, context, plaintext, nonce, iv):
    header = b"\x01" + key_id_bytes(multi_region, uuid) + material_id + nonce + iv
    key = kdf(material, b"trent/ciphertext/v1", nonce)
    return header + AESGCM(key).encrypt(iv, plaintext, header + canonical_context(context))


def open_blob(material, context, blob):
    """Gives (multi-Region?, UUID, material id, plaintext)."""
    if blob[0] != 1 or blob[1:2] not in (b"s", b"m"):
        raise ValueError("unknown version or kind")
    header, sealed = blob[:78], blob[78:]
    uuid, material_id, nonce, iv = header[2:18], header[18:50], header[50:66], header[66:78]
    key = kdf(material, b"trent/ciphertext/v1", nonce)
    plaintext = AESGCM(key).decrypt(iv, sealed, header + canonical_context(context))
    return blob[1:2] == b"m", uuid, material_id, plaintext


def seal_message(material, uuid, material_id, context, plaintext, nonce, iv):
    """What goes to an external key store proxy, and the additional authenticated data that go with it."""
    prefix = b"\x01x" + uuid + material_id
    header = prefix + nonce + iv
    key = kdf(material, b"trent/ciphertext/external/v1", nonce)
    message = nonce + iv + AESGCM(key).encrypt(iv, plaintext, header + canonical_context(context))
    return message, external_aad(prefix, context)


def external_aad(prefix, context):
    return hashlib.sha256(b"trent/external-aad/v1\0" + prefix + canonical_context(context)).digest()


def join_double(uuid, material_id, ciphertext, iv, tag, metadata):
    lengths = bytes([len(iv), 0 if metadata is None else len(metadata) + 1]) + len(ciphertext).to_bytes(2, "big")
    return b"\x01x" + uuid + material_id + lengths + iv + tag + (metadata or b"") + ciphertext


def split_double(blob):
    """Gives the first 50 bytes, then IV, tag, metadata and ciphertext of the proxy."""
    prefix, rest = blob[:50], blob[54:]
    metadata_length = blob[51] - 1 if blob[51] else 0
    parts = []
    for length in [blob[50], 16, metadata_length, int.from_bytes(blob[52:54], "big")]:
        parts.append(rest[:length])
        rest = rest[length:]
    if prefix[:2] != b"\x01x" or rest or len(parts[-1]) != int.from_bytes(blob[52:54], "big"):
        raise ValueError("no blob of a key in an external key store")
    iv, tag, metadata, ciphertext = parts
    return prefix, iv, tag, metadata if blob[51] else None, ciphertext


def open_message(material, prefix, context, message):
    header, sealed = prefix + message[:28], message[28:]
    key = kdf(material, b"trent/ciphertext/external/v1", message[:16])
    return AESGCM(key).decrypt(message[16:28], sealed, header + canonical_context(context))


def hsm_aad(uuid, hsm_key, context):
    """The additional authenticated data that go to an HSM."""
    prefix = b"\x01h" + uuid + hsm_key
    return hashlib.sha256(b"trent/hsm-aad/v1\0" + prefix + canonical_context(context)).digest()


def join_hsm(uuid, hsm_key, iv, sealed):
    return b"\x01h" + uuid + hsm_key + iv + sealed


def split_hsm(blob):
    """Gives key id, the key's id in the HSM, IV, and ciphertext with tag."""
    if blob[:2] != b"\x01h" or len(blob) < 62:
        raise ValueError("no blob of a key in HSMs")
    return blob[2:18], blob[18:34], blob[34:46], blob[46:]


def material_id(id_key, multi_region, uuid, material):
    message = b"trent/material-id/v1\0" + key_id_bytes(multi_region, uuid) + material
    return hmac.new(id_key, message, hashlib.sha256).digest()


def purpose_bytes(label, owner):
    fields = b"".join(prefixed(name.encode()) + prefixed(value) for name, value in owner)
    return prefixed(label.encode()) + u32(len(owner)) + fields


def seal_envelope(wrapping, label, owner, plaintext, nonce, iv):
    header = b"\x01" + nonce + iv
    key = kdf(wrapping, b"trent/envelope/v1", nonce)
    return header + AESGCM(key).encrypt(iv, plaintext, header + purpose_bytes(label, owner))


def fingerprint(root):
    return kdf(root, b"trent/root-fingerprint/v1", b"")[:16]


def checksum(label, content):
    return hashlib.sha256(label + b"\0" + content).digest()[:8]


def root_key_file(root):
    check = checksum(b"trent/root-key-file/v1", root)
    return f"trent-root-key 1\nkey {root.hex()}\ncheck {check.hex()}\n"


def wrapped_root_key(root, key, iv):
    """The file of a root key that `key`, in an HSM as a rule, has encrypted."""
    wrapped = AESGCM(key).encrypt(iv, root, b"trent/root-key-pkcs11/v1")
    check = checksum(b"trent/root-key-pkcs11/v1", iv + wrapped)
    return f"trent-root-key-pkcs11 1\niv {iv.hex()}\nwrapped {wrapped.hex()}\ncheck {check.hex()}\n"


def passphrase_record(passphrase, memory_kib, passes, lanes, salt, nonce, iv):
    """Gives (root key, record)."""
    root = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib).derive(passphrase)
    params = b"\x01" + u32(memory_kib) + u32(passes) + u32(lanes) + salt
    content = params + seal_envelope(root, "passphrase-verifier", [("record", params)], b"", nonce, iv)
    return root, content + checksum(b"trent/passphrase-record/v1", content)
