"""Keys in CloudHSM key stores: trent makes, uses and destroys them in SoftHSM tokens, where another client looks at them."""

import json
import os
import re
import sqlite3
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from server import ACCOUNT, REGION, Server, until
from softhsm import MODULE, Tokens, run
from trail import records

sys.path.insert(0, str(Path(__file__).parents[3] / "crates/crypto/testdata"))

import formats  # noqa: E402

CLUSTER = "cluster-234abcdefABC"
LABELS = ["one", "two"]
PASSWORD = "kmsPswd1"
CONTEXT = {"tenant": "17", "ключ": "value"}


class World:
    """A cluster of two tokens, a server, and a connected key store."""

    def __init__(self, directory):
        self.directory, self.tokens = directory, Tokens(directory / "hsm", *LABELS, pin=PASSWORD)
        for line in [
            "req -x509 -newkey rsa:2048 -nodes -subj /CN=customerCA -keyout ca.key -out ca.pem",
            "req -newkey rsa:2048 -nodes -subj /CN=cluster -keyout own.key -out own.csr",
            "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out own.pem",
        ]:
            run(["openssl", *line.split()], cwd=directory)
        file = directory / "trent.toml"
        file.write_text(self.configuration())
        self.server = Server(directory, arguments=["--config", str(file)]).start()
        self.kms = self.server.client()
        made = self.kms.create_custom_key_store(
            CustomKeyStoreName="hsm",
            CloudHsmClusterId=CLUSTER,
            TrustAnchorCertificate=(directory / "ca.pem").read_text(),
            KeyStorePassword=PASSWORD,
        )
        self.store = made["CustomKeyStoreId"]
        self.connect()

    def serials(self):
        """The serial numbers of the tokens, by label."""
        slots = run(["softhsm2-util", "--show-slots"], env=self.tokens.environment())
        serials, serial = {}, None
        for line in slots.splitlines():
            name, _, value = (part.strip() for part in line.partition(":"))
            if name == "Serial number":
                serial = value
            elif name == "Label":
                serials[value] = serial
        return {label: serials[label] for label in LABELS}

    def configuration(self):
        serials = self.serials()
        zones = list(zip("ab", LABELS, strict=True))
        hsms = ", ".join(
            f'{{ id = "{label}", availability_zone = "{zone}", token_serial = "{serials[label]}" }}'
            for zone, label in zones
        )
        subnets = ", ".join(f'{{ id = "{zone}", availability_zone = "{zone}" }}' for zone, _ in zones)
        return f"""
[log]
level = "info,trent_hsm::audit=debug"
[jobs]
interval_seconds = 1
[[hsm.cluster]]
cluster_id = "{CLUSTER}"
account_id = "{ACCOUNT}"
region = "{REGION}"
trust_anchor_certificate = "{self.directory / 'ca.pem'}"
cluster_certificate = "{self.directory / 'own.pem'}"
module = "{MODULE}"
module_environment = {{ SOFTHSM2_CONF = "{self.tokens.configuration}" }}
replication = "oaep_transfer"
hsms = [{hsms}]
subnets = [{subnets}]
"""

    def state(self):
        return self.kms.describe_custom_key_stores(CustomKeyStoreId=self.store)["CustomKeyStores"][0]["ConnectionState"]

    def connect(self):
        self.kms.connect_custom_key_store(CustomKeyStoreId=self.store)
        until(lambda: self.state() != "CONNECTING")
        assert self.state() == "CONNECTED", self.server.log()

    def open_tokens(self):
        """Takes the tokens from trent, which alone knows the password, with the security officer's help."""
        self.kms.disconnect_custom_key_store(CustomKeyStoreId=self.store)
        until(lambda: self.state() == "DISCONNECTED")
        for label in LABELS:
            words = ["--login", "--login-type", "so", "--so-pin", "so-secret", "--init-pin", "--new-pin", PASSWORD]
            line = ["pkcs11-tool", "--module", MODULE, "--token-label", label, *words]
            run(line, env=self.tokens.environment())

    def give_back(self):
        self.kms.update_custom_key_store(CustomKeyStoreId=self.store, KeyStorePassword=PASSWORD)
        self.connect()

    def recorded(self, name):
        """What the records of these events say beside request and answer."""
        found = records(self.directory / "trent-data/audit")
        return [record.get("additionalEventData") for record in found if record["eventName"] == name]

    def logged(self, operation):
        """The tokens that have done something, one after the other, as the log has it."""
        lines = [line for line in self.server.log().splitlines() if f'operation="{operation}" result="OK"' in line]
        return [re.search('token="([^"]+)"', line)[1] for line in lines]

    def ask(self, *questions):
        """What the other client answers."""
        client = [sys.executable, str(Path(__file__).with_name("pkcs11_client.py"))]
        lines = "\n".join(json.dumps({"pin": PASSWORD} | question) for question in questions)
        answers = run(client, input=lines, env=self.tokens.environment())
        return [json.loads(answer) for answer in answers.splitlines()]

    def keys(self):
        """The keys in each token, by label."""
        answers = self.ask(*({"token": label} for label in LABELS))
        return [{key.pop("LABEL"): key for key in answer} for answer in answers]

    def make_due(self, key):
        """Restarts the server as if the waiting period of a key were over."""
        self.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        assert self.server.stop() == 0, self.server.log()
        with sqlite3.connect(self.directory / "trent-data/trent.db") as database:
            (body,) = database.execute("SELECT body FROM keys WHERE id = ?", (key,)).fetchone()
            body = json.loads(body)
            body["lifecycle"]["PendingDeletion"]["delete_at"] = 1
            database.execute("UPDATE keys SET body = ?, due_at = 1 WHERE id = ?", (json.dumps(body), key))
        database.close()
        self.server.start()
        self.kms = self.server.client()

    def create_key(self):
        made = self.kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=self.store)["KeyMetadata"]
        assert (made["Origin"], made["KeyState"]) == ("AWS_CLOUDHSM", "Enabled")
        assert (made["CloudHsmClusterId"], made["CustomKeyStoreId"]) == (CLUSTER, self.store)
        return made["KeyId"], made["Arn"]


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    assert world.server.stop() == 0, world.server.log()


