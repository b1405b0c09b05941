"""Makes tokens.json: tokens of each algorithm, the keys that verify them, and keys that do not."""

import base64
import json
import pathlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(key, kid):
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "kid": kid, "use": "sig", "n": number(numbers.n), "e": number(numbers.e)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = public.public_numbers()
        return {"kty": "EC", "kid": kid, "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
    return {"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": b64(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}


def sign(key, algorithm, message):
    if algorithm == "RS256":
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "PS256":
        return key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    if algorithm == "ES256":
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return key.sign(message)


def token(key, algorithm, kid, claims):
    parts = [{"alg": algorithm, "kid": kid, "typ": "JWT"}, claims]
    signed = ".".join(b64(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{b64(sign(key, algorithm, signed.encode()))}"


def keys():
    one = rsa.generate_private_key(65537, 2048)
    return {
        "RS256": one,
        "PS256": one,
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


mine, others = keys(), keys()
kids = {"RS256": "rsa", "PS256": "rsa", "ES256": "ec", "EdDSA": "ed"}


def key_set(of):
    return {"keys": [jwk(of[name], kids[name]) for name in ["RS256", "ES256", "EdDSA"]]}


def claims(name):
    return {"iss": "https://issuer.example.com", "sub": f"subject of {name}", "aud": "sts.amazonaws.com", "exp": 4000000000}


data = {
    "jwks": key_set(mine),
    "others": key_set(others),
    "tokens": {name: token(key, name, kids[name], claims(name)) for name, key in mine.items()},
}
pathlib.Path(__file__).with_name("tokens.json").write_text(json.dumps(data, indent=1) + "\n")
