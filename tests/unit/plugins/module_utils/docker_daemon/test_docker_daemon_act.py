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

        def rehearsed(self, to_be, _in_force):
            return "bad bip" if "bip" in to_be.config else ""

    done = Done()
    monkeypatch.setattr(act, "Executor", Executor)
    monkeypatch.setattr(act, "Daemon", lambda *_arguments: None)
    monkeypatch.setattr(act, "rehearse", lambda _run, *casts: done.rehearsed(*casts))
    monkeypatch.setattr(act, "clients", lambda _run: ["docker build ."])
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
    assert one.notes == ["The restart of Docker breaks off `docker build .`.", "a container is gone"]
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


def test_what_fails_in_a_rehearsal_is_not_written(steps):
    host, wish = running_host({}), want({"bip": "10.1.0.1"})
    with pytest.raises(Failed, match=r"this went wrong: bad bip\. Neither Docker nor"):
        act.configure(run(host, wish), [])
    assert steps == []
    act.configure(run(host, dict(wish, rehearse=False)), [])
    assert "restart" in steps


def test_what_is_wanted_is_written_for_the_engine_that_comes_with_it(steps):
    wish = want({"mtu": 1400})
    one = run(running_host({}), wish)
    one.states = {"docker_daemon": {"want": wish, "observed": one.observed, "plan": {"configure": [{}]}}}
    assert act.write_ahead(one, "/programs") and steps == ["record", "write", "record"]
    steps.clear()
    keeps = run(running_host({}, {"LiveRestoreEnabled": True}, "web"), want({"bip6": "fd00::1/64"}))
    state = {"want": keeps.want, "observed": keeps.observed, "plan": {"configure": [{}]}}
    keeps.states = {"docker_daemon": state}
    # The containers that live-restore keeps are stopped in their own way.
    assert act.write_ahead(keeps, "/programs") is None and steps == []
    keeps.states = {"docker_daemon": dict(state, plan={})}
    assert act.write_ahead(keeps, "/programs") is None


def test_clients_of_the_engine_are_found_by_their_command():
    lines = "docker run web\n/usr/bin/docker build --tag a .\ndockerd -H fd://\ndocker compose up\nvi docker build\n"
    one = SimpleNamespace(command=lambda *_arguments, **_options: (0, lines, ""))
    assert act.clients(one) == ["/usr/bin/docker build --tag a", "docker compose up"]


def test_a_file_with_proxies_is_not_shown():
    found = {"paths": PATHS, "is": {"environment": None}, "to_be": {"environment": "HTTP_PROXY=http://u:s3cret@p"}}
    assert act.diff(found, "environment")["after"] == "(not shown, changed)\n"
    assert act.diff(found, "environment")["before"] == ""
