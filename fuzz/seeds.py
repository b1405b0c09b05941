"""Writes the seeds in corpus/ from the crates' test data, and a few made by hand.

Run it after test data has changed: python3 fuzz/seeds.py. Names are hashes of contents, as the fuzzer names them.
"""

import hashlib
import hmac
import json
import pathlib
import re

HERE = pathlib.Path(__file__).parent
CRATES = HERE.parent / "crates"
FILES_MAX = 100


def write(target, seeds):
    directory = HERE / "corpus" / target
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    # Short ones first: when there are too many, those that go are the long ones.
    for seed in sorted(set(seeds), key=lambda seed: (len(seed), seed))[:FILES_MAX]:
        (directory / hashlib.sha1(seed).hexdigest()[:16]).write_bytes(seed)


def load(path):
    return json.loads((CRATES / path).read_text())


def ciphertext_blob():
    for name in ["blob", "blob_rust", "double"]:
        for case in load(f"crypto/testdata/formats/v1/{name}.json")["cases"]:
            blob = bytes.fromhex(case["blob"])
            if len(blob) <= 512:
                yield b"\0" + blob
    # Sealed by the target itself: kind, key, material, two contexts, plaintext, alterations.
    yield b"\1\0\1\2" + b"\1\1a\1b" + b"\1\1a\1b" + b"\x20" + bytes(32) + b"\0\0\1\0\5"
    yield b"\1\1\1\2" + b"\0" + b"\1\0\0" + b"\0" + b"\0\3\0\0\4"
    yield b"\1\0\1\2" + b"\1\1a\2bc" + b"\1\2ab\1c" + b"\4abcd" + b"\1\2\0\0\4\1\0\0\4"


def sealed_record():
    for case in load("crypto/testdata/formats/v1/envelope.json")["cases"]:
        yield b"\0" + bytes.fromhex(case["envelope"])
    yield b"\1" + b"\1\1" + b"\1\7account\x0c111122223333" * 2 + b"\x20" + bytes(32) + b"\0\0\1\0\5"
    yield b"\1" + b"\0\1" + b"\0" + b"\1\0\0" + b"\0" + b"\0\3\0\0\4"
    for case in load("crypto/testdata/formats/v1/root_key_file.json")["cases"]:
        yield b"\2" + case["file"].encode()
        yield b"\2# a comment\r\n\n  " + case["file"].upper().replace("TRENT-ROOT-KEY", "trent-root-key").encode()
    for case in load("crypto/testdata/formats/v1/passphrase_record.json")["cases"]:
        yield b"\3" + bytes.fromhex(case["record"])
    for case in load("crypto/testdata/formats/v1/root_key_pkcs11.json")["cases"]:
        yield b"\4" + case["file"].encode()


def hsm_frames():
    def field(content):
        return len(content).to_bytes(4, "big") + content

    serial, key = field(b"80fc1e06e7bef617"), field(b"\1" + field(bytes(range(16))))
    named = field(b"\3" + field(b"\1\2") + field(b"label"))
    requests = [
        b"\0" + field(b"/usr/lib/softhsm/libsofthsm2.so"),
        b"\1",
        b"\2" + serial,
        b"\3" + serial + field(b"1234"),
        b"\5" + serial + field(b"1234") + field(b"5678"),
        b"\6" + serial + field(bytes(16)) + field(b"label"),
        b"\7" + serial + named,
        b"\x09" + serial + key + field(b"\0") + field(b"plaintext") + field(b"aad"),
        b"\x0a" + serial + named + field(b"\2") + field(bytes(12)) + field(bytes(20)) + field(b""),
        b"\x0b" + serial + (1024).to_bytes(8, "big"),
        b"\x0e" + serial + serial + field(bytes(16)) + field(b"label"),
        b"\x0f" + serial,
    ]
    token = serial + field(b"label") + field(b"model") + b"\1\0\0\1" + field(b"2026-01-31T12:00:00Z")
    replies = [
        b"\0",
        b"\1" + field(b"\2") + field(b"Encrypt: DeviceError"),
        b"\2" + (2).to_bytes(8, "big") + token + token,
        b"\3" + field(b"label") + (32).to_bytes(8, "big") + b"\1\1\1\0\1\1\1",
        b"\4" + field(bytes(12)) + field(bytes(20)),
        b"\5" + field(b"random"),
        b"\6" + (2).to_bytes(8, "big") + (0x1087).to_bytes(8, "big") + bytes(8),
    ]
    yield from (b"\0\4\0" + call.to_bytes(8, "big") + message for call, message in enumerate(requests + replies))
    yield from (b"\1" + message for message in requests)
    yield from (b"\2" + message for message in replies)


