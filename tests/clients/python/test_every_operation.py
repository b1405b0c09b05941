"""Every operation that there is, called by boto3 and by the AWS command line; what is not there is known to be missing."""

import json
import re
import time
from pathlib import Path

import others
import pytest
import xks_proxy
from callers import CALLERS
from checks import MESSAGE
from server import ACCOUNT, REGION, Server
from wrapping import STAYS, wrap

THERE = "us-west-2"
GAPS = Path(__file__).parents[3] / "docs/book/known-gaps.md"


def create(call, **request):
    return call("CreateKey", **request)["KeyMetadata"]["KeyId"]


def keys(call):
    key = create(call, Description="mine", Tags=[{"TagKey": "team", "TagValue": "blue"}])
    call("UpdateKeyDescription", KeyId=key, Description="yours")
    call("DisableKey", KeyId=key)
    described = call("DescribeKey", KeyId=key)["KeyMetadata"]
    assert (described["Description"], described["Enabled"]) == ("yours", False)
    call("EnableKey", KeyId=key)
    assert key in {each["KeyId"] for each in call("ListKeys", Limit=1000)["Keys"]}
    call("Encrypt", KeyId=key, Plaintext=MESSAGE)
    assert call("GetKeyLastUsage", KeyId=key)["KeyLastUsage"]["Operation"] == "Encrypt"
    assert call("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)["KeyState"] == "PendingDeletion"
    assert call("CancelKeyDeletion", KeyId=key)["KeyId"].endswith(key)


def names(call):
    key, other = create(call), create(call)
    alias = f"alias/of-{key}"
    call("CreateAlias", AliasName=alias, TargetKeyId=key)
    call("UpdateAlias", AliasName=alias, TargetKeyId=other)
    assert [each["AliasName"] for each in call("ListAliases", KeyId=other)["Aliases"]] == [alias]
    call("DeleteAlias", AliasName=alias)
    assert call("ListAliases", KeyId=other)["Aliases"] == []
    call("TagResource", KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}])
    call("UntagResource", KeyId=key, TagKeys=["a"])
    assert call("ListResourceTags", KeyId=key)["Tags"] == [{"TagKey": "b", "TagValue": "2"}]


