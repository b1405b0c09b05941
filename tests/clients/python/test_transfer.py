"""Files of `trent export`, opened and made by Python as docs/book/formats.md describes them, without trent."""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kyber_py.ml_kem import ML_KEM_768

from server import REGION, Server, bare_environment, binary

sys.path.insert(0, str(Path(__file__).parents[3] / "crates/crypto/testdata"))
import formats  # noqa: E402

AES = "1234abcd-12ab-34cd-56ef-1234567890ab"
MAC = "2234abcd-12ab-34cd-56ef-1234567890ab"
DEV_ACCOUNT = "000000000000"
STORE = "cks-1234567890abcdef0"
OLD, MATERIAL, OTHER = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
# What the book says of the key under which `trent dev` makes material ids.
ID_KEY = bytes(32)
GRANT = {
    "region": REGION,
    "key": AES,
    "id": "7a" * 32,
    "account": DEV_ACCOUNT,
    "created": 1_700_000_000_123,
    "name": "moved",
    "grantee": f"user:{DEV_ACCOUNT}:AIDAEXAMPLE",
    "body": '{"v":1,"issuer":"000000000000","operations":["Decrypt"]}',
}
# RFC 9935: SubjectPublicKeyInfo up to the public key, which has 1184 bytes.
ML_KEM_START = bytes.fromhex("308204b2300b0609608648016503040402038204a100")


def der(public):
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def recipient_id(p384, kem):
    return hashlib.sha256(b"trent/transfer-recipient/v1\0" + p384 + kem).digest()[:16]


def recipient_file(p384, kem):
    named = recipient_id(p384, kem).hex()
    return f"trent-transfer-recipient 1\nid {named}\np384 {p384.hex()}\nml-kem-768 {kem.hex()}\n"


