"""What registries and upstreams answer."""

import http.server
import ssl
import threading
import time

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.registry import answers


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.end_headers()

    def log_message(self, *_args):
        pass


def test_a_registry_is_asked_over_tls_and_for_its_certificate(tls, tmp_path, make_certificate):
    server = http.server.HTTPServer(("127.0.0.1", 0), Registry)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls["certificate"], tls["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    one = {"address": "127.0.0.1", "port": server.server_port, "tls": True, "certificate": tls["certificate"]}
    assert answers.answer(one) == 401
    make_certificate(tmp_path, authority=tls["made_by"])
    assert answers.answer(one) == "another certificate"
    server.shutdown()
    server.server_close()
    assert str(answers.answer(one)).startswith("does not answer")


class Upstream(Registry):
    def do_GET(self):
        self.send_response({"/v2/": 401, "/closed/v2/": 403}[self.path])
        self.end_headers()


def test_an_upstream_is_asked_with_its_authority_and_named_where_it_does_not_answer(tls, tmp_path):
    server = http.server.HTTPServer(("127.0.0.1", 0), Upstream)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls["certificate"], tls["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    want = {"config_dir": str(tmp_path)}
    url = f"https://localhost:{server.server_port}"
    (tmp_path / "hub").mkdir()
    assert "certificate verify failed" in answers.upstream(Host(), want, {"service": "hub", "upstream": url})
    (tmp_path / "hub/upstream.crt").write_text((tmp_path / "ca.crt").read_text())
    assert answers.upstream(Host(), want, {"service": "hub", "upstream": url}) == ""
    assert answers.upstream(Host(), want, {"service": "hub", "upstream": f"{url}/closed"}).endswith("answers 403")
    (tmp_path / "hub/environment").write_text("HTTPS_PROXY=http://127.0.0.1:9\n")
    assert "connection refused" in answers.upstream(Host(), want, {"service": "hub", "upstream": url})
    server.shutdown()
    server.server_close()


class Slow(Registry):
    def do_GET(self):
        threading.Event().wait(5)


def test_upstreams_are_asked_all_at_once_and_for_no_longer_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "TIMEOUT", -1)
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in (Slow, Slow)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    urls = [f"http://127.0.0.1:{server.server_port}" for server in servers]
    want = {
        "config_dir": str(tmp_path),
        "services": [{"service": url[-5:], "container": "c", "upstream": url} for url in urls],
    }
    began = time.monotonic()
    found = answers.upstreams(Host(), want, {})
    assert list(found) == [url[-5:] for url in urls] and all(
        url in why for url, why in zip(urls, found.values(), strict=True)
    )
    assert time.monotonic() - began < 4
    for server in servers:
        server.shutdown()


class Hub(Registry):
    """Wants a token, as Docker Hub does."""

    def do_GET(self):
        good = self.headers.get("Authorization") == "Basic bWU6cHc="
        is_token = self.path.startswith("/token?service=hub.example")
        self.send_response(200 if good and is_token else 401)
        realm = f"http://127.0.0.1:{self.server.server_port}/token"
        if not is_token:
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="hub.example"')
        self.end_headers()


def test_an_upstream_is_asked_with_its_account(tmp_path):
    server = http.server.HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "hub").mkdir()
    one = {"service": "hub", "upstream": f"http://127.0.0.1:{server.server_port}"}
    said = {}
    for login in ("", "bWU6cHc=", "bWU6bm8="):
        (tmp_path / "hub/upstream-login").write_text(login + "\n")
        said[login] = answers.upstream(Host(), {"config_dir": str(tmp_path)}, one).rpartition(": ")[2]
    server.shutdown()
    assert said == {"": "", "bWU6cHc=": "", "bWU6bm8=": "it answers 401, so it does not take the password"}
