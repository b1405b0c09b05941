"""Writes botocore.json: requests to KMS and STS as botocore signs them, with fixed keys and dates.

    pip install botocore==1.44.8
    python3 botocore_requests.py

Some are made by whole clients, whose requests are caught before they are sent; the others by the signer alone, with
what a client would hardly send.
"""

import datetime
import json
import pathlib
import uuid
from unittest import mock
from urllib.parse import urlsplit

import botocore
import botocore.session
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

HERE = pathlib.Path(__file__).parent
ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJ+/=="
TAB = "a tab within a header value, which botocore signs as a space"
DATE = "the date is in the `Date` header; our signer sends `X-Amz-Date`"
PATH = "/"


class Recorder:
    """Keeps what the signers of botocore compute, and with it the requests."""

    def __init__(self):
        self.cases = []
        self.now = None

    def case(self, name, signer, request, lines=None, **more):
        """A case from a signed request and the signer that signed it; `lines` are its headers where names repeat."""
        canonical_request, string_to_sign, signature = self.computed
        prepared = request.prepare()
        url = urlsplit(prepared.url)
        headers = [[key, text(value)] for key, value in (lines or prepared.headers).items()]
        if not any(key.lower() == "host" for key, _ in headers):
            headers.insert(0, ["Host", url.netloc])
        # It names the machine, and is not signed; the length is not signed either.
        headers = [line for line in headers if line[0].lower() not in ("user-agent", "content-length")]
        made = {
            "name": name,
            "access_key_id": signer.credentials.access_key,
            "secret_access_key": signer.credentials.secret_key,
            "session_token": signer.credentials.token,
            "region": signer._region_name,
            "service": signer._service_name,
            "now": self.now.strftime(SIGV4_TIMESTAMP),
            "expires_seconds": int(signer._expires) if isinstance(signer, SigV4QueryAuth) else None,
            "signed": {
                "method": prepared.method, "path": url.path, "query": url.query, "headers": headers,
                "body": text(prepared.body or ""),
            },
            "canonical_request": canonical_request,
            "string_to_sign": string_to_sign,
            "signature": signature,
            **more,
        }
        self.cases.append({key: value for key, value in made.items() if value is not None})

    def watch(self):
        """Patches of botocore: the time, the random id of an invocation, and an ear at the signature."""
        inner = SigV4Auth.signature

        def signature(signer, string_to_sign, request):
            made = inner(signer, string_to_sign, request)
            self.computed = (signer.canonical_request(request), string_to_sign, made)
            self.seen = (signer, request)
            return made

        return [
            mock.patch("botocore.auth.get_current_datetime", lambda: self.now),
            mock.patch("uuid.uuid4", lambda: uuid.UUID(int=17)),
            mock.patch.object(SigV4Auth, "signature", signature),
        ]


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def client(service, region, token=None, **more):
    return botocore.session.Session().create_client(
        service, region_name=region, aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=SECRET,
        aws_session_token=token, config=Config(**more.pop("config", {})), **more,
    )


class Caught(Exception):
    """Raised in place of sending."""


def catch(recorder, name, kms, operation, **parameters):
    def stop(request, **_):
        raise Caught

    kms.meta.events.register("before-send", stop)
    try:
        getattr(kms, operation)(**parameters)
    except Caught:
        recorder.case(name, *recorder.seen)