def attestation_document():
    document = (CRATES / "attestation/testdata/enclave.cose").read_bytes()
    yield b"\0" + document
    yield b"\0\xd2" + document
    yield b"\2" + document[10 : 10 + 0x1241]
    # Altered by the target: in the header, in the statement, in the certificates, in the signature.
    for kind in (b"\1", b"\3"):
        for place in (0, 9, 20, 80, 1000, 3000, 4500, 4700):
            yield kind + b"\0\0\1" + place.to_bytes(2)
            yield kind + b"\1\1\1" + place.to_bytes(2) + b"\2\xff" + place.to_bytes(2)
    yield b"\0\x84\x44\xa1\x01\x38\x22\xa0\x5f\x41\xbf\x41\xff\xff\x58\x60" + bytes(96)
    yield b"\2\xa3\x66digest\x66SHA384\x64pcrs\xa1\0\x58\x20" + bytes(32) + b"\x65later\x9f\xf6\xff"


def transfer():
    yield b"\0trent-transfer\x01" + bytes(1224) + b"\x01" + bytes(50)
    # Sealed by the target itself: alterations at the start, in each part, at the end.
    for place in (0, 14, 15, 31, 151, 1239, 1287):
        yield b"\1\0\0\1" + place.to_bytes(2)
        yield b"\1\1\1\0" + place.to_bytes(2) + b"\3\0" + place.to_bytes(2)
    start = b"\2# a comment\ntrent-transfer-recipient 1\nid " + b"00" * 16
    yield start + b"\np384 " + b"30" * 120 + b"\nml-kem-768 " + b"30" * 1206 + b"\n"
    yield start
    yield b"\3\x01" + (7).to_bytes(4) + bytes([1, 0x22, 0, 0, 0, 0, 48]) + bytes([1, 0x52, 0, 0, 0, 0, 64])


def certificate():
    document = (CRATES / "attestation/testdata/enclave.cose").read_bytes()
    for match in re.finditer(rb"\x59(..)\x30\x82", document, re.S):
        start = match.start() + 3
        yield b"\0" + document[start : start + int.from_bytes(match[1])]
    # Altered by the target: which certificate, how many changes; in its head, its names, its key, its signature.
    for chosen in range(5):
        for place in (0, 4, 30, 90, 160, 300, 420, 500):
            yield b"\1" + bytes([chosen]) + b"\0\0\1" + place.to_bytes(2)
    yield b"\1\0\0\0\0\0\0"


