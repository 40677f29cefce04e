"""What is read from hosts that are made up, and how they drift."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon, unit
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.daemon import settings
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.observe import observe
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.plan import plan
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.record import new_state
from ansible_collections.slipway.node.plugins.module_utils.engine.host import NoAnswer
from ansible_collections.slipway.node.plugins.module_utils.engine.probe import load, probe, shown

from tests.unit.plugins.module_utils.docker_daemon.docker_daemon_hosts import (
    CONFIG,
    PATHS,
    STATE,
    UNIT,
    FakeHost,
    aimed,
    drift,
    running_host,
    sealed,
    want,
)


def test_a_fresh_host_without_docker():
    assert drift(FakeHost(), want({"debug": True})) == [("debug", "not set", "true")]


def test_nothing_wanted_and_nothing_there():
    assert drift(FakeHost(), want()) == []


def test_a_reformatted_file_is_no_drift():
    entries = [{"path": ["debug"], "value": True}]
    files = {CONFIG: '{ "debug" :true }', STATE: json.dumps({"entries": entries, "files": {CONFIG: None}})}
    assert drift(FakeHost(files), want({"debug": True})) == []


def test_a_broken_file():
    host = FakeHost({CONFIG: "{"})
    place = "line 1, column 2: Expecting property name enclosed in double quotes"
    assert drift(host, want({"debug": True})) == [(CONFIG, "unreadable at %s" % place, "a JSON object")]


def pending_host(started, recorded=None):
    loaded = {"loaded": recorded} if recorded else {}
    entries = [{"path": ["log-driver"], "value": "local"}]
    files = {
        CONFIG: '{"log-driver": "local"}',
        STATE: json.dumps(dict({"entries": entries, "files": {CONFIG: None}}, **loaded)),
    }
    unit = UNIT.replace("Monotonic=0", "Monotonic=%d" % started)
    return FakeHost(files, unit, {"LoggingDriver": "json-file"}, "b\na\n")


def test_a_pending_restart_is_drift_with_the_containers_it_waits_for():
    assert drift(pending_host(5), want({"log-driver": "local"})) == [
        ("docker.service", "restart pending for log-driver (running: a, b)", "restarted")
    ]


@pytest.mark.parametrize(
    ("recorded", "changed", "pending"),
    [
        ({"daemon": "7-5", "values": {}, "pending": ["mtu"]}, 1.0, True),
        ({"daemon": "7-5", "values": {"mtu": 1400}, "pending": []}, 9e9, False),
        # Restarted since: it loaded the file, which is older.
        ({"daemon": "3-3", "values": {}, "pending": ["mtu"]}, 1.0, False),
        # Edited after the start, by nobody known.
        ({}, 9e9, True),
    ],
)
def test_what_the_daemon_has_loaded(monkeypatch, recorded, changed, pending):
    monkeypatch.setattr(daemon, "_started_at", lambda unit: 100.0)
    state = {"entries": [{"path": ["mtu"], "value": 1400}], "files": {CONFIG: None}, "loaded": recorded}
    files = {CONFIG: '{"mtu": 1400}', STATE: json.dumps(state)}
    host = FakeHost(files, UNIT.replace("Monotonic=0", "Monotonic=5"), changed=changed)
    assert [one[0] for one in drift(host, want({"mtu": 1400}))] == ["docker.service"] * pending


def test_absent_gives_the_former_text_back():
    former = '{"mtu":1400 ,  "debug": false}'
    wish = want({"debug": True})
    found = aimed(FakeHost({CONFIG: former}), wish)
    state = {"entries": found["entries"], "files": {CONFIG: former}}
    host = FakeHost({CONFIG: found["to_be"]["config"], STATE: json.dumps(state)})
    assert aimed(host, want(state="absent"))["to_be"]["config"] == former


def test_proxies_are_compared_by_their_seal_alone():
    text = unit.proxy_environment("http://u:s3cret@p", "", "")
    wish = want(proxy=sealed(text))
    assert [one[0] for one in drift(FakeHost(key="k"), wish)] == [PATHS["environment"], PATHS["proxy"]]
    found = aimed(FakeHost(key="k", secrets={wish["proxy"]: text}), wish)
    assert found["to_be"]["environment"] == text
    files = {PATHS["environment"]: text, PATHS["proxy"]: found["to_be"]["proxy"]}
    assert drift(FakeHost(files, key="k"), wish) == []
    # Another run has another key.
    assert drift(FakeHost(files, key="l"), want(proxy=sealed(text, "l"))) == []
    assert [one[0] for one in drift(FakeHost(files, key="k"), want(proxy=sealed("other")))] == [PATHS["environment"]]


def test_what_was_loaded_is_known_though_the_file_was_edited():
    text = unit.proxy_environment("http://p", "", "")
    drop_in = unit.setting("Service", "EnvironmentFile=" + PATHS["environment"])
    wish = want(proxy=sealed(text))
    found = aimed(FakeHost(key="k", secrets={wish["proxy"]: text}), wish)
    state = new_state(found, settings(found, "to_be"), [])
    state["loaded"]["daemon"] = "7-0"
    files = {PATHS["environment"]: "edited", PATHS["proxy"]: drop_in, STATE: json.dumps(state)}
    assert [one[0] for one in drift(FakeHost(files, UNIT, key="k"), wish)] == [PATHS["environment"]]


def test_a_secret_of_daemon_json_is_compared_by_its_seal_and_is_for_root_alone():
    wish = want({"log-driver": "splunk", "log-opts": {"splunk-token": sealed("s3cret")}})
    known = {wish["config"]["log-opts"]["splunk-token"]: "s3cret"}
    found = aimed(FakeHost(key="k", secrets=known), wish)
    assert json.loads(found["to_be"]["config"])["log-opts"] == {"splunk-token": "s3cret"}
    host = FakeHost({CONFIG: found["to_be"]["config"]}, key="k", modes={CONFIG: "mode 644 of root"})
    assert drift(host, wish) == [(CONFIG, "mode 644 of root", "mode 600 of root")]
    other = FakeHost({CONFIG: found["to_be"]["config"].replace("s3cret", "0ther")}, key="k")
    assert drift(other, wish) == [("log-opts.splunk-token", '"***"', "another value, not shown")]


def test_no_password_is_shown():
    text = unit.proxy_environment("http://u:s3cret@p", "", "")
    files = {
        CONFIG: '{"proxies": {"http-proxy": "http://u:s3cret@p"}, "registry-mirrors": ["http://u:s3cret@m"]}',
        PATHS["environment"]: text,
        STATE: json.dumps({"environment": text}),
    }
    section, host = load("docker_daemon"), FakeHost(files, UNIT, key="k")
    section.want = lambda inputs, _platform: want({"registry-mirrors": []}, **inputs)
    for state in ("present", "absent"):
        full = shown(probe("docker_daemon", section, host, None, {"proxy": sealed(text), "state": state}), full=True)
        assert full["error"] == "" and full["plan"] and full["observed"]["identity"] == "7-0"
        assert "s3cret" not in json.dumps(full)


def test_what_is_observed_can_be_handed_over():
    wish = want({"mtu": 1400})
    observed = observe(running_host({}, {}, "web"), wish)
    assert plan(wish, json.loads(json.dumps(observed))) == plan(wish, observed)


def test_a_file_with_secrets_is_readable_by_root_alone():
    entries = [{"path": ["debug"], "value": True}]
    files = {CONFIG: '{"debug": true}', STATE: json.dumps({"entries": entries, "files": {CONFIG: None}})}
    for mode, exposed in (("mode 600 of root", False), ("mode 644 of root", True), ("mode 600 of alice", True)):
        host = FakeHost(files, modes={STATE: mode})
        assert drift(host, want({"debug": True})) == [(STATE, mode, "mode 600 of root")] * exposed


def test_a_drop_in_of_ours_goes_also_without_the_record():
    text = unit.proxy_environment("http://p", "", "")
    wish = want(proxy=sealed(text, ""))
    to_be = aimed(FakeHost(secrets={wish["proxy"]: text}), wish)["to_be"]
    files = {PATHS[name]: to_be[name] for name in ("environment", "proxy")}
    assert [one[0] for one in drift(FakeHost(files), want())] == list(files)
    assert drift(FakeHost(dict.fromkeys(files, "# of an admin\n")), want()) == []


def test_the_units_own_daemon_is_asked_whatever_roots_client_is_set_to():
    host = running_host({"hosts": ["unix:///run/other.sock"]}, {}, "web")
    observe(host, want({"mtu": 1400}))
    assert set(host.endpoints) == {"unix:///run/other.sock"}


def test_containers_that_cannot_be_known_are_an_error():
    host = running_host({}, {}, "web")
    host.failing.add("ps")
    with pytest.raises(NoAnswer, match="ps` fails, so it is not known"):
        observe(host, want({"mtu": 1400}))
