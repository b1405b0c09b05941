"""Opens ciphertext blobs without trent, as docs/book/formats.md describes them.

    python3 open_blob.py formats/v1/blob.json formats/v1/blob_rust.json

Checks every case of the given files: the blob opens, says what it should, and gives its plaintext.
"""

import json
import sys

import formats


def check(case):
    material, blob = bytes.fromhex(case["material"]), bytes.fromhex(case["blob"])
    multi_region, uuid, material_id, plaintext = formats.open_blob(material, case["context"], blob)
    assert multi_region == case["multi_region"], case["name"]
    assert uuid.hex() == case["uuid"], case["name"]
    assert material_id.hex() == case["material_id"], case["name"]
    assert plaintext.hex() == case["plaintext"], case["name"]


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    for case in cases:
        check(case)
    print(f"{path}: {len(cases)} blobs opened")
