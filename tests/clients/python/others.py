"""Keys as others have them, and what other implementations do with them.

RSA and the curves by `cryptography` (OpenSSL), Ed25519ph by `pycryptodome`, ML-DSA by `dilithium-py` and `cryptography`,
ML-KEM by `kyber-py`, HMAC by Python. What trent encrypts with symmetric keys has a format of its own: its second description is
`crates/crypto/testdata/formats.py`.
"""

import hashlib
import hmac
import os
import sys
import uuid
from pathlib import Path

import kyber_py.ml_kem
from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils
from dilithium_py import ml_dsa
from pyasn1.codec.der import decoder, encoder

sys.path.insert(0, str(Path(__file__).parents[3] / "crates/crypto/testdata"))

import formats  # noqa: E402

HASHES = {
    "1": hashes.SHA1(),
    "224": hashes.SHA224(),
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def hash_of(algorithm):
    return HASHES[algorithm.rpartition("_")[2]]


def digest(algorithm, message):
    return hashlib.new(hash_of(algorithm).name, message).digest()


def pkcs8(private):
    encoding = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return private.private_bytes(*encoding)


def spki(public):
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def oaep(algorithm):
    return padding.OAEP(mgf=padding.MGF1(hash_of(algorithm)), algorithm=hash_of(algorithm), label=None)


class Pair:
    """A key pair, or its public half. Signatures are of messages; how the message was sent is the signer's affair."""

    kinds = ("RAW", "DIGEST")

    def __init__(self, spec, public, private=None):
        self.spec, self.public, self.private = spec, public, private

    @classmethod
    def generate(cls, spec):
        private = cls.new(spec)
        return cls(spec, private.public_key(), private)

    @classmethod
    def of_public(cls, spec, document):
        return cls(spec, serialization.load_der_public_key(document))

    @property
    def material(self):
        return pkcs8(self.private)

    @property
    def spki(self):
        return spki(self.public)

    def sent(self, algorithm, kind, message):
        """What is given to trent to have the message signed."""
        return message if kind == "RAW" else digest(algorithm, message)


class Rsa(Pair):
    @staticmethod
    def new(spec):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(spec[4:]))

    @staticmethod
    def padding(algorithm):
        if "PKCS1" in algorithm:
            return padding.PKCS1v15()
        return padding.PSS(mgf=padding.MGF1(hash_of(algorithm)), salt_length=padding.PSS.DIGEST_LENGTH)

    def sign(self, algorithm, message, _kind):
        return self.private.sign(message, self.padding(algorithm), hash_of(algorithm))

    def verify(self, algorithm, message, _kind, signature):
        assert self.public.key_size == int(self.spec[4:]) and self.public.public_numbers().e == 65537
        self.public.verify(signature, message, self.padding(algorithm), hash_of(algorithm))

    def encrypt(self, algorithm, plaintext):
        return self.public.encrypt(plaintext, oaep(algorithm))

    def decrypt(self, algorithm, ciphertext):
        return self.private.decrypt(ciphertext, oaep(algorithm))


class Curve(Pair):
    curves = {
        "ECC_NIST_P256": ec.SECP256R1(),
        "ECC_NIST_P384": ec.SECP384R1(),
        "ECC_NIST_P521": ec.SECP521R1(),
        "ECC_SECG_P256K1": ec.SECP256K1(),
    }

    @classmethod
    def new(cls, spec):
        return ec.generate_private_key(cls.curves[spec])

    def sign(self, algorithm, message, _kind):
        return self.private.sign(message, ec.ECDSA(hash_of(algorithm)))

    def verify(self, algorithm, message, _kind, signature):
        assert self.public.curve.name == self.curves[self.spec].name
        self.public.verify(signature, message, ec.ECDSA(hash_of(algorithm)))
        # Strict DER, and both numbers of the group.
        r, s = utils.decode_dss_signature(signature)
        assert utils.encode_dss_signature(r, s) == signature
        assert 0 < r < self.public.curve.group_order and 0 < s < self.public.curve.group_order

    def agree(self, peer):
        return self.private.exchange(ec.ECDH(), peer.public)


class Edwards(Pair):
    def __init__(self, spec, public, private=None):
        super().__init__(spec, public, private)
        self.kinds = ("RAW",)

    @staticmethod
    def new(_spec):
        return ed25519.Ed25519PrivateKey.generate()

    @staticmethod
    def prehashed(message):
        # As with AWS: Ed25519ph of the digest that was sent, which is hashed once more.
        return SHA512.new(hashlib.sha512(message).digest())

    def sign(self, algorithm, message, _kind):
        if algorithm == "ED25519_SHA_512":
            return self.private.sign(message)
        return eddsa.new(ECC.import_key(self.material), "rfc8032").sign(self.prehashed(message))

    def verify(self, algorithm, message, _kind, signature):
        assert isinstance(self.public, ed25519.Ed25519PublicKey)
        if algorithm == "ED25519_SHA_512":
            return self.public.verify(signature, message)
        try:
            return eddsa.new(ECC.import_key(self.spki), "rfc8032").verify(self.prehashed(message), signature)
        except ValueError as error:
            raise InvalidSignature from error


