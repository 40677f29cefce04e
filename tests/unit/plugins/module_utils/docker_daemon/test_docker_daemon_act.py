"""What acting adds to a decision: what is said, what is shown, and whether the daemon is restarted at all."""

from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import act, daemon
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.observe import observe
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.service import ApplyError
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed

from tests.unit.plugins.module_utils.docker_daemon.docker_daemon_hosts import PATHS, running_host, want


@pytest.fixture
def steps(monkeypatch):
    """The steps that were done; the last that fails, where there is one."""
    done = []

    class Executor:
        outcome, warnings = "All is as it was.", ["a container is gone"]

        def __init__(self, *_arguments):
            pass

        def do(self, given):
            done.extend(step[0] for step in given)
            if done.failing:
                raise done.failing

    class Done(list):
        failing = None

    done = Done()
    monkeypatch.setattr(act, "Executor", Executor)
    monkeypatch.setattr(act, "Daemon", lambda _run: None)
    monkeypatch.setattr(daemon, "_started_at", lambda _unit: 100.0)
    return done


def run(host, wish, plans=None, done=()):
    notes = []
    return SimpleNamespace(
        want=wish,
        observed=observe(host, wish),
        plans=plans or {},
        done=list(done),
        notes=notes,
        note=notes.append,
        show_diff=True,
        diffs=[],
    )


def test_what_was_done_is_told_and_shown(steps):
    one = run(running_host({}), want({"mtu": 1400}))
    act.configure(one, [])
    assert steps == ["record", "write", "restart", "prove", "record"]
    assert one.notes == ["a container is gone"]
    assert [(diff["before_header"], diff["before"]) for diff in one.diffs] == [(PATHS["config"], "{}")]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ApplyError("no such driver"), "It said:\nno such driver\nAll is as it was.\nCorrect the docker_daemon_"),
        (OSError(30, "Read-only"), "Read-only. All is as it was. Mend that on the host"),
    ],
)
def test_a_failure_tells_its_cause_and_how_the_host_is(steps, error, expected):
    steps.failing, one = error, run(running_host({}), want({"mtu": 1400}))
    with pytest.raises(Failed) as failed:
        act.configure(one, [])
    assert expected in str(failed.value) and one.diffs == []


def test_a_file_with_proxies_is_not_shown():
    found = {"paths": PATHS, "is": {"environment": None}, "to_be": {"environment": "HTTP_PROXY=http://u:s3cret@p"}}
    assert act.diff(found, "environment")["after"] == "(not shown, changed)\n"
    assert act.diff(found, "environment")["before"] == ""
