"""Rotation, automatic and on demand."""

from datetime import datetime, timedelta, timezone


def test_rotation_is_off_until_it_is_enabled(kms, key, arn):
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyId"], status["KeyRotationEnabled"]) == (arn(key), False)
    assert "NextRotationDate" not in status
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    due = status["NextRotationDate"] - datetime.now(timezone.utc)
    assert timedelta(days=89) < due < timedelta(days=91)
    kms.disable_key_rotation(KeyId=key)
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]


def test_a_year_is_the_default(kms, key):
    kms.enable_key_rotation(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 365


def test_a_period_has_90_to_2560_days(unchecked_kms, key, refused):
    code, message = refused(unchecked_kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=89)
    assert code == "ValidationException"
    assert "Value '89' at 'rotationPeriodInDays' failed to satisfy constraint" in message


def test_blobs_of_older_material_stay_readable(kms, key, arn):
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    before = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == arn(key)
    after = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    new = kms.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    assert before != after
    opened = kms.decrypt(CiphertextBlob=old)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"old", before)
    opened = kms.decrypt(CiphertextBlob=new)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"new", after)


def test_rotations_are_listed(kms, key):
    assert kms.list_key_rotations(KeyId=key)["Rotations"] == []
    kms.rotate_key_on_demand(KeyId=key)
    kms.rotate_key_on_demand(KeyId=key)
    pages = kms.get_paginator("list_key_rotations").paginate(KeyId=key, PaginationConfig={"PageSize": 1})
    rotations = [rotation for page in pages for rotation in page["Rotations"]]
    assert [rotation["RotationType"] for rotation in rotations] == ["ON_DEMAND", "ON_DEMAND"]
    materials = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert len(materials) == 3
    assert sorted(material["KeyMaterialState"] for material in materials) == ["CURRENT", "NON_CURRENT", "NON_CURRENT"]


def test_a_disabled_key_is_not_rotated(kms, key, arn, refused):
    kms.disable_key(KeyId=key)
    disabled = ("DisabledException", f"{arn(key)} is disabled.")
    assert refused(kms.rotate_key_on_demand, KeyId=key) == disabled
    assert refused(kms.enable_key_rotation, KeyId=key) == disabled
