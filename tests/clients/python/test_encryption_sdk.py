"""The AWS Encryption SDK: one message under two keys of two Regions."""

import aws_encryption_sdk
import pytest
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsKeyringInput, CreateMultiKeyringInput
from aws_encryption_sdk import CommitmentPolicy

CONTEXT = {"tenant": "blue"}


@pytest.fixture(scope="module")
def providers():
    return AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


@pytest.fixture(scope="module")
def sdk():
    return aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )


def keyring(providers, trent, region):
    client = trent.client(region)
    key = client.create_key()["KeyMetadata"]
    created = providers.create_aws_kms_keyring(CreateAwsKmsKeyringInput(kms_key_id=key["Arn"], kms_client=client))
    return created, client, key["KeyId"]


def test_a_message_is_opened_with_either_key(providers, sdk, trent):
    one, one_client, one_key = keyring(providers, trent, "eu-central-1")
    other, _, _ = keyring(providers, trent, "us-west-2")
    both = providers.create_multi_keyring(CreateMultiKeyringInput(generator=one, child_keyrings=[other]))
    message = b"a message " * 1000
    sealed, _ = sdk.encrypt(source=message, keyring=both, encryption_context=CONTEXT)
    for opener in [one, other, both]:
        opened, header = sdk.decrypt(source=sealed, keyring=opener, encryption_context=CONTEXT)
        assert opened == message and header.encryption_context["tenant"] == "blue"
    one_client.disable_key(KeyId=one_key)
    opened, _ = sdk.decrypt(source=sealed, keyring=both, encryption_context=CONTEXT)
    assert opened == message
    with pytest.raises(Exception):
        sdk.decrypt(source=sealed, keyring=one, encryption_context=CONTEXT)


def test_a_message_is_opened_only_with_its_own_keys(providers, sdk, trent):
    one, _, _ = keyring(providers, trent, "eu-central-1")
    stranger, _, _ = keyring(providers, trent, "eu-central-1")
    sealed, _ = sdk.encrypt(source=b"x", keyring=one, encryption_context=CONTEXT)
    with pytest.raises(Exception):
        sdk.decrypt(source=sealed, keyring=stranger, encryption_context=CONTEXT)
