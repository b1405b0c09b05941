"""Aliases and tags."""

import pytest
from server import ACCOUNT, REGION


@pytest.fixture
def alias(key):
    return f"alias/app/{key}"


def alias_arn(name):
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:{name}"


def test_an_alias_names_its_key_until_it_is_moved(kms, key, alias, arn):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    assert kms.encrypt(KeyId=alias, Plaintext=b"x")["KeyId"] == arn(key)
    listed = kms.list_aliases(KeyId=key)["Aliases"]
    assert [(entry["AliasName"], entry["AliasArn"], entry["TargetKeyId"]) for entry in listed] == [
        (alias, alias_arn(alias), key)
    ]
    kms.update_alias(AliasName=alias, TargetKeyId=arn(other))
    assert kms.encrypt(KeyId=alias_arn(alias), Plaintext=b"x")["KeyId"] == arn(other)
    [entry] = kms.list_aliases(KeyId=other)["Aliases"]
    assert entry["LastUpdatedDate"] >= entry["CreationDate"]
    kms.delete_alias(AliasName=alias)
    assert kms.list_aliases(KeyId=other)["Aliases"] == []


def test_an_alias_is_taken_once(kms, key, alias, refused):
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    taken = ("AlreadyExistsException", f"An alias with the name {alias_arn(alias)} already exists")
    assert refused(kms.create_alias, AliasName=alias, TargetKeyId=key) == taken
    kms.delete_alias(AliasName=alias)
    unknown = ("NotFoundException", f"Alias {alias_arn(alias)} is not found.")
    assert refused(kms.delete_alias, AliasName=alias) == unknown
    assert refused(kms.update_alias, AliasName=alias, TargetKeyId=key) == unknown
    assert refused(kms.describe_key, KeyId=alias) == unknown


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("app", "ValidationException", 'Alias must start with the prefix "alias/".'),
        ("alias/my:alias", "ValidationException", "alias/my:alias contains invalid characters for an alias"),
        ("alias/a b", "ValidationException", "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"),
        ("alias/aws/mine", "NotAuthorizedException", ""),
    ],
)
def test_not_every_name_can_be_taken(kms, key, refused, name, code, message):
    told = refused(kms.create_alias, AliasName=name, TargetKeyId=key)
    assert told[0] == code and message in told[1]


def test_an_alias_of_an_alias_is_refused(kms, key, alias, refused):
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    told = refused(kms.create_alias, AliasName=f"{alias}-2", TargetKeyId=alias)
    assert told == ("ValidationException", "Aliases must refer to keys. Not aliases")


def test_aliases_are_listed_page_by_page(empty_kms):
    key = empty_kms.create_key()["KeyMetadata"]["KeyId"]
    names = {f"alias/n{number}" for number in range(7)}
    for name in names:
        empty_kms.create_alias(AliasName=name, TargetKeyId=key)
    pages = empty_kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 3})
    listed = [entry["AliasName"] for page in pages for entry in page["Aliases"]]
    assert {name for name in listed if not name.startswith("alias/aws/")} == names
    assert len(listed) == len(set(listed))


def test_tags_are_set_replaced_and_removed(kms, key):
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}])
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "b", "TagValue": "3"}])
    kms.untag_resource(KeyId=key, TagKeys=["a", "never-there"])
    listed = kms.list_resource_tags(KeyId=key)
    assert (listed["Tags"], listed["Truncated"]) == ([{"TagKey": "b", "TagValue": "3"}], False)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["a", "a"], "Duplicate tag keys"),
        (["AWS:mine"], "Tags beginning with aws: are reserved"),
        ([f"t{number}" for number in range(51)], "Too many tags"),
    ],
)
def test_not_all_tags_can_be_set(kms, key, refused, tags, message):
    tags = [{"TagKey": tag, "TagValue": ""} for tag in tags]
    assert refused(kms.tag_resource, KeyId=key, Tags=tags) == ("TagException", message)


def test_all_that_is_wrong_with_tags_is_told_at_once(unchecked_kms, key, refused):
    tags = [{"TagKey": "", "TagValue": "x"}, {"TagKey": "k", "TagValue": "x" * 257}]
    code, message = refused(unchecked_kms.tag_resource, KeyId=key, Tags=tags)
    assert code == "ValidationException"
    assert message.startswith("2 validation errors detected: Value '' at 'tags.1.member.tagKey' failed")
    assert "at 'tags.2.member.tagValue' failed to satisfy constraint: Member must have length less than" in message


def test_tags_are_listed_page_by_page(kms, key):
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": f"t{number}", "TagValue": "x"} for number in range(5)])
    pages = kms.get_paginator("list_resource_tags").paginate(KeyId=key, PaginationConfig={"PageSize": 2})
    assert [tag["TagKey"] for page in pages for tag in page["Tags"]] == ["t0", "t1", "t2", "t3", "t4"]
