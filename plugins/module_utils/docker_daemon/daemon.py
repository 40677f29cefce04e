"""The running daemon: which start of it runs, which settings it has loaded from which files, and its containers."""

import hashlib
import time
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json, unit
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, NoAnswer, docker

# What only a restart loads, besides keys of daemon.json, each with its files.
PROXY, COMMAND_LINE, SOCKET = "proxy", "command line", "socket"
DROP_INS = {PROXY: ("environment", "proxy"), COMMAND_LINE: ("flags",), SOCKET: ("socket",)}


def observe(host: Host, want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return the running daemon: its identity, what it says of itself, and whether its files are older than it."""
    runs = observed["unit"].get("ActiveState") in ("active", "reloading")
    process = identity(observed["unit"]) if runs else ""
    present = [path for name, path in want["paths"].items() if observed["is"][name] is not None and name != "mounts"]
    is_known = not runs or observed["state"]["loaded"].get("daemon") == process
    return {
        "runs": runs,
        "identity": process,
        "info": host.engine(unit.endpoint(observed["words"], observed["current"])) if runs else {},
        # Not asked where the record tells what was loaded.
        "has_read_files": not is_known and _changed_at(host, present) <= _started_at(observed["unit"]),
    }


def loading(found: Dict[str, Any]) -> Dict[str, Any]:
    """Return what the running daemon has loaded, and which settings of ``to_be`` are ``pending``. Pure."""
    if not found["runs"]:
        return {"loaded": {}, "pending": []}
    wanted, recorded = settings(found, "to_be"), found["state"]["loaded"]
    if recorded.get("daemon") == found["identity"]:
        loaded = recorded["values"]
    elif found["has_read_files"]:
        loaded = settings(found, "is")
    else:
        # Somebody edited the files after the start: what was loaded is not known.
        loaded = dict.fromkeys(wanted)
    pending = [key for key in owned(found) if not _is_loaded(loaded, wanted, found["info"], key)]
    return {"loaded": loaded, "pending": pending}


def unit_properties(host: Host, service: str) -> Dict[str, str]:
    """Return the properties of the service, none where there is no such unit."""
    names = "LoadState,ActiveState,MainPID,ExecMainStartTimestampMonotonic"
    _rc, out = host.run("systemctl", "show", service, "--property=" + names)
    properties = dict((line.split("=", 1)) for line in out.splitlines() if "=" in line)
    return properties if properties.get("LoadState") == "loaded" else {}


def identity(properties: Dict[str, str]) -> str:
    """Return what tells one start of the daemon from another, also after a reboot; empty where it does not run."""
    pid = properties.get("MainPID", "0")
    return "%s-%s" % (pid, properties["ExecMainStartTimestampMonotonic"]) if pid != "0" else ""


def settings(found: Dict[str, Any], which: str) -> Dict[str, Any]:
    """Return what a daemon loads from the files as they are (``is``) or are to be (``to_be``), by name."""
    values = dict(found["current"] if which == "is" else found["merged"])
    for name, files in DROP_INS.items():
        texts = [found[which][one] or "" for one in files]
        if any(texts):
            values[name] = hashlib.sha256("\n".join(texts).encode("utf-8")).hexdigest()
    return values


def owned(found: Dict[str, Any]) -> List[str]:
    """Return the settings that this role answers for: set now, set until now, or given up and not yet loaded."""
    state = found["state"]
    owned = [entry["path"][0] for entry in found["entries"] + state["entries"]] + state["loaded"].get("pending", [])
    for name, parts in DROP_INS.items():
        if any(found["is"][one] != found["to_be"][one] or found["paths"][one] in state["files"] for one in parts):
            owned.append(name)
    return list(dict.fromkeys(owned))


def containers(host: Host, endpoint: str) -> List[str]:
    """Return the names of the running containers.

    :raises NoAnswer: they cannot be known.
    """
    rc, out = docker(host, endpoint, "ps", "--format", "{{.Names}}")
    if rc != 0:
        raise NoAnswer(
            "`docker --host %s ps` fails, so it is not known which containers run; see why on the host" % endpoint
        )
    return sorted(out.split())


def _is_loaded(loaded: Dict[str, Any], wanted: Dict[str, Any], info: Dict[str, Any], key: str) -> bool:
    """Tell whether the running daemon has a setting: it says so itself, or it is known to have loaded it."""
    if key not in DROP_INS:
        verdict = daemon_json.reported(info, key, wanted.get(key))
        if verdict is not None:
            return verdict
    return (key in loaded) == (key in wanted) and daemon_json.same(loaded.get(key), wanted.get(key))


def _changed_at(host: Host, paths: List[str]) -> float:
    # The change of the inode: a file moved into place may be old.
    out = host.run("stat", "--dereference", "--format", "%.9Z", *paths)[1] if paths else ""
    return max([0.0] + [float(line) for line in out.split()])


def _started_at(unit: Dict[str, str]) -> float:
    return time.time() - time.monotonic() + int(unit.get("ExecMainStartTimestampMonotonic") or 0) / 1e6
