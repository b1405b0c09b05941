"""Verifies an audit trail from its files alone, as docs/book/audit.md tells the format."""

import base64
import hashlib
import json
import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PREFIX = b"trent-audit-checkpoint-1\n"
SIGNED = re.compile(rb'(.*),"signature":"([A-Za-z0-9+/=]{88})"\}', re.DOTALL)


def files(directory):
    """The files in the order of the chain."""
    return sorted(Path(directory).glob("audit-" + "[0-9]" * 20 + ".jsonl"))


def records(directory):
    """All whole records, as objects: a process that was killed may have left part of one behind the last line feed."""
    whole = (line for file in files(directory) for line in file.read_bytes().split(b"\n")[:-1])
    return [json.loads(line) for line in whole]


def verify(directory, public_key):
    """What is wrong, in words; and the number of valid signatures."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    faults, signatures, sequence, previous, node = [], 0, 0, "0" * 64, None
    torn = None
    for file in files(directory):
        content = file.read_bytes()
        *lines, rest = content.split(b"\n")
        for index, line in enumerate(lines):
            where = f"{file.name}:{index + 1}"
            try:
                record = json.loads(line)
                link = record["trent"]
            except (ValueError, KeyError):
                faults.append(f"{where}: no record")
                continue
            if index == 0:
                if int(file.stem.removeprefix("audit-")) != link["sequence"]:
                    faults.append(f"{where}: the name of the file")
                told = (record.get("serviceEventDetails") or {}).get("torn")
                if torn and told != torn:
                    faults.append(f"{where}: a torn record that is not told of")
                torn = None
            node = node or link["node"]
            if (link["format"], link["node"], link["sequence"], link["previous"]) != (1, node, sequence, previous):
                faults.append(f"{where}: the link")
            signed = SIGNED.fullmatch(line)
            if record["eventSource"] == "trent.audit" or signed:
                try:
                    key.verify(base64.b64decode(signed[2], validate=True), PREFIX + signed[1])
                    signatures += 1
                except (InvalidSignature, ValueError, TypeError):
                    faults.append(f"{where}: the signature")
            sequence, previous = link["sequence"] + 1, hashlib.sha256(line).hexdigest()
        if rest:
            if torn:
                faults.append(f"{file.name}: torn")
            torn = {"file": file.name, "bytes": len(rest), "sha256": hashlib.sha256(rest).hexdigest()}
    if torn:
        faults.append(f"{torn['file']}: torn")
    return faults, signatures
