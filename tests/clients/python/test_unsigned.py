"""Clients that cannot sign, as curl is one: API tokens, and certificates over TLS that openssl has made."""

import base64
import json
import re
import subprocess

import pytest

from server import ACCOUNT, REGION, Server, bare_environment, binary

INVALID = ("UnrecognizedClientException", "The security token included in the request is invalid.")
EXPIRED = ("ExpiredTokenException", "The security token included in the request is expired")
UNSIGNED = ("MissingAuthenticationTokenException", "Missing Authentication Token")


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def admin(server, *words, directory="trent-data"):
    return run(binary(), "admin", "--data-dir", str(server.directory / directory), *words)


def create_token(server, *words, **place):
    """A new token, as an operator is shown it."""
    return admin(server, "token", "create", *words, **place).splitlines()[0]


def curl(url, operation, body=None, *words):
    """A request as curl sends it: status and answer."""
    line = ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}"]
    line += ["--header", "Content-Type: application/json", "--header", f"X-Amz-Target: TrentService.{operation}"]
    line += ["--data", json.dumps(body or {}), *words, url]
    answer, status = run(*line, env=bare_environment()).rsplit("\n", 1)
    return int(status), json.loads(answer or "{}")


def bearer(token):
    return "--header", f"Authorization: Bearer {token}"


def refusal(answer):
    status, body = answer
    assert status == 400, answer
    return body["__type"], body.get("message", body.get("Message"))


def records(server):
    files = sorted((server.directory / "trent-data/audit").glob("audit-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture
def server(tmp_path):
    (tmp_path / "trent.toml").write_text("[auth]\napi_tokens = true\n")
    server = Server(tmp_path, ["--config", "trent.toml"]).start()
    yield server
    if server.process.poll() is None:
        assert server.stop() == 0, server.log()


def test_a_token_stands_for_its_user(server):
    key = server.client().create_key()["KeyMetadata"]["KeyId"]
    words = ["--account", ACCOUNT, "--user", "admin", "--region", REGION, "--description", "nightly job"]
    token = create_token(server, *words)
    assert re.fullmatch(r"ATKN[A-Z2-7]{16}\.[A-Za-z0-9_-]{43}", token)
    token_id, secret = token.split(".")
    asked = {"KeyId": key, "Plaintext": base64.b64encode(b"by curl").decode()}
    for version in ["--http1.1", "--http2-prior-knowledge"]:
        status, sealed = curl(server.endpoint, "Encrypt", asked, *bearer(token), version)
        assert status == 200, sealed
        blob = base64.b64decode(sealed["CiphertextBlob"])
        assert server.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"by curl"
    # In another Region there is no such key.
    elsewhere = curl(server.endpoint, "Encrypt", asked, *bearer(token), "--header", "X-Trent-Region: us-west-2")
    assert refusal(elsewhere)[0] == "NotFoundException" and "us-west-2" in refusal(elsewhere)[1]
    listed = admin(server, "token", "list")
    assert token_id in listed and "nightly job" in listed and f"arn:aws:iam::{ACCOUNT}:user/admin" in listed
    admin(server, "token", "revoke", token_id)
    assert refusal(curl(server.endpoint, "ListKeys", {}, *bearer(token))) == INVALID
    assert server.stop() == 0
    # The trail tells that it was the token, and nobody keeps it.
    [first, *_] = [record for record in records(server) if record["eventName"] == "Encrypt"]
    identity = first["userIdentity"]
    assert (identity["accessKeyId"], identity["userName"]) == (token_id, "admin")
    failed = [record for record in records(server) if record.get("eventCategory") == "Security"]
    assert [record["userIdentity"]["accessKeyId"] for record in failed] == [token_id]
    for file in server.directory.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file


def test_what_is_no_token_is_refused(server):
    token = create_token(server, "--account", ACCOUNT, "--user", "admin")
    for wrong in [token[:-1], token + "A", token.replace(".", ""), "ATKNAAAAAAAAAAAAAAAA.x", "x", token.lower()]:
        assert refusal(curl(server.endpoint, "ListKeys", {}, *bearer(wrong))) == INVALID, wrong
    # Two, or a token beside a signature, is neither.
    twice = curl(server.endpoint, "ListKeys", {}, *bearer(token), *bearer(token))
    assert refusal(twice)[0] == "MissingAuthenticationTokenException"
    signed = curl(server.endpoint + "/?X-Amz-Algorithm=AWS4-HMAC-SHA256", "ListKeys", {}, *bearer(token))
    assert refusal(signed)[0] == "InvalidSignatureException"
    region = curl(server.endpoint, "ListKeys", {}, *bearer(token), "--header", "X-Trent-Region: Mars")
    assert refusal(region)[0] == "InvalidSignatureException"
    # What STS gives would outlast the token.
    words = ["curl", "--silent", "--data", "Action=GetSessionToken&Version=2011-06-15", *bearer(token), server.endpoint]
    assert "<Code>MissingAuthenticationToken</Code>" in run(*words)


def test_a_token_may_do_what_its_principal_may(server):
    key = server.client().create_key()["KeyMetadata"]["KeyId"]
    admin(server, "user", "add", "alice", "--account", ACCOUNT)
    token = create_token(server, "--account", ACCOUNT, "--user", "alice", "--region", REGION)
    code, text = refusal(curl(server.endpoint, "DescribeKey", {"KeyId": key}, *bearer(token)))
    assert code == "AccessDeniedException"
    assert f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: kms:DescribeKey" in text
    attach = ["--account", ACCOUNT, "--policy", "aws:AdministratorAccess"]
    admin(server, "user", "attach", "alice", *attach)
    assert curl(server.endpoint, "DescribeKey", {"KeyId": key}, *bearer(token))[0] == 200
    admin(server, "user", "disable", "alice", "--account", ACCOUNT)
    assert refusal(curl(server.endpoint, "DescribeKey", {"KeyId": key}, *bearer(token))) == INVALID
    admin(server, "user", "enable", "alice", "--account", ACCOUNT)
    assert curl(server.endpoint, "DescribeKey", {"KeyId": key}, *bearer(token))[0] == 200
    # Another alice is somebody else.
    admin(server, "user", "delete", "alice", "--account", ACCOUNT)
    admin(server, "user", "add", "alice", "--account", ACCOUNT, "--administrator")
    assert refusal(curl(server.endpoint, "DescribeKey", {"KeyId": key}, *bearer(token))) == INVALID

    trust = server.directory / "trust.json"
    trust.write_text(json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    ]}))
    admin(server, "role", "add", "app", "--account", ACCOUNT, "--trust", str(trust))
    of_role = create_token(server, "--account", ACCOUNT, "--role", "app", "--session", "job", "--region", REGION)
    _, text = refusal(curl(server.endpoint, "DescribeKey", {"KeyId": key}, *bearer(of_role)))
    assert f"User: arn:aws:sts::{ACCOUNT}:assumed-role/app/job is not authorized" in text
    admin(server, "role", "attach", "app", *attach)
    assert curl(server.endpoint, "DescribeKey", {"KeyId": key}, *bearer(of_role))[0] == 200
    admin(server, "role", "revoke-sessions", "app", "--account", ACCOUNT)
    assert refusal(curl(server.endpoint, "DescribeKey", {"KeyId": key}, *bearer(of_role))) == INVALID


