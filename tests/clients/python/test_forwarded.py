"""Clients behind a proxy: trent takes the address that a trusted proxy tells, for policies and for the audit trail."""

import http.client
import http.server
import json
import threading

import pytest
from botocore.exceptions import ClientError

import trail
from server import ACCOUNT, Server

CLIENT = "203.0.113.7"


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on as they came, and says from whom, as proxies do: behind what the client said itself."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    client = CLIENT

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        lines = [(name, value) for name, value in self.headers.items() if name.lower() != "connection"]
        if self.client is not None:
            lines.append(("X-Forwarded-For", self.client))
        upstream = http.client.HTTPConnection(self.upstream, timeout=30)
        upstream.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in lines:
            upstream.putheader(name, value)
        upstream.endheaders(body)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def behind(tmp_path):
    """A server that trusts these networks, and a function that gives clients behind its proxy."""
    started = []

    def start(networks):
        (tmp_path / "trent.toml").write_text(f"[http]\ntrusted_proxies = {networks}\n")
        server = Server(tmp_path, ["--config", "trent.toml"]).start()

        def client(said=CLIENT, service="kms", own=None):
            handler = type("Of", (Proxy,), {"upstream": server.endpoint.removeprefix("http://"), "client": said})
            proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            started.append(proxy)
            made = server.client(service=service, endpoint_url=f"http://127.0.0.1:{proxy.server_address[1]}")

            def claim(request, **_):
                request.headers["X-Forwarded-For"] = own

            if own is not None:
                made.meta.events.register("before-send.*.*", claim)
            return made

        started.append(server)
        return server, client

    yield start
    for one in started:
        if isinstance(one, Server):
            assert one.stop() == 0, one.log()
        else:
            one.shutdown()
            one.server_close()


def key_for(kms, network):
    """A key with which nobody encrypts but from this network."""
    allow = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    outside = {"NotIpAddress": {"aws:SourceIp": network}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*", "Condition": outside}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]})
    return kms.create_key(Policy=document, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["KeyId"]


def encrypts(kms, key):
    try:
        kms.encrypt(KeyId=key, Plaintext=b"p")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def sources(server, event):
    records = trail.records(server.directory / "trent-data/audit")
    return [record["sourceIPAddress"] for record in records if record["eventName"] == event]


def test_a_trusted_proxy_tells_whose_request_it_is(behind):
    server, client = behind('["127.0.0.0/8", "10.0.0.0/8"]')
    direct = server.client()
    key = key_for(direct, f"{CLIENT}/32")
    assert not encrypts(direct, key)
    assert encrypts(client(), key)
    # What the client says itself stands left of what the proxy says.
    assert not encrypts(client("198.51.100.1", own=CLIENT), key)
    assert encrypts(client(own="198.51.100.1"), key)
    assert encrypts(client(f"{CLIENT}, 10.0.0.1"), key)
    # A proxy that says nothing, or no address, is all that is known.
    for nothing in (None, "unknown", ""):
        assert not encrypts(client(nothing), key)
    told = ["127.0.0.1", CLIENT, "198.51.100.1", CLIENT, CLIENT, "127.0.0.1", "127.0.0.1", "127.0.0.1"]
    assert sources(server, "Encrypt") == told

    client(service="sts").get_caller_identity()
    assert sources(server, "GetCallerIdentity") == [CLIENT]


def test_who_is_not_trusted_is_not_heard(behind):
    server, client = behind('["10.0.0.0/8"]')
    key = key_for(server.client(), f"{CLIENT}/32")
    assert not encrypts(client(), key)
    assert sources(server, "Encrypt") == ["127.0.0.1"]
