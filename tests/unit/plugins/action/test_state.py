"""The controller's half of the state: what of a module's answer reaches an admin, and how."""

import pytest
from ansible_collections.slipway.node.plugins.action import state


@pytest.mark.parametrize(
    "answer",
    [
        {"msg": "ansible-core requires a minimum of Python version 3.8. Current version: 3.6.8 (default)"},
        {"msg": "MODULE FAILURE", "module_stderr": "/bin/sh: 1: /usr/bin/python3: not found"},
        {"msg": "MODULE FAILURE", "module_stdout": "SyntaxError: future feature annotations is not defined"},
    ],
)
def test_a_host_whose_python_is_too_old_gets_the_command_to_use(answer):
    message = state._explain({"failed": True, **answer})["msg"]
    assert message.splitlines()[0].startswith("The host's Python cannot run modules") and "ANSIBLE=2.16" in message


def test_another_failure_is_left_as_it_is():
    answer = {"failed": True, "msg": "no route to host"}
    assert state._explain(answer) == answer


def test_all_that_stands_in_the_way_is_told_by_role():
    found = {"problems": ["a."], "refused": ["c."], "error": "b."}
    assert state._reasons("golang", found) == ["a.", "golang could not look at the host: b.", "c."]
