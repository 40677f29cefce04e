"""The order of removal: what a role needs to know of another's is still there."""

from pathlib import Path

import pytest
import yaml

TASKS = yaml.safe_load((Path(__file__).parents[3] / "playbooks/remove.yml").read_text(encoding="utf-8"))[0]["tasks"]
ROLES = [one["ansible.builtin.include_role"]["name"] for one in TASKS[-1]["block"]]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        # The engine's configuration says where its data is.
        ("docker_ce", "docker_daemon"),
        # Containers and images are removed by the engine.
        ("registry", "docker_ce"),
        ("images", "docker_ce"),
        # The group docker stays while the engine is there.
        ("docker_ce", "user_groups"),
    ],
)
def test_a_role_is_removed_before_what_it_needs(first, then):
    names = [name.removeprefix("slipway.node.") for name in ROLES]
    assert max(index for index, name in enumerate(names) if name == first) < names.index(then)
