"""Versions of Go: which sums of its files are known, and which version compiles which."""

from __future__ import annotations

import re
from functools import cache

from ansible_collections.slipway.node.plugins.module_utils.engine import versions
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import COLLECTION, load


def go_checksum(version: str, kind: str) -> str:
    """Return the known SHA-256 sum of a file of Go, empty where it is not known: kind is linux-amd64 or src."""
    return known().get(str(version), {}).get(kind, "")


def go_newest(minor: str, kind: str = "src") -> str:
    """Return the newest version of a minor one such as 1.26 whose sum is known, empty where there is none."""
    listed = [version for version, sums in known().items() if kind in sums]
    return versions.resolve(str(minor), listed) or ""


def go_bootstrap(version: str) -> str:
    """Return the oldest version of Go that compiles a version of Go."""
    minor = go_minor(version)
    if minor < 20:
        return "1.4"
    if minor < 22:
        return "1.17.13"
    # Every even minor version moved to the sixth patch of the one before the last.
    return f"1.{minor // 2 * 2 - 2}.6"


def go_minor(version: str) -> int:
    """Return the second number of a version: 26 of 1.26.7 and 1.26rc1."""
    return int(re.split(r"\D+", str(version))[1])


@cache
def known() -> dict[str, dict[str, str]]:
    """Return the role's table of sums."""
    return load(COLLECTION / "roles/golang/files/checksums.yml")  # type: ignore[no-any-return]