def session_token():
    for text in [b"", b"AQ==", b"AQAAAAE=", b"AQAAAAEBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]:
        yield b"\0" + text
    for kind in (b"\1", b"\2"):
        for place in (0, 1, 4, 5, 20, 60, 200):
            yield kind + b"\0\0\1" + place.to_bytes(2)
            yield kind + b"\1\1\1" + place.to_bytes(2) + b"\2\x01" + place.to_bytes(2)
    # Not altered: a byte that is changed by nothing.
    yield b"\1\0\0\0\0\0"
    yield b"\3ASIAOTHEROTHEROTHERO"


def sts_query():
    yield b"\0\3" + b"\6Action\1x" + b"\1a\2 +" + b"\6Action\0"
    version = "Version=2011-06-15"
    role = "RoleArn=arn:aws:iam::444455556666:role/"
    allow = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    for text in [
        f"Action=GetCallerIdentity&{version}",
        f"Action=GetSessionToken&{version}&DurationSeconds=900",
        f"Action=GetSessionToken&{version}&SerialNumber=arn:aws:iam::444455556666:mfa/alice&TokenCode=123456",
        f"Action=GetFederationToken&{version}&Name=bob&Policy={allow}&Tags.member.1.Key=a&Tags.member.1.Value=b",
        f"Action=AssumeRoleWithWebIdentity&{version}&{role}open&RoleSessionName=ab&WebIdentityToken=e30.e30.e30",
        "Action=&Version=%zz",
    ]:
        yield b"\1" + text.encode()
    for text in [
        f"{role}open",
        f"{role}closed",
        f"{role}open&DurationSeconds=3600&ExternalId=12&SourceIdentity=ab",
        f"{role}open&Tags.member.1.Key=a&Tags.member.1.Value=b&TransitiveTagKeys.member.1=a",
        f"{role}open&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/AdministratorAccess&Policy={allow}",
        f"{role}open&SerialNumber=arn:aws:iam::444455556666:mfa/alice&TokenCode=123456",
    ]:
        yield b"\2" + text.encode()


ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'


def identity_file():
    account = '[[account]]\nid = "444455556666"\nname = "fuzz"\n'
    for part in [
        'scp = ["all.json"]\n',
        f"[[account.user]]\nname = \"a\"\npath = \"/b/\"\ninline = [{{name = \"c\", document = '{ALLOW}'}}]\n",
        '[[account.user]]\nname = "a"\ngroups = ["g"]\ntags = {t = "v"}\n[[account.group]]\nname = "g"\n'
        'policies = ["arn:aws:iam::aws:policy/AdministratorAccess"]\n',
        '[[account.user]]\nname = "a"\naccess_key = [{id = "AKIAAAAAAAAAAAAAAAAA", secret = "env:SECRET"}]\n',
        f"[[account.role]]\nname = \"r\"\ntrust = '{TRUST}'\nrevoke_sessions_before = 2026-01-01T00:00:00Z\n",
        '[[account.policy]]\nname = "p"\ndocument = "file:all.json"\n',
        '[[account.oidc_provider]]\nurl = "https://i.example.com"\nclient_ids = ["a"]\njwks = "discovery"\n',
    ]:
        yield (account + part).encode()
    yield (account * 2).encode()
    yield b'[organization]\nid = "o-trent00001"\nscp = ["all.json"]\n'
    yield b'[[service]]\nname = "a.amazonaws.com"\nmay_act_in_accounts = ["444455556666"]\n'
    yield b'[[client_certificate]]\nsan = "DNS:a"\nprincipal = "arn:aws:iam::444455556666:user/a"\n'
    yield b'[[endpoint]]\nvpce_id = "vpce-1"\npolicy = "all.json"\n'


def seed_file():
    key = "keys:\n- id: 1234abcd-12ab-34cd-56ef-1234567890ab\n"
    for rest in [
        "",
        "  aliases: [alias/a, alias/b]\n  materials:\n  - hex: 00 01\n  - base64: AAE=\n",
        "  spec: ECC_NIST_P256\n  usage: SIGN_VERIFY\n  material:\n    pem: |\n      -----BEGIN EC PRIVATE KEY-----\n"
        "      AAAA\n      -----END EC PRIVATE KEY-----\n",
        "  account: '444455556666'\n  region: us-west-2\n  state: Disabled\n  tags: {a: b}\n  rotation_days: 90\n",
        "  policy: {Version: '2012-10-17', Statement: []}\n  origin: EXTERNAL\n",
        "  policy: &a [*a]\n",
    ]:
        yield ("region: eu-west-1\n" + key + rest).encode()
    yield b'{"keys": [{"id": "mrk-1234abcd12ab34cd56ef1234567890ab", "replicas": ["us-east-1"]}]}'
    yield (
        b"Keys:\n  Symmetric:\n    Aes:\n      - Metadata:\n          KeyId: bc436485-5092-42b8-92a3-0aa8b93536dc\n"
        b"        NextKeyRotation: '2019-09-12T15:19:21+00:00'\n        BackingKeys: [3474]\nAliases:\n"
        b"  - AliasName: alias/a\n    TargetKeyId: bc436485-5092-42b8-92a3-0aa8b93536dc\n"
    )
    yield (
        b"Version: 2\nKeys:\n  - KeyId: bc436485-5092-42b8-92a3-0aa8b93536dc\n    Metadata: {KeySpec: HMAC_256}\n"
        b"    Material: {BackingKeys: [3474]}\n"
    )


def bundle():
    document = (CRATES / "database/testdata/bundle-1.json").read_bytes().rstrip()
    whole = json.loads(document)
    yield b"\0" + document
    # Shorter ones that hang together: the first key, with what belongs to it.
    first = whole["keys"][0]["id"]
    for members in [(), ("keys",), ("keys", "aliases"), ("keys", "grants"), ("ring", "accounts")]:
        mine = {"keys": "id", "aliases": "target", "grants": "key"}
        some = {
            name: [row for row in rows if name in members and (name not in mine or row[mine[name]] == first)]
            for name, rows in whole.items()
            if name != "v"
        }
        yield b"\0" + compact({"v": 1, **some})
    for place in range(0, len(document), len(document) // 20):
        yield b"\1\0\0\1" + place.to_bytes(2)


def xks_message():
    who = (
        '"requestMetadata":{"awsPrincipalArn":"mArKmArKmArK","kmsKeyArn":"arn:aws:kms:us-east-2:123456789012:/key/1",'
        '"kmsOperation":"Encrypt","kmsRequestId":"4112f4d6","kmsViaService":"ec2.amazonaws.com","new":[1]}'
    )
    parts = (
        '"ciphertext":"ghxkK1tx","initializationVector":"HMrlRw85cAJUd5Ax",'
        '"authenticationTag":"vBxN2ncH1oEkR8WVXpmyYQ==","ciphertextMetadata":"a2V5"'
    )
    algorithm = '"encryptionAlgorithm":"AES_GCM"'
    aad = '"additionalAuthenticatedData":"mArKmArKmArK"'
    integrity = '"ciphertextDataIntegrityValue'
    instance = '{"id":"1","model":"m","healthStatus":"DEGRADED"}'
    bodies = [
        (0, "{%s}" % who),
        (1, "{%s}" % who),
        (2, '{%s,"plaintext":"mArKmArKmArK",%s,%s,%sAlgorithm":"SHA_256"}' % (who, algorithm, aad, integrity)),
        (3, "{%s,%s,%s,%s}" % (who, parts, algorithm, aad)),
        (4, '{"xksProxyFleetSize":1,"xksProxyVendor":"a","xksProxyModel":"b","ekmVendor":"c","ekmFleetDetails":[%s]}' % instance),
        (5, '{"keySpec":"AES_256","keyUsage":["ENCRYPT","DECRYPT"],"keyStatus":"ENABLED"}'),
        (6, '{%s,%s":"qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc="}' % (parts, integrity)),
        (
            7,
            '{"XksProxyUriPath":"/p/kms/xks/v1","XksProxyAuthenticationCredential":{"AccessKeyId":'
            '"ABCDE2345672345EXAMPLE","RawSecretAccessKey":"%s="}}' % ("mArKmArKmArK" * 4),
        ),
        (8, '{"errorName":"InvalidCiphertextException","errorMessage":"m"}'),
        (8, '{"plaintext":"AAAA"}'),
        (8, "/p/kms/xks/v1/keys/k/decrypt"),
    ]
    for kind, body in bodies:
        yield bytes([kind]) + body.encode()


def private_key():
    cases = load("crypto/testdata/formats/v1/key_record.json")["cases"]
    specs = [case["spec"] for case in cases if not case["spec"].startswith("HMAC")]
    specs = list(dict.fromkeys(specs))
    for case in cases:
        record = bytes.fromhex(case["record"])
        if case["spec"].startswith("HMAC"):
            yield bytes([int(case["spec"][5:]) // 128 - 1, 3]) + record
            continue
        spec = bytes([specs.index(case["spec"])])
        if case["spec"] in ["RSA_3072", "RSA_4096"]:
            continue
        yield spec + b"\1" + record
        yield spec + b"\2" + bytes.fromhex(case["spki"])
        for document in case["imports"] + case["refused"]:
            if len(document["pkcs8"]) <= 800:
                yield spec + b"\0" + bytes.fromhex(document["pkcs8"])


KINDS = {"resource": b"\0", "identity": b"\1", "trust": b"\2"}


def policy_document():
    for name in ["malformed", "rendering"]:
        for case in load(f"policy/testdata/{name}.json"):
            if len(case.get("text", " " * 9999)) <= 2048:
                yield KINDS[case["kind"]] + case["text"].encode("utf-8", "surrogatepass")
    for case in load("policy/testdata/access.json"):
        yield KINDS[case["kind"]] + compact(case["document"])
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for case in load("policy/testdata/conditions.json"):
        yield b"\1" + compact({"Version": "2012-10-17", "Statement": {**statement, "Condition": case["condition"]}})


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


BODIES = {
    "CreateKey": [
        {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT", "Tags": [{"TagKey": "a", "TagValue": "b"}]},
        {"Policy": "{}", "Description": "d", "MultiRegion": True, "Origin": "EXTERNAL"},
    ],
    "Encrypt": [
        {"KeyId": "alias/a", "Plaintext": "aGVsbG8=", "EncryptionContext": {"a": "b", "n": 1.5, "t": True}},
        {"KeyId": "k", "Plaintext": "AAAA", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256", "GrantTokens": ["t"]},
    ],
    "Decrypt": [{"CiphertextBlob": "AQEA", "EncryptionContext": {}, "DryRun": False}],
    "GenerateDataKey": [{"KeyId": "k", "KeySpec": "AES_256", "NumberOfBytes": 32}],
    "GenerateRandom": [{"NumberOfBytes": 1024}],
    "GenerateMac": [{"KeyId": "k", "Message": "aGVsbG8=", "MacAlgorithm": "HMAC_SHA_256"}],
    "Sign": [{"KeyId": "k", "Message": "aGVsbG8=", "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}],
    "Verify": [{"KeyId": "k", "Message": "aA==", "Signature": "aA==", "SigningAlgorithm": "ECDSA_SHA_256"}],
    "CreateGrant": [
        {
            "KeyId": "k",
            "GranteePrincipal": "arn:aws:iam::111122223333:user/a",
            "Operations": ["Encrypt", "Decrypt"],
            "Constraints": {"EncryptionContextSubset": {"a": "b"}},
            "Name": "n",
        }
    ],
    "CreateCustomKeyStore": [
        {
            "CustomKeyStoreName": "s",
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "KeyStorePassword": "kmsPswd1",
            "XksProxyUriEndpoint": "https://a.example.com",
            "XksProxyUriPath": "/p/kms/xks/v1",
            "XksProxyAuthenticationCredential": {
                "AccessKeyId": "ABCDEFGHIJKLMNOPQRST",
                "RawSecretAccessKey": "A" * 43,
            },
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        }
    ],
    "ScheduleKeyDeletion": [{"KeyId": "k", "PendingWindowInDays": 7}],
    "ListKeys": [{"Limit": 1, "Marker": "m"}],
    "ImportKeyMaterial": [
        {"KeyId": "k", "ImportToken": "aA==", "EncryptedKeyMaterial": "aA==", "ValidTo": 1.5e9}
    ],
    "TagResource": [{"KeyId": "k", "Tags": [{"TagKey": "a", "TagValue": ""}]}],
}


def request_json():
    source = (HERE / "targets" / "request_json.rs").read_text()
    order = re.findall(r"^    (\w+)Request$", source, re.M)
    for position, operation in enumerate(order):
        for body in BODIES.get(operation, [{"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}]):
            yield bytes([position]) + compact(body)
    for odd in [b"", b"{}", b"[]", b"null", b'{"KeyId":null}', b'{"KeyId":"\\u0061","KeyId":7}']:
        yield bytes([order.index("DescribeKey")]) + odd
    for odd in [b'"\\u0061A=="', b'"\\ud83d\\ude00"', b'"\\ud83d"', b"7", b"[1]", b'""']:
        yield bytes([order.index("Encrypt")]) + b'{"KeyId":"k","Plaintext":' + odd + b"}"


HOST = b"host:kms.us-east-1.amazonaws.com\n"
def trail_line():
    node = b"11111111-2222-4333-8444-555555555555"
    link = b'"trent":{"format":1,"node":"' + node + b'","sequence":7,"previous":"' + b"ab" * 32 + b'"}}'
    for line in [link, b'{"a":1,' + link, b"{" + link, link.replace(b":7", b":07"), link.replace(b"ab", b"AB")]:
        yield b"\0" + line
    for text in [node + b" 7 " + b"cd" * 32, node.upper() + b" 007 " + b"cd" * 32 + b" x", b"- - -"]:
        yield b"\1" + text
    yield b"\2" + b"0f" * 32


def web_token():
    data = load("jwt/testdata/tokens.json")
    for token in data["tokens"].values():
        yield b"\0" + token.encode()
    yield b"\1" + json.dumps(data["jwks"]).encode()
    for key in data["jwks"]["keys"]:
        yield b"\1" + json.dumps({"keys": [key]}).encode()
    # Alterations of the known tokens: in the header, in the claims, at the end.
    for token in range(4):
        for place in (0, 30, 100, 300):
            yield b"\2" + bytes([token]) + b"\1\1" + place.to_bytes(2)


PLAIN = [
    b"POST /\n" + HOST + b"x-amz-target:TrentService.Encrypt\ncontent-type:application/x-amz-json-1.1\n\n{}",
    b"GET /?b=2&a=1&a=%20+x&c\n" + HOST + b"\n",
    b"GET /a/../b//./c%20d/\n" + HOST + b"my-header:  a   b\t c \nMy-Header:second\n\n",
    b"GET /%E1%88%B4?%E1%88%B4=bar\n" + HOST + b"User-Agent:x\nexpect:y\nx-trent-a:b\n\nbody",
]
SECRET = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def signed(service):
    """A request that is signed rightly, with the simplest canonical form."""
    scope = f"20150830/us-east-1/{service}/aws4_request"
    canonical = "POST\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n"
    canonical += hashlib.sha256(b"{}").hexdigest()
    text = f"AWS4-HMAC-SHA256\n20150830T123600Z\n{scope}\n" + hashlib.sha256(canonical.encode()).hexdigest()
    key = b"AWS4" + SECRET
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return (
        "POST /\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n"
        f"authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}\n\n{{}}"
    ).encode()


def authorization_header():
    yield from PLAIN
    for service in ["kms", "service"]:
        request = signed(service)
        yield request
        yield request.replace(b"x-amz-date:20150830T123600Z", b"date:Sun, 30 Aug 2015 12:36:00 GMT")
        yield request.replace(b"20150830T123600Z", b"20150830T124600Z")
        yield request.replace(b"aws4_request", b"aws3_request/x")
        yield request.replace(b", Signed", b",,Signed").replace(b"Signature=", b"Signature")
        yield request.replace(b"host;", b":authority;") + b"x"
        yield request.replace(b"authorization:", b"x-amz-security-token:t\nauthorization:")
    for expires in [b"60", b"0", b"604801", b"x"]:
        yield (
            b"GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fkms"
            b"%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=" + expires + b"&X-Amz-SignedHeaders=host"
            b"&X-Amz-Signature=00&X-Amz-Security-Token=t%2B\n" + HOST + b"\n"
        )


def main():
    write("attestation_document", attestation_document())
    write("authorization_header", authorization_header())
    write("bundle", bundle())
    write("canonical_request", PLAIN)
    write("certificate", certificate())
    write("ciphertext_blob", ciphertext_blob())
    write("hsm_frames", hsm_frames())
    write("identity_file", identity_file())
    write("policy_document", policy_document())
    write("private_key", private_key())
    write("request_json", request_json())
    write("sealed_record", sealed_record())
    write("seed_file", seed_file())
    write("session_token", session_token())
    write("sts_query", sts_query())
    write("trail_line", trail_line())
    write("transfer", transfer())
    write("web_token", web_token())
    write("xks_message", xks_message())


if __name__ == "__main__":
    main()
