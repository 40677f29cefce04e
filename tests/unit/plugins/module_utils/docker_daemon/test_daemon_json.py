"""The merge of daemon.json, by examples and by properties."""

import copy
import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from hypothesis import given
from hypothesis import strategies as st

OURS, THEIRS = ("debug", "labels", "log-opts", "runtimes"), ("features", "mtu", "nvidia")
SCALARS = st.one_of(
    st.booleans(), st.integers(-2, 2), st.sampled_from(["", "a"]), st.lists(st.integers(0, 1), max_size=2)
)


def tree(names):
    """Return configurations of these keys, with objects in objects."""
    keys = st.sampled_from(names)
    values = st.recursive(SCALARS, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=5)
    return st.dictionaries(keys, values, max_size=4)


def plain(config):
    return json.dumps(config, sort_keys=True)


@given(tree(OURS + THEIRS), tree(OURS))
def test_merging_twice_changes_nothing(current, wanted):
    once, entries = daemon_json.merge(current, wanted, [])
    twice, again = daemon_json.merge(once, wanted, entries)
    assert json.dumps(twice) == json.dumps(once)
    assert plain(again) == plain(entries)


@given(tree(OURS + THEIRS), st.lists(tree(OURS), max_size=4))
def test_removing_what_was_added_restores_the_original(original, sequence):
    config, entries = copy.deepcopy(original), []
    for wanted in sequence:
        config, entries = daemon_json.merge(config, wanted, entries)
    config, entries = daemon_json.merge(config, {}, entries)
    assert plain(config) == plain(original)
    assert entries == []


@given(tree(THEIRS), tree(OURS), st.lists(tree(OURS), min_size=1, max_size=4))
def test_foreign_keys_survive_any_sequence(foreign, ours, sequence):
    config, entries = dict(ours, **foreign), []
    for wanted in sequence:
        config, entries = daemon_json.merge(config, wanted, entries)
        assert plain({key: config[key] for key in foreign}) == plain(foreign)
        assert [key for key in config if key in foreign] == list(foreign)


@given(tree(OURS + THEIRS), tree(OURS))
def test_all_that_is_wanted_is_there(current, wanted):
    def within(wish, found):
        if isinstance(wish, dict):
            return isinstance(found, dict) and all(key in found and within(wish[key], found[key]) for key in wish)
        return daemon_json.same(wish, found)

    assert within(wanted, daemon_json.merge(current, wanted, [])[0])


def test_foreign_members_of_an_object_stay():
    current = {"runtimes": {"nvidia": {"path": "n"}}}
    added, entries = daemon_json.merge(current, {"runtimes": {"kata": {"path": "k"}}}, [])
    assert added == {"runtimes": {"nvidia": {"path": "n"}, "kata": {"path": "k"}}}
    assert daemon_json.merge(added, {}, entries)[0] == current


def test_what_somebody_else_changed_since_is_left_to_them():
    config, entries = daemon_json.merge({}, {"debug": True, "mtu": 1400}, [])
    config["mtu"] = 9000
    assert daemon_json.merge(config, {}, entries)[0] == {"mtu": 9000}


def test_a_list_is_exactly_as_wanted():
    config, _entries = daemon_json.merge({"labels": ["a=1", "b=2"]}, {"labels": ["b=2"]}, [])
    assert config == {"labels": ["b=2"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n  'debug': true}", "line 2, column 3: Expecting property name enclosed in double quotes"),
        ('{"debug": true', "line 1, column 15: Expecting ',' delimiter"),
        ("[]", "line 1, column 1: it holds a list, not an object"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(text, message):
    with pytest.raises(ValueError) as error:
        daemon_json.parse(text)
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["", " \n", "{}", "\ufeff{}"])
def test_an_empty_file_is_an_empty_object(text):
    assert daemon_json.parse(text) == {}


@pytest.mark.parametrize("indent", [2, 4, "\t", None])
def test_indentation_and_order_are_kept(indent):
    config = {"z": {"a": [1]}, "b": "ü"}
    text = json.dumps(config, indent=indent, ensure_ascii=False) + "\n"
    assert daemon_json.render(config, text) == text


def test_true_is_not_one():
    assert daemon_json.changes({"a": 1}, {"a": True}) == [["a", "1", "true"]]


def test_changes_show_no_passwords():
    old = {
        "log-opts": {"splunk-token": "s3cret"},
        "registry-mirrors": ["http://u:s3cret@m"],
        "proxies": {"http-proxy": "s3cret"},
    }
    new = {"log-opts": {"splunk-token": "s3cret2"}}
    assert "s3cret" not in json.dumps(daemon_json.changes(old, new))
    assert "s3cret" not in daemon_json.redact(daemon_json.render(dict(old, proxies={})))


def test_log_options_become_texts():
    config = daemon_json.normalise({"log-opts": {"max-file": 3, "compress": True, "max-size": "1m"}})
    assert config == {"log-opts": {"max-file": "3", "compress": "true", "max-size": "1m"}}


INFO = {
    "RegistryConfig": {
        "Mirrors": ["http://m/"],
        "InsecureRegistryCIDRs": ["127.0.0.0/8", "10.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": True}, "reg:5000": {"Secure": False}},
    },
    "LiveRestoreEnabled": True,
    "LoggingDriver": "local",
    "Labels": [],
    "Runtimes": {"runc": {}},
    "DefaultAddressPools": [{"Base": "10.1.0.0/16", "Size": 24}],
}


@pytest.mark.parametrize(
    ("key", "value", "verdict"),
    [
        ("registry-mirrors", ["http://m"], True),
        ("registry-mirrors", None, False),
        ("insecure-registries", ["reg:5000", "10.1.2.3/8"], True),
        ("insecure-registries", ["reg:5000"], False),
        ("live-restore", True, True),
        ("live-restore", None, False),
        ("log-driver", "json-file", False),
        ("log-driver", None, None),
        ("labels", ["a=b"], False),
        ("runtimes", {"kata": {}}, False),
        ("runtimes", {"runc": {}}, None),
        ("default-address-pools", [{"base": "10.1.0.0/16", "size": 24}], True),
        ("mtu", 1400, None),
        ("default-address-pools", ["10.0.0.0/8"], None),
    ],
)
def test_reported(key, value, verdict):
    assert daemon_json.reported(INFO, key, value) is verdict
    assert daemon_json.reported({}, key, value) is None


@pytest.mark.parametrize("text", ["http://u:p@ss@h:1/x", '"https://u:p@h"', "a socks5://u:p:@h b"])
def test_a_password_is_not_shown(text):
    shown = daemon_json.redact(text)
    assert "p@" not in shown and "ss@" not in shown
    assert "***@h" in shown


def test_what_is_not_utf8_is_refused_with_its_place():
    daemon_json.check_encoding('{"labels": ["ä\ufffd"]}'.encode())
    with pytest.raises(ValueError, match="line 2, column 3: it is not UTF-8"):
        daemon_json.check_encoding(b"{\n  \xe4}")
