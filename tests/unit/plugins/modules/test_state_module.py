"""The node's half of the state: a section that fails names its cause and hides no other."""

import errno
import os

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, NoAnswer, run_limited
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import action
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import InputProblem, describe
from ansible_collections.slipway.node.plugins.module_utils.engine.probe import load, probe, shown
from ansible_collections.slipway.node.plugins.module_utils.registry_client import observe

PLATFORM = describe("Debian", "12.15", "bookworm", "x86_64")


class Section:
    """A section of which one step raises."""

    def __init__(self, error=None):
        self.error = error

    def want(self, inputs, _platform):
        if isinstance(self.error, InputProblem):
            raise self.error
        return inputs

    def observe(self, _host, _want):
        if self.error:
            raise self.error
        return {"seen": True}

    def plan(self, _want, _observed):
        one = action("a", "b", "c", ["write", "/x", "secret"], path="/x")
        return {"later": [one], "add_members": [one, one], "create_groups": [one], "remove_groups": []}

    def facts(self, _want, _observed):
        return {"column": "value"}

    def refusals(self, _want, _observed):
        return ["no."]

    def notes(self, _want, _observed):
        return ["note"]


def test_phases_are_those_with_actions_in_the_site_s_order():
    state = probe("user_groups", Section(), Host(), PLATFORM, {"a": 1})
    assert list(state["plan"]) == ["create_groups", "add_members", "later"]
    assert (state["refused"], state["notes"], state["facts"], state["error"]) == (
        ["no."],
        ["note"],
        {"column": "value"},
        "",
    )


def test_what_is_for_the_node_alone_is_not_shown():
    state = probe("user_groups", Section(), Host(), PLATFORM, {"a": 1})
    assert shown(state)["plan"]["create_groups"] == [{"item": "a", "is": "b", "want": "c", "path": "/x"}]
    assert "want" not in shown(state) and "observed" not in shown(state)
    assert shown(state, full=True)["observed"] == {"seen": True}


def test_a_phase_that_is_not_in_the_site_s_list_is_named():
    state = probe("golang", Section(), Host(), PLATFORM, {})
    assert "engine/phases.py has no add_members, create_groups" in state["error"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/home/x"),
            "/home/x: Root may not read or write there. Look for a network file system that maps root, or for SELinux.",
        ),
        (NoAnswer("`docker info` does not answer within 60 s"), "`docker info` does not answer within 60 s."),
        (TypeError("'NoneType' object is not subscriptable"), "TypeError: 'NoneType' object is not subscriptable ("),
    ],
)
def test_an_exception_is_the_section_s_error(error, text):
    state = probe("user_groups", Section(error), Host(), PLATFORM, {})
    assert state["error"].startswith(text) and state["plan"] == {}


def test_inputs_that_the_platform_cannot_meet_are_problems():
    assert probe("user_groups", Section(InputProblem("a.", "b.")), Host(), PLATFORM, {})["problems"] == ["a.", "b."]


def test_a_program_that_is_missing_or_hangs_is_named(monkeypatch):
    with pytest.raises(NoAnswer, match="the command no-such-program is missing"):
        run_limited(["no-such-program"], {})
    monkeypatch.setattr("ansible_collections.slipway.node.plugins.module_utils.engine.host.LIMIT", 0.1)
    with pytest.raises(NoAnswer, match="`sleep 5` does not answer within"):
        run_limited(["sleep", "5"], {})


def test_an_engine_that_hangs_is_the_error_of_the_section_that_asks_it(monkeypatch, tmp_path):
    # As one that is stopped by SIGSTOP.
    (tmp_path / "docker").write_text("#!/bin/sh\nexec sleep 30\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("ansible_collections.slipway.node.plugins.module_utils.engine.host.LIMIT", 0.5)
    one = {"name": "app:1", "local": "app:1", "pull": "app:1", "source": "", "archive": "", "remote": False}
    inputs = {"state": "present", "sif_path": "", "mirrors": {}, "insecure": [], "push": [], "build": [], "place": []}
    state = probe("images", load("images"), Host(), PLATFORM, {**inputs, "preload": [{**one, "refresh": False}]})
    assert state["error"].startswith("`") and "docker" in state["error"] and "does not answer within" in state["error"]


def test_a_record_that_holds_null_hides_nothing(monkeypatch, tmp_path):
    (tmp_path / "record").write_text("null")
    monkeypatch.setattr(observe, "RECORD", str(tmp_path / "record"))
    inputs = {"state": "absent", "addresses": [], "system_trust": False, "authority": ""}
    assert (
        probe(
            "registry_client",
            load("registry_client"),
            Host(),
            PLATFORM,
            {
                **inputs,
                "hostnames": [],
                "refused_hosts": [],
                "serves": False,
                "logins": [],
                "registries": [],
                "hosts": [],
            },
        )["error"]
        == ""
    )
