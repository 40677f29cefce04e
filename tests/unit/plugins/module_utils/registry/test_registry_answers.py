"""What registries and upstreams answer."""

import http.server
import ssl
import threading

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
