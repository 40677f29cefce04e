"""A build of Singularity: which host compiles for which, with which Go, and the sum of its sources."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.singularity.build import numbers
from ansible_collections.slipway.node.plugins.plugin_utils.golang.versions import known


def newest_toolchain(found: list[str], needed: str, wanted: str = "") -> str:
    """Return folder and version of the newest Go that suffices, as its line has them, or an empty string.

    :param found: lines of folder and version, such as ``/usr/local/go go1.26.8``.
    :param needed: the version in the ``go`` line of go.mod.
    :param wanted: a version that must be had exactly; empty for any.
    """
    pairs = [line.rpartition(" ")[::2] for line in found if " " in line]
    fitting = [
        (numbers(version), -len(folder), f"{folder} {version}")
        for folder, version in pairs
        if numbers(version) >= numbers(needed) and (not wanted or version.removeprefix("go") == wanted)
    ]
    return max(fitting)[2] if fitting else ""


def go_to_fetch(needed: str, kind: str) -> str:
    """Return the version of Go to fetch: the newest patch of the lowest release that suffices and has a known sum.

    :param kind: the platform as Go's archives name it, such as ``linux-amd64``.
    """
    return nearest_version([version for version, sums in known().items() if kind in sums], needed)


def nearest_version(versions: list[str], needed: str) -> str:
    """Return the version nearest above what is needed: the newest patch of the lowest sufficient release."""
    fitting = [version for version in versions if numbers(version) >= numbers(needed)]
    if not fitting:
        return ""
    release = min(numbers(version)[:2] for version in fitting)
    return max((version for version in fitting if numbers(version)[:2] == release), key=numbers)


def builder(hostvars: Any, hosts: list[str], build_hosts: list[str], host: str, asked: list[dict[str, Any]]) -> str:
    """Return which host compiles for a host: none where another host of the play has it compiled.

    It is a build host of the platform, else the first of the hosts that wait for the same archive.

    :param hosts: the play's hosts that have not failed, in their order.
    :param asked: what ``slipway.node.state`` told of build hosts that the play does not know, with their names as item.
    """
    states = {name: _state(hostvars[name]) for name in {*hosts, *build_hosts}}
    own = states[host]
    pattern = own["singularity"]["facts"]["archive_pattern"]
    waiting = [name for name in hosts if _missing_archive(states[name]) == pattern]
    if host != next(iter(waiting), host):
        return ""
    answers = {one["item"]: one for one in asked}
    kinds = {
        name: _archive_platform(states[name].get("platform") or answers.get(name, {}).get("platform"))
        for name in build_hosts
    }
    return next((name for name in build_hosts if kinds[name] == _archive_platform(own["platform"])), host)


def _state(variables: Any) -> dict[str, Any]:
    state: dict[str, Any] = variables.get("slipway_state") or {}
    return state


def _missing_archive(state: dict[str, Any]) -> str:
    """Return the pattern of the archive that a host lacks, or an empty string."""
    own = state.get("singularity") or {}
    return str(own["facts"]["archive_pattern"]) if "install_tree" in own.get("plan", {}) else ""


def _archive_platform(platform: dict[str, str] | None) -> tuple[str, ...]:
    """Return what hosts that can use one archive have in common."""
    if not platform:
        return ()
    return platform["distribution"], platform["version"].split(".")[0], platform["architecture"]


def release_sum(answer: str, archive: str) -> str:
    """Return the SHA-256 sum that GitHub's release API told of an archive; empty where it told none.

    :param answer: the text of its answer, whatever that is: old releases have no digest, a captive portal says HTML.
    """
    try:
        release = json.loads(answer)
    except ValueError:
        return ""
    assets = release.get("assets") if isinstance(release, dict) else None
    for one in assets if isinstance(assets, list) else []:
        if isinstance(one, dict) and one.get("name") == archive:
            found = re.fullmatch("sha256:([0-9a-f]{64})", str(one.get("digest")))
            return found.group(1) if found else ""
    return ""
