"""SM2 with the command line of OpenSSL 3.0, which is all that Python has of it.

    python3 sm2.py make                              writes keys/sm2.json
    python3 sm2.py check keys/sm2_rust.json          checks what trent made

The curve's arithmetic, for shared secrets, which OpenSSL does not give out, is written by hand.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import keys

HERE = pathlib.Path(__file__).parent
# GB/T 32918.5.
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
     0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0)
ALGORITHM = keys.sequence(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06082a811ccf5501822d"))
CODE = 0x61
USER = ["-pkeyopt", "distid:1234567812345678"]


def add(one, two):
    if one is None or two is None:
        return one or two
    (x1, y1), (x2, y2) = one, two
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) if one == two else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiply(number, point):
    result = None
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def point_bytes(point):
    return b"\4" + b"".join(number.to_bytes(32, "big") for number in point)


def spki(number):
    return keys.sequence(ALGORITHM, keys.bits(point_bytes(multiply(number, G))))


def pkcs8(number):
    public = keys.tlv(0xA1, keys.bits(point_bytes(multiply(number, G))))
    inner = keys.sequence(keys.integer(1), keys.octets(number.to_bytes(32, "big")), public)
    return keys.sequence(keys.integer(0), ALGORITHM, keys.octets(inner))


def record(number):
    return bytes([1, CODE, 0, 0, 0, 0, 32]) + number.to_bytes(32, "big") + spki(number)


def openssl(arguments, **files):
    """Runs it with `files` in a folder, and gives what it writes to `out`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            pathlib.Path(folder, name).write_bytes(content)
        done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=False)
        out = pathlib.Path(folder, "out")
        assert done.returncode == 0, done.stderr.decode()
        return out.read_bytes() if out.exists() else done.stdout


PRIVATE = ["-inkey", "key", "-keyform", "DER", "-in", "text", "-out", "out"]
PUBLIC = ["-pubin", "-inkey", "key", "-keyform", "DER", "-in", "text"]


def sign(number, message):
    options = ["pkeyutl", "-sign", *PRIVATE, "-rawin", "-digest", "sm3", *USER]
    return openssl(options, key=pkcs8(number), text=message)


def verify(public, message, signature):
    options = ["pkeyutl", "-verify", *PUBLIC, "-sigfile", "signature", "-rawin", "-digest", "sm3", *USER]
    openssl(options, key=public, text=message, signature=signature)


def sm3(message):
    return openssl(["dgst", "-sm3", "-binary", "-out", "out", "text"], text=message)


def digest(number, message):
    """SM3(Z ‖ message), GM/T 0003.2 section 5.5."""
    user = b"1234567812345678"
    a, b = P - 3, 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
    public = multiply(number, G)
    numbers = b"".join(number.to_bytes(32, "big") for number in [a, b, *G, *public])
    return sm3(sm3((len(user) * 8).to_bytes(2, "big") + user + numbers) + message)


def make():
    number, other = (int.from_bytes(keys.some(f"{name} SM2", 32), "big") % (N - 2) + 1 for name in ["key", "other"])
    signatures, ciphertexts = [], []
    for message in [b"m", keys.some("message", 100), keys.some("long message", 4096)]:
        signature = sign(number, message).hex()
        signatures.append({"type": "RAW", "message": message.hex(), "signature": signature})
        signatures.append({"type": "DIGEST", "message": digest(number, message).hex(), "signature": signature})
    for length in [1, 32, 1024]:
        text = keys.some(f"plaintext {length}", length)
        options = ["pkeyutl", "-encrypt", *PUBLIC, "-out", "out"]
        ciphertexts.append({"plaintext": text.hex(), "ciphertext": openssl(options, key=spki(number), text=text).hex()})
    case = {
        "private": number.to_bytes(32, "big").hex(), "spki": spki(number).hex(), "pkcs8": pkcs8(number).hex(),
        "record": record(number).hex(), "signatures": signatures, "ciphertexts": ciphertexts,
        "peer": spki(other).hex(), "secret": multiply(number * other, G)[0].to_bytes(32, "big").hex(),
    }
    text = json.dumps({"source": "sm2.py, OpenSSL 3.0", "cases": [case]}, indent=1)
    (HERE / "keys/sm2.json").write_text(text + "\n")


def check(path):
    for case in json.loads(pathlib.Path(path).read_text())["cases"]:
        number = int.from_bytes(bytes.fromhex(case["record"])[7:39], "big")
        message = bytes.fromhex(case["message"])
        assert record(number).hex() == case["record"] and spki(number).hex() == case["spki"]
        assert pkcs8(number).hex() == case["pkcs8"]
        verify(bytes.fromhex(case["spki"]), message, bytes.fromhex(case["signature"]))
        options = ["pkeyutl", "-decrypt", *PRIVATE]
        plaintext = openssl(options, key=bytes.fromhex(case["pkcs8"]), text=bytes.fromhex(case["ciphertext"]))
        assert plaintext == message
        assert multiply(number * number, G)[0].to_bytes(32, "big").hex() == case["agreed"]
    print(f"{path}: right")


if sys.argv[1] == "make":
    make()
else:
    check(sys.argv[2])
