"""Registry mirrors are asked as dockerd asks them, over TLS believed as it does, and left out where they are dead."""

import datetime
import http.server
import ssl
import threading

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import mirrors
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.plugins.module_utils.docker_daemon.docker_daemon_hosts import FakeHost, want


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
    monkeypatch.setattr(mirrors, "CERTIFICATES", f"{tmp_path}/certs.d")
    mirror = f"https://{place}"

    def why(**config):
        return mirrors.ask(Host(), {"registry-mirrors": [mirror], **config}, {}, 5)[mirror]

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
        assert bool(mirrors.ask(Host(), config, {}, 5)[mirror]) is dead


def test_dead_mirrors_are_left_out_unless_all_are_dead():
    config = {"registry-mirrors": ["http://a", "http://b"]}
    wish = want(probe_mirrors="skip")
    alive = mirrors.without_dead_mirrors(wish, config, {"http://a": "refused", "http://b": ""})
    assert alive["registry-mirrors"] == ["http://b"]
    assert mirrors.without_dead_mirrors(wish, config, {"http://a": "x", "http://b": "x"}) == config
    report = dict(wish, probe_mirrors="report")
    assert mirrors.without_dead_mirrors(report, config, {"http://a": "refused", "http://b": ""}) == config


def test_mirrors_are_asked_as_the_daemon_asks(monkeypatch):
    asked = []

    class Opener:
        def open(self, url, timeout):
            raise OSError("asked")

    def opener(proxies, _https):
        asked.append(proxies.proxies)
        return Opener()

    monkeypatch.setattr(mirrors.urllib.request, "build_opener", opener)
    variables = {"HTTP_PROXY": "http://p", "NO_PROXY": "direct"}
    config = {"registry-mirrors": ["http://m:5000", "http://direct"]}
    assert set(mirrors.ask(FakeHost(), config, variables, 1).values()) == {"asked"}
    assert sorted(asked, key=str) == [{"http": "http://p"}, {}]


@pytest.mark.parametrize(
    ("place", "direct"),
    [
        ("m.example.org:5000", True),
        ("example.org", True),
        ("other.org", False),
        ("10.1.2.3:5000", True),
        ("11.1.2.3:5000", False),
        ("127.0.0.1:5000", True),
        ("localhost:5000", True),
    ],
)
def test_who_is_asked_without_a_proxy(place, direct):
    assert mirrors.is_direct(place, "example.org, 10.0.0.0/8") is direct
