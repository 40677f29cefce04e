"""Inputs of user_groups that a specification cannot check."""

import pytest
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import Site
from ansible_collections.slipway.node.plugins.plugin_utils.user_groups.inputs import prepare


def problems(**change):
    return prepare({"members": {"docker": []}, "exclusive": [], "gids": {}, **change}, Site())[1]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"members": {"docker": "alice"}}, 'user_groups_members is {"docker": "alice"}; give a list of users'),
        ({"members": {"-docker": []}}, "give a list of users for each group"),
        ({"members": {"docker": [20210001]}}, "users that cannot be: [20210001]"),
        ({"members": {"docker": ["alice;reboot", "-r", "a b"]}}, 'cannot be: ["alice;reboot", "-r", "a b"]'),
        ({"members": {"docker": ["alice\n"]}}, "users that cannot be"),
        ({"exclusive": ["hpc"]}, "user_groups_exclusive has groups that user_groups_members has not: hpc"),
        ({"members": {"hpc": []}, "gids": {"hpc": 0}}, "from 1 to 4294967293"),
        ({"members": {"hpc": []}, "gids": {"hpc": "many"}}, "from 1 to 4294967293"),
        ({"members": {"hpc": []}, "gids": {"hpc": 65534}}, "not 65534"),
        (
            {"members": {"hpc": [], "chemistry": []}, "gids": {"hpc": 2990, "chemistry": 2990}},
            "each for one group alone",
        ),
        ({"gids": {"hpc": 2990}}, "give groups of user_groups_members a number each"),
    ],
)
def test_inputs_that_cannot_be_are_refused(change, problem):
    (found,) = problems(**change)
    assert problem in found


def test_good_inputs_pass_and_numbers_are_numbers():
    inputs, found = prepare(
        {"members": {"hpc": ["al.ice", "a@b", "S\\x"]}, "exclusive": ["hpc"], "gids": {"hpc": "2990"}}, Site()
    )
    assert (inputs["gids"], found) == ({"hpc": 2990}, [])
