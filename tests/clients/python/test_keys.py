"""Keys: creating, describing, switching, deleting, listing."""

from datetime import datetime, timedelta, timezone

import pytest
from server import ACCOUNT

UNKNOWN = "11111111-2222-4333-8444-555555555555"


def test_a_key_is_described_as_it_was_created(kms, arn):
    tags = [{"TagKey": "team", "TagValue": "blue"}, {"TagKey": "empty", "TagValue": ""}]
    created = kms.create_key(
        Description="for invoices",
        KeyUsage="ENCRYPT_DECRYPT",
        KeySpec="SYMMETRIC_DEFAULT",
        Origin="AWS_KMS",
        MultiRegion=False,
        BypassPolicyLockoutSafetyCheck=True,
        Tags=tags,
    )["KeyMetadata"]
    described = kms.describe_key(KeyId=created["KeyId"])["KeyMetadata"]
    assert described == created
    assert described | {"CreationDate": 0, "CurrentKeyMaterialId": 0} == {
        "AWSAccountId": ACCOUNT,
        "Arn": arn(created["KeyId"]),
        "CreationDate": 0,
        "CurrentKeyMaterialId": 0,
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "for invoices",
        "Enabled": True,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": created["KeyId"],
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False,
        "Origin": "AWS_KMS",
    }
    assert len(created["CurrentKeyMaterialId"]) == 64
    assert abs(datetime.now(timezone.utc) - created["CreationDate"]) < timedelta(minutes=1)
    listed = kms.list_resource_tags(KeyId=created["KeyId"])
    assert sorted(listed["Tags"], key=lambda tag: tag["TagKey"]) == sorted(tags, key=lambda tag: tag["TagKey"])


def test_the_deprecated_name_of_the_spec_still_works(kms):
    metadata = kms.create_key(CustomerMasterKeySpec="SYMMETRIC_DEFAULT")["KeyMetadata"]
    assert metadata["KeySpec"] == "SYMMETRIC_DEFAULT"


def test_a_key_can_be_created_with_a_policy(kms):
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Sid":"mine","Effect":"Allow","Action":"kms:*","Resource":"*",'
        f'"Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}}}}]}}'
    )
    key = kms.create_key(Policy=policy)["KeyMetadata"]["KeyId"]
    assert '"mine"' in kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]


def test_a_key_is_described_by_each_of_its_names(kms, key, arn):
    kms.create_alias(AliasName=f"alias/of-{key}", TargetKeyId=key)
    alias_arn = arn(key).replace(f"key/{key}", f"alias/of-{key}")
    for name in [key, arn(key), f"alias/of-{key}", alias_arn]:
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key


def test_a_disabled_key_encrypts_nothing_until_it_is_enabled(kms, key, arn, refused):
    kms.disable_key(KeyId=key)
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"]) == ("Disabled", False)
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == ("DisabledException", f"{arn(key)} is disabled.")
    kms.disable_key(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == arn(key)


def test_deletion_is_scheduled_and_cancelled(kms, key, arn, refused):
    scheduled = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    del scheduled["ResponseMetadata"]
    due = scheduled.pop("DeletionDate")
    assert scheduled == {"KeyId": arn(key), "KeyState": "PendingDeletion", "PendingWindowInDays": 7}
    assert timedelta(days=6, hours=23) < due - datetime.now(timezone.utc) <= timedelta(days=7, minutes=1)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"] == due
    state = ("KMSInvalidStateException", f"{arn(key)} is pending deletion.")
    for operation, more in [
        (kms.encrypt, {"Plaintext": b"x"}),
        (kms.enable_key, {}),
        (kms.disable_key, {}),
        (kms.schedule_key_deletion, {}),
        (kms.update_key_description, {"Description": "x"}),
        (kms.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
    ]:
        assert refused(operation, KeyId=key, **more) == state
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == arn(key)
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert metadata["KeyState"] == "Disabled" and "DeletionDate" not in metadata
    not_pending = ("KMSInvalidStateException", f"{arn(key)} is not pending deletion.")
    assert refused(kms.cancel_key_deletion, KeyId=key) == not_pending


@pytest.mark.parametrize("days", [1, 6, 31, 365])
def test_a_waiting_period_has_7_to_30_days(kms, key, refused, days):
    code = refused(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=days)
    assert code == ("ValidationException", "PendingWindowInDays must be between 7 and 30")


def test_thirty_days_is_the_default(kms, key):
    assert kms.schedule_key_deletion(KeyId=key)["PendingWindowInDays"] == 30


def test_descriptions_change(kms, key):
    kms.update_key_description(KeyId=key, Description="other, ünïcödé")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "other, ünïcödé"
    kms.update_key_description(KeyId=key, Description="")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == ""


def test_keys_are_listed_page_by_page(empty_kms, region, arn):
    kms = empty_kms
    assert kms.list_keys()["Keys"] == []
    created = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(7)}
    first = kms.list_keys(Limit=3)
    assert first["Truncated"] and len(first["Keys"]) == 3
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Keys"]) for page in pages] == [3, 3, 1]
    assert [page["Truncated"] for page in pages] == [True, True, False]
    listed = [key for page in pages for key in page["Keys"]]
    assert {key["KeyId"] for key in listed} == created
    assert all(key["KeyArn"] == arn(key["KeyId"], region) for key in listed)


def test_a_marker_of_nobody_is_refused(kms, refused):
    code, _ = refused(kms.list_keys, Marker="not-a-marker")
    assert code == "InvalidMarkerException"


def test_regions_have_keys_of_their_own(kms, empty_kms, key, region, arn, refused):
    unknown = ("NotFoundException", f"Key '{arn(key, region)}' does not exist")
    assert refused(empty_kms.describe_key, KeyId=key) == unknown


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("fake-key-id", "NotFoundException", "Invalid keyId 'fake-key-id'"),
        (UNKNOWN, "NotFoundException", f"Key 'arn:aws:kms:eu-central-1:{ACCOUNT}:key/{UNKNOWN}' does not exist"),
        (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{UNKNOWN}", "NotFoundException", "Invalid arn us-east-1"),
        ("alias/nobody", "NotFoundException", f"Alias arn:aws:kms:eu-central-1:{ACCOUNT}:alias/nobody is not found."),
    ],
)
def test_unknown_names_are_told_apart(kms, refused, name, code, message):
    assert refused(kms.describe_key, KeyId=name) == (code, message)


def test_specs_and_usages_have_to_fit(kms, refused):
    usage = "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256"
    assert refused(kms.create_key, KeySpec="ECC_NIST_P256", KeyUsage="ENCRYPT_DECRYPT") == (
        "ValidationException",
        usage,
    )
    missing = "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
    assert refused(kms.create_key, KeySpec="RSA_2048") == ("ValidationException", missing)


def test_last_usage_is_recorded(kms, key, arn):
    before = kms.get_key_last_usage(KeyId=key)
    assert before["KeyLastUsage"] == {} and before["KeyId"] == arn(key)
    used = kms.encrypt(KeyId=key, Plaintext=b"x")
    usage = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
    assert usage["Operation"] == "Encrypt"
    assert usage["KmsRequestId"] == used["ResponseMetadata"]["RequestId"]
