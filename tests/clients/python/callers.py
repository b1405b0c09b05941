"""Calls operations by their names, with boto3 and with the AWS command line, and keeps which of them succeeded."""

import base64
import itertools
import json
import subprocess
import sys
from pathlib import Path

import botocore
from botocore import xform_name
from server import REGION

AWS = Path(sys.executable).parent / "aws"
# Newer than this command line, which learns them from the model of the SDK.
NEWER = {"Encapsulate", "Decapsulate"}
NEWER_MODEL = {"AWS_DATA_PATH": str(Path(botocore.__file__).parent / "data")}


class Boto3:
    """As Python programs call."""

    def __init__(self, trent, _directory):
        self.trent, self.clients, self.answered = trent, {}, set()

    def __call__(self, operation, region=REGION, **request):
        client = self.clients.setdefault(region, self.trent.client(region))
        answer = getattr(client, xform_name(operation))(**request)
        self.answered.add(operation)
        return answer


class CommandLine:
    """As scripts call: `aws kms`, a process for each call, bytes in files."""

    def __init__(self, trent, directory):
        self.trent, self.answered = trent, set()
        # Without this the command line would fetch what looks like an address.
        self.config = directory / "aws-config"
        self.config.write_text("[default]\ncli_follow_urlparam = false\n")
        self.model, self.files = trent.client().meta.service_model, (directory / f"{n}" for n in itertools.count())

    def __call__(self, operation, region=REGION, **request):
        model = self.model.operation_model(operation)
        line = [AWS, "kms", xform_name(operation, "-")]
        for name, value in request.items():
            line += self.argument(model.input_shape.members[name], f"--{xform_name(name, '-')}", value)
        environment = self.trent.environment(region) | {"AWS_CONFIG_FILE": str(self.config)}
        environment |= NEWER_MODEL if operation in NEWER else {}
        done = subprocess.run(
            line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, (line, done.stderr)
        self.answered.add(operation)
        return with_bytes(model.output_shape, json.loads(done.stdout)) if done.stdout.strip() else {}

    def argument(self, shape, name, value):
        if shape.type_name == "boolean":
            return [name if value else name.replace("--", "--no-", 1)]
        if shape.type_name == "blob":
            path = next(self.files)
            path.write_bytes(value)
            return [name, f"fileb://{path}"]
        return [name, value if isinstance(value, str) else json.dumps(value)]


def with_bytes(shape, value):
    """What the command line prints as base64 is bytes."""
    if shape.type_name == "blob":
        return base64.b64decode(value)
    if shape.type_name == "list":
        return [with_bytes(shape.member, each) for each in value]
    if shape.type_name == "structure":
        return {name: with_bytes(shape.members[name], each) for name, each in value.items()}
    return value


CALLERS = {"boto3": Boto3, "the command line": CommandLine}
