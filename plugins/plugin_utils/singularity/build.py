"""A build of Singularity: which host compiles for which."""

from __future__ import annotations

from typing import Any


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