def read_recipient(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    first, *rest = lines
    assert first == "trent-transfer-recipient 1"
    values = dict(line.split(" ") for line in rest)
    p384, kem = bytes.fromhex(values["p384"]), bytes.fromhex(values["ml-kem-768"])
    assert values["id"] == recipient_id(p384, kem).hex()
    return p384, kem


def wrapping_key(encapsulated, agreed, header, p384, kem):
    extracted = hmac.digest(bytes(32), encapsulated + agreed, "sha256")
    return formats.kdf(extracted, b"trent/transfer/v1", header + p384 + kem)


def open_envelope(wrapping, label, owner, envelope):
    assert envelope[0] == 1
    header, sealed = envelope[:29], envelope[29:]
    key = formats.kdf(wrapping, b"trent/envelope/v1", header[1:17])
    return AESGCM(key).decrypt(header[17:], sealed, header + formats.purpose_bytes(label, owner))


def seal_envelope(wrapping, label, owner, plaintext):
    return formats.seal_envelope(wrapping, label, owner, plaintext, os.urandom(16), os.urandom(12))


class Recipient:
    """A pair of pairs that trent has never seen the private half of."""

    def __init__(self):
        self.ec = ec.generate_private_key(ec.SECP384R1())
        public, self.kem_private = ML_KEM_768.keygen()
        self.p384, self.kem = der(self.ec.public_key()), ML_KEM_START + public

    def open(self, file):
        header, sealed = file[:1239], file[1239:]
        assert header[:15] == b"trent-transfer\x01"
        assert header[15:31] == recipient_id(self.p384, self.kem)
        agreed = self.ec.exchange(ec.ECDH(), serialization.load_der_public_key(header[31:151]))
        encapsulated = ML_KEM_768.decaps(self.kem_private, header[151:])
        key = wrapping_key(encapsulated, agreed, header, self.p384, self.kem)
        content = open_envelope(key, "transfer", [("header", header)], sealed)
        return content[:32], json.loads(content[32:])


def seal(p384, kem, under, document):
    """What `trent export` would write."""
    fresh = ec.generate_private_key(ec.SECP384R1())
    agreed = fresh.exchange(ec.ECDH(), serialization.load_der_public_key(p384))
    encapsulated, ciphertext = ML_KEM_768.encaps(kem[len(ML_KEM_START) :])
    header = b"trent-transfer\x01" + recipient_id(p384, kem) + der(fresh.public_key()) + ciphertext
    key = wrapping_key(encapsulated, agreed, header, p384, kem)
    return header + seal_envelope(key, "transfer", [("header", header)], under + json.dumps(document).encode())


def owner(key, material):
    places = [(name, key[member].encode()) for name, member in
              (("account", "account"), ("region", "region"), ("key", "id"))]
    return [*places, ("material", bytes.fromhex(material["id"]))]


def command(*words):
    return subprocess.run([binary(), *map(str, words)], env=bare_environment(), capture_output=True, text=True)


def run(*words):
    done = command(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(code, *words):
    done = command(*words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (code, "", 1), done
    return done.stderr


def filled(tmp_path):
    """The data directory of a deployment with known material, and a ciphertext that it made."""
    keys = [
        {"id": AES, "materials": [{"hex": OLD.hex()}, {"hex": MATERIAL.hex()}], "aliases": ["alias/moved"]},
        {"id": MAC, "spec": "HMAC_256", "origin": "EXTERNAL", "material": {"hex": OTHER.hex()}},
    ]
    place = tmp_path / "source"
    place.mkdir()
    (place / "keys.json").write_text(json.dumps({"keys": keys}))
    arguments = ["--seed-file", "keys.json", "--seed-region", REGION, "--data-dir", "data"]
    server = Server(place, arguments, command="dev", access_key_id="test", secret="test").start()
    blob = server.client().encrypt(KeyId="alias/moved", Plaintext=b"before the move")["CiphertextBlob"]
    assert server.stop() == 0
    return place / "data", blob


def test_python_opens_what_trent_exports(tmp_path):
    data, _ = filled(tmp_path)
    recipient = Recipient()
    (tmp_path / "to.pub").write_text(recipient_file(recipient.p384, recipient.kem))
    run("export", "--all", "--to", tmp_path / "to.pub", "--out", tmp_path / "keys", "--data-dir", data)
    under, document = recipient.open((tmp_path / "keys").read_bytes())
    assert document["v"] == 1
    found = {}
    for key in document["keys"]:
        assert (key["account"], key["region"]) == (DEV_ACCOUNT, REGION)
        for material in json.loads(key["body"])["materials"]:
            sealed = base64.b64decode(material["sealed"])
            found.setdefault(key["id"], []).append(open_envelope(under, "key-material", owner(key, material), sealed))
    assert found[AES] == [OLD, MATERIAL]
    # A key record: version, spec, form, length, the key.
    assert found[MAC] == [bytes([1, 2, 0]) + (32).to_bytes(4) + OTHER]
    (ring,) = document["ring"]
    assert ring["name"] == "material-ids"
    sealed = base64.b64decode(ring["sealed"])
    assert open_envelope(under, "ring-key", [("name", b"material-ids")], sealed) == ID_KEY
    (alias,) = document["aliases"]
    assert (alias["name"], alias["target"]) == ("alias/moved", AES)


def started_once(tmp_path):
    """A deployment without keys: its directory, and whom to seal for."""
    place = tmp_path / "target"
    place.mkdir()
    assert dev(place).stop() == 0
    run("import", "--new-recipient", tmp_path / "target.pub", "--data-dir", place / "data")
    return place, read_recipient((tmp_path / "target.pub").read_text())


def dev(place):
    return Server(place, ["--data-dir", "data"], command="dev", access_key_id="test", secret="test").start()


def test_trent_imports_what_python_seals(tmp_path):
    data, blob = filled(tmp_path)
    recipient = Recipient()
    (tmp_path / "to.pub").write_text(recipient_file(recipient.p384, recipient.kem))
    run("export", "--all", "--to", tmp_path / "to.pub", "--out", tmp_path / "keys", "--data-dir", data)
    under, document = recipient.open((tmp_path / "keys").read_bytes())

    place, (p384, kem) = started_once(tmp_path)
    # Another key than the one that was exported: nothing of trent's has sealed this.
    fresh = os.urandom(32)
    for key in document["keys"]:
        body = json.loads(key["body"])
        for material in body["materials"]:
            opened = open_envelope(under, "key-material", owner(key, material), base64.b64decode(material["sealed"]))
            sealed = seal_envelope(fresh, "key-material", owner(key, material), opened)
            material["sealed"] = base64.b64encode(sealed).decode()
        key["body"] = json.dumps(body)
    sealed = seal(p384, kem, fresh, document | {"ring": [], "grants": [GRANT]})
    (tmp_path / "sealed").write_bytes(sealed)
    assert "Imported 2 keys, 1 aliases and 1 grants." in run("import", tmp_path / "sealed", "--data-dir", place / "data")
    # What came in goes out again, the grant with it.
    run("export", "--key", AES, "--to", tmp_path / "to.pub", "--out", tmp_path / "again", "--data-dir", place / "data")
    _, again = recipient.open((tmp_path / "again").read_bytes())
    assert again["grants"] == [GRANT]
    assert ([key["id"] for key in again["keys"]], again["ring"]) == ([AES], [])
    server = dev(place)
    kms = server.client()
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"before the move"
    mac = kms.generate_mac(KeyId=MAC, Message=b"message", MacAlgorithm="HMAC_SHA_256")["Mac"]
    assert mac == hmac.digest(OTHER, b"message", "sha256")
    assert server.stop() == 0


def test_what_is_sealed_rightly_but_makes_no_sense_is_refused(tmp_path):
    data, _ = filled(tmp_path)
    recipient = Recipient()
    (tmp_path / "to.pub").write_text(recipient_file(recipient.p384, recipient.kem))
    run("export", "--all", "--to", tmp_path / "to.pub", "--out", tmp_path / "keys", "--data-dir", data)
    under, document = recipient.open((tmp_path / "keys").read_bytes())
    place, (p384, kem) = started_once(tmp_path)

    def told(document, under=under):
        (tmp_path / "sealed").write_bytes(seal(p384, kem, under, document))
        text = refused(1, "import", tmp_path / "sealed", "--data-dir", place / "data")
        assert "nothing was imported: " in text
        return text

    def changed(position, **members):
        keys = [dict(key) for key in document["keys"]]
        keys[position]["body"] = json.dumps(json.loads(keys[position]["body"]) | members)
        return document | {"keys": keys}

    (aes,) = [place for place, key in enumerate(document["keys"]) if key["id"] == AES]
    assert "content is of version 2" in told(document | {"v": 2})
    assert "cannot be read" in told(document | {"more": []})
    assert "cannot be read" in told({"v": 1})
    assert f"key/{AES}` in it is broken" in told(changed(aes, v=2))
    assert f"key/{AES} in it is in a custom key store" in told(
        changed(aes, in_store={"store": STORE, "external_key": "theirs"})
    )
    assert f"the material of arn:aws:kms:{REGION}:{DEV_ACCOUNT}:key/{AES} cannot be used" in told(
        changed(aes, spec="RSA_2048", usage="SIGN_VERIFY")
    )
    assert "cannot be used" in told(document, bytes(32))
    assert "lacks the key that it belongs to" in told(document | {"keys": document["keys"][:aes] + document["keys"][aes + 1 :]})
    assert "or is there twice" in told(document | {"keys": document["keys"] * 2})
    assert "lacks the key" in told(document | {"grants": [GRANT | {"region": "eu-north-1"}]})
    server = dev(place)
    assert server.client().list_keys()["Keys"] == []
    assert server.stop() == 0


def test_keys_of_a_custom_key_store_stay(tmp_path):
    data, _ = filled(tmp_path)
    with sqlite3.connect(data / "trent.db") as database:
        (body,) = database.execute("SELECT body FROM keys WHERE id = ?", (AES,)).fetchone()
        body = json.dumps(json.loads(body) | {"in_store": {"store": STORE, "external_key": "theirs"}})
        database.execute("UPDATE keys SET body = ?, key_store = ? WHERE id = ?", (body, STORE, AES))
    database.close()
    recipient = Recipient()
    (tmp_path / "to.pub").write_text(recipient_file(recipient.p384, recipient.kem))
    words = ["export", "--to", tmp_path / "to.pub", "--out", tmp_path / "keys", "--data-dir", data]
    named = f"arn:aws:kms:{REGION}:{DEV_ACCOUNT}:key/{AES}"
    assert f"{named} cannot be moved: in a custom key store" in refused(2, *words, "--key", AES, "--key", MAC)
    assert not (tmp_path / "keys").exists()
    assert f"Left out: {named}, which is in a custom key store." in run(*words, "--all")
    _, document = recipient.open((tmp_path / "keys").read_bytes())
    assert [key["id"] for key in document["keys"]] == [MAC]
