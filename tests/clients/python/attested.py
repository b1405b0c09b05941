"""Makes attestation documents of an authority of its own, and opens what is answered to them.

Written from RFC 8949 (CBOR), RFC 9052 (COSE) and the description of the documents by AWS; X.509 and the signatures are
those of `cryptography`, envelopes are opened by `openssl cms`.
"""

import datetime
import subprocess
import tempfile
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def cbor(value):
    """CBOR of numbers, bytes, texts, lists and dictionaries."""
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(key) + cbor(each) for key, each in value.items())


def head(major, number):
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 24:
            return bytes([major << 5 | number])
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size)
    raise ValueError(number)


class Authority:
    """A root, a zone below it, and the signer of documents, each with a key of P-384."""

    def __init__(self, name="root of tests"):
        self.keys, self.certificates = [], []
        for level, title in enumerate((name, "zone", "i-1234567890abcdef0")):
            self.keys.append(ec.generate_private_key(ec.SECP384R1()))
            self.certificates.append(self._certificate(title, level))

    def _certificate(self, title, level):
        now = datetime.datetime.now(datetime.UTC)
        signs = level < 2
        usage = dict.fromkeys(
            "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only".split(),
            False,
        )
        issuer = self.certificates[-1].subject if self.certificates else _name(title)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(title))
            .issuer_name(issuer)
            .public_key(self.keys[level].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(signs, None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, **usage), critical=True
            )
        )
        return builder.sign(self.keys[max(level - 1, 0)], hashes.SHA384())

    @property
    def root_pem(self):
        return self.certificates[0].public_bytes(serialization.Encoding.PEM)

    def document(self, public_key, tagged=False, **changed):
        """A signed document; members that are changed to `...` are left out."""
        root, zone, signer = (each.public_bytes(serialization.Encoding.DER) for each in self.certificates)
        members = {
            "module_id": "i-1234567890abcdef0-enc0123456789abcdef",
            "digest": "SHA384",
            "timestamp": int(time.time() * 1000),
            "pcrs": {index: bytes([index]) * 48 for index in range(16)},
            "certificate": signer,
            "cabundle": [root, zone],
            "public_key": public_key,
            "user_data": None,
            "nonce": b"nonce",
        }
        payload = cbor({name: value for name, value in (members | changed).items() if value is not ...})
        protected = cbor({1: -35})
        signature = self.keys[2].sign(cbor(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA384()))
        raw = b"".join(number.to_bytes(48) for number in decode_dss_signature(signature))
        return (b"\xd2" if tagged else b"") + cbor([protected, {}, payload, raw])


def _name(title):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])


class Enclave:
    """Who holds an RSA key, and asks with documents."""

    def __init__(self, authority, bits=2048):
        self.authority, self.key = authority, rsa.generate_private_key(65537, bits)
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        self.public_key = self.key.public_key().public_bytes(encoding, form)

    def recipient(self, **changed):
        document = self.authority.document(**({"public_key": self.public_key} | changed))
        return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}

    def opened(self, envelope):
        """What OpenSSL finds in `CiphertextForRecipient`."""
        with tempfile.TemporaryDirectory() as directory:
            key = Path(directory, "key.pem")
            encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
            key.write_bytes(self.key.private_bytes(encoding, form, serialization.NoEncryption()))
            line = ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", key]
            return subprocess.run(line, input=envelope, capture_output=True, check=True).stdout
