"""The module registry_login: what it writes, what it takes back, and what it shows."""

import contextlib
import json

import pytest
from ansible.module_utils import basic
from ansible_collections.slipway.node.plugins.modules import registry_login

LOGIN = {"address": "reg:5000", "account": "slipway", "password": "SK", "fingerprint": "f", "tls": True}


def test_logins_are_written_and_others_are_left():
    text, addresses = registry_login.merged('{"auths": {"elsewhere": {"auth": "x"}}, "a": 1}', [LOGIN])
    assert addresses == ["reg:5000"]
    config = json.loads(text)
    assert config["a"] == 1 and set(config["auths"]) == {"elsewhere", "reg:5000"}
    assert registry_login.merged(text, [LOGIN])[1] == []


def test_what_was_written_is_taken_back_and_nothing_else():
    text = registry_login.merged('{"auths": {"elsewhere": {"auth": "x"}}}', [LOGIN])[0]
    left, addresses = registry_login.without(text, {"reg:5000": "mark", "gone:1": "mark"})
    assert addresses == ["reg:5000"]
    assert json.loads(left)["auths"] == {"elsewhere": {"auth": "x"}}
    assert registry_login.without("", {}) == ("{}\n", [])


def run(monkeypatch, capsys, **arguments):
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {"user": "me", **arguments}}).encode()
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit):
        registry_login.main()
    return json.loads(capsys.readouterr().out)


def test_a_login_that_is_not_listed_any_more_is_taken_back(tmp_path, monkeypatch, capsys):
    """Against files of this user, since to act as another needs root; nothing is asked of a registry."""
    config, record = tmp_path / "config.json", tmp_path / "state/logins.json"
    config.write_text('{"auths": {"own:1": {"auth": "x"}}}')
    monkeypatch.setattr(registry_login, "RECORD", str(record))
    monkeypatch.setattr(registry_login, "config_path", lambda _user: str(config))
    monkeypatch.setattr(registry_login.pwd, "getpwnam", lambda _user: None)
    monkeypatch.setattr(registry_login, "acting_as", contextlib.nullcontext)
    monkeypatch.setattr(registry_login, "refusal", lambda _login: "")
    both = [LOGIN, {**LOGIN, "address": "old:1"}]
    assert run(monkeypatch, capsys, logins=both)["addresses"] == ["reg:5000", "old:1"]
    assert run(monkeypatch, capsys, logins=[LOGIN])["addresses"] == ["old:1"]
    assert set(json.loads(config.read_text())["auths"]) == {"own:1", "reg:5000"}
    assert run(monkeypatch, capsys, logins=[LOGIN])["changed"] is False
    assert list(json.loads(record.read_text())["me"]) == ["reg:5000"]
    assert run(monkeypatch, capsys)["addresses"] == ["reg:5000"]
    assert (set(json.loads(config.read_text())["auths"]), record.exists()) == ({"own:1"}, False)


def test_the_password_alone_is_masked():
    masked = [name for name, key in registry_login.LOGIN_KEYS.items() if key.get("no_log")]
    assert masked == ["password"]
