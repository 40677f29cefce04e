"""What the files are to hold."""

import json

import pytest

from tests.unit.plugins.module_utils.docker_daemon.docker_daemon_hosts import CONFIG, STATE, UNIT, FakeHost, aimed, want

ENTRY = {"path": ["debug"], "value": True}
TEXTS = [
    # What is there, what was there before Slipway's first change, what is wanted, and what is to be.
    (None, (), {}, None),
    (None, (), {"debug": True}, '{\n    "debug": true\n}\n'),
    # An admin's file stays as it is, empty or not.
    ("", (), {}, ""),
    ("{ }", (), {}, "{ }"),
    ('{ "mtu" :1}', (), {}, '{ "mtu" :1}'),
    ('{"mtu":1}', (), {"mtu": 1}, '{"mtu":1}'),
    # Taken back: no file, the former text, or what somebody put beside it meanwhile.
    ('{"debug": true}', (None,), {}, None),
    ('{"debug": true}', ("{ }",), {}, "{ }"),
    ('{"debug": true, "mtu": 1}', ('{"mtu":1}',), {}, '{"mtu":1}'),
    ('{"debug": true, "mtu": 1}', (None,), {}, '{"mtu": 1}'),
    ('{"debug": true, "mtu": 2}', ('{"mtu":1}',), {}, '{"mtu": 2}'),
    # Nothing is left of what was set, by somebody's own hand.
    ("{}", (None,), {}, None),
    ("{}", ("{}",), {}, "{}"),
    (None, ('{"mtu": 1}',), {}, None),
]


@pytest.mark.parametrize(("is_", "first", "config", "to_be"), TEXTS)
def test_the_text_of_daemon_json(is_, first, config, to_be):
    state = {"entries": [ENTRY] if first else [], "files": {CONFIG: first[0]} if first else {}}
    files = {STATE: json.dumps(state), **({} if is_ is None else {CONFIG: is_})}
    assert aimed(FakeHost(files), want(config))["to_be"]["config"] == to_be


@pytest.mark.parametrize(
    ("take_over", "config", "refused", "line"),
    [
        (True, {"hosts": ["fd://"]}, {}, "ExecStart=/usr/bin/dockerd\n"),
        (True, {"debug": True}, {}, None),
        (False, {"hosts": ["fd://"]}, {"hosts": "-H fd://"}, None),
        (False, {"debug": True}, {}, None),
    ],
)
def test_flags_that_clash_are_taken_over_or_refused(take_over, config, refused, line):
    found = aimed(FakeHost(unit=UNIT), want(config, take_over_flags=take_over))
    text = found["to_be"]["flags"]
    assert found["conflicting_flags"] == refused
    assert text is None if line is None else text.endswith(f"[Service]\nExecStart=\n{line}")


def test_a_path_with_a_space_is_quoted_for_systemd():
    found = aimed(FakeHost(), want({"data-root": "/data of all/docker"}))
    assert found["to_be"]["mounts"].endswith('RequiresMountsFor="/data of all/docker"\n')
