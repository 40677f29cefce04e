"""Version wishes and version order."""

import shutil
import subprocess

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.versions import (
    compare,
    describe,
    resolve,
    satisfies,
    upstream,
)
from hypothesis import given
from hypothesis import strategies as st

OFFERED = [
    "5:20.10.24-1~debian.12~bookworm",
    "5:26.1.5-1~debian.12~bookworm",
    "5:26.1.4-1~debian.12~bookworm",
    "5:26.10.0-1~debian.12~bookworm",
    "5:19.03.15~3-0~debian-buster",
]

numbers = st.lists(st.integers(0, 99).map(str), min_size=1, max_size=4).map(".".join)
packages = st.builds(
    "{}{}-{}{}".format,
    st.sampled_from(["", "5:", "3:"]),
    numbers,
    st.integers(0, 9),
    st.sampled_from(["", "~debian.12~bookworm", "~rc1", ".el9", "+b2"]),
)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("", "5:26.10.0-1~debian.12~bookworm"),
        ("26", "5:26.10.0-1~debian.12~bookworm"),
        ("26.1", "5:26.1.5-1~debian.12~bookworm"),
        ("26.1.4", "5:26.1.4-1~debian.12~bookworm"),
        ("19.03", "5:19.03.15~3-0~debian-buster"),
        ("5:26.1.4-1~debian.12~bookworm", "5:26.1.4-1~debian.12~bookworm"),
        ("26.1.4-1~debian.12~bookworm", "5:26.1.4-1~debian.12~bookworm"),
        ("26.2", None),
        ("2", None),
    ],
)
def test_resolves_a_wish(wish, expected):
    assert resolve(wish, OFFERED) == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("5:28.3.3-1~ubuntu.24.04~noble", "28.3.3"),
        ("3:28.3.3-1.el9", "28.3.3"),
        ("20.10.24+dfsg1-1+deb12u1", "20.10.24"),
        ("5:27.0.0~rc.1-1~debian.12~bookworm", "27.0.0"),
    ],
)
def test_reads_the_upstream_version(version, expected):
    assert upstream(version) == expected


def test_describes_the_newest_first():
    assert describe(OFFERED) == "26.10.0, 26.1.5, 26.1.4, 20.10.24, 19.03.15"


def test_a_release_is_newer_than_its_candidates():
    assert (
        resolve("27.0", ["5:27.0.0~rc.2-1~debian.12~bookworm", "5:27.0.0-1~debian.12~bookworm"])
        == "5:27.0.0-1~debian.12~bookworm"
    )


@given(packages)
def test_every_prefix_of_a_version_is_satisfied_by_it(version):
    parts = upstream(version).split(".")
    assert all(satisfies(".".join(parts[:length]), version) for length in range(1, len(parts) + 1))


@given(st.lists(packages), numbers)
def test_resolves_to_an_offered_version_that_satisfies_the_wish(offered, wish):
    found = resolve(wish, offered)
    matching = [version for version in offered if satisfies(wish, version)]
    assert (found is None) == (not matching)
    assert found is None or (found in matching and all(compare(found, other) >= 0 for other in matching))


@given(packages, packages, packages)
def test_the_order_is_a_total_order(one, two, three):
    assert (compare(one, two) > 0) == (compare(two, one) < 0)
    if compare(one, two) <= 0 and compare(two, three) <= 0:
        assert compare(one, three) <= 0


@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg is the judge")
def test_the_order_is_that_of_dpkg():
    versions = [
        *OFFERED,
        "1.0",
        "1.0~rc1",
        "1.0-1",
        "1.0+b1",
        "1:0.1",
        "1.0a",
        "1.0.1",
        "26.1.5+dfsg1-9+b9",
        "1.0-1~bpo12+1",
    ]
    for one in versions:
        for two in versions:
            operator = "lt" if compare(one, two) < 0 else "gt" if compare(one, two) > 0 else "eq"
            assert subprocess.run(["dpkg", "--compare-versions", one, operator, two], check=False).returncode == 0, (
                one,
                two,
            )
