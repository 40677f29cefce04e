"""What a plan asks mirrors."""

from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce import ask
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import plan
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import MIRROR, converged, package, wanted


def asked(monkeypatch, answer, **change):
    want = wanted(**change)
    observed = {**converged(want), "packages": {"docker-ce": package("5:20.10.24-1")}}
    state = {"want": want, "observed": observed, "plan": plan(want, observed), "refused": [], "notes": []}
    told = []

    def choose(run, names):
        told.append((names, run.want["mirror_timeout"]))
        if isinstance(answer, Failed):
            raise answer
        return {"mirror": MIRROR, "packages": names, "specs": [f"{name}{answer}" for name in names]}

    monkeypatch.setattr(ask, "choose", choose)
    ask.ask(SimpleNamespace(), state)
    return state, told


def test_the_version_that_would_come_is_named_with_its_mirror(monkeypatch):
    state, told = asked(monkeypatch, "=5:26.1.5-1~debian.12~bookworm", mirror_timeout=30)
    assert state["plan"]["install_packages"][0]["want"] == f"26.1.5 from {MIRROR}"
    assert told[0][1] == ask.PATIENCE and state["want"]["mirror_timeout"] == 30
    state, told = asked(monkeypatch, "-3:26.1.5-1.el9", mirror_timeout=1)
    assert state["plan"]["install_packages"][0]["want"] == f"26.1.5 from {MIRROR}" and told[0][1] == 1


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("none.\n  http://a: it has no docker-ce 99; it offers 28.5", "refused"),
        ("none.\n  http://a: timed out", "notes"),
    ],
)
def test_a_version_that_no_mirror_has_is_refused_and_silence_is_told(monkeypatch, said, where):
    state, _told = asked(monkeypatch, Failed(said))
    assert (state["refused"], state["notes"]) == (([said], []) if where == "refused" else ([], [said]))
    assert state["plan"]["install_packages"][0]["want"] == "26.1"


@pytest.mark.parametrize(
    "change", [{"state": "absent"}, {"source": "distribution", "version": "", "packages": ["docker.io"]}]
)
def test_nobody_is_asked_where_no_mirror_is_used(monkeypatch, change):
    assert asked(monkeypatch, "=1", **change)[1] == []
