"""Which host compiles ``singularity`` for which."""

import pytest
from ansible_collections.slipway.node.plugins.plugin_utils.singularity.build import builder


def state(distribution="Debian", version="13.1", phases=("install_tree",), pattern="p13"):
    platform = {"distribution": distribution, "version": version, "architecture": "x86_64"}
    own = {"plan": dict.fromkeys(phases), "facts": {"archive_pattern": pattern}}
    return {"slipway_state": {"platform": platform, "singularity": own}}


HOSTS = {
    "a": state(phases=["write_files"]),
    "b": state(),
    "c": state(),
    "d": state(version="12.4", pattern="p12"),
    "e": {"slipway_state": {"failed": True, "msg": "unreachable"}},
    "f": {},
}


@pytest.mark.parametrize(
    ("host", "build_hosts", "asked", "expected"),
    [
        # The first that waits compiles for all that wait for the same.
        ("b", [], [], "b"),
        ("c", [], [], ""),
        ("d", [], [], "d"),
        # A build host of the platform, were it complete itself, comes first; one of another platform does not count.
        ("b", ["d", "a"], [], "a"),
        ("d", ["a", "e"], [], "d"),
        # A build host that the play does not know was asked, or could not be.
        (
            "d",
            ["f"],
            [{"item": "f", "platform": {"distribution": "Debian", "version": "12.9", "architecture": "x86_64"}}],
            "f",
        ),
        ("d", ["f"], [{"item": "f", "unreachable": True}], "d"),
    ],
)
def test_one_host_compiles_for_a_platform(host, build_hosts, asked, expected):
    assert builder(HOSTS, ["a", "b", "c", "d", "e"], build_hosts, host, asked) == expected


def test_the_next_host_compiles_where_the_first_has_failed():
    assert builder(HOSTS, ["a", "c", "d"], [], "c", []) == "c"
