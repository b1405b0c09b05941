"""Who may call at all: signatures and access keys."""

import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from unittest import mock

import botocore.auth
import pytest
from server import SECRET

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


def test_a_wrong_secret_is_refused(trent, refused):
    kms = trent.client(aws_secret_access_key=SECRET + "x")
    code, message = refused(kms.list_keys)
    assert code == "InvalidSignatureException" and message.startswith(MISMATCH)


def test_an_unknown_access_key_is_refused(trent, refused):
    kms = trent.client(aws_access_key_id="AKIANOBODYKNOWSTHIS0")
    invalid = ("UnrecognizedClientException", "The security token included in the request is invalid.")
    assert refused(kms.list_keys) == invalid


def test_a_request_of_yesterday_is_refused(trent, refused):
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    kms = trent.client()
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: yesterday):
        code, message = refused(kms.list_keys)
    assert code == "InvalidSignatureException" and message.startswith("Signature expired: ")


def test_an_unsigned_request_is_refused(trent):
    headers = {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-1.1"}
    request = urllib.request.Request(trent.endpoint, data=b"{}", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    assert error.value.code == 400
    assert b'"__type":"MissingAuthenticationTokenException"' in error.value.read()


def test_answers_carry_a_request_id(kms):
    one, other = kms.list_keys()["ResponseMetadata"], kms.list_keys()["ResponseMetadata"]
    assert one["RequestId"] != other["RequestId"] and len(one["RequestId"]) == 36
    assert one["HTTPHeaders"]["content-type"] == "application/x-amz-json-1.1"
