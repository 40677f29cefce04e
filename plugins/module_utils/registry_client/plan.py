"""What differs between a client of registries and the wanted one, and what is done about it. Pure."""

from functools import partial
from typing import Any, Dict, List, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.host import drift_entry

_entry = partial(drift_entry, "registry_client")


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted."""
    wanted = {one["user"] for one in want["logins"]}
    # Of a user who has others, logging in takes back what is not among them.
    drift = [
        _entry("log_in" if user in wanted else "log_out", "login of %s to %s" % (user, address), "present", "absent")
        for user, address in _surplus(want, observed)
    ]
    if want["state"] == "absent":
        return drift + [_entry("distrust_authority", path, "present", "absent") for path in _leftovers(want, observed)]
    for path, digest in sorted(want["files"].items()):
        found = observed["files"][path]
        if found != digest:
            is_ = "of another authority" if found else "absent"
            drift.append(_entry("trust_authority", path, is_, "the registries' authority"))
        elif path in observed["writable"]:
            drift.append(_entry("trust_authority", path, "writable", "mode 0444"))
    if not observed["trusted"] and observed["files"].get(want["anchor"]) == want["files"].get(want["anchor"]):
        drift.append(_entry("trust_authority", want["bundle"], "without the registries' authority", "with it"))
    for one, found in zip(want["logins"], observed["logins"]):
        if found != "logged in":
            item = "login of %s to %s" % (one["user"], one["address"])
            drift.append(_entry("log_in", item, found, "%s's password" % one["account"]))
    return drift


def changes(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, List[str]]:
    """Return what the phases act on: files, and users. Pure."""
    wanted, surplus = {one["user"] for one in want["logins"]}, {user for user, _address in _surplus(want, observed)}
    drifted = {one["user"] for one, found in zip(want["logins"], observed["logins"]) if found != "logged in"}
    return {
        "write": sorted(want["files"]),
        "log_in": sorted(drifted | wanted & surplus),
        "log_out": sorted(surplus - wanted),
        "remove": _leftovers(want, observed),
    }


def _surplus(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Tuple[str, str]]:
    """Return the logins that were written, by user and address, and are wanted no longer."""
    recorded = {(user, address) for user, addresses in observed["recorded"].items() for address in addresses}
    return sorted(recorded - {(one["user"], one["address"]) for one in want["logins"]})


def _leftovers(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the files to remove: the system's by its name, Docker's where they hold the registries' authority."""
    ours = {want["files"].get(want["anchor"]), observed["files"].get(want["anchor"])} - {"", None}
    return sorted(
        path for path, found in observed["files"].items() if found and (path == want["anchor"] or found in ours)
    )
