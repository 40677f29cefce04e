"""Which Go compiles."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.singularity_build.toolchain import nearest, newest, to_fetch
from ansible_collections.slipway.node.plugins.plugin_utils.golang.versions import known

FOUND = {
    "/usr/local/go": "go1.22.5",
    "/usr/local/go-1.26.10": "go1.26.10",
    "/usr/local/go-1.26.9": "go1.26.9",
    "/usr/local/go-x": "",
}


@pytest.mark.parametrize(
    ("needed", "wanted", "expected"),
    [
        ("1.13", "", "/usr/local/go-1.26.10"),
        ("1.26.10", "", "/usr/local/go-1.26.10"),
        ("1.26.11", "", ""),
        ("1.20", "1.22.5", "/usr/local/go"),
        ("1.25.9", "1.22.5", ""),
    ],
)
def test_the_newest_toolchain_that_suffices_is_taken(needed, wanted, expected):
    assert newest(FOUND, needed, wanted) == (expected, FOUND.get(expected, ""))


def test_a_link_and_its_toolchain_are_one():
    found = {"/usr/local/go-1.26.9": "go1.26.9", "/usr/local/go": "go1.26.9"}
    assert newest(found, "1.20") == ("/usr/local/go", "go1.26.9")


@pytest.mark.parametrize(
    ("needed", "expected"), [("1.25.9", "1.25.14"), ("1.25.20", "1.26.7"), ("1.13", "1.25.14"), ("1.30", "")]
)
def test_the_oldest_release_that_suffices_is_installed_in_its_newest_patch(needed, expected):
    assert nearest(["1.26.7", "1.25.14", "1.25.9"], needed) == expected


def test_a_go_is_known_for_every_architecture_of_the_newest_release():
    want = {"go_version": "", "go": {"sums": known()}}
    assert all(to_fetch({**want, "go_kind": f"linux-{name}"}, "1.25.9") for name in ("amd64", "arm64"))
    assert to_fetch({**want, "go_kind": "linux-amd64", "go_version": "1.99.1"}, "1.25.9") == "1.99.1"
