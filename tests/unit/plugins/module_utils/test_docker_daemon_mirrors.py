"""Registry mirrors over TLS are believed as dockerd believes them."""

import datetime
import http.server
import ssl
import threading

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import mirrors as docker_daemon_mirrors
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Cache(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(self.status if self.path == "/v2/" else 404)
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def cache(tmp_path):
    """A cache with an authority of its own, as the role registry makes one: its URL, and the authority's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "ca.crt").write_bytes(made.public_bytes(pem))
    (tmp_path / "key").write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.crt", tmp_path / "key")
    server = http.server.HTTPServer(("127.0.0.1", 0), Cache)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"localhost:{server.server_port}", tmp_path / "ca.crt"
    server.shutdown()
    server.server_close()


def test_a_cache_of_our_own_lives_once_its_authority_is_where_docker_looks(cache, tmp_path, monkeypatch):
    place, authority = cache
    monkeypatch.setattr(docker_daemon_mirrors, "CERTIFICATES", f"{tmp_path}/certs.d")
    mirror = f"https://{place}"

    def why(**config):
        return docker_daemon_mirrors.ask(Host(), {"registry-mirrors": [mirror], **config}, {}, 5)[mirror]

    assert "certificate verify failed" in why()
    assert why(**{"insecure-registries": [place]}) == ""
    (tmp_path / "certs.d" / place).mkdir(parents=True)
    (tmp_path / "certs.d" / place / "ca.crt").write_bytes(authority.read_bytes())
    assert why() == ""


def test_a_mirror_that_answers_something_else_is_dead(cache, tmp_path, monkeypatch):
    place, _authority = cache
    mirror = f"https://{place}"
    config = {"registry-mirrors": [mirror], "insecure-registries": [place]}
    for status, dead in ((401, False), (503, True)):
        monkeypatch.setattr(Cache, "status", status)
        assert bool(docker_daemon_mirrors.ask(Host(), config, {}, 5)[mirror]) is dead
