"""Logins: what is written and taken back, and what is said of one that a registry refuses."""

import base64
import contextlib
import http.server
import json
import threading
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.registry_client import act, login

LOGIN = {"user": "me", "address": "reg:5000", "account": "slipway", "password": "SK", "fingerprint": "f", "tls": False}
OLD = {**LOGIN, "address": "old:1"}


@pytest.fixture
def engine():
    return Run(Host(), describe("Debian", "12.15", "bookworm", "x86_64"))


@pytest.fixture
def files(tmp_path, monkeypatch, engine):
    """Files of this user, since to act as another needs root; nothing is asked of a registry."""
    config, record = tmp_path / "config.json", tmp_path / "state/logins.json"
    config.write_text('{"auths": {"own:1": {"auth": "x"}}, "a": 1}')
    config.chmod(0o644)
    monkeypatch.setattr(login, "RECORD", str(record))
    monkeypatch.setattr(login, "config_path", lambda user: str(config) if user == "me" else "")
    monkeypatch.setattr(login.pwd, "getpwnam", lambda _user: None)
    monkeypatch.setattr(login, "acting_as", contextlib.nullcontext)
    monkeypatch.setattr(login, "refusal", lambda one: "it is full" if one["address"] == "full:1" else "")

    def write(path, text, _mode, secret):
        assert secret
        record.parent.mkdir(exist_ok=True)
        record.write_text(text)

    monkeypatch.setattr(engine, "write", write)
    return SimpleNamespace(config=config, record=record)


def test_a_login_that_is_not_listed_any_more_is_taken_back_and_others_are_left(engine, files):
    for logins, there in (([LOGIN, OLD], {"own:1", "reg:5000", "old:1"}), ([LOGIN], {"own:1", "reg:5000"})):
        login.set_logins(engine, "me", logins)
        config = json.loads(files.config.read_text())
        assert (set(config["auths"]), config["a"]) == (there, 1)
        assert files.config.stat().st_mode & 0o077 == 0
    assert list(json.loads(files.record.read_text())["me"]) == ["reg:5000"]
    login.set_logins(engine, "me", [])
    assert (set(json.loads(files.config.read_text())["auths"]), files.record.exists()) == ({"own:1"}, False)


def test_a_file_without_logins_of_ours_is_left_as_it_is(engine, files):
    before = files.config.read_text()
    login.set_logins(engine, "me", [])
    assert files.config.read_text() == before


def test_what_a_credential_helper_keeps_is_not_touched(engine, files):
    files.config.write_text('{"credsStore": "pass"}')
    with pytest.raises(Failed, match="kept by the credential helper pass"):
        login.set_logins(engine, "me", [LOGIN])
    assert files.config.read_text() == '{"credsStore": "pass"}'


def test_every_user_is_logged_in_who_can_be(engine, files):
    engine.want = {"logins": [{**LOGIN, "address": "full:1"}, {**LOGIN, "user": "gone"}]}
    engine.want["logins"] = [{key: one[key] for key in one if key != "password"} for one in engine.want["logins"]]
    engine.secrets = {"registry_passwords": {"slipway": "SK"}}
    with pytest.raises(Failed) as failed:
        act.log_in(engine, [{"user": "me"}, {"user": "gone"}, {"user": "me"}])
    assert str(failed.value).splitlines() == [
        "full:1 does not let me in as slipway: it is full.",
        "gone, of registry_client_logins, is no user of this host. Make that user, or name another.",
    ]
    login.set_logins(engine, "me", [LOGIN])
    engine.want = {"logins": []}
    act.log_out(engine, [{"user": "me"}])
    assert "reg:5000" not in files.config.read_text()


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = base64.b64encode(b"slipway:right-secret").decode()
        self.send_response(200 if self.headers["Authorization"] == f"Basic {good}" else 401)
        self.end_headers()

    def log_message(self, *_args):
        pass


def test_a_registry_is_asked_whether_it_takes_the_password():
    server = http.server.HTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    one = {**LOGIN, "address": f"127.0.0.1:{server.server_port}"}
    said = [login.refusal({**one, "password": password}) for password in ("right-secret", "wrong-secret")]
    server.shutdown()
    server.server_close()
    assert said == ["", "it answers 401, so it does not take the password"]


def test_a_link_is_written_through(engine, files, tmp_path):
    target = tmp_path / "dotfiles.json"
    files.config.rename(target)
    files.config.symlink_to(target)
    login.set_logins(engine, "me", [LOGIN])
    assert files.config.is_symlink() and "reg:5000" in target.read_text()
