"""A compilation is followed for as long as it takes."""

import sys
from types import SimpleNamespace

from ansible.plugins.action import ActionBase
from ansible_collections.slipway.node.plugins.action import singularity_follow


def follow(monkeypatch, answers):
    """Return what the action makes of what the host's program prints, ask by ask."""
    monkeypatch.setattr(ActionBase, "run", lambda *_args, **_named: {})
    monkeypatch.setattr(singularity_follow.Display, "display", lambda *_args, **_named: None)
    action = object.__new__(singularity_follow.ActionModule)
    action._task = SimpleNamespace(args={"program": "/progress.sh", "host": "build"})
    action._execute_module = lambda *_args, **_named: next(answers)
    return action.run(task_vars={})


def test_a_build_of_any_length_is_followed_to_its_end(monkeypatch):
    # An hour and more, asked three times a minute.
    asks = sys.getrecursionlimit() * 2
    lines = ["0", "7200", "900 packages compiled", "a line of the log"]
    answers = iter([{"stdout": "running\n20\n10 packages compiled"}] * asks + [{"stdout": "\n".join(lines)}])
    done = follow(monkeypatch, answers)
    assert done == {"changed": False, "code": "0", "seconds": 7200, "tail": ["a line of the log"]}
    assert next(answers, None) is None


def test_a_host_that_is_lost_ends_it(monkeypatch):
    done = follow(monkeypatch, iter([{"stdout": "running\n20\nx"}, {"unreachable": True, "msg": "no route to host"}]))
    assert done["failed"] and done["msg"] == "no route to host"
