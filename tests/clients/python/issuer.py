"""An identity provider on this machine: its documents over HTTP, and tokens."""

import http.server
import json
import threading
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

AUDIENCE = "sts.amazonaws.com"


class Issuer:
    """Serves discovery and keys, counts who asks, and makes tokens of every algorithm that is believed."""

    def __init__(self):
        self.keys = {}
        self.asked = 0
        self.add_keys("first")
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                documents = {
                    "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"},
                    "/keys": issuer.key_set(),
                }
                issuer.asked += self.path == "/keys"
                document = documents.get(self.path)
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add_keys(self, name):
        """A key for each algorithm, with ids of their own."""
        pair = rsa.generate_private_key(65537, 2048)
        made = {"RS256": pair, "PS256": pair, "ES256": ec.generate_private_key(ec.SECP256R1()),
                "EdDSA": ed25519.Ed25519PrivateKey.generate()}
        self.keys |= {f"{name}-{algorithm}": (algorithm, key) for algorithm, key in made.items()}

    def key_set(self):
        """The public keys."""
        algorithms = get_default_algorithms()
        members = []
        for kid, (algorithm, key) in self.keys.items():
            member = algorithms[algorithm].to_jwk(key.public_key(), as_dict=True)
            members.append({k: v for k, v in member.items() if k != "key_ops"} | {"kid": kid, "use": "sig"})
        return {"keys": members}

    def token(self, kid="first-RS256", subject="system:serviceaccount:prod:app", key=None, algorithm=None, **claims):
        """A token that is good for an hour, but for what the claims say."""
        known = self.keys.get(kid, (None, None))
        now = int(time.time())
        all_claims = {"iss": self.url, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 3600} | claims
        all_claims = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(all_claims, key or known[1], algorithm or known[0], headers={"kid": kid})

    def close(self):
        self.server.shutdown()
