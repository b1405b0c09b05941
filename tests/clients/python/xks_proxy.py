"""An external key store proxy, written apart from trent: its own check of signatures, its own reading of the API,
AES-GCM of `cryptography`. It can be told to misbehave."""

import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

REGION = "us-east-1"
METADATA = b"key_version=1"
STATUSES = {
    "ValidationException": 400,
    "InvalidStateException": 400,
    "InvalidCiphertextException": 400,
    "InvalidKeyUsageException": 400,
    "AuthenticationFailedException": 401,
    "AccessDeniedException": 403,
    "KeyNotFoundException": 404,
    "InvalidUriPathException": 404,
    "ThrottlingException": 429,
    "InternalException": 500,
    "UnsupportedOperationException": 501,
    "DependencyTimeoutException": 503,
}


HOST = "xks.example.test"


class Refused(Exception):
    """An error of the API."""

    def __init__(self, name):
        super().__init__(name)
        self.name = name


class Key:
    """An external key."""

    def __init__(self, usage=("ENCRYPT", "DECRYPT"), enabled=True):
        self.material = os.urandom(32)
        self.usage = list(usage)
        self.enabled = enabled


class Authority:
    """Makes certificates."""

    def __init__(self, directory: Path):
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of these tests")])
        certificate = self._sign(self.name, self.key.public_key(), ca=True)
        self.file = directory / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, name, public, ca=False, dns=None, days=30):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if dns:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, label, common_name, dns=None, days=30):
        """The files of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        chain, private = self.directory / f"{label}.pem", self.directory / f"{label}.key.pem"
        certificate = self._sign(name, key.public_key(), dns=dns, days=days)
        chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return chain, private


def signature(secret, request, scope, date, names, headers, body):
    """Signature Version 4, by its description."""
    method, path = request
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    canonical = "\n".join([method, path, "", lines, ";".join(names), hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", date, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + secret.encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Proxy:
    """A proxy that runs."""

    def __init__(self, certificate, old_tls=False, clients=None):
        self.path = "/python/kms/xks/v1"
        self.credentials = {"BETWEEN2TENAND3TENCHARACTERS": "PleaseReplaceThisWithSomeSecretOfLength43To64"}
        self.keys = {
            "key": Key(),
            "encrypts": Key(["ENCRYPT"]),
            "decrypts": Key(["DECRYPT"]),
            "impotent": Key(["WRAP"]),
            "disabled": Key(enabled=False),
        }
        self.faults = set()
        self.slowness = 0.4
        # Paths with this in them are left without an answer for as long as it is there.
        self.hangs = None
        self.hanging = 0
        self.region = REGION
        self.seen = []
        # What was sent beside that, and the last integrity value.
        self.asked = []
        self.integrity = None
        # The names by which it was asked: in TLS, and in HTTP.
        self.names = set()
        self.context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.sni_callback = lambda _, name, __: self.names.add(("tls", name))
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.file)
        context.minimum_version = ssl.TLSVersion.TLSv1_1 if old_tls else ssl.TLSVersion.TLSv1_2
        if old_tls:
            context.set_ciphers("ALL:@SECLEVEL=0")
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def setup(self):
                # Here, in the thread of the connection: a client that is slow must not keep others out.
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def log_message(self, *_):
                pass

            def do_GET(self):
                proxy.answer(self, "GET")

            def do_POST(self):
                proxy.answer(self, "POST")

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        def listen(port):
            self.server = Listener(("127.0.0.1", port), Handler)
            self.port = self.server.server_address[1]
            threading.Thread(target=self.server.serve_forever, daemon=True).start()

        self.listen = listen
        listen(0)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def write_configuration(self, path: Path):
        """Writes the proxy configuration file."""
        (name, secret), *_ = self.credentials.items()
        pair = {"AccessKeyId": name, "RawSecretAccessKey": secret}
        path.write_text(json.dumps({"XksProxyUriPath": self.path, "XksProxyAuthenticationCredential": pair}))
        return path

    def answer(self, handler, method):
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        if self.hangs and self.hangs in handler.path:
            self.hanging += 1
            while self.hangs and self.hangs in handler.path:
                time.sleep(0.02)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.names.add(("http", headers.get("host")))
        if "close" in self.faults:
            handler.close_connection = True
            handler.connection.close()
            return
        if "slow" in self.faults:
            time.sleep(self.slowness)
        kind = "application/json"
        try:
            status, answer = 200, self.outcome(method, handler.path, headers, body)
        except Refused as refused:
            status, answer = STATUSES[refused.name], {"errorName": refused.name, "errorMessage": "secret detail"}
        except LookupError as wrong:
            status, answer = wrong.args
        text = json.dumps(answer).encode() if answer is not None else b""
        if "bad-json" in self.faults and status == 200:
            text = text[:-1]
        if "html" in self.faults:
            status, kind, text = 500, "text/html", b"<html>no</html>"
        handler.send_response(status)
        if "redirect" in self.faults:
            handler.send_header("location", "https://elsewhere.test/")
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def outcome(self, method, path, headers, body):
        if "redirect" in self.faults:
            raise LookupError(302, None)
        route = re.fullmatch(rf"(?:/at/[a-z]+)?{self.path}/(health|keys/([A-Za-z0-9._-]{{1,128}})/(metadata|encrypt|decrypt))", path)
        if not route:
            raise Refused("InvalidUriPathException")
        if method != "POST" and "get" not in self.faults:
            raise LookupError(405, None)
        if "unsigned" not in self.faults:
            self.check_signature(method, path, headers, body)
        for fault in self.faults & set(STATUSES):
            raise Refused(fault)
        try:
            request = json.loads(body)
            metadata = request["requestMetadata"]
            api = route[3] or "health"
            needed = {"health": [], "metadata": ["awsPrincipalArn"]}.get(api, ["awsPrincipalArn", "kmsKeyArn"])
            for name in ["kmsRequestId", "kmsOperation", *needed]:
                assert metadata[name]
            self.seen.append((api, metadata))
            if api == "health":
                return self.health()
            arguments = self.arguments(api, request)
            self.asked.append((api, arguments))
        except (ValueError, KeyError, TypeError, AssertionError):
            raise Refused("ValidationException") from None
        key = self.keys.get(route[2])
        if not key:
            raise Refused("KeyNotFoundException")
        if api == "metadata":
            spec = "AES_128" if "aes-128" in self.faults else "AES_256"
            return {"keySpec": spec, "keyUsage": key.usage, "keyStatus": "ENABLED" if key.enabled else "DISABLED"}
        if not key.enabled:
            raise Refused("InvalidStateException")
        if api.upper() not in key.usage:
            raise Refused("InvalidKeyUsageException")
        return getattr(self, api)(key, **arguments)

    def check_signature(self, method, path, headers, body):
        form = r"AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})"
        header = re.fullmatch(form, headers.get("authorization", ""))
        if not header:
            raise Refused("AuthenticationFailedException")
        name, *scope = header[1].split("/")
        date, names = headers.get("x-amz-date", ""), header[2].split(";")
        try:
            then = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        except ValueError:
            raise Refused("AuthenticationFailedException") from None
        skew = abs((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds())
        right = scope == [date[:8], self.region, "kms-xks-proxy", "aws4_request"]
        right &= {"host", "x-amz-date"} <= set(names) <= set(headers)
        right &= skew <= 300 or "skew" in self.faults
        secret = self.credentials.get(name)
        if not right or secret is None:
            raise Refused("AuthenticationFailedException")
        expected = signature(secret, (method, path), scope, date, names, headers, body)
        if not hmac.compare_digest(expected, header[3]):
            raise Refused("AuthenticationFailedException")

    def health(self):
        status = "UNAVAILABLE" if "unavailable" in self.faults else "ACTIVE"
        details = [{"id": "1", "model": "python", "healthStatus": status}]
        if "degraded" in self.faults:
            states = ["UNAVAILABLE", "DEGRADED"]
            details = [{"id": state, "model": "python", "healthStatus": state} for state in states]
        if "no-instance" in self.faults:
            details = []
        return {
            "xksProxyFleetSize": 0 if "no-fleet" in self.faults else 1,
            "xksProxyVendor": "tests",
            "xksProxyModel": "python",
            "ekmVendor": "tests",
            "ekmFleetDetails": details * (11 if "eleven" in self.faults else 1),
            "somethingNew": True,
        }

    def arguments(self, api, request):
        def binary(name, lengths=None, required=True):
            if name not in request and not required:
                return None
            value = base64.b64decode(request[name], validate=True)
            assert lengths is None or len(value) in lengths
            return value

        if api == "metadata":
            return {}
        assert request["encryptionAlgorithm"] == "AES_GCM"
        aad = binary("additionalAuthenticatedData", required=False)
        if api == "encrypt":
            integrity = request.get("ciphertextDataIntegrityValueAlgorithm")
            assert integrity in [None, "SHA_256"]
            return {"plaintext": binary("plaintext"), "aad": aad, "integrity": integrity}
        return {
            "ciphertext": binary("ciphertext"),
            "iv": binary("initializationVector", [12, 16]),
            "tag": binary("authenticationTag", [16]),
            "metadata": binary("ciphertextMetadata", range(21), required=False),
            "aad": aad,
        }

    def associated(self, aad, metadata):
        if "no-aad" in self.faults:
            return b""
        aad, metadata = aad or b"", metadata or b""
        if "no-lengths" in self.faults:
            return aad + metadata
        return len(aad).to_bytes(2, "big") + aad + bytes([len(metadata)]) + metadata

    def encrypt(self, key, plaintext, aad, integrity):
        if integrity and "DECRYPT" not in key.usage:
            raise Refused("InvalidKeyUsageException")
        iv = bytes(12) if "same-iv" in self.faults else os.urandom(12)
        sealed = AESGCM(key.material).encrypt(iv, plaintext, self.associated(aad, METADATA))
        ciphertext, tag, metadata = sealed[:-16], sealed[-16:], METADATA
        if "long-metadata" in self.faults:
            metadata = bytes(21)
        if "long-iv" in self.faults:
            iv += b"\0"
        if "short-tag" in self.faults:
            tag = tag[:12]
        if "short-ciphertext" in self.faults:
            ciphertext = ciphertext[:-1]
        encode = lambda value: base64.b64encode(value).decode()  # noqa: E731
        answer = {
            "ciphertext": encode(ciphertext),
            "initializationVector": encode(iv),
            "authenticationTag": encode(tag),
            "ciphertextMetadata": encode(metadata),
        }
        if integrity and "no-integrity" not in self.faults:
            value = hashlib.sha256((aad or b"") + metadata + iv + ciphertext + tag).digest()
            if "wrong-integrity" in self.faults:
                value = bytes(32)
            self.integrity = value
            answer["ciphertextDataIntegrityValue"] = encode(value)
        return answer

    def decrypt(self, key, ciphertext, iv, tag, metadata, aad):
        try:
            plaintext = AESGCM(key.material).decrypt(iv, ciphertext + tag, self.associated(aad, metadata))
        except InvalidTag:
            if "lenient" in self.faults:
                plaintext = bytes(len(ciphertext))
            else:
                raise Refused("InvalidCiphertextException") from None
        if "wrong-plaintext" in self.faults:
            plaintext = bytes(len(plaintext))
        return {"plaintext": base64.b64encode(plaintext).decode()}


def configuration(proxy, authority, timeout_ms=300):
    """What trent is told so that it finds the proxy under its name, and trusts it."""
    return f"""
[xks]
extra_trust_roots = ["{authority.file}"]
request_timeout_ms = {timeout_ms}
connect_override = [{{ host = "{HOST}", connect_to = ["127.0.0.1:{proxy.port}"] }}]
"""


def request(proxy, name="store", **members):
    """A request for a key store at the proxy."""
    (access_key_id, secret), *_ = proxy.credentials.items()
    return {
        "CustomKeyStoreName": name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": f"https://{HOST}",
        "XksProxyUriPath": proxy.path,
        "XksProxyAuthenticationCredential": {"AccessKeyId": access_key_id, "RawSecretAccessKey": secret},
    } | members
