"""Registries are asked as their clients ask them."""

import http.server
import ssl
import threading

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import web


class Registry(http.server.BaseHTTPRequestHandler):
    """One that takes the login ``good``, and is ill for ``ill``."""

    def do_GET(self):
        codes = {None: 401, "Basic good": 200, "Basic ill": 503}
        self.send_response(codes.get(self.headers["Authorization"], 401) if self.path == "/v2/" else 404)
        self.end_headers()

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture(scope="module")
def url():
    server = http.server.HTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        ("", ""),
        ("good", ""),
        ("bad", "it answers 401, so it does not take the password"),
        ("ill", "it answers 503"),
    ],
)
def test_a_registry_that_asks_for_a_login_lives_and_one_that_refuses_it_is_told(url, auth, why):
    assert web.ask_registry(f"{url}/", {}, auth=auth) == why


def test_what_is_no_registry_is_told(url):
    assert web.ask_registry(f"{url}/elsewhere", {}) == "it answers 404"
    assert web.ask_registry(url, {"http": "http://127.0.0.1:9"}) == "connection refused"
    assert web.ask_registry("nonsense", {}).startswith("unknown url type")


def test_what_tls_says_is_told_without_its_code(url):
    assert web.ask_registry(url.replace("http:", "https:"), {}) == "it does not speak TLS"
    error = ssl.SSLCertVerificationError(
        1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
    )
    assert web.reason(error, 1) == "certificate verify failed: self-signed certificate"
