"""Grants: made by the administrator, used by somebody else, listed by the SDK's paginators, given back."""

import json
import subprocess

import pytest
from botocore.exceptions import ClientError
from server import ACCOUNT, REGION, bare_environment, binary


@pytest.fixture(scope="module")
def admin(trent):
    """A command of `trent admin`, on the running server."""

    def run(*arguments):
        data = trent.directory / "trent-data"
        line = [binary(), "admin", "--json", "--data-dir", str(data), *arguments]
        environment = bare_environment()
        done = subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


@pytest.fixture(scope="module")
def alice(trent, admin):
    """The client of a user who has been given nothing."""
    admin("user", "add", "grants-alice", "--account", ACCOUNT)
    made = admin("access-key", "add", "--account", ACCOUNT, "--user", "grants-alice")
    return trent.client(REGION, aws_access_key_id=made["id"], aws_secret_access_key=made["secret"])


ALICE = f"arn:aws:iam::{ACCOUNT}:user/grants-alice"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def test_somebody_else_uses_a_grant_until_it_is_revoked(kms, key, arn, alice, refused):
    context = {"Purpose": "backup"}
    request = {"KeyId": key, "Plaintext": b"text", "EncryptionContext": context}
    code, text = refused(alice.encrypt, **request)
    assert code == "AccessDeniedException" and "kms:Encrypt" in text
    made = kms.create_grant(
        KeyId=arn(key),
        GranteePrincipal=ALICE,
        Operations=["Encrypt", "Decrypt"],
        Constraints={"EncryptionContextSubset": context},
        Name="nightly",
    )
    again = kms.create_grant(
        KeyId=key,
        GranteePrincipal=ALICE,
        Operations=["Decrypt", "Encrypt"],
        Constraints={"EncryptionContextSubset": context},
        Name="nightly",
    )
    assert made["GrantId"] == again["GrantId"] and made["GrantToken"] != again["GrantToken"]
    blob = alice.encrypt(**request, GrantTokens=[made["GrantToken"]])["CiphertextBlob"]
    assert alice.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"text"
    assert refused(alice.encrypt, **request | {"EncryptionContext": {}})[0] == "AccessDeniedException"
    [grant] = kms.list_grants(KeyId=key)["Grants"]
    assert grant["GranteePrincipal"] == ALICE and grant["IssuingAccount"] == ROOT and grant["KeyId"] == arn(key)
    assert grant["Constraints"] == {"EncryptionContextSubset": context}
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert refused(alice.encrypt, **request)[0] == "AccessDeniedException"
    assert refused(kms.revoke_grant, KeyId=key, GrantId=made["GrantId"])[0] == "NotFoundException"


def test_the_paginators_list_every_grant_once(kms, alice):
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
    made = {
        kms.create_grant(KeyId=key, GranteePrincipal=ROOT, RetiringPrincipal=ALICE, Operations=["Decrypt"])["GrantId"]
        for key in keys
        for _ in range(4)
    }
    pages = kms.get_paginator("list_grants").paginate(KeyId=keys[0], PaginationConfig={"PageSize": 3})
    listed = [grant["GrantId"] for page in pages for grant in page["Grants"]]
    assert len(listed) == len(set(listed)) == 4
    pages = kms.get_paginator("list_retirable_grants").paginate(
        RetiringPrincipal=ALICE, PaginationConfig={"PageSize": 3}
    )
    listed = [grant["GrantId"] for page in pages for grant in page["Grants"]]
    assert len(listed) == 8 and set(listed) == made
    # She needs no permission to retire what names her.
    for key in keys:
        for grant in kms.list_grants(KeyId=key)["Grants"]:
            alice.retire_grant(KeyId=key, GrantId=grant["GrantId"])
        assert kms.list_grants(KeyId=key)["Grants"] == []


def test_a_grant_is_retired_by_its_token(kms, key):
    made = kms.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["DescribeKey"])
    with pytest.raises(ClientError) as dry:
        kms.retire_grant(GrantToken=made["GrantToken"], DryRun=True)
    assert dry.value.response["Error"]["Code"] == "DryRunOperationException"
    kms.retire_grant(GrantToken=made["GrantToken"])
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_errors_have_the_classes_of_the_sdk(kms, key):
    with pytest.raises(kms.exceptions.InvalidGrantTokenException):
        kms.describe_key(KeyId=key, GrantTokens=["garbage"])
    with pytest.raises(kms.exceptions.InvalidArnException):
        kms.create_grant(KeyId=key, GranteePrincipal=f"{ROOT[:-4]}user/nobody-at-all", Operations=["Decrypt"])
    with pytest.raises(kms.exceptions.InvalidGrantIdException):
        kms.revoke_grant(KeyId=key, GrantId="fake")
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.revoke_grant(KeyId=key, GrantId="0" * 64)


def test_tokens_are_not_logged(trent, kms, key):
    token = kms.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["DescribeKey"])["GrantToken"]
    kms.describe_key(KeyId=key, GrantTokens=[token])
    assert token not in trent.log()
