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
LABELS = ["one", "two", "three"]
PASSWORD = "kmsPswd1"
CONTEXT = {"tenant": "17", "ключ": "value"}


def by_label(answers):
    return [{key.pop("LABEL"): key for key in answer} for answer in answers]


class World:
    """A cluster of HSMs, a server, and a connected key store. Each HSM is a token of its own, or one token is all of them."""

    def __init__(self, directory, labels, is_shared=False):
        self.directory, self.labels, self.is_shared = directory, labels, is_shared
        self.tokens = Tokens(directory / "hsm", *(labels[:1] if is_shared else labels), pin=PASSWORD)
        self.module = self.tokens.shim() if is_shared else MODULE
        self.serials = self.tokens.share(labels[0], len(labels)) if is_shared else list(self.tokens.serials().values())
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
        self.store = self.create_store()
        self.connect()

    def create_store(self):
        made = self.kms.create_custom_key_store(
            CustomKeyStoreName="hsm",
            CloudHsmClusterId=CLUSTER,
            TrustAnchorCertificate=(self.directory / "ca.pem").read_text(),
            KeyStorePassword=PASSWORD,
        )
        return made["CustomKeyStoreId"]

    def configuration(self):
        zones = list(zip("abc", self.labels, self.serials))
        hsms = ", ".join(
            f'{{ id = "{label}", availability_zone = "{zone}", token_serial = "{serial}" }}' for zone, label, serial in zones
        )
        subnets = ", ".join(f'{{ id = "{zone}", availability_zone = "{zone}" }}' for zone, *_ in zones)
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
{self.tokens.module_settings(self.module)}
replication = "{"shared" if self.is_shared else "oaep_transfer"}"
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
        for label in self.tokens.labels:
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

    def ask(self, *questions, module=MODULE):
        """What the other client answers."""
        client = [sys.executable, str(Path(__file__).with_name("pkcs11_client.py")), str(module)]
        lines = "\n".join(json.dumps({"pin": PASSWORD} | question) for question in questions)
        answers = run(client, input=lines, env=self.tokens.environment())
        return [json.loads(answer) for answer in answers.splitlines()]

    def keys(self):
        """The keys in each token, by label."""
        answers = self.ask(*({"token": label} for label in self.tokens.labels))
        return by_label(answers)

    def keys_through_each(self):
        """The keys that each HSM shows, by label."""
        return by_label(self.ask(*({"serial": serial} for serial in self.serials), module=self.module))

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
def world(tmp_path, request):
    world = World(tmp_path, getattr(request, "param", LABELS))
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
        # A key that moves between tokens could leave the first of them while it was made, and is a copy in the others.
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
    assert [bytes.fromhex(text) for text in opened] == [b"secret"] * len(LABELS) + [data_key["Plaintext"]] * len(LABELS)
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
    assert [list(keys) for keys in left] == [[orphan_arn]] * len(LABELS)
    world.make_due(orphan)
    line = until(lambda: [line for line in world.server.log().splitlines() if "key orphaned in HSMs" in line])
    assert left[0][orphan_arn]["ID"] in line[0] and orphan_arn in line[0]
    world.kms.delete_custom_key_store(CustomKeyStoreId=world.store)
    # Another of the same name on the same cluster leaves alone what is in the HSMs.
    before, world.store = world.store, world.create_store()
    assert world.store != before
    world.connect()
    assert world.create_key()[1] != orphan_arn
    world.open_tokens()
    assert all(keys[orphan_arn] == old[orphan_arn] and len(keys) == 2 for keys, old in zip(world.keys(), left, strict=True))


@pytest.mark.parametrize("world", [LABELS[:2]], indirect=True)
def test_the_trail_names_the_token_that_did_it(world):
    one, two = world.serials
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


def test_a_key_that_hsms_share_could_never_leave_them_and_is_gone_from_all_when_it_was_deleted(tmp_path):
    world = World(tmp_path, LABELS, is_shared=True)
    try:
        (key, arn), (kept, kept_arn) = world.create_key(), world.create_key()
        blobs = [world.kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"] for _ in LABELS]
        uuid, hsm_key, *_ = formats.split_hsm(blobs[0])
        # One that does not turn up in the third HSM is one that nobody has.
        number = int(world.serials[2][-8:], 16) & 0x7FFFFFFF | 2 << 32
        world.tokens.order(f"slot-{number}", "hide")
        request = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": world.store}
        assert refusal(world.kms.create_key, **request) == "DependencyTimeoutException"
        world.tokens.order(f"slot-{number}", None)
        assert {found["KeyId"] for found in world.kms.list_keys()["Keys"]} == {key, kept}

        world.open_tokens()
        (in_token,) = world.keys()
        assert set(in_token) == {arn, kept_arn} and in_token[arn]["ID"] == hsm_key.hex()
        for each in in_token.values():
            wanted = ["PRIVATE", "SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL", "ENCRYPT", "DECRYPT"]
            assert all(each[flag] for flag in wanted) and not each["EXTRACTABLE"], each
            assert each["VALUE_LEN"] == 32
        assert world.keys_through_each() == [in_token] * 3

        def opened(serial, blob):
            _, _, iv, sealed = formats.split_hsm(blob)
            aad = formats.hsm_aad(uuid, hsm_key, None)
            use = {"serial": serial, "what": "decrypt", "id": hsm_key.hex()}
            return use | {"iv": iv.hex(), "aad": aad.hex(), "text": sealed.hex()}

        each = [opened(serial, blob) for serial in world.serials for blob in blobs]
        assert [bytes.fromhex(text) for text in world.ask(*each, module=world.module)] == [b"secret"] * len(each)
        world.give_back()
        world.make_due(key)
        until(lambda: "key destroyed in HSMs" in world.server.log())
        assert "key orphaned in HSMs" not in world.server.log()
        until(lambda: world.state() == "CONNECTED")
        world.open_tokens()
        assert [set(keys) for keys in world.keys_through_each()] == [{kept_arn}] * 3
    finally:
        assert world.server.stop() == 0, world.server.log()
