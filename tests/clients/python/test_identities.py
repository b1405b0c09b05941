"""The identity file, STS and sessions, as boto3, the AWS command line and other products use them."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.awsrequest import AWSRequest
from botocore.auth import SigV4QueryAuth
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from issuer import AUDIENCE, Issuer
from server import ACCOUNT, REGION, Server, bare_environment, binary

ALICE = ("AKIAALICEALICEALICE0", "secret-of-alice")
BOB = ("AKIABOBBOBBOBBOBBOB0", "secret-of-bob")
STORE = ("AKIASTORESTORESTORE0", "secret-of-the-store")


def statement(**members):
    return {"Effect": "Allow"} | members


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trusts(principal, action="sts:AssumeRole", **members):
    return policy(statement(Principal=principal, Action=action, **members))


class Estate:
    """A server, its identity file and the issuer that it trusts."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.issuer = Issuer()
        self.file = directory / "identities.toml"
        (directory / "policies").mkdir()
        config = directory / "trent.toml"
        config.write_text(f'[identity]\nfile = "{self.file}"\ncheck_seconds = 0\n')
        provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{self.issuer.url.removeprefix('http://')}"
        name = self.issuer.url.removeprefix("http://")
        self.policies = {
            "kms": policy(statement(Action="kms:*", Resource="*")),
            "assume": policy(statement(Action=["sts:AssumeRole", "sts:TagSession"], Resource="*")),
            "federate": policy(statement(Action=["sts:GetFederationToken", "kms:*"], Resource="*")),
            "named": trusts({"AWS": f"arn:aws:iam::{ACCOUNT}:user/eng/alice"}),
            "delegated": trusts({"AWS": ACCOUNT}, action=["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]),
            "guarded": trusts({"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "the-secret"}}),
            "chained": trusts({"AWS": f"arn:aws:iam::{ACCOUNT}:role/app/delegated"}),
            "web": trusts(
                {"Federated": provider},
                action="sts:AssumeRoleWithWebIdentity",
                Condition={
                    "StringLike": {f"{name}:sub": "system:serviceaccount:prod:*"},
                    "StringEquals": {f"{name}:aud": AUDIENCE},
                },
            ),
        }
        self.policies |= {
            "tagged": policy(
                statement(
                    Principal={"Federated": provider},
                    Action=["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
                    Condition={"StringLikeIfExists": {"aws:RequestTag/Project": "A*"}},
                ),
                statement(Principal={"AWS": ACCOUNT}, Action=["sts:AssumeRole", "sts:TagSession"]),
            ),
            "automation": policy(
                statement(
                    Action="kms:ListKeys",
                    Resource="*",
                    Condition={"StringEquals": {"aws:PrincipalTag/Project": "Automation"}},
                )
            ),
        }
        for title, text in self.policies.items():
            (directory / f"policies/{title}.json").write_text(text)
        self.write()
        self.server = Server(directory, ["--config", str(config)]).start()

    def write(self, revoked="", roles=("named", "delegated", "guarded", "chained", "web", "tagged")):
        lines = [f'[[account]]\nid = "{ACCOUNT}"\nname = "prod"']
        for name in ("kms", "assume", "federate", "automation"):
            lines.append(f'[[account.policy]]\nname = "{name}"\ndocument = "policies/{name}.json"')
        for (key, secret), name, given in [(ALICE, "alice", ["assume", "federate"]), (BOB, "bob", [])]:
            lines.append(f'[[account.user]]\nname = "{name}"\npath = "/eng/"\npolicies = {json.dumps(given)}')
            lines.append(f'tags = {{ team = "core" }}\n[[account.user.access_key]]\nid = "{key}"\nsecret = "{secret}"')
        for name in roles:
            lines.append(f'[[account.role]]\nname = "{name}"\npath = "/app/"\ntrust = "policies/{name}.json"')
            given = ["automation" if name == "tagged" else "kms", "assume"]
            lines.append(f"policies = {json.dumps(given)}\nmax_session_seconds = 7200" + revoked)
        lines.append(f'[[account.oidc_provider]]\nurl = "{self.issuer.url}"\nclient_ids = ["{AUDIENCE}"]')
        lines.append('jwks = "discovery"\n')
        lines.append('[[service_principal]]\nname = "s3.amazonaws.com"')
        lines.append(f'access_keys = [{{ id = "{STORE[0]}", secret = "{STORE[1]}" }}]')
        lines.append(f'may_act_in_accounts = ["{ACCOUNT}"]\n')
        self.file.write_text("\n".join(lines))

    def reload(self):
        before = self.server.log().count("configuration reloaded")
        self.server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while self.server.log().count("configuration reloaded") == before:
            assert time.monotonic() < deadline, self.server.log()
            time.sleep(0.05)

    def client(self, service, who=ALICE, token=None):
        return self.server.client(
            service=service, aws_access_key_id=who[0], aws_secret_access_key=who[1], aws_session_token=token
        )

    def as_session(self, service, credentials):
        who = (credentials["AccessKeyId"], credentials["SecretAccessKey"])
        return self.client(service, who, credentials["SessionToken"])

    def assume(self, role, who=ALICE, session="test", **parameters):
        arn = f"arn:aws:iam::{ACCOUNT}:role/app/{role}"
        return self.client("sts", who).assume_role(RoleArn=arn, RoleSessionName=session, **parameters)

    def web(self, token, role="web", **parameters):
        arn = f"arn:aws:iam::{ACCOUNT}:role/app/{role}"
        return self.client("sts").assume_role_with_web_identity(
            RoleArn=arn, RoleSessionName="pod", WebIdentityToken=token, **parameters
        )


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    estate = Estate(tmp_path_factory.mktemp("estate"))
    yield estate
    assert estate.server.stop() == 0, estate.server.log()
    estate.issuer.close()


def refused(call, *arguments, **parameters):
    """Status, code and text of an error."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def test_who_am_i(estate):
    answer = estate.client("sts").get_caller_identity()
    assert answer["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/eng/alice"
    assert answer["Account"] == ACCOUNT
    assert answer["UserId"].startswith("AIDA") and len(answer["UserId"]) == 21
    assert answer["ResponseMetadata"]["RequestId"] == answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]


def presigned(estate, headers, expires=60):
    """The URL that other products take for a proof of identity."""
    url = f"{estate.server.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers=headers)
    SigV4QueryAuth(Credentials(*ALICE), "sts", REGION, expires=expires).add_auth(request)
    return request.url


def test_a_presigned_url_proves_who_one_is(estate):
    header = {"x-k8s-aws-id": "cluster"}
    url = presigned(estate, header)
    with urllib.request.urlopen(urllib.request.Request(url, headers=header)) as answer:
        assert f"<Arn>arn:aws:iam::{ACCOUNT}:user/eng/alice</Arn>" in answer.read().decode()
        assert answer.headers["Content-Type"] == "text/xml"
    for headers, changed in [({"x-k8s-aws-id": "other"}, url), ({}, url), (header, url.replace("GetCaller", "Get"))]:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(changed, headers=headers))
        assert caught.value.code in (400, 403)


def test_a_role_is_assumed_and_used(estate):
    answer = estate.assume("named", session="first")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/named/first"
    role_id, session = answer["AssumedRoleUser"]["AssumedRoleId"].split(":")
    assert role_id.startswith("AROA") and session == "first"
    credentials = answer["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA") and len(credentials["AccessKeyId"]) == 20
    assert len(credentials["SecretAccessKey"]) == 40
    assert 3500 < credentials["Expiration"].timestamp() - time.time() <= 3600
    identity = estate.as_session("sts", credentials).get_caller_identity()
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    kms = estate.as_session("kms", credentials)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"of a session")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"of a session"


def test_who_may_not_assume_a_role_is_not_told_whether_there_is_one(estate):
    arn = f"arn:aws:iam::{ACCOUNT}:role/app"
    for role, who in [("named", BOB), ("delegated", BOB), ("guarded", ALICE), ("no-such-role", ALICE)]:
        name = "alice" if who == ALICE else "bob"
        text = f"User: arn:aws:iam::{ACCOUNT}:user/eng/{name} is not authorized to perform: sts:AssumeRole on resource: {arn}/{role}"
        assert refused(estate.assume, role, who) == (403, "AccessDenied", text)
    assert estate.assume("guarded", ExternalId="the-secret")["Credentials"]


def test_parameters_are_checked(estate):
    status, code, text = refused(estate.assume, "named", session="bad name")
    assert (status, code) == (400, "ValidationError")
    assert text.startswith("1 validation error detected: Value 'bad name' at 'roleSessionName' failed to satisfy constraint")
    too_long = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert refused(estate.assume, "named", DurationSeconds=7201) == (400, "ValidationError", too_long)
    assert refused(estate.assume, "named", Policy="{}")[1] == "MalformedPolicyDocument"
    assert refused(estate.assume, "named", SerialNumber="arn:aws:iam::1:mfa/x", TokenCode="123456")[1] == "AccessDenied"
    spread = json.dumps([{"Sid": str(number)} for number in range(100)])
    assert refused(estate.assume, "named", Policy=spread)[:2] in [(400, "ValidationError"), (400, "MalformedPolicyDocument")]


def test_a_session_policy_narrows(estate):
    only_lists = policy(statement(Action="kms:ListKeys", Resource="*"))
    answer = estate.assume("delegated", Policy=only_lists, DurationSeconds=900)
    assert 0 < answer["PackedPolicySize"] < 10
    kms = estate.as_session("kms", answer["Credentials"])
    assert "Keys" in kms.list_keys()
    status, code, text = refused(kms.create_key)
    assert (status, code) == (400, "AccessDeniedException")
    assert f"assumed-role/delegated/test is not authorized to perform: kms:CreateKey" in text


def test_roles_are_chained_for_an_hour_at_most(estate):
    first = estate.assume("delegated")["Credentials"]
    sts = estate.as_session("sts", first)
    arn = f"arn:aws:iam::{ACCOUNT}:role/app/chained"
    chained = sts.assume_role(RoleArn=arn, RoleSessionName="second")
    assert chained["AssumedRoleUser"]["Arn"].endswith("assumed-role/chained/second")
    text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    again = refused(sts.assume_role, RoleArn=arn, RoleSessionName="second", DurationSeconds=3601)
    assert again == (400, "ValidationError", text)


def test_tags_and_source_identity_travel(estate):
    answer = estate.assume(
        "delegated", Tags=[{"Key": "stage", "Value": "prod"}], TransitiveTagKeys=["stage"]
    )
    assert answer["PackedPolicySize"] >= 1
    missing = refused(estate.assume, "delegated", SourceIdentity="alice")
    assert missing[1] == "AccessDenied" and "sts:SetSourceIdentity" in missing[2]


def test_temporary_credentials_hold_together(estate):
    one, two = (estate.assume("named")["Credentials"] for _ in range(2))
    good = (one["AccessKeyId"], one["SecretAccessKey"])
    assert "Keys" in estate.client("kms", good, one["SessionToken"]).list_keys()
    # T210: without the token; T211: with that of another session; and one that was changed.
    invalid = "The security token included in the request is invalid"
    assert refused(estate.client("kms", good).list_keys) == (400, "UnrecognizedClientException", f"{invalid}.")
    mixed = estate.client("kms", good, two["SessionToken"])
    assert refused(mixed.list_keys) == (400, "UnrecognizedClientException", invalid)
    bytes_ = bytearray(base64.b64decode(one["SessionToken"]))
    bytes_[-1] ^= 1
    changed = estate.client("kms", good, base64.b64encode(bytes_).decode())
    assert refused(changed.list_keys) == (400, "UnrecognizedClientException", invalid)
    assert refused(estate.client("sts", good, "nonsense").get_caller_identity)[:2] == (403, "InvalidClientTokenId")
    wrong = estate.client("kms", (good[0], "x" * 40), one["SessionToken"])
    assert refused(wrong.list_keys)[1] == "InvalidSignatureException"
    # T207 and T209, of STS.
    assert refused(estate.client("sts", ("AKIANOBODYNOBODY0000", "x")).get_caller_identity) == (
        403, "InvalidClientTokenId", f"{invalid}.")
    assert refused(estate.client("sts", (ALICE[0], "x")).get_caller_identity)[:2] == (403, "SignatureDoesNotMatch")


def test_a_user_has_sessions_of_its_own(estate):
    credentials = estate.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    sts = estate.as_session("sts", credentials)
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/eng/alice"
    assert refused(sts.get_session_token)[1] == "AccessDenied"


def test_a_federated_user_has_what_both_allow(estate):
    lists = policy(statement(Action="kms:ListKeys", Resource="*"))
    answer = estate.client("sts").get_federation_token(Name="guest", Policy=lists)
    assert answer["FederatedUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:federated-user/guest"
    kms = estate.as_session("kms", answer["Credentials"])
    assert "Keys" in kms.list_keys()
    assert refused(kms.create_key)[1] == "AccessDeniedException"
    nothing = estate.client("sts").get_federation_token(Name="guest")["Credentials"]
    assert refused(estate.as_session("kms", nothing).list_keys)[1] == "AccessDeniedException"
    assert refused(estate.client("sts", BOB).get_federation_token, Name="guest", Policy=lists)[1] == "AccessDenied"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_web_identity_assumes_a_role(estate, algorithm):
    answer = estate.web(estate.issuer.token(f"first-{algorithm}"))
    assert answer["SubjectFromWebIdentityToken"] == "system:serviceaccount:prod:app"
    assert (answer["Audience"], answer["Provider"]) == (AUDIENCE, estate.issuer.url)
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/web/pod"
    assert "Keys" in estate.as_session("kms", answer["Credentials"]).list_keys()


TAGS = "https://aws.amazon.com/tags"


def tagged(transitive=(), **tags):
    return {TAGS: {"principal_tags": {key: [value] for key, value in tags.items()}, "transitive_tag_keys": transitive}}


def test_tags_of_a_token_are_those_of_the_session(estate):
    began = len(records_of(estate))
    answer = estate.web(estate.issuer.token(**tagged(["Project"], Project="Automation", Team="x")), role="tagged")
    assert answer["PackedPolicySize"] > 0
    session = estate.as_session("kms", answer["Credentials"])
    assert "Keys" in session.list_keys()
    flat = {f"{TAGS}/principal_tags/Project": "Automation"}
    assert "Keys" in estate.as_session("kms", estate.web(estate.issuer.token(**flat), role="tagged")["Credentials"]).list_keys()
    without = estate.web(estate.issuer.token(), role="tagged")
    assert refused(estate.as_session("kms", without["Credentials"]).list_keys)[1] == "AccessDeniedException"
    asked = records_of(estate)[began]["requestParameters"]
    assert (asked["principalTags"], asked["transitiveTagKeys"]) == ({"Project": "Automation", "Team": "x"}, ["Project"])

    # What is transitive goes on to the next session, what is not does not.
    arn = f"arn:aws:iam::{ACCOUNT}:role/app/tagged"
    for transitive, allowed in [(["Project"], True), ([], False)]:
        token = estate.issuer.token(**tagged(transitive, Project="Automation"))
        first = estate.as_session("sts", estate.web(token, role="tagged")["Credentials"])
        second = estate.as_session("kms", first.assume_role(RoleArn=arn, RoleSessionName="next")["Credentials"])
        if allowed:
            assert "Keys" in second.list_keys()
        else:
            assert refused(second.list_keys)[1] == "AccessDeniedException"


def test_tags_of_a_token_have_to_be_allowed_and_well_formed(estate):
    token = lambda **tags: estate.issuer.token(**tagged(**tags))  # noqa: E731
    denied = (403, "AccessDenied", "Not authorized to perform sts:TagSession")
    assert refused(estate.web, token(Project="Automation")) == denied
    told = refused(estate.web, token(Project="Other"), role="tagged")
    assert told == (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    for wrong in [
        {TAGS: {"principal_tags": {"Project": ["A", "B"]}}},
        {TAGS: "Project"},
        {f"{TAGS}/transitive_tag_keys": "Project"},
    ]:
        assert refused(estate.web, estate.issuer.token(**wrong), role="tagged")[:2] == (400, "InvalidIdentityToken")
    many = {f"k{number}": "A" for number in range(51)}
    for tags in [many, {"Project": "A" * 257}, {"aws:x": "A"}, {"P" * 129: "A"}]:
        assert refused(estate.web, estate.issuer.token(**tagged(**tags)), role="tagged")[:2] == (400, "ValidationError")
    unknown = estate.issuer.token(**tagged(["Team"], Project="A"))
    assert refused(estate.web, unknown, role="tagged")[:2] == (400, "ValidationError")


def test_tokens_that_prove_nothing_are_refused(estate):
    make = estate.issuer.token
    invalid = lambda token: refused(estate.web, token)[:2]  # noqa: E731
    assert invalid(make(aud="somebody-else")) == (400, "InvalidIdentityToken")
    assert refused(estate.web, make(aud="somebody-else"))[2] == "Incorrect token audience"
    assert invalid(make(exp=int(time.time()) - 400)) == (400, "ExpiredTokenException")
    assert invalid(make(nbf=int(time.time()) + 400)) == (400, "InvalidIdentityToken")
    assert invalid(make(sub=None)) == (400, "InvalidIdentityToken")
    assert invalid(make(key="k" * 32, algorithm="HS256")) == (400, "InvalidIdentityToken")
    assert invalid(make(key=None, algorithm="none", kid="x")) == (400, "InvalidIdentityToken")
    other = Issuer()
    stolen = other.token(iss=estate.issuer.url)
    assert invalid(stolen) == (400, "InvalidIdentityToken")
    unknown = f"No OpenIDConnect provider found in your account for {other.url}"
    assert refused(estate.web, other.token()) == (400, "InvalidIdentityToken", unknown)
    other.close()
    header, claims, signature = make().split(".")
    assert invalid(f"{header}.{claims}.{'A' * len(signature)}") == (400, "InvalidIdentityToken")
    assert invalid("no token") == (400, "InvalidIdentityToken")
    denied = (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    assert refused(estate.web, make(subject="system:serviceaccount:test:app")) == denied
    assert refused(estate.web, make(), role="named") == denied
    assert refused(estate.web, make(), role="no-such-role") == denied


def test_a_provider_is_asked_about_new_keys_once_a_minute(estate):
    estate.web(estate.issuer.token())
    before = estate.issuer.asked
    for _ in range(5):
        estate.web(estate.issuer.token())
        stranger = estate.issuer.token("no-such-key", key=estate.issuer.keys["first-RS256"][1], algorithm="RS256")
        assert refused(estate.web, stranger)[1] == "InvalidIdentityToken"
    assert estate.issuer.asked - before <= 1


def program(text, environment):
    """What a program prints that knows nothing of trent but the environment."""
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


WHO = "import boto3; boto3.client('kms').list_keys(); print(boto3.client('sts').get_caller_identity()['Arn'])"


def environment(estate, **more):
    base = {name: value for name, value in estate.server.environment().items() if not name.startswith("AWS_")}
    return base | {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_KMS": estate.server.endpoint,
        "AWS_ENDPOINT_URL_STS": estate.server.endpoint,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    } | more


def test_boto3_takes_a_token_file(estate, tmp_path):
    file = tmp_path / "token"
    file.write_text(estate.issuer.token())
    arn = f"arn:aws:iam::{ACCOUNT}:role/app/web"
    settings = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": arn, "AWS_ROLE_SESSION_NAME": "pod"}
    assert program(WHO, environment(estate, **settings)) == f"arn:aws:sts::{ACCOUNT}:assumed-role/web/pod"


def profile(tmp_path):
    file = tmp_path / "config"
    file.write_text(
        f"[profile alice]\naws_access_key_id = {ALICE[0]}\naws_secret_access_key = {ALICE[1]}\n"
        f"[profile app]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/app/delegated\nsource_profile = alice\n"
        "role_session_name = from-profile\n"
    )
    return {"AWS_CONFIG_FILE": str(file), "AWS_PROFILE": "app"}


def test_boto3_assumes_the_role_of_a_profile(estate, tmp_path):
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/delegated/from-profile"
    assert program(WHO, environment(estate, **profile(tmp_path))) == arn


def test_the_command_line_does_the_same(estate, tmp_path):
    aws = Path(sys.executable).parent / "aws"
    settings = environment(estate, HOME=str(tmp_path), **profile(tmp_path))
    run = lambda *words: subprocess.run(  # noqa: E731
        [aws, *words, "--output", "json"], env=settings, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    identity = json.loads(run("sts", "get-caller-identity"))
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/delegated/from-profile"
    assert "Keys" in json.loads(run("kms", "list-keys"))
    arn = f"arn:aws:iam::{ACCOUNT}:role/app/chained"
    chained = json.loads(run("sts", "assume-role", "--role-arn", arn, "--role-session-name", "cli"))
    assert chained["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_sessions_end_when_their_role_says_so(estate):
    credentials = estate.assume("named")["Credentials"]
    kms = estate.as_session("kms", credentials)
    assert "Keys" in kms.list_keys()
    time.sleep(1.1)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    estate.write(revoked=f"\nrevoke_sessions_before = {now}")
    estate.reload()
    try:
        assert refused(kms.list_keys)[:2] == (400, "ExpiredTokenException")
        assert refused(estate.as_session("sts", credentials).get_caller_identity)[:2] == (403, "ExpiredToken")
        again = estate.as_session("kms", estate.assume("named")["Credentials"])
        assert "Keys" in again.list_keys()
        estate.write(roles=("delegated", "guarded", "chained", "web"))
        estate.reload()
        assert refused(again.list_keys)[:2] == (400, "UnrecognizedClientException")
    finally:
        estate.write()
        estate.reload()


def on_behalf(estate, who, arn, **more):
    """A client that says with each request in whose name it is made."""
    client = estate.client("kms", who)
    headers = {"x-trent-on-behalf-of": arn} | more

    def add(request, **_):
        for name, value in headers.items():
            request.headers[name] = value

    client.meta.events.register("before-sign.kms.*", add)
    return client


def test_a_service_acts_for_others_and_nobody_else_does(estate):
    identity = estate.client("sts", STORE).get_caller_identity()
    assert identity["Arn"] == "s3.amazonaws.com"
    alice, bob = (f"arn:aws:iam::{ACCOUNT}:user/eng/{name}" for name in ("alice", "bob"))
    assert "Keys" in on_behalf(estate, STORE, alice, **{"x-trent-source-account": ACCOUNT}).list_keys()
    status, code, text = refused(on_behalf(estate, STORE, bob).list_keys)
    assert (status, code) == (400, "AccessDeniedException") and text.startswith(f"User: {bob} is not authorized")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/named/anything"
    assert "Keys" in on_behalf(estate, STORE, session).list_keys()
    for nobody in (f"arn:aws:iam::{ACCOUNT}:user/nobody", "arn:aws:iam::444455556666:root", "nonsense"):
        assert refused(on_behalf(estate, STORE, nobody).list_keys)[1] == "AccessDeniedException"
    # From anybody else the header means nothing.
    text = refused(on_behalf(estate, BOB, alice).list_keys)[2]
    assert text.startswith(f"User: {bob} is not authorized")


def test_a_session_outlives_a_restart_and_ends_in_time(tmp_path):
    config, people, trust = (tmp_path / name for name in ("trent.toml", "identities.toml", "trust.json"))
    config.write_text(f'[identity]\nfile = "{people}"\n')
    trust.write_text(trusts({"AWS": "000000000000"}))
    people.write_text(
        '[[account]]\nid = "000000000000"\nname = "dev"\n[[account.role]]\nname = "app"\ntrust = "trust.json"\n'
        'policies = ["aws:AdministratorAccess"]\n'
    )
    data = tmp_path / "data"
    arguments = ["--config", str(config), "--data-dir", str(data)]
    server = Server(tmp_path, arguments, command="dev", access_key_id="test", secret="test").start()
    sts = server.client(service="sts")
    arn = "arn:aws:iam::000000000000:role/app"
    credentials = sts.assume_role(RoleArn=arn, RoleSessionName="long", DurationSeconds=900)["Credentials"]
    session = {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }
    assert server.stop() == 0
    server = Server(tmp_path, arguments, command="dev", access_key_id="test", secret="test").start()
    kms = server.client(**session)
    assert "Keys" in kms.list_keys()
    moved = [binary(), "admin", "--data-dir", str(data), "clock", "advance", "16m"]
    subprocess.run(moved, check=True, capture_output=True, env=bare_environment())
    # T212.
    assert refused(kms.list_keys)[:2] == (400, "ExpiredTokenException")
    assert server.stop() == 0


def records_of(estate):
    files = sorted((estate.directory / "trent-data/audit").glob("audit-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_the_trail_tells_what_sts_did(estate):
    began = len(records_of(estate))
    answer = estate.assume("delegated", session="recorded", DurationSeconds=900, Tags=[{"Key": "team", "Value": "x"}])
    session = answer["Credentials"]
    estate.as_session("kms", session).list_keys()
    web = estate.web(estate.issuer.token("first-ES256"))
    assert refused(estate.assume, "named", who=BOB)[1] == "AccessDenied"
    assert refused(estate.client("sts", ("AKIANOBODYNOBODYNOBO", "x")).get_caller_identity)[1] == "InvalidClientTokenId"
    told = records_of(estate)[began:]
    assumed, listed, by_web, denied, stranger = told
    assert {record["eventSource"] for record in (assumed, by_web, denied, stranger)} == {"sts.amazonaws.com"}

    assert assumed["eventName"] == "AssumeRole" and assumed["userIdentity"]["userName"] == "alice"
    asked = {"roleSessionName": "recorded", "durationSeconds": 900, "principalTags": {"team": "x"}}
    assert assumed["requestParameters"] == asked | {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/app/delegated"}
    elements = assumed["responseElements"]
    assert elements["assumedRoleUser"]["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/delegated/recorded"
    assert set(elements["credentials"]) == {"accessKeyId", "expiration"}
    assert elements["credentials"]["accessKeyId"] == listed["userIdentity"]["accessKeyId"] == session["AccessKeyId"]
    assert assumed["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert assumed["resources"][0]["type"] == "AWS::IAM::Role"

    assert by_web["userIdentity"]["type"] == "WebIdentityUser"
    assert by_web["userIdentity"]["userName"] == "system:serviceaccount:prod:app"
    assert by_web["responseElements"]["credentials"]["accessKeyId"] == web["Credentials"]["AccessKeyId"]
    assert (denied["errorCode"], denied["userIdentity"]["userName"]) == ("AccessDenied", "bob")
    assert (stranger["eventCategory"], stranger["errorCode"]) == ("Security", "InvalidClientTokenId")
    text = json.dumps(told)
    for secret in [session["SecretAccessKey"], session["SessionToken"], web["Credentials"]["SessionToken"]]:
        assert secret not in text

    metrics = urllib.request.urlopen(estate.server.ops_endpoint + "/metrics").read().decode()
    for operation, code in [("AssumeRole", "OK"), ("AssumeRole", "AccessDenied"), ("AssumeRoleWithWebIdentity", "OK")]:
        assert f'trent_sts_requests_total{{operation="{operation}",code="{code}"}}' in metrics
