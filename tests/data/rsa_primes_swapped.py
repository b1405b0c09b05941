"""Writes `rsa_primes_swapped.json`: an RSA key as PKCS#8 twice, with its primes in either order.

    python tests/data/rsa_primes_swapped.py > tests/data/rsa_primes_swapped.json

Every run makes another key. Needs nothing but the package `cryptography`.
"""

import json

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
one = key.private_numbers()
other = rsa.RSAPrivateNumbers(
    p=one.q,
    q=one.p,
    d=one.d,
    dmp1=one.dmq1,
    dmq1=one.dmp1,
    iqmp=rsa.rsa_crt_iqmp(one.q, one.p),
    public_numbers=one.public_numbers,
).private_key()
encodings = [
    {"name": name, "pkcs8": pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()).hex()}
    for name, pair in [("as it is", key), ("primes swapped", other)]
]
assert encodings[0]["pkcs8"] != encodings[1]["pkcs8"]
print(json.dumps({"source": "rsa_primes_swapped.py, Python cryptography", "spec": "RSA_2048", "imports": encodings}, indent=1))
