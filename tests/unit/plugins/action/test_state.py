"""The controller's half of the state: what of a module's answer reaches an admin, and how."""

from types import SimpleNamespace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.slipway.node.plugins.action import state
from ansible_collections.slipway.node.plugins.plugin_utils import sections


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


def inputs(arguments, **variables):
    """Return what the action makes of a play's variables: each role's inputs, and what is wrong."""
    action = SimpleNamespace(_templar=Templar(loader=DataLoader()))
    given = {"inventory_hostname": "a", **variables}
    found, _site, problems = sections.read(action, given, {}, arguments.get("roles"))
    return found, problems


def test_variables_of_all_sources_are_read_and_cast():
    found, problems = inputs({"roles": ["user_groups"]}, user_groups_members='{"docker": ["alice"]}')
    assert (found["user_groups"]["members"], problems) == ({"docker": ["alice"]}, [])


def test_all_problems_of_settings_and_roles_come_at_once():
    problems = inputs({}, slipway_roles=["docker"], slipway_batch=0, user_groups_exlusive=["a"])[1]
    assert [one.split()[0] for one in problems] == ["slipway_roles[0]", "slipway_batch", "user_groups_exlusive"]


def test_a_role_that_the_host_does_not_take_is_not_asked_for():
    assert inputs({}, slipway_roles=["images"], user_groups_members="wrong")[0].keys() & {"user_groups"} == set()


def test_removal_needs_no_valid_inputs_but_those_it_uses():
    wrong = {"user_groups_members": "wrong", "user_groups_exlusive": []}
    assert len(inputs({"roles": ["user_groups"]}, **wrong)[1]) == 2
    found, problems = inputs({"roles": ["user_groups"]}, user_groups_state="absent", **wrong)
    assert (found["user_groups"]["state"], problems) == ("absent", [])