def refusal(operation, **request):
    with pytest.raises(ClientError) as error:
        operation(**request)
    return error.value.response["Error"]["Code"]


def test_a_key_is_in_every_token_opens_there_and_is_gone_when_it_was_deleted(world):
    (key, arn), (orphan, orphan_arn) = world.create_key(), world.create_key()
    blob = world.kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]
    data_key = world.kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    uuid, hsm_key, iv, sealed = formats.split_hsm(blob)
    assert uuid.hex() == key.replace("-", "")
    # What is no blob is refused, whatever it is.
    for wrong in [os.urandom(100), blob[:34] + os.urandom(60), blob[:61], blob + b"x", b"\x01h"]:
        assert refusal(world.kms.decrypt, CiphertextBlob=wrong, KeyId=key) == "InvalidCiphertextException"
    assert refusal(world.kms.decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"

    world.open_tokens()
    for label, found in zip(LABELS, world.keys(), strict=True):
        assert set(found) == {arn, orphan_arn}
        assert found[arn]["ID"] == hsm_key.hex()
        for each in found.values():
            assert each["PRIVATE"] and each["SENSITIVE"] and not each["EXTRACTABLE"]
            assert each["ENCRYPT"] and each["DECRYPT"]
        # A key that moves between tokens could leave the first of them while it was made, and is a copy in the other.
        assert {(each["LOCAL"], each["NEVER_EXTRACTABLE"]) for each in found.values()} == {(label == "one", False)}

    def question(what, label, iv, text, context):
        aad = formats.hsm_aad(uuid, hsm_key, context)
        use = {"token": label, "what": what, "id": hsm_key.hex()}
        return use | {"iv": iv.hex(), "aad": aad.hex(), "text": text.hex()}

    _, _, data_iv, data_sealed = formats.split_hsm(data_key["CiphertextBlob"])
    own_iv = os.urandom(12)
    *opened, made = world.ask(
        *(question("decrypt", label, iv, sealed, CONTEXT) for label in LABELS),
        *(question("decrypt", label, data_iv, data_sealed, None) for label in LABELS),
        question("encrypt", LABELS[0], own_iv, b"theirs", CONTEXT),
    )
    assert [bytes.fromhex(text) for text in opened] == [b"secret"] * 2 + [data_key["Plaintext"]] * 2
    # What the other client has made in one token, trent decrypts in any.
    own = formats.join_hsm(uuid, hsm_key, own_iv, bytes.fromhex(made))
    assert refusal(world.kms.decrypt, CiphertextBlob=own, EncryptionContext=CONTEXT) == "KMSInvalidStateException"
    world.give_back()
    for _ in LABELS:
        assert world.kms.decrypt(CiphertextBlob=own, EncryptionContext=CONTEXT)["Plaintext"] == b"theirs"

    # A deleted key is gone from the tokens too; one that is deleted while its store is not connected is left there, and told.
    world.make_due(key)
    until(lambda: "key orphaned in HSMs" in world.server.log() or "key destroyed in HSMs" in world.server.log())
    assert "key orphaned in HSMs" not in world.server.log()
    assert refusal(world.kms.describe_key, KeyId=key) == "NotFoundException"
    until(lambda: world.state() == "CONNECTED")
    world.open_tokens()
    left = world.keys()
    assert [list(keys) for keys in left] == [[orphan_arn]] * 2
    world.make_due(orphan)
    line = until(lambda: [line for line in world.server.log().splitlines() if "key orphaned in HSMs" in line])
    assert left[0][orphan_arn]["ID"] in line[0] and orphan_arn in line[0]
    world.kms.delete_custom_key_store(CustomKeyStoreId=world.store)
    assert world.keys() == left


def test_the_trail_names_the_token_that_did_it(world):
    serials = world.serials()
    one, two = serials.values()
    key, arn = world.create_key()
    assert [made["hsmSerials"] for made in world.recorded("CreateKey")] == [[one, two]]
    blobs = [world.kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"] for _ in range(4)]
    for blob in blobs:
        assert world.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    world.kms.generate_random(NumberOfBytes=8, CustomKeyStoreId=world.store)
    named = {name: [each["hsmSerial"] for each in world.recorded(name)] for name in ["Encrypt", "Decrypt", "GenerateRandom"]}
    assert named["Encrypt"] == world.logged("encrypt") and sorted(named["Encrypt"]) == sorted([one, two] * 2)
    assert named["Decrypt"] == world.logged("decrypt") and set(named["Decrypt"]) == {one, two}
    assert named["GenerateRandom"] == world.logged("random") and len(named["GenerateRandom"]) == 1

    # With the key in the second token alone, nobody else can have done it.
    world.open_tokens()
    id = json.loads(world.recorded("CreateKey")[0]["backingKey"])["backingKeyId"]
    world.tokens.tool("one", "--delete-object", "--type", "secrkey", "--id", id)
    world.give_back()
    for blob in blobs:
        assert world.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
        assert refusal(world.kms.decrypt, CiphertextBlob=blob, EncryptionContext=CONTEXT) == "InvalidCiphertextException"
    assert [each["hsmSerial"] for each in world.recorded("Decrypt")[4:]] == [two] * 8
    world.make_due(key)
    (deleted,) = until(lambda: world.recorded("DeleteKey"))
    assert deleted["hsmSerials"] == [one, two] and "SUCCESS" in deleted["backingKeysDeletionStatus"]
