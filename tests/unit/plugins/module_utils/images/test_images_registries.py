"""Registries are asked for digests, by skopeo or by the engine."""

import http.server
import json
import socketserver
import threading

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.images import registries
from images_examples import A, want


def test_a_manifest_s_digest_is_of_its_bytes():
    text = '{"config": {"digest": "%s"}}' % A
    host = Host(lambda command, **_: (0, text, "level=warning"))
    found = registries.skopeo_inspect(host, want(), "docker://h/app:1")
    assert found == {"digest": registries.digest_of(text), "config": A, "error": ""}
    assert found["digest"].startswith("sha256:")


def test_an_error_of_skopeo_is_told_without_its_decoration():
    said = 'time="2026-01-01" level=fatal msg="Error parsing image name \\"docker://h/a\\": manifest unknown"\n'
    host = Host(lambda command, **_: (1, said if "sh" in command else "", said))
    assert registries.skopeo_inspect(host, want(), "docker://h/a")["error"] == (
        'Error parsing image name "docker://h/a": manifest unknown'
    )


class Engine(http.server.BaseHTTPRequestHandler):
    """A stand-in for the engine's API, which answers with the login that it got."""

    def do_GET(self):
        seen.append((self.path, self.headers.get("X-Registry-Auth")))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"Descriptor": {"digest": A}}).encode())

    def log_message(self, *_):
        pass

    def address_string(self):
        return ""


seen = []


def test_the_engine_is_asked_for_a_registry_s_digest_with_the_login(tmp_path, monkeypatch):
    logins = tmp_path / "config.json"
    logins.write_text(json.dumps({"auths": {"h:5000": {"auth": "bWU6c2VjcmV0"}}}))
    monkeypatch.setattr(registries, "SOCKET", f"unix://{tmp_path}/docker.sock")
    with socketserver.UnixStreamServer(str(tmp_path / "docker.sock"), Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert registries.registry_digest("h:5000/app:1", str(logins)) == A
        assert registries.registry_digest("busybox:1", str(logins)) == A
        server.shutdown()
    assert [path for path, _auth in seen] == ["/distribution/h:5000/app:1/json", "/distribution/busybox:1/json"]
    assert seen[0][1]
    assert seen[1][1] is None


def test_an_engine_that_does_not_answer_tells_no_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(registries, "SOCKET", f"unix://{tmp_path}/none.sock")
    assert registries.registry_digest("app:1", "/none") == ""
