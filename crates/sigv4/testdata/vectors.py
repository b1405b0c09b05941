"""Writes vectors.json from the signing test suite of AWS.

    python3 vectors.py FOLDER

FOLDER is `aws-signing-test-suite/v4` of the sources of the Rust crate aws-sigv4, a copy of the one of aws-c-auth.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
SOURCE = "aws-sigv4 1.6.4, aws-signing-test-suite/v4, which is that of aws-c-auth 0.9.0"
COPYRIGHT = "Amazon.com, Inc. or its affiliates"

UNNORMALIZED = "the path is signed as it stands, which S3 alone demands"
NO_CONTEXT = "an addition of the crate, without keys and date; its paths are those of a service outside the suite"
CONTENT_LENGTH = "content-length is signed, which our signer leaves to the transport"
TOKEN_AFTER = "the session token was added after signing, which KMS and STS do not take"

NOT_SIGNED_TOKEN = {
    "code": "InvalidSignatureException",
    "message": "'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization.",
}
MISMATCH = {
    "code": "InvalidSignatureException",
    "message": "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
               "Access Key and signing method. Consult the service documentation for details.",
}


def parse(text):
    """A request, with folded header lines as they stand."""
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    method, _, target = first.removesuffix(" HTTP/1.1").partition(" ")
    path, _, query = target.partition("?")
    headers = []
    for line in lines:
        if line.startswith(" "):
            headers[-1][1] += "\n" + line
        elif line:
            headers.append(list(line.partition(":")[::2]))
    return {"method": method, "path": path, "query": query, "headers": headers, "body": body.removesuffix("\n")}


def case(folder, form):
    def text(name):
        return (folder / f"{form}-{name}.txt").read_text()

    context = json.loads((folder / "context.json").read_text())
    credentials = context["credentials"]
    signed = parse(text("signed-request"))
    made = {
        "name": f"{folder.name}, {form}",
        "access_key_id": credentials["access_key_id"],
        "secret_access_key": credentials["secret_access_key"],
        "session_token": credentials.get("token"),
        "region": context["region"],
        "service": context["service"],
        "now": context["timestamp"].replace("-", "").replace(":", ""),
        "expires_seconds": context["expiration_in_seconds"] if form == "query" else None,
        "signed": signed,
        "canonical_request": text("canonical-request"),
        "string_to_sign": text("string-to-sign"),
        "signature": text("signature"),
    }
    if any(name.lower() == "content-length" for name, _ in signed["headers"]):
        made["signer_differs"] = CONTENT_LENGTH
    if context.get("omit_session_token"):
        made["signer_differs"] = TOKEN_AFTER
        made["refused"] = NOT_SIGNED_TOKEN if form == "header" else MISMATCH
    return {name: value for name, value in made.items() if value is not None}


def main():
    cases, left_out = [], {}
    for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        if not (folder / "context.json").exists():
            left_out[folder.name] = NO_CONTEXT
        elif folder.name.endswith("-unnormalized"):
            left_out[folder.name] = UNNORMALIZED
        else:
            cases += [case(folder, form) for form in ("header", "query")]
    made = {
        "source": SOURCE, "license": "Apache-2.0", "copyright": COPYRIGHT, "made_by": "vectors.py",
        "left_out": left_out, "cases": cases,
    }
    (HERE / "vectors.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")


main()