def from_clients(recorder):
    key = "1234abcd-12ab-34cd-56ef-1234567890ab"
    for region in ("us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "ap-southeast-5"):
        catch(recorder, f"client, Encrypt in {region}", client("kms", region), "encrypt", KeyId=key, Plaintext=b"hello",
              EncryptionContext={"café": "naïve ☃", "space": " a  b "})
    for operation, parameters in (
        ("list_keys", {}), ("create_key", {"Description": "a \"quoted\" description"}),
        ("describe_key", {"KeyId": "alias/my/key"}), ("generate_data_key", {"KeyId": key, "KeySpec": "AES_256"}),
    ):
        catch(recorder, f"client, {operation} with a token", client("kms", "eu-west-1", TOKEN), operation, **parameters)
    for endpoint in ("http://localhost:8443", "https://kms.eu-west-1.example.com:8443", "https://[::1]:8443/kms"):
        catch(recorder, f"client, endpoint {endpoint}", client("kms", "eu-west-1", endpoint_url=endpoint), "list_aliases")
    catch(recorder, "client, STS", client("sts", "us-west-2", TOKEN), "get_caller_identity")
    for service, operation in (("sts", "get_caller_identity"), ("kms", "list_keys")):
        for token in (None, TOKEN):
            signed = client(service, "us-east-2", token)
            signed.generate_presigned_url(operation, Params={}, ExpiresIn=900)
            recorder.case(f"client, presigned {operation}{' with a token' if token else ''}", *recorder.seen)


HEADERS = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.Encrypt"}
ODD_HEADERS = {
    "many spaces": {"X-Odd": "  a   b  c    d  "},
    "quoted spaces": {"X-Odd": '"a   b   c"'},
    "empty": {"X-Odd": ""},
    "only spaces": {"X-Odd": "    "},
    "tabs at the ends": {"X-Odd": "\t a \t"},
    "names of odd case": {"x-ODD-Header": "a", "X-oDd": "B"},
    "not ASCII": {"X-Odd": "né ☃"},
    "commas and colons": {"X-Odd": "a,b , c:d;e=f"},
    "order of hyphens and digits": {"X-A-B": "1", "X-A": "2", "X-A1": "3", "X-Ab": "4"},
}
ODD_QUERIES = {
    "spaces and plus signs": [("a b", "c d"), ("e+f", "g+h")],
    "reserved characters": [("k", "!*'();:@&=+$,/?#[]"), ("%", "%41")],
    "unreserved characters": [("-._~", "-._~09AZaz")],
    "not ASCII": [("ሴ", "bar"), ("é", "☃"), ("😀", "")],
    "empty values": [("b", ""), ("a", "")],
    "order by case": [("foo", "1"), ("Foo", "2"), ("FOO", "3"), ("_", "4"), ("~", "5")],
    "order of encoded names": [("a-", "1"), ("a", "2"), ("a%", "3"), ("a=", "4")],
}
ODD_PATHS = ("/kms", "/kms/", "//kms", "/a/./b/../c", "/a%20b/c", "/ünï", "/a%2Fb", "/~user/@x:y", "")


def from_signers(recorder):
    plain = Credentials(ACCESS_KEY_ID, SECRET)
    temporary = Credentials("ASIAIOSFODNN7EXAMPLE", SECRET, TOKEN)

    def both(name, credentials=plain, region="us-east-1", query=(), headers=None, path=PATH, body=b"{}", **more):
        for signer in (SigV4Auth(credentials, "kms", region), SigV4QueryAuth(credentials, "kms", region, expires=60)):
            form = "presigned" if isinstance(signer, SigV4QueryAuth) else "header"
            request = AWSRequest("POST", f"https://kms.test{path}", {**HEADERS, **(headers or {})}, body)
            request.params = dict(query)
            signer.add_auth(request)
            recorder.case(f"{name}, {form}", signer, request, **more)

    for name, headers in ODD_HEADERS.items():
        both(f"header, {name}", headers=headers)
    for name, query in ODD_QUERIES.items():
        both(f"query, {name}", query=query)
    for path in ODD_PATHS:
        both(f"path `{path}`", path=path)
    for region in ("us-east-1", "eusc-de-east-1"):
        both(f"token, {region}", temporary, region)
    both("empty body", body=b"")
    both("body that is not ASCII", body='{"a": "☃"}'.encode())
    both("host with a port", headers={"Host": "kms.test:5670"})
    refused = {
        "code": "InvalidSignatureException",
        "message": "The request signature we calculated does not match the signature you provided. Check your AWS "
                   "Secret Access Key and signing method. Consult the service documentation for details.",
    }
    both("tab within a header", headers={"X-Odd": "a\tb"}, signer_differs=TAB, refused=refused)

    repeated = AWSRequest("POST", "https://kms.test/", HEADERS, b"{}")
    for value in ("z", "a b", "a  b"):
        repeated.headers["X-Foo"] = value
    signer = SigV4Auth(plain, "kms", "us-east-1")
    signer.add_auth(repeated)
    recorder.case("repeated header", signer, repeated, repeated.headers)

    dated = AWSRequest("POST", "https://kms.test/", {**HEADERS, "Date": "to be replaced"}, b"{}")
    signer = SigV4Auth(plain, "kms", "us-east-1")
    signer.add_auth(dated)
    recorder.case("date header", signer, dated, signer_differs=DATE)


def main():
    recorder = Recorder()
    for patch in recorder.watch():
        patch.start()
    recorder.now = datetime.datetime(2026, 2, 28, 23, 59, 59)
    from_clients(recorder)
    recorder.now = datetime.datetime(2024, 2, 29, 0, 0, 0)
    from_signers(recorder)
    made = {
        "source": f"botocore {botocore.__version__}", "made_by": "botocore_requests.py", "left_out": {},
        "cases": recorder.cases,
    }
    (HERE / "botocore.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")


main()