def test_a_token_ends(tmp_path):
    (tmp_path / "trent.toml").write_text("[auth]\napi_tokens = true\n")
    arguments = ["--config", "trent.toml", "--data-dir", "kms"]
    server = Server(tmp_path, arguments, command="dev", access_key_id="test", secret="test").start()
    token = create_token(server, "--account", "000000000000", "--days", "2", directory="kms")
    assert curl(server.endpoint, "ListKeys", {}, *bearer(token))[0] == 200
    admin(server, "clock", "advance", "47h", directory="kms")
    assert curl(server.endpoint, "ListKeys", {}, *bearer(token))[0] == 200
    admin(server, "clock", "advance", "1h", directory="kms")
    assert refusal(curl(server.endpoint, "ListKeys", {}, *bearer(token))) == EXPIRED
    assert server.stop() == 0, server.log()


def test_nobody_takes_a_token_unless_it_is_configured(tmp_path):
    server = Server(tmp_path).start()
    token = create_token(server, "--account", ACCOUNT, "--user", "admin")
    assert refusal(curl(server.endpoint, "ListKeys", {}, *bearer(token))) == UNSIGNED
    assert server.stop() == 0, server.log()


class Authority:
    """A certificate authority of openssl's, in a directory."""

    def __init__(self, directory):
        self.directory = directory
        words = ["-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Clients of a test", "-days", "30"]
        self._request(*words)

    def _request(self, *words):
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        run("openssl", "req", *curve, *words, cwd=self.directory)

    def issue(self, name, subject, extension, days="30"):
        """A certificate of this name; gives what curl needs to show it."""
        self._request("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (self.directory / f"{name}.ext").write_text(extension)
        words = ["-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days]
        words += ["-extfile", f"{name}.ext", "-out", f"{name}.pem"]
        run("openssl", "x509", "-req", *words, cwd=self.directory)
        return "--cert", str(self.directory / f"{name}.pem"), "--key", str(self.directory / f"{name}.key")

    def fingerprint(self, name):
        words = ["x509", "-in", f"{name}.pem", "-noout", "-fingerprint", "-sha256"]
        return run("openssl", *words, cwd=self.directory).strip().split("=")[1]


def secured(directory, mapping, http=""):
    """A server over TLS that knows the certificates of clients; gives its URL too."""
    (directory / "identities.toml").write_text(mapping)
    (directory / "trent.toml").write_text(
        '[http]\ntls_certificate = "server.pem"\ntls_key = "server.key"\nclient_ca = "ca.pem"\n'
        f'{http}[identity]\nfile = "identities.toml"\n'
    )
    server = Server(directory, ["--config", "trent.toml"]).start()
    return server, server.endpoint.replace("http://", "https://")


def test_certificates_stand_for_principals(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("server", "/CN=server", "subjectAltName=IP:127.0.0.1")
    trust = ["--cacert", str(tmp_path / "ca.pem")]
    app = authority.issue("app", "/CN=app/O=Example, Inc.", "subjectAltName=URI:spiffe://example.com/app")
    backup = authority.issue("backup", "/C=DE/O=Example, Inc./CN=backup", "keyUsage=digitalSignature")
    pinned = authority.issue("pinned", "/CN=pinned", "keyUsage=digitalSignature")
    unknown = authority.issue("unknown", "/CN=app", "subjectAltName=URI:spiffe://example.com/other")
    user = f'principal = "arn:aws:iam::{ACCOUNT}:user/admin"\nregion = "{REGION}"\n'
    mapping = (
        f'[[client_certificate]]\n{user}san = "URI:spiffe://example.com/app"\n'
        f'[[client_certificate]]\n{user}subject = \'CN=backup,O=Example\\, Inc.,C=DE\'\n'
        f'[[client_certificate]]\nprincipal = "arn:aws:iam::{ACCOUNT}:root"\nregion = "{REGION}"\n'
        f'fingerprint = "{authority.fingerprint("pinned")}"\n'
    )
    server, url = secured(tmp_path, mapping)
    kms = server.client(endpoint_url=url, verify=str(tmp_path / "ca.pem"))
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for shown in [app, backup, pinned]:
        for version in ["--http1.1", "--http2"]:
            assert curl(url, "DescribeKey", {"KeyId": key}, *trust, *shown, version)[0] == 200
    assert refusal(curl(url, "DescribeKey", {"KeyId": key}, *trust, *unknown)) == INVALID
    assert refusal(curl(url, "DescribeKey", {"KeyId": key}, *trust)) == UNSIGNED
    # Whoever signs is who has signed, whatever certificate is shown.
    signed = server.client(
        endpoint_url=url,
        verify=str(tmp_path / "ca.pem"),
        aws_secret_access_key="wrong",
    )
    with pytest.raises(signed.exceptions.ClientError, match="InvalidSignatureException"):
        signed.list_keys()
    # One of another authority is no certificate.
    other = tmp_path / "other"
    other.mkdir()
    stranger = Authority(other).issue("stranger", "/CN=app", "subjectAltName=URI:spiffe://example.com/app")
    line = ["curl", "--silent", "--tlsv1.3", *trust, *stranger, "--data", "{}", url]
    assert subprocess.run(line, capture_output=True, env=bare_environment()).returncode != 0
    assert server.stop() == 0, server.log()
    ids = [r["userIdentity"]["accessKeyId"] for r in records(server) if r["eventName"] == "DescribeKey" and "errorCode" not in r]
    digits = authority.fingerprint("pinned").replace(":", "").lower()
    expected = ["URI:spiffe://example.com/app", "subject:CN=backup,O=Example\\, Inc.,C=DE", f"sha256:{digits}"]
    assert ids == [mark for mark in expected for _ in range(2)]


def test_a_certificate_can_be_required(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("server", "/CN=server", "subjectAltName=IP:127.0.0.1")
    app = authority.issue("app", "/CN=app", "keyUsage=digitalSignature")
    mapping = f'[[client_certificate]]\nprincipal = "arn:aws:iam::{ACCOUNT}:user/admin"\nsubject = "CN=app"\n'
    server, url = secured(tmp_path, mapping, 'client_certificates = "required"\n')
    line = ["curl", "--silent", "--cacert", str(tmp_path / "ca.pem"), "--data", "{}", url]
    assert subprocess.run(line, capture_output=True, env=bare_environment()).returncode != 0
    assert curl(url, "ListKeys", {}, "--cacert", str(tmp_path / "ca.pem"), *app)[0] == 200
    assert server.stop() == 0, server.log()
