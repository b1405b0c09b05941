"""Keys in external key stores, over real TLS, with a proxy that was written apart: what it is asked, what callers are told
when it misbehaves, and that others can take apart what trent has made."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from server import ACCOUNT, Server
from xks_proxy import HOST, METADATA, REGION, STATUSES, Authority, Key, Proxy, configuration, request

sys.path.insert(0, str(Path(__file__).parents[3] / "crates/crypto/testdata"))

import formats  # noqa: E402

ADMIN = f"arn:aws:iam::{ACCOUNT}:user/admin"
UNREADABLE = (
    "AWS KMS cannot interpret the response from the external key store proxy. If you see this error repeatedly, report "
    "it to your external key store proxy administrator."
)
LATE = (
    "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request. If "
    "you see this error repeatedly, report it to your external key store proxy administrator."
)
NOT_REACHABLE = (
    "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. If you see "
    "this error repeatedly, verify that your external key store proxy is active and is connected to the network, and "
    "that its endpoint URI is correct in your external key store."
)
NOT_CONNECTED = (
    "This KMS key is in a custom key store that is not connected to its external key store proxy. Connect the external "
    "key store and try the request again."
)
WRONG_INSIDE = (
    "The ciphertext that the external key store proxy submitted for decryption, or the encryption context, is "
    "corrupted, missing, or otherwise invalid."
)
WORDS = {
    "ValidationException": UNREADABLE,
    "InvalidStateException": "The external key associated with this KMS key in an external key store is not enabled in "
    "the external key manager. Enable the external key in the external key manager and retry the request.",
    "InvalidCiphertextException": "The external key store proxy rejected the request because the specified ciphertext "
    "or encryption context is corrupted, missing, or otherwise invalid.",
    "InvalidKeyUsageException": "The external key associated with this KMS key in an external key store does not "
    "support the requested operation. Enable the operation on the key in your external key manager, and try the "
    "request again.",
    "AuthenticationFailedException": "The external key store proxy rejected the request because it could not "
    "authenticate AWS KMS. Verify the XKS proxy authentication credentials for your external key store and update if "
    "necessary.",
    "AccessDeniedException": "The external key store proxy denied access to the operation. Verify that the user and "
    "the external key are both authorized for this operation, and try the request again.",
    "KeyNotFoundException": "The external key associated with this KMS key in an external key store was not found in "
    "its external key manager. If the external key ID associated with this KMS key is incorrect, create a new KMS key "
    "with the correct external key ID.",
    "InvalidUriPathException": "The external key store proxy rejected the request because of an invalid URI path. "
    "Verify the URI path for your external key store and update if necessary.",
    "UnsupportedOperationException": "The external key store proxy rejected the request because it does not support "
    "the requested operation. If you see this error repeatedly, report it to your external key store proxy "
    "administrator.",
    "DependencyTimeoutException": "The external key store proxy did not respond to the request in the time allotted. "
    "Retry the request. If you see this error repeatedly, report it to your external key store proxy administrator.",
    "ThrottlingException": "The external key store proxy rejected the request due to a very high request rate. Reduce "
    "the frequency of your calls using KMS keys in this external key store.",
    "InternalException": "The external key store proxy rejected the request because it cannot communicate with the "
    "external key manager. Verify that the external key store proxy configuration is correct and that the external key "
    "manager is available.",
}
# What CreateKey answers, where it is not that the store cannot be used.
CREATING = {
    "InvalidStateException": "XksKeyInvalidConfigurationException",
    "KeyNotFoundException": "XksKeyNotFoundException",
    "UnsupportedOperationException": "UnsupportedOperationException",
}
# Names that make no sense in an answer about metadata, or when encrypting.
SENSELESS = {"metadata": {"InvalidCiphertextException", "InvalidKeyUsageException"}, "encrypt": {"InvalidCiphertextException"}}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def running(authority):
    proxy = Proxy(authority.issue("python", HOST, dns=HOST))
    proxy.slowness = 2
    yield proxy
    proxy.stop()


@pytest.fixture
def proxy(running):
    """The proxy, well behaved and asked nothing yet."""
    running.faults = set()
    running.seen.clear()
    running.asked.clear()
    yield running
    running.faults = set()


@pytest.fixture(scope="module")
def server(authority, running, tmp_path_factory):
    """A server that waits longer than KMS: machines that run tests are slower. What is slow on purpose is slower still."""
    directory = tmp_path_factory.mktemp("trent")
    file = directory / "trent.toml"
    file.write_text(configuration(running, authority).replace("= 300", "= 1500"))
    server = Server(directory, arguments=["--config", str(file)]).start()
    yield server
    assert server.stop() == 0, server.log()


@pytest.fixture(scope="module")
def client(server):
    return server.client(REGION)


def connect(kms, store):
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    wait_for(kms, store, "CONNECTED")


def disconnect(kms, store):
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    wait_for(kms, store, "DISCONNECTED")


def wait_for(kms, store, state):
    for _ in range(400):
        found = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"][0]
        if found["ConnectionState"] == state:
            return
        time.sleep(0.05)
    raise AssertionError(found)


@pytest.fixture(scope="module")
def store(client, running):
    running.faults = set()
    store = client.create_custom_key_store(**request(running))["CustomKeyStoreId"]
    connect(client, store)
    return store


def create(kms, store, external_key):
    key = kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=external_key)
    return key["KeyMetadata"]["KeyId"]


@pytest.fixture(scope="module")
def key(client, store, running):
    running.keys["module"] = Key()
    return create(client, store, "module")


def told(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    found = error.value.response
    assert "secret detail" not in json.dumps(found["Error"])
    return found["ResponseMetadata"]["HTTPStatusCode"], found["Error"]["Code"], found["Error"]["Message"]


def test_every_operation_goes_there_and_back(client, proxy, key):
    context, arn = {"project": "nile"}, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"
    made = client.encrypt(KeyId=key, Plaintext=b"p" * 4096, EncryptionContext=context)
    assert len(made["CiphertextBlob"]) <= 6144
    (api, metadata), (_, sent) = proxy.seen[0], proxy.asked[0]
    assert api == "encrypt" and sent["integrity"] == "SHA_256"
    assert metadata == {
        "awsPrincipalArn": ADMIN,
        "kmsKeyArn": arn,
        "kmsOperation": "Encrypt",
        "kmsRequestId": made["ResponseMetadata"]["RequestId"],
    }
    assert len(sent["plaintext"]) <= 4300 and b"pppp" not in sent["plaintext"] and b"nile" not in sent["aad"]
    opened = client.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == b"p" * 4096 and opened["KeyId"] == arn and "KeyMaterialId" not in opened
    assert proxy.asked[1][1]["metadata"] == METADATA
    data_key = client.generate_data_key(KeyId=key, NumberOfBytes=64)
    assert client.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    hidden = client.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_128")["CiphertextBlob"]
    assert len(client.decrypt(CiphertextBlob=hidden)["Plaintext"]) == 16
    plain = client.create_key()["KeyMetadata"]["KeyId"]
    out = client.re_encrypt(CiphertextBlob=data_key["CiphertextBlob"], DestinationKeyId=plain)
    back = client.re_encrypt(CiphertextBlob=out["CiphertextBlob"], DestinationKeyId=key, DestinationEncryptionContext=context)
    final = client.decrypt(CiphertextBlob=back["CiphertextBlob"], EncryptionContext=context)
    assert final["Plaintext"] == data_key["Plaintext"]
    operations = [metadata["kmsOperation"] for _, metadata in proxy.seen]
    assert operations == [
        "Encrypt", "Decrypt", "GenerateDataKey", "Decrypt", "GenerateDataKeyWithoutPlaintext", "Decrypt", "ReEncrypt",
        "ReEncrypt", "Decrypt",
    ]  # fmt: skip


def test_the_outer_layer_opens_without_trent_by_the_layout_of_the_formats(client, proxy, key):
    context = {"b": "2", "a": "é"}
    blob = client.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=context)["CiphertextBlob"]
    prefix, iv, tag, metadata, ciphertext = formats.split_double(blob)
    assert prefix[2:18] == bytes.fromhex(key.replace("-", "")) and metadata == METADATA
    aad = formats.external_aad(prefix, context)
    bound = len(aad).to_bytes(2, "big") + aad + bytes([len(metadata)]) + metadata
    message = AESGCM(proxy.keys["module"].material).decrypt(iv, ciphertext + tag, bound)
    # What trent has encrypted: a nonce, an IV, the text, a tag. It is all that the proxy was given.
    assert len(message) == 16 + 12 + len(b"text") + 16
    [(_, sent)] = proxy.asked
    assert (sent["plaintext"], sent["aad"]) == (message, aad)
    assert formats.join_double(prefix[2:18], prefix[18:], ciphertext, iv, tag, metadata) == blob
    # The proxy's integrity value is over what is in the blob.
    assert hashlib.sha256(aad + metadata + iv + ciphertext + tag).digest() == proxy.integrity
    # Whoever holds the external key alone, and another message, makes nothing that trent takes.
    forged = AESGCM(proxy.keys["module"].material).encrypt(iv, bytes(len(message)), bound)
    forged = formats.join_double(prefix[2:18], prefix[18:], forged[:-16], iv, forged[-16:], metadata)
    assert told(client.decrypt, CiphertextBlob=forged, EncryptionContext=context)[2] == WRONG_INSIDE


ENCRYPTING = {
    "wrong-integrity": UNREADABLE,
    "no-integrity": UNREADABLE,
    "long-metadata": UNREADABLE,
    "long-iv": UNREADABLE,
    "short-tag": UNREADABLE,
    "short-ciphertext": UNREADABLE,
    "bad-json": UNREADABLE,
    "html": UNREADABLE,
    "redirect": UNREADABLE,
    "close": UNREADABLE,
    "slow": LATE,
} | {name: UNREADABLE if name in SENSELESS["encrypt"] else WORDS[name] for name in STATUSES}


@pytest.mark.parametrize("fault", sorted(ENCRYPTING))
def test_what_is_wrong_when_encrypting_is_told(client, proxy, key, fault):
    proxy.faults = {fault}
    expected = (400, "KMSInvalidStateException", ENCRYPTING[fault])
    assert told(client.encrypt, KeyId=key, Plaintext=b"text") == expected
    if fault != "slow":
        assert told(client.generate_data_key, KeyId=key, KeySpec="AES_256") == expected
    proxy.faults = set()
    client.encrypt(KeyId=key, Plaintext=b"text")


DECRYPTING = {
    "wrong-plaintext": WRONG_INSIDE,
    "bad-json": UNREADABLE,
    "html": UNREADABLE,
    "close": UNREADABLE,
} | WORDS


@pytest.mark.parametrize("fault", sorted(DECRYPTING))
def test_what_is_wrong_when_decrypting_is_told(client, proxy, key, fault):
    blob = client.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    proxy.faults = {fault}
    assert told(client.decrypt, CiphertextBlob=blob) == (400, "KMSInvalidStateException", DECRYPTING[fault])
    proxy.faults = set()
    assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"


def test_another_context_is_refused_there_or_here(client, proxy, key):
    blob = client.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext={"a": "b"})["CiphertextBlob"]
    refused = (400, "KMSInvalidStateException", WORDS["InvalidCiphertextException"])
    assert told(client.decrypt, CiphertextBlob=blob) == refused
    # A proxy that does not look at the associated data leaves it to trent.
    proxy.faults = {"no-aad"}
    blob = client.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext={"a": "b"})["CiphertextBlob"]
    assert told(client.decrypt, CiphertextBlob=blob)[2] == WRONG_INSIDE
    assert client.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"text"


def test_a_blob_that_is_none_never_reaches_the_proxy(client, proxy, key):
    blob = client.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    proxy.seen.clear()
    for length in [1, 50, 54, len(blob) - 1]:
        assert told(client.decrypt, CiphertextBlob=blob[:length])[1] == "InvalidCiphertextException"
    assert told(client.decrypt, CiphertextBlob=blob + b"\0")[1] == "InvalidCiphertextException"
    assert proxy.seen == []


@pytest.mark.parametrize("fault", ["slow", "bad-json", "html", *STATUSES])
def test_what_is_wrong_when_a_key_is_made_is_told(client, proxy, store, fault):
    proxy.faults = {fault}
    code = CREATING.get(fault, "CustomKeyStoreInvalidStateException")
    senseless = fault in SENSELESS["metadata"] or fault not in STATUSES
    text = LATE if fault == "slow" else UNREADABLE if senseless else WORDS[fault]
    arguments = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "key"}
    assert told(client.create_key, **arguments) == (400, code, text)


def test_only_fit_external_keys_become_keys_and_each_only_once(client, proxy, store):
    proxy.keys["fit"] = Key(["ENCRYPT", "DECRYPT", "WRAP"])
    arguments = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store}
    begin = "The status of the external key must be ENABLED. The status of specified external key is "
    for external_key, text in [
        ("disabled", begin + "DISABLED."),
        (
            "encrypts",
            "The key usage of the external key must include ENCRYPT and DECRYPT. The key use of specified external key "
            "is ENCRYPT.",
        ),
    ]:
        expected = (400, "XksKeyInvalidConfigurationException", text)
        assert told(client.create_key, XksKeyId=external_key, **arguments) == expected
    assert told(client.create_key, XksKeyId="none", **arguments)[1] == "XksKeyNotFoundException"
    proxy.seen.clear()
    made = client.create_key(XksKeyId="fit", **arguments)["KeyMetadata"]
    assert made["XksKeyConfiguration"] == {"Id": "fit"} and made["CustomKeyStoreId"] == store
    assert made["KeyState"] == "Enabled" and "CurrentKeyMaterialId" not in made
    [(api, metadata)] = proxy.seen
    assert api == "metadata" and metadata["kmsOperation"] == "CreateKey" and "kmsKeyArn" not in metadata
    assert told(client.create_key, XksKeyId="fit", **arguments)[1] == "XksKeyAlreadyInUseException"
    assert len(proxy.seen) == 1


def test_an_external_key_that_is_disabled_there_is_of_no_use_here(client, proxy, store):
    proxy.keys["mine"] = Key()
    key = create(client, store, "mine")
    blob = client.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    proxy.keys["mine"].enabled = False
    refused = (400, "KMSInvalidStateException", WORDS["InvalidStateException"])
    assert told(client.decrypt, CiphertextBlob=blob) == refused
    assert client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    proxy.keys["mine"].enabled = True
    assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"


def test_keys_come_and_go_with_the_connection_of_their_store(client, proxy):
    proxy.credentials["OTHERCREDENTIALOFTHEPROXY"] = "o" * 44
    path, proxy.path = proxy.path, "/other/kms/xks/v1"
    try:
        store = client.create_custom_key_store(**request(proxy, "other"))["CustomKeyStoreId"]
        connect(client, store)
        key = create(client, store, "key")
        blob = client.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
        client.disconnect_custom_key_store(CustomKeyStoreId=store)
        unavailable = (400, "KMSInvalidStateException", NOT_CONNECTED)
        assert told(client.decrypt, CiphertextBlob=blob) == unavailable
        assert client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Unavailable"
        wait_for(client, store, "DISCONNECTED")
        assert told(client.delete_custom_key_store, CustomKeyStoreId=store)[1] == "CustomKeyStoreHasCMKsException"
        connect(client, store)
        assert client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
        assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"
    finally:
        proxy.path = path


def test_the_command_line_makes_and_uses_such_keys(server, proxy, store, tmp_path):
    proxy.keys["cli"] = Key()
    tools = Path(sys.executable).parent
    environment = server.environment(REGION)
    environment |= {"PATH": f"{tools}{os.pathsep}{environment['PATH']}"}

    def aws(*words):
        done = subprocess.run(["aws", "kms", *words], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    words = ["--origin", "EXTERNAL_KEY_STORE", "--custom-key-store-id", store, "--xks-key-id", "cli"]
    key = aws("create-key", *words)["KeyMetadata"]["KeyId"]
    made = aws("generate-data-key", "--key-id", key, "--key-spec", "AES_256")
    blob = tmp_path / "blob"
    blob.write_bytes(base64.b64decode(made["CiphertextBlob"]))
    assert aws("decrypt", "--ciphertext-blob", f"fileb://{blob}")["Plaintext"] == made["Plaintext"]


def test_what_a_killed_server_has_answered_of_keys_in_stores_is_there(authority, proxy, tmp_path):
    file = tmp_path / "trent.toml"
    file.write_text(configuration(proxy, authority).replace("= 300", "= 1500"))
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    kms = server.client(REGION)
    store = kms.create_custom_key_store(**request(proxy))["CustomKeyStoreId"]
    connect(kms, store)
    blobs = {}
    for number in range(4):
        external_key = f"killed-{number}"
        proxy.keys[external_key] = Key()
        key = create(kms, store, external_key)
        blobs[key] = kms.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
        server.kill()
        server = Server(tmp_path, arguments=["--config", str(file)]).start()
        kms = server.client(REGION)
        # Connected as before, without anybody's doing.
        for key, blob in blobs.items():
            assert kms.decrypt(CiphertextBlob=blob)["KeyId"].endswith(key)
        arguments = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": external_key}
        assert told(kms.create_key, **arguments)[1] == "XksKeyAlreadyInUseException"
    assert server.stop() == 0, server.log()


def test_the_proxy_is_told_of_the_private_endpoint_that_a_request_came_through(authority, proxy, tmp_path):
    (tmp_path / "identities.toml").write_text('[[endpoint]]\nvpce_id = "vpce-0a1b"\nvpc_id = "vpc-1"\nlistener = "127.0.0.1:0"\n')
    file = tmp_path / "trent.toml"
    text = configuration(proxy, authority).replace("= 300", "= 1500")
    file.write_text(f'[identity]\nfile = "identities.toml"\n{text}')
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    kms = server.client(REGION)
    private = server.client(REGION, endpoint_url="http://" + re.search(r"vpce-0a1b http://(\S+)", server.ready_line)[1])
    store = kms.create_custom_key_store(**request(proxy))["CustomKeyStoreId"]
    connect(kms, store)
    key = create(private, store, "key")
    for client in [private, kms]:
        blob = client.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
        client.decrypt(CiphertextBlob=blob)
    told = [(api, metadata.get("awsSourceVpce"), metadata.get("awsSourceVpc")) for api, metadata in proxy.seen]
    through = ("vpce-0a1b", "vpc-1")
    used = [("encrypt", *through), ("decrypt", *through), ("encrypt", None, None), ("decrypt", None, None)]
    assert [line for line in told if line[0] != "health"] == [("metadata", *through), *used]
    assert server.stop() == 0, server.log()


def test_the_words_of_the_proxy_are_in_the_log_alone(server, client, proxy, key):
    proxy.faults = {"ThrottlingException"}
    told(client.encrypt, KeyId=key, Plaintext=b"text")
    assert "secret detail" in server.log()


def test_a_proxy_that_has_gone_is_told_and_nobody_has_to_do_anything_when_it_is_back(authority, tmp_path):
    proxy = Proxy(authority.issue("gone", HOST, dns=HOST))
    file = tmp_path / "trent.toml"
    file.write_text(configuration(proxy, authority).replace("= 300", "= 1500"))
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    kms = server.client(REGION)
    store = kms.create_custom_key_store(**request(proxy))["CustomKeyStoreId"]
    connect(kms, store)
    key = create(kms, store, "key")
    blob = kms.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    proxy.stop()
    proxy.faults = {"close"}
    refused = told(kms.decrypt, CiphertextBlob=blob)
    assert refused == (400, "KMSInvalidStateException", NOT_REACHABLE)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    proxy.faults = set()
    proxy.listen(proxy.port)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"
    proxy.stop()
    assert server.stop() == 0, server.log()
