"""What the section docker_daemon sees of hosts that are made up: files and answers of commands."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils import docker_daemon, docker_daemon_unit

CONFIG, STATE = "/etc/docker/daemon.json", "/var/lib/slipway/docker_daemon.json"
UNIT = "LoadState=loaded\nActiveState=active\nMainPID=7\nExecMainStartTimestampMonotonic=0\n"


class FakeHost:
    def __init__(self, files=None, unit="LoadState=not-found\n", info=None, running="", changed=1.0, modes=None):
        self.files = files or {}
        self._answers = {
            ("systemctl", "show"): unit,
            ("systemctl", "cat"): "# /lib/docker.service\n[Service]\nExecStart=/usr/bin/dockerd -H fd://\n",
            ("timeout", "30"): json.dumps(dict(info or {}, ServerVersion="26")),
            ("docker", "ps"): running,
            ("stat", "%.9Z"): "%f\n" % changed,
            ("stat", "mode %a of %U %n"): "".join("%s %s\n" % (mode, path) for path, mode in (modes or {}).items()),
        }

    def run(self, *command):
        return 0, self._answers[(command[0], command[2]) if command[0] == "stat" else command[:2]]

    def read(self, path):
        return self.files.get(path)

    def read_bytes(self, path):
        return self.files[path].encode("utf-8")


def want(config=None, **changes):
    base = {
        "state": "present",
        "config": config or {},
        "config_file": CONFIG,
        "state_file": STATE,
        "service": "docker.service",
        "proxy_digest": "",
        "take_over_flags": False,
        "probe_mirrors": "false",
        "mirror_timeout": 1,
    }
    return dict(base, **changes)


def drift(host, wish):
    return [
        (one["item"], one["is"], one["want"]) for one in docker_daemon.compare(wish, docker_daemon.observe(host, wish))
    ]


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
        ("restart of docker.service", "pending: log-driver; running: a, b", "done")
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
    monkeypatch.setattr(docker_daemon, "_started_at", lambda unit: 100.0)
    state = {"entries": [{"path": ["mtu"], "value": 1400}], "files": {CONFIG: None}, "loaded": recorded}
    files = {CONFIG: '{"mtu": 1400}', STATE: json.dumps(state)}
    host = FakeHost(files, UNIT.replace("Monotonic=0", "Monotonic=5"), changed=changed)
    assert [one[0] for one in drift(host, want({"mtu": 1400}))] == ["restart of docker.service"] * pending


def test_dead_mirrors_are_left_out_unless_all_are_dead():
    wish = want({"registry-mirrors": ["http://a", "http://b"]}, probe_mirrors="skip")
    assert docker_daemon.wanted_config(wish, {"http://a": "refused", "http://b": ""})["registry-mirrors"] == [
        "http://b"
    ]
    assert docker_daemon.wanted_config(wish, {"http://a": "x", "http://b": "x"}) == wish["config"]
    report = dict(wish, probe_mirrors="report")
    assert docker_daemon.wanted_config(report, {"http://a": "refused", "http://b": ""}) == wish["config"]


def test_absent_gives_the_former_text_back():
    former = '{"mtu":1400 ,  "debug": false}'
    wish = want({"debug": True})
    found = docker_daemon.survey(FakeHost({CONFIG: former}), wish)
    state = {"entries": found["entries"], "files": {CONFIG: former}}
    host = FakeHost({CONFIG: found["to_be"]["config"], STATE: json.dumps(state)})
    assert docker_daemon.survey(host, dict(wish, state="absent"))["to_be"]["config"] == former


def test_proxies_are_compared_by_their_digest():
    wish = want(proxy_digest="d1")
    paths = docker_daemon.paths(wish)
    assert [one[0] for one in drift(FakeHost(), wish)] == [paths["environment"], paths["proxy"]]
    found = docker_daemon.survey(FakeHost(), wish, "HTTP_PROXY=x\n")
    state = {"proxy": {"digest": "d1", "file": docker_daemon.digest("HTTP_PROXY=x\n")}}
    files = {paths["environment"]: "HTTP_PROXY=x\n", paths["proxy"]: found["to_be"]["proxy"], STATE: json.dumps(state)}
    assert drift(FakeHost(files), wish) == []
    assert [one[0] for one in drift(FakeHost(files), want(proxy_digest="d2"))] == [paths["environment"]]


def test_observed_holds_no_password():
    files = {CONFIG: '{"proxies": {"http-proxy": "http://u:s3cret@p"}, "registry-mirrors": ["http://u:s3cret@m"]}'}
    observed = docker_daemon.observe(FakeHost(files), want({"registry-mirrors": []}))
    assert "s3cret" not in json.dumps(observed)


def test_a_file_with_secrets_is_readable_by_root_alone():
    entries = [{"path": ["debug"], "value": True}]
    files = {CONFIG: '{"debug": true}', STATE: json.dumps({"entries": entries, "files": {CONFIG: None}})}
    for mode, exposed in (("mode 600 of root", False), ("mode 644 of root", True), ("mode 600 of alice", True)):
        host = FakeHost(files, modes={STATE: mode})
        assert drift(host, want({"debug": True})) == [(STATE, mode, "mode 600 of root")] * exposed


def test_a_drop_in_of_ours_goes_also_without_the_record():
    wish = want(proxy_digest="d1")
    paths = docker_daemon.paths(wish)
    to_be = docker_daemon.survey(FakeHost(), wish, docker_daemon_unit.proxy_environment("http://p", "", ""))["to_be"]
    files = {paths[name]: to_be[name] for name in ("environment", "proxy")}
    assert [one[0] for one in drift(FakeHost(files), want())] == list(files)
    assert drift(FakeHost(dict.fromkeys(files, "# of an admin\n")), want()) == []