def policies(call):
    key = create(call)
    policy = json.loads(call("GetKeyPolicy", KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"][0]["Sid"] = "mine"
    call("PutKeyPolicy", KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    assert json.loads(call("GetKeyPolicy", KeyId=key)["Policy"]) == policy
    assert call("ListKeyPolicies", KeyId=key)["PolicyNames"] == ["default"]


def rotation(call):
    key = create(call)
    call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=100)
    assert call("GetKeyRotationStatus", KeyId=key)["RotationPeriodInDays"] == 100
    call("DisableKeyRotation", KeyId=key)
    assert not call("GetKeyRotationStatus", KeyId=key)["KeyRotationEnabled"]
    call("RotateKeyOnDemand", KeyId=key)
    assert [each["RotationType"] for each in call("ListKeyRotations", KeyId=key)["Rotations"]] == ["ON_DEMAND"]


def encryption(call):
    key, other, context = create(call), create(call), {"a": "b"}
    with_key = {"KeyId": key, "EncryptionContext": context}

    def opened(blob):
        return call("Decrypt", CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]

    blob = call("Encrypt", Plaintext=MESSAGE, **with_key)["CiphertextBlob"]
    assert opened(blob) == MESSAGE
    moved = {"SourceEncryptionContext": context, "DestinationEncryptionContext": context}
    blob = call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=other, **moved)["CiphertextBlob"]
    assert opened(blob) == MESSAGE
    made = call("GenerateDataKey", KeySpec="AES_256", **with_key)
    assert opened(made["CiphertextBlob"]) == made["Plaintext"]
    made = call("GenerateDataKeyWithoutPlaintext", NumberOfBytes=20, **with_key)
    assert len(opened(made["CiphertextBlob"])) == 20
    made = call("GenerateDataKeyPair", KeyPairSpec="ECC_NIST_P256", **with_key)
    assert opened(made["PrivateKeyCiphertextBlob"]) == made["PrivateKeyPlaintext"]
    made = call("GenerateDataKeyPairWithoutPlaintext", KeyPairSpec="ECC_NIST_P256", **with_key)
    private = others.serialization.load_der_private_key(opened(made["PrivateKeyCiphertextBlob"]), None)
    assert others.spki(private.public_key()) == made["PublicKey"]
    assert len(call("GenerateRandom", NumberOfBytes=24)["Plaintext"]) == 24


def pairs_and_macs(call):
    key = create(call, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    signed = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256", "Message": MESSAGE}
    signature = call("Sign", **signed)["Signature"]
    others.of_public("ECC_NIST_P256", call("GetPublicKey", KeyId=key)["PublicKey"]).verify(
        "ECDSA_SHA_256", MESSAGE, "RAW", signature
    )
    assert call("Verify", Signature=signature, **signed)["SignatureValid"]
    key, mine = create(call, KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT"), others.generate("ECC_NIST_P384")
    public = others.of_public("ECC_NIST_P384", call("GetPublicKey", KeyId=key)["PublicKey"])
    asked = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": mine.spki}
    assert call("DeriveSharedSecret", **asked)["SharedSecret"] == mine.agree(public)
    key = create(call, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    with_key = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    made = call("Encapsulate", **with_key)
    opened = call("Decapsulate", SharedSecretCiphertextBlob=made["SharedSecretCiphertextBlob"], **with_key)
    assert opened["SharedSecret"] == made["SharedSecret"]
    key = create(call, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    with_key = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_256", "Message": MESSAGE}
    assert call("VerifyMac", Mac=call("GenerateMac", **with_key)["Mac"], **with_key)["MacValid"]


def imports(call):
    key, algorithm = create(call, Origin="EXTERNAL"), "RSAES_OAEP_SHA_256"
    told = call("GetParametersForImport", KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
    wrapped = wrap("openssl", algorithm, told["PublicKey"], bytes(32))
    call("ImportKeyMaterial", KeyId=key, ImportToken=told["ImportToken"], EncryptedKeyMaterial=wrapped, **STAYS)
    assert call("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    call("DeleteImportedKeyMaterial", KeyId=key)
    assert call("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"


def replicas(call):
    key = create(call, MultiRegion=True)
    call("ReplicateKey", KeyId=key, ReplicaRegion=THERE)
    call("UpdatePrimaryRegion", KeyId=key, PrimaryRegion=THERE)
    related = call("DescribeKey", region=THERE, KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
    assert (related["PrimaryKey"]["Region"], related["ReplicaKeys"][0]["Region"]) == (THERE, REGION)


def grants(call):
    key, account = create(call), f"arn:aws:iam::{ACCOUNT}:root"
    asked = {"KeyId": key, "GranteePrincipal": account, "RetiringPrincipal": account, "Operations": ["Decrypt"]}
    revoked, retired = call("CreateGrant", **asked), call("CreateGrant", **asked)
    listed = {grant["GrantId"] for grant in call("ListGrants", KeyId=key)["Grants"]}
    assert listed == {revoked["GrantId"], retired["GrantId"]}
    retirable = call("ListRetirableGrants", RetiringPrincipal=account)["Grants"]
    assert listed <= {grant["GrantId"] for grant in retirable}
    call("RevokeGrant", KeyId=key, GrantId=revoked["GrantId"])
    call("RetireGrant", GrantToken=retired["GrantToken"])
    assert call("ListGrants", KeyId=key)["Grants"] == []


def key_stores(call, proxy):
    store = call("CreateCustomKeyStore", **xks_proxy.request(proxy))["CustomKeyStoreId"]
    call("UpdateCustomKeyStore", CustomKeyStoreId=store, NewCustomKeyStoreName="renamed")
    call("ConnectCustomKeyStore", CustomKeyStoreId=store)
    call("DisconnectCustomKeyStore", CustomKeyStoreId=store)
    for _ in range(200):
        [shown] = call("DescribeCustomKeyStores", CustomKeyStoreName="renamed")["CustomKeyStores"]
        if shown["ConnectionState"] == "DISCONNECTED":
            break
        time.sleep(0.05)
    call("DeleteCustomKeyStore", CustomKeyStoreId=store)


FAMILIES = [keys, names, policies, rotation, encryption, pairs_and_macs, imports, replicas, grants]


@pytest.fixture
def proxy(tmp_path):
    authority = xks_proxy.Authority(tmp_path / "authority")
    proxy = xks_proxy.Proxy(authority.issue("python", xks_proxy.HOST, dns=xks_proxy.HOST))
    proxy.authority, proxy.region = authority, REGION
    yield proxy
    proxy.stop()


@pytest.fixture
def server(proxy, tmp_path):
    """A server that reaches the proxy."""
    file = tmp_path / "trent.toml"
    file.write_text(xks_proxy.configuration(proxy, proxy.authority))
    server = Server(tmp_path, arguments=["--config", str(file)]).start()
    yield server
    assert server.stop() == 0, server.log()


def known_gaps():
    return set(re.findall(r"^\| `(\w+)` \|", GAPS.read_text(), re.MULTILINE))


@pytest.mark.parametrize("caller", CALLERS)
def test_every_operation_of_the_model_is_called_or_a_known_gap(server, proxy, kms, tmp_path, caller):
    call = CALLERS[caller](server, tmp_path)
    for family in FAMILIES:
        family(call)
    key_stores(call, proxy)
    operations = set(kms.meta.service_model.operation_names)
    missing = known_gaps() & operations
    assert call.answered == operations - missing
    assert len(operations) == 56 and len(call.answered) >= 56
