"""A server over HTTPS that takes what trent posts, and can be told to fail or to hang."""

import datetime
import http.server
import json
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def certificate(directory):
    """A key and a certificate of `localhost` that signs itself, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (directory / "receiver.pem").write_bytes(made.public_bytes(pem))
    (directory / "receiver.key").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return directory / "receiver.pem", directory / "receiver.key"


class Receiver:
    """Listens on a free port, which stays the same when it is closed and opened again."""

    def __init__(self, directory):
        self.certificate, self.key = certificate(directory)
        self.port, self.server, self.status = 0, None, 200
        self.posts, self.refused, self.changed = [], 0, threading.Condition()
        self.released = threading.Event()

    def open(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(self, body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads, self.port = True, self.server.server_address[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, request, body):
        status = self.status
        if status == "hangs":
            self.note(refused=True)
            self.released.wait()
            return
        if status == 200:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.note((request.path, headers, body))
        else:
            self.note(refused=True)
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def note(self, post=None, refused=False):
        with self.changed:
            self.posts += [post] if post else []
            self.refused += refused
            self.changed.notify_all()

    def wait(self, condition, seconds=60):
        with self.changed:
            assert self.changed.wait_for(condition, seconds), (self.refused, [post[2] for post in self.posts])

    def lines(self, path):
        """All lines that came to a path, as objects."""
        return [json.loads(line) for where, _, body in list(self.posts) if where == path for line in body.splitlines()]
