"""The order of removal: what a role needs to know of another's is still there."""

import pytest
from ansible_collections.slipway.node.plugins.filter.hosts import steps

PHASES = [phase.partition(".")[0] for step in steps("remove") for phase in step["phases"]]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        # Containers and images are removed by the engine.
        ("registry", "docker_ce"),
        ("images", "docker_ce"),
        # The group docker stays while the engine is there.
        ("docker_ce", "user_groups"),
    ],
)
def test_a_role_is_removed_before_what_it_needs(first, then):
    assert max(index for index, name in enumerate(PHASES) if name == first) < PHASES.index(then)
