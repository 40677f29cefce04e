"""Known sums, and which version of Go compiles which."""

import re

import pytest
from ansible_collections.slipway.node.plugins.plugin_utils.golang import versions as golang


def test_sums_are_sums_each_of_one_file():
    sums = [value for kinds in golang.known().values() for value in kinds.values()]
    assert len(sums) > 600 and len(set(sums)) == len(sums)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in sums)


def test_go_checksum():
    assert golang.go_checksum("1.26.7", "linux-amd64").startswith("ffb5f8de10c6")
    assert golang.go_checksum("1.26.7", "linux-riscv64") == golang.go_checksum("9.9", "src") == ""


def test_go_newest_counts_rather_than_spells():
    assert golang.go_newest("1.24") == "1.24.13"
    assert golang.go_newest("1.26") == "1.26.7"
    assert golang.go_newest("2") == ""


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.19.13", "1.4"),
        ("1.20", "1.17.13"),
        ("1.21.0", "1.17.13"),
        ("1.22.1", "1.20.6"),
        ("1.23.4", "1.20.6"),
        ("1.24rc1", "1.22.6"),
        ("1.25.5", "1.22.6"),
        ("1.26.7", "1.24.6"),
        ("1.27.0", "1.24.6"),
    ],
)
def test_go_bootstrap(version, expected):
    assert golang.go_bootstrap(version) == expected
