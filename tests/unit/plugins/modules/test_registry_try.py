"""Registries are used as a client uses them."""

import http.server
import json
import threading

import pytest
from ansible_collections.slipway.node.plugins.modules import registry_try

UPLOADS = "/v2/slipway/verify/blobs/uploads/"


@pytest.fixture
def registry():
    """A registry that takes one login, with what it was asked, and the status that the beginning of a push gets."""

    class Registry(http.server.BaseHTTPRequestHandler):
        def answer(self, status):
            seen.append(f"{self.command} {self.path}")
            status = status if self.headers["Authorization"] == "Basic good" else 401
            self.send_response(status)
            self.end_headers()

        def do_GET(self):
            self.answer(200)

        def do_POST(self):
            self.answer(server.status)

        def log_message(self, *_args):
            pass

    seen = []
    server = http.server.HTTPServer(("127.0.0.1", 0), Registry)
    server.status, server.seen = 202, seen
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def tried(registry, monkeypatch, tmp_path, auth, user="root"):
    address = f"127.0.0.1:{registry.server_port}"
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {address: {"auth": auth}} if auth else {}}))
    monkeypatch.setattr(registry_try, "config_path", lambda _user: str(config))
    return registry_try.refusal({"address": address, "tls": False, "user": user})


def test_a_push_is_begun(registry, monkeypatch, tmp_path):
    assert tried(registry, monkeypatch, tmp_path, "good") == ""
    assert registry.seen == [f"POST {UPLOADS}"]


def test_without_a_login_it_is_asked_alone(registry, monkeypatch, tmp_path):
    assert tried(registry, monkeypatch, tmp_path, "good", None) == ""
    assert registry.seen == ["GET /v2/"]


@pytest.mark.parametrize(
    ("auth", "status", "reason"),
    [
        ("", 202, "root is not logged in there"),
        ("bad", 202, "it answers 401, so it does not take the password"),
        # A store that the registry cannot write to.
        ("good", 500, "it answers 500"),
    ],
)
def test_what_does_not_serve_says_why(registry, monkeypatch, tmp_path, auth, status, reason):
    registry.status = status
    assert tried(registry, monkeypatch, tmp_path, auth) == reason


def test_one_that_is_down_says_why(registry, monkeypatch, tmp_path):
    registry.shutdown()
    registry.server_close()
    assert "connection refused" in tried(registry, monkeypatch, tmp_path, "good")


def test_an_authority_is_believed_where_docker_looks_for_it(monkeypatch, tmp_path):
    monkeypatch.setattr(registry_try, "CERTIFICATES", str(tmp_path))
    (tmp_path / "127.0.0.1:1").mkdir()
    (tmp_path / "127.0.0.1:1/ca.crt").write_text("no certificate")
    one = {"address": "127.0.0.1:1", "tls": True, "user": None}
    assert "connection refused" not in registry_try.refusal(one)


@pytest.mark.parametrize(
    ("mode", "user", "said", "reason"),
    [
        ("store", "root", "Error response from daemon: manifest for reg:1/slipway/verify:none not found", ""),
        ("pull", None, "Error: manifest unknown: manifest unknown", ""),
        (
            "store",
            "root",
            "bash: x\nError: x509: certificate signed by unknown authority",
            "docker pull: Error: x509: certif",
        ),
        ("store", "root", "Cannot connect to the Docker daemon at unix://", ""),
        ("store", None, "not asked", ""),
        ("cache", None, "not asked", ""),
    ],
)
def test_the_engine_itself_pulls(mode, user, said, reason, monkeypatch):
    asked = []
    monkeypatch.setattr(registry_try, "run_limited", lambda argv, _env: asked.append(argv) or (1, "", said))
    found = registry_try.engine_refusal({"address": "reg:1", "mode": mode, "user": user})
    assert found.startswith(reason) and bool(found) is bool(reason)
    assert bool(asked) is (said != "not asked")
    assert all(argv[-1] == "reg:1/slipway/verify:none" and argv[2] == "/root/.docker" for argv in asked)


def test_a_store_of_objects_that_the_host_does_not_reach_is_told(registry, monkeypatch):
    one = {"address": f"127.0.0.1:{registry.server_port}", "tls": False, "user": None, "redirects_to": "127.0.0.1:1"}
    monkeypatch.setattr(registry_try, "ask_registry", lambda *_, **__: "")
    assert "127.0.0.1:1, to which it sends clients for layers, cannot be reached: Connection refused; set config" in (
        registry_try.refusal(one)
    )
