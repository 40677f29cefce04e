"""What was found of a host, and what a refusal stops there: its own section, and those that cannot work without it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.engine.plans import reasons_of, rows
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import SECTIONS
from ansible_collections.slipway.node.plugins.plugin_utils.engine.words import FEW, host_names

# These make an engine, and these need one: any that runs will do.
ENGINE = ("docker_ce", "docker_daemon")
NEED_ENGINE = (*ENGINE, "registry", "images")


def looked_at(hostvar: Any) -> dict[str, Any]:
    """Return what the comparison found of a host, empty where it did not come to an end."""
    state: dict[str, Any] = hostvar.get("slipway_state") or {}
    return {} if state.get("failed") or state.get("unreachable") else state


def drift_of(state: Mapping[str, Any], without: Collection[str] = ()) -> list[dict[str, str]]:
    """Return the drift of all sections but some in C(slipway_state), in the order in which they are mended."""
    return [
        {key: one[key] for key in ("role", "phase", "item", "is", "want")}
        for name, found in states(state).items()
        if name not in without
        for one in rows(name, found["plan"])
    ]


def states(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what C(slipway_state) has of sections."""
    # Another module's answer may have something of that name.
    return {name: state[name] for name in SECTIONS if isinstance(state.get(name), dict) and "plan" in state[name]}


def blocked(state: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return why sections of a host are not to act, as sentences by section."""
    found = states(state)
    reasons = {name: why for name, one in found.items() if (why := reasons_of(name, one))}
    refused = [name for name in ENGINE if name in reasons]
    engine = found.get("docker_ce", {"facts": {"engine": "another's"}})["facts"].get("engine")
    if refused and engine in (None, "", "does not run"):
        for name in [name for name in NEED_ENGINE if name in found]:
            reasons.setdefault(name, [f"It needs an engine that runs, and {refused[0]} is refused."])
    return reasons


def stays(state: Mapping[str, Any], hostvars: Any) -> dict[str, list[str]]:
    """Return why sections of a host stay as they are: what is blocked, and clients of registries that are."""
    found = blocked(state)
    names = state.get("registry_client", {}).get("facts", {}).get("registry_hosts", [])
    away = [host for host in names if host in hostvars and "registry" in blocked(looked_at(hostvars[host]))]
    if away:
        found.setdefault(
            "registry_client", [f"registry stays as it is on {host_names(away, FEW)}, and its clients with it."]
        )
    return found


def told(reasons: Mapping[str, list[str]]) -> list[str]:
    """Return for an admin which sections stay as they are, and why."""
    return [f"{name} stays as it is. {text}" for name, texts in reasons.items() for text in texts]
