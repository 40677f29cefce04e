"""Which Go compiles ``singularity``, who does it, and by which sum its sources are taken."""

import json

import pytest
from ansible_collections.slipway.node.plugins.plugin_utils.singularity.build import (
    builder,
    go_to_fetch,
    nearest_version,
    newest_toolchain,
    release_sum,
)

SUM = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ({"assets": [{"name": "b.tar.gz"}, {"name": "a.tar.gz", "digest": f"sha256:{SUM}"}]}, SUM),
        # Releases before 2025.
        ({"assets": [{"name": "a.tar.gz", "digest": None}]}, ""),
        ({"assets": [{"name": "a.tar.gz", "digest": "sha512:00"}]}, ""),
        ({"assets": None}, ""),
        ({"message": "Not Found"}, ""),
        (["a captive portal"], ""),
        ({"assets": ["a.tar.gz"]}, ""),
    ],
)
def test_what_the_release_api_tells_of_a_sum(release, expected):
    assert release_sum(json.dumps(release), "a.tar.gz") == expected


@pytest.mark.parametrize("answer", ["", "<html>Please log in</html>", '{"assets": [', "1e999"])
def test_what_a_captive_portal_answers_is_no_sum(answer):
    assert release_sum(answer, "a.tar.gz") == ""


FOUND = ["/usr/local/go go1.22.5", "/usr/local/go-1.26.10 go1.26.10", "/usr/local/go-1.26.9 go1.26.9", "broken"]


@pytest.mark.parametrize(
    ("needed", "wanted", "expected"),
    [
        ("1.13", "", "/usr/local/go-1.26.10 go1.26.10"),
        ("1.26.10", "", "/usr/local/go-1.26.10 go1.26.10"),
        ("1.26.11", "", ""),
        ("1.20", "1.22.5", "/usr/local/go go1.22.5"),
        ("1.25.9", "1.22.5", ""),
    ],
)
def test_the_newest_toolchain_that_suffices_is_taken(needed, wanted, expected):
    assert newest_toolchain(FOUND, needed, wanted) == expected


def test_a_link_and_its_toolchain_are_one():
    found = ["/usr/local/go-1.26.9 go1.26.9", "/usr/local/go go1.26.9"]
    assert newest_toolchain(found, "1.20") == "/usr/local/go go1.26.9"


@pytest.mark.parametrize(
    ("needed", "expected"), [("1.25.9", "1.25.14"), ("1.25.20", "1.26.7"), ("1.13", "1.25.14"), ("1.30", "")]
)
def test_the_oldest_release_that_suffices_is_installed_in_its_newest_patch(needed, expected):
    assert nearest_version(["1.26.7", "1.25.14", "1.25.9"], needed) == expected


def test_a_go_is_known_for_every_architecture_of_the_newest_release():
    assert all(go_to_fetch("1.25.9", f"linux-{name}") for name in ("amd64", "arm64"))


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
