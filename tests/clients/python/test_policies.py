"""Key policies."""

import json

from server import ACCOUNT

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect, action, principal=ROOT, **more):
    return {"Effect": effect, "Action": action, "Principal": {"AWS": principal}, "Resource": "*"} | more


def test_a_key_has_the_default_policy(kms, key):
    found = kms.get_key_policy(KeyId=key)
    assert found["PolicyName"] == "default"
    assert json.loads(found["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": ROOT},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    listed = kms.list_key_policies(KeyId=key)
    assert (listed["PolicyNames"], listed["Truncated"]) == (["default"], False)
    [page] = kms.get_paginator("list_key_policies").paginate(KeyId=key)
    assert page["PolicyNames"] == ["default"]


def test_a_policy_is_replaced(kms, key):
    new = policy(statement("Allow", "kms:*", Sid="new"))
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=new)
    assert json.loads(kms.get_key_policy(KeyId=key)["Policy"]) == json.loads(new)


def test_locking_everybody_out_takes_a_bypass(kms, key, refused):
    locked = policy(statement("Allow", "kms:Encrypt"))
    told = refused(kms.put_key_policy, KeyId=key, PolicyName="default", Policy=locked)
    message = "The new key policy will not allow you to update the key policy in the future."
    assert told == ("MalformedPolicyDocumentException", message)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    # It is in force at once: what it names can be done, and nothing else, by the administrator neither.
    kms.encrypt(KeyId=key, Plaintext=b"text")
    code, told = refused(kms.get_key_policy, KeyId=key)
    assert code == "AccessDeniedException"
    assert told.endswith("because no resource-based policy allows the kms:GetKeyPolicy action")


def test_a_document_that_is_no_policy_is_refused(kms, key, refused):
    for document in ["{", "[]", '{"Version":"2012-10-17"}', policy({"Effect": "Maybe"})]:
        code, _ = refused(kms.put_key_policy, KeyId=key, PolicyName="default", Policy=document)
        assert code == "MalformedPolicyDocumentException"


def test_there_is_one_policy(kms, key, refused):
    assert refused(kms.get_key_policy, KeyId=key, PolicyName="other") == ("NotFoundException", "No such policy exists")
