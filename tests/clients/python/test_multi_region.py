"""Multi-Region keys, with boto3 and with the AWS Encryption SDK."""

import aws_encryption_sdk
import pytest
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsMrkDiscoveryKeyringInput,
    CreateAwsKmsMrkKeyringInput,
    DiscoveryFilter,
)
from aws_encryption_sdk import CommitmentPolicy
from server import ACCOUNT, REGION

THERE = "us-west-2"


@pytest.fixture
def there(trent):
    return trent.client(THERE)


@pytest.fixture
def primary(kms):
    """The id of a primary without replicas."""
    return kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]


@pytest.fixture
def shared(kms, primary):
    """The id of a primary and its replica."""
    kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)
    return primary


def metadata(client, key):
    return client.describe_key(KeyId=key)["KeyMetadata"]


def test_a_replica_has_the_id_and_the_material_of_its_primary(kms, there, primary, arn):
    answer = kms.replicate_key(
        KeyId=primary, ReplicaRegion=THERE, Description="far", Tags=[{"TagKey": "a", "TagValue": "b"}]
    )
    created = answer["ReplicaKeyMetadata"]
    assert (created["Arn"], created["KeyState"], created["Enabled"]) == (arn(primary, THERE), "Creating", False)
    assert answer["ReplicaTags"] == [{"TagKey": "a", "TagValue": "b"}]
    replica = metadata(there, primary)
    assert (replica["KeyState"], replica["Description"]) == ("Enabled", "far")
    assert replica["CurrentKeyMaterialId"] == metadata(kms, primary)["CurrentKeyMaterialId"]
    related = metadata(kms, primary)["MultiRegionConfiguration"]
    assert related["MultiRegionKeyType"] == "PRIMARY"
    assert related["PrimaryKey"] == {"Arn": arn(primary), "Region": REGION}
    assert related["ReplicaKeys"] == [{"Arn": arn(primary, THERE), "Region": THERE}]
    assert replica["MultiRegionConfiguration"] == related | {"MultiRegionKeyType": "REPLICA"}


def test_either_region_reads_what_the_other_wrote(kms, there, shared):
    for writer, reader in [(kms, there), (there, kms)]:
        blob = writer.encrypt(KeyId=shared, Plaintext=b"text", EncryptionContext={"a": "b"})["CiphertextBlob"]
        kms.rotate_key_on_demand(KeyId=shared)
        opened = reader.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
        assert opened["Plaintext"] == b"text"
        assert opened["KeyId"] == metadata(reader, shared)["Arn"]


def test_a_replica_is_refused_what_primaries_do(kms, there, shared, arn, refused):
    answer = ("UnsupportedOperationException", f"{arn(shared, THERE)} is not a multi-region primary key.")
    assert refused(there.replicate_key, KeyId=shared, ReplicaRegion="eu-west-1") == answer
    assert refused(there.enable_key_rotation, KeyId=shared) == answer
    assert refused(there.rotate_key_on_demand, KeyId=shared) == answer
    code, _ = refused(kms.replicate_key, KeyId=shared, ReplicaRegion=THERE)
    assert code == "AlreadyExistsException"


def test_the_errors_have_classes_of_their_own(kms, there, shared):
    with pytest.raises(kms.exceptions.AlreadyExistsException):
        kms.replicate_key(KeyId=shared, ReplicaRegion=THERE)
    with pytest.raises(there.exceptions.UnsupportedOperationException):
        there.update_primary_region(KeyId=shared, PrimaryRegion=REGION)
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.update_primary_region(KeyId=shared, PrimaryRegion="eu-west-1")


def test_the_primary_moves(kms, there, shared):
    kms.update_primary_region(KeyId=shared, PrimaryRegion=THERE)
    related = metadata(kms, shared)["MultiRegionConfiguration"]
    assert (related["MultiRegionKeyType"], related["PrimaryKey"]["Region"]) == ("REPLICA", THERE)
    there.enable_key_rotation(KeyId=shared, RotationPeriodInDays=90)
    assert kms.get_key_rotation_status(KeyId=shared)["RotationPeriodInDays"] == 90


def test_a_primary_waits_for_its_replicas_to_be_deleted(kms, there, shared):
    answer = kms.schedule_key_deletion(KeyId=shared, PendingWindowInDays=7)
    assert (answer["KeyState"], answer["PendingWindowInDays"]) == ("PendingReplicaDeletion", 7)
    assert "DeletionDate" not in answer
    assert metadata(kms, shared)["PendingDeletionWindowInDays"] == 7
    there.encrypt(KeyId=shared, Plaintext=b"x")
    kms.cancel_key_deletion(KeyId=shared)
    assert metadata(kms, shared)["KeyState"] == "Disabled"


@pytest.fixture(scope="module")
def providers():
    return AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


@pytest.fixture(scope="module")
def sdk():
    return aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )


def test_the_encryption_sdk_opens_with_the_key_of_its_own_region(providers, sdk, kms, there, shared, arn):
    def keyring(client, region):
        asked = CreateAwsKmsMrkKeyringInput(kms_key_id=arn(shared, region), kms_client=client)
        return providers.create_aws_kms_mrk_keyring(asked)

    sealed, _ = sdk.encrypt(source=b"a message", keyring=keyring(kms, REGION))
    kms.disable_key(KeyId=shared)
    opened, _ = sdk.decrypt(source=sealed, keyring=keyring(there, THERE))
    assert opened == b"a message"


def test_the_encryption_sdk_discovers_the_related_key(providers, sdk, kms, there, trent, shared, arn):
    def discovery(client, region):
        account = DiscoveryFilter(account_ids=[ACCOUNT], partition="aws")
        asked = CreateAwsKmsMrkDiscoveryKeyringInput(kms_client=client, region=region, discovery_filter=account)
        return providers.create_aws_kms_mrk_discovery_keyring(asked)

    asked = CreateAwsKmsMrkKeyringInput(kms_key_id=arn(shared), kms_client=kms)
    sealed, _ = sdk.encrypt(source=b"a message", keyring=providers.create_aws_kms_mrk_keyring(asked))
    opened, _ = sdk.decrypt(source=sealed, keyring=discovery(there, THERE))
    assert opened == b"a message"
    # Where there is no related key there is nothing to open it with.
    with pytest.raises(Exception):
        sdk.decrypt(source=sealed, keyring=discovery(trent.client("eu-west-1"), "eu-west-1"))