class MlDsa(Pair):
    kinds = ("RAW", "EXTERNAL_MU")
    private_keys = {
        "ML_DSA_44": mldsa.MLDSA44PrivateKey,
        "ML_DSA_65": mldsa.MLDSA65PrivateKey,
        "ML_DSA_87": mldsa.MLDSA87PrivateKey,
    }

    @classmethod
    def new(cls, spec):
        return cls.private_keys[spec].generate()

    @property
    def other(self):
        return getattr(ml_dsa, self.spec)

    @property
    def raw(self):
        return self.public.public_bytes_raw()

    def sent(self, algorithm, kind, message):
        return message if kind == "RAW" else self.other.prehash_external_mu(self.raw, message)

    def sign(self, _algorithm, message, kind):
        public, private = self.other.key_derive(self.private.private_bytes_raw())
        assert public == self.raw
        if kind == "RAW":
            return self.other.sign(private, message)
        return self.other.sign_external_mu(private, self.other.prehash_external_mu(public, message))

    def verify(self, algorithm, message, _kind, signature):
        self.public.verify(signature, message)
        self.public.verify_mu(signature, self.sent(algorithm, "EXTERNAL_MU", message))
        assert self.other.verify(self.raw, message, signature)


class MlKem:
    # RFC 9935: the names of the algorithms differ in their last byte alone.
    name = bytes.fromhex("300b06096086480165030404")
    numbers = {"ML_KEM_512": 1, "ML_KEM_768": 2, "ML_KEM_1024": 3}

    def __init__(self, spec, public, private=None, seed=None):
        self.spec, self.public, self.private, self.seed = spec, public, private, seed
        self.other = getattr(kyber_py.ml_kem, spec)

    @classmethod
    def generate(cls, spec):
        seed = os.urandom(64)
        public, private = getattr(kyber_py.ml_kem, spec).key_derive(seed)
        return cls(spec, public, private, seed)

    @classmethod
    def of_public(cls, spec, document):
        read, rest = decoder.decode(document)
        assert encoder.encode(read[0]) == cls.name + bytes([cls.numbers[spec]]) and not rest
        return cls(spec, read[1].asOctets())

    @classmethod
    def of_private(cls, spec, document):
        read, rest = decoder.decode(document)
        assert encoder.encode(read[1]) == cls.name + bytes([cls.numbers[spec]]) and not rest
        # The seed, in the choice of RFC 9935 section 6 that is marked [0].
        choice = read[2].asOctets()
        assert choice[:2] == bytes.fromhex("8040")
        public, private = getattr(kyber_py.ml_kem, spec).key_derive(choice[2:])
        return cls(spec, public, private, choice[2:])

    @property
    def material(self):
        name = self.name + bytes([self.numbers[self.spec]])
        return bytes.fromhex("3054020100") + name + bytes.fromhex("04428040") + self.seed

    @property
    def spki(self):
        return None  # There is nobody here to write one for ML_KEM_512; `of_public` reads trent's.

    def encapsulate(self):
        return self.other.encaps(self.public)

    def decapsulate(self, ciphertext):
        return self.other.decaps(self.private, ciphertext)


class Secret:
    """Bytes without a public half."""

    lengths = {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64, "SYMMETRIC_DEFAULT": 32}
    spki = None

    def __init__(self, spec, material):
        self.spec, self.material = spec, material

    @classmethod
    def generate(cls, spec):
        return cls(spec, os.urandom(cls.lengths[spec]))

    def mac(self, algorithm, message):
        return hmac.digest(self.material, message, hash_of(algorithm).name)

    def seal(self, metadata, context, plaintext):
        """Encrypts as the key that is described would."""
        key, material_id = uuid.UUID(metadata["KeyId"]).bytes, bytes.fromhex(metadata["CurrentKeyMaterialId"])
        nonce, iv = os.urandom(16), os.urandom(12)
        return formats.seal_blob(self.material, False, key, material_id, context, plaintext, nonce, iv)

    def open(self, metadata, context, blob):
        _, key, material_id, plaintext = formats.open_blob(self.material, context, blob)
        assert (key, material_id.hex()) == (uuid.UUID(metadata["KeyId"]).bytes, metadata["CurrentKeyMaterialId"])
        return plaintext


def kind_of(spec):
    if spec.startswith("RSA_"):
        return Rsa
    if spec in Curve.curves:
        return Curve
    if spec == "ECC_NIST_EDWARDS25519":
        return Edwards
    if spec in MlDsa.private_keys:
        return MlDsa
    return MlKem if spec in MlKem.numbers else Secret


def generate(spec):
    """A key of this spec, made here."""
    return kind_of(spec).generate(spec)


def of_public(spec, document):
    """A public key that trent gave."""
    return kind_of(spec).of_public(spec, document)
