"""The module registry_login: what it writes, what it takes back, and what it shows."""

import json

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


def test_the_password_alone_is_masked():
    masked = [name for name, key in registry_login.LOGIN_KEYS.items() if key.get("no_log")]
    assert masked == ["password"]
