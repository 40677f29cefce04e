"""What differs between a client of registries and the wanted one, and how it is mended. Pure."""

import os
from typing import Any, Dict, List, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine import records
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action, Plan, action
from ansible_collections.slipway.node.plugins.module_utils.registry_client.observe import CANNOT, TRUSTED


def plan(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    """Return what differs, by phase; ``act.py`` writes the logins."""
    actions = {"trust_authority": [], "log_in": [], "log_out": [], "distrust_authority": []}  # type: Plan
    if want["refused_hosts"] and want["state"] != "absent":
        return actions
    wanted = {one["user"] for one in want["logins"]}
    for user, address in _surplus(want, observed):
        # Of a user who has others, logging in takes back what is not among them.
        phase = "log_in" if user in wanted else "log_out"
        actions[phase].append(action("login of %s to %s" % (user, address), "present", "absent", user=user))
    if want["state"] == "absent":
        actions["distrust_authority"] = [_distrusted(want, path) for path in _leftovers(want, observed)]
        if observed["made"]:
            actions["distrust_authority"].append(action(TRUSTED, "present", "absent", ["remove", TRUSTED]))
        return actions
    own = dict((path, digest) for path, digest in want["files"].items() if path != want["anchor"])
    former = dict((path, digest) for path, digest in observed["made"].items() if path not in own)
    if any(observed["made"].get(path) != digest for path, digest in own.items()):
        # Before the files, so that none is forgotten.
        note = _record(dict(former, **own))
        actions["trust_authority"].append(action(TRUSTED, "not up to date", "the registries' names", note))
    for path, digest in sorted(want["files"].items()):
        found = observed["files"][path]
        if found != digest:
            is_ = "of another authority" if found else "absent"
            actions["trust_authority"].append(_trusted(want, path, is_, "the registries' authority"))
        elif path in observed["writable"]:
            actions["trust_authority"].append(_trusted(want, path, "writable", "mode 0444"))
    if not observed["trusted"] and observed["files"].get(want["anchor"]) == want["files"].get(want["anchor"]):
        is_, renew = "without the registries' authority", ["command", [want["renew"]]]
        actions["trust_authority"].append(action(want["bundle"], is_, "with it", renew))
    for one, found in zip(want["logins"], observed["logins"]):
        if found != "logged in":
            item = "login of %s to %s" % (one["user"], one["address"])
            is_ = "not possible" if found.startswith(CANNOT) else found
            actions["log_in"].append(action(item, is_, "%s's password" % one["account"], user=one["user"]))
    for path, digest in sorted(former.items()):
        # What somebody else put there since is left.
        gone = _distrusted(want, path)["do"] if observed["files"][path] == digest else []
        actions["distrust_authority"].append(action(path, "of a former name", "absent", *gone, _record(own)))
    return actions


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what this host cannot have; where it has all and a name is not known, that is only told."""
    actions = plan(want, observed)
    if not any(actions.values()) or want["state"] == "absent":
        return []
    reasons = {}  # type: Dict[str, List[str]]
    for one, found in zip(want["logins"], observed["logins"]):
        if found.startswith(CANNOT) and actions["log_in"]:
            # One line for all registries of a user.
            reasons.setdefault("%s cannot be logged in: %s." % (one["user"], found[len(CANNOT) :]), [])
    return _unknown(want, observed) + list(reasons)


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know."""
    found = [] if any(plan(want, observed).values()) else _unknown(want, observed)
    if want["refused_hosts"] and want["state"] != "absent":
        hosts = ", ".join(want["refused_hosts"])
        found.append("The registries of %s were refused, so this client of them stays as it is." % hosts)
    if observed["serves"] and not want["serves"]:
        found.append(
            "Registries of Slipway are on this host, which is not in registry_hosts. Put it back with registry_state: "
            "absent, which removes them and leaves their images."
        )
    return found


def _unknown(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    return [
        "%s, by which this host is to reach registries, is a name that it does not know. Set registry_hostname for the "
        "registry's host to a name or an address that all hosts know." % name
        for name in observed["unknown"]
        if want["state"] != "absent"
    ]


def facts(want: Dict[str, Any], _observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what a verification tries, and the hosts whose registries these are."""
    return {"registries": want["registries"], "registry_hosts": want["hosts"]}


def _record(made: Dict[str, str]) -> List[Any]:
    return ["write", TRUSTED, records.dump({"files": dict(sorted(made.items()))})]


def _trusted(want: Dict[str, Any], path: str, is_: str, wish: str) -> Action:
    # As docker-bench-security wants it (CIS 3.8). The engine reads certs.d at each request, so nothing is restarted.
    do = [["folder", os.path.dirname(path)], ["write", path, want["authority"], 0o444]]
    if path == want["anchor"]:
        do.append(["command", [want["renew"]]])
    return action(path, is_, wish, *do)


def _distrusted(want: Dict[str, Any], path: str) -> Action:
    if path != want["anchor"]:
        return action(path, "present", "absent", ["remove", path], ["remove_if_empty", os.path.dirname(path)])
    # From the ground up: else links of the authority that is gone stay in /etc/ssl/certs.
    fresh = ["--fresh"] if want["renew"] == "update-ca-certificates" else []
    return action(path, "present", "absent", ["remove", path], ["command", [want["renew"]] + fresh])


def _surplus(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Tuple[str, str]]:
    """Return the logins that were written, by user and address, and are wanted no longer."""
    recorded = {(user, address) for user, addresses in observed["recorded"].items() for address in addresses}
    return sorted(recorded - {(one["user"], one["address"]) for one in want["logins"]})


def _leftovers(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the files to remove: the system's by its name, Docker's where they hold the registries' authority."""
    ours = {want["files"].get(want["anchor"]), observed["files"].get(want["anchor"])} - {"", None}
    return sorted(
        path
        for path, found in observed["files"].items()
        if found and (path == want["anchor"] or found in ours or found == observed["made"].get(path))
    )
