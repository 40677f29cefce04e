"""The section ``docker_daemon`` of the probe: daemon.json, the unit's drop-ins, and what the daemon has loaded of them.

``survey`` reads a host and works out what its files are to hold; ``observe`` and ``compare`` show that
to the probe, the module ``docker_daemon_config`` acts on it. The state file remembers what was set and
what the running daemon has loaded: ``{entries, files, proxy, loaded}``. It may hold secrets and is 0600.
"""

import contextlib
import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils import daemon_json, docker_daemon_unit
from ansible_collections.slipway.node.plugins.module_utils.host import Host, drift_entry

_entry = partial(drift_entry, "docker_daemon", "apply_configuration")

# What only a restart loads, besides keys of daemon.json.
PROXY, COMMAND_LINE = "proxy", "command line"
# The mode and owner of files that may hold passwords.
SECRET = "mode 600 of root"


def paths(want: Dict[str, Any]) -> Dict[str, str]:
    """Return the files that may be written, by their purpose."""
    folder = "/etc/systemd/system/%s.d" % want["service"]
    return {
        "config": want["config_file"],
        "environment": os.path.dirname(want["config_file"]) + "/http-proxy.env",
        "proxy": folder + "/http-proxy.conf",
        "flags": folder + "/slipway-flags.conf",
    }


def survey(host: Host, want: Dict[str, Any], environment: Optional[str] = None) -> Dict[str, Any]:
    """Read a host and work out its files. The result may hold secrets: it is not for output.

    :param environment: the content of the proxies' environment file; ``None`` for the probe, which knows its digest.
    :raises DaemonJsonError: daemon.json is not what dockerd can read.
    """
    where = paths(want)
    is_ = dict((name, host.read(path)) for name, path in where.items())
    if "\ufffd" in (is_["config"] or ""):
        daemon_json.check_encoding(host.read_bytes(where["config"]) or b"")
    state = _state(host.read(want["state_file"]))
    current = daemon_json.parse(is_["config"] or "")
    present = want["state"] == "present"
    mirrors = _ask_mirrors(want) if present and want["probe_mirrors"] != "false" else {}
    wanted = wanted_config(want, mirrors) if present else {}
    merged, entries = daemon_json.merge(current, wanted, state["entries"])
    properties = unit(host, want["service"])
    words = _command(host, want["service"], where["flags"]) if properties else []
    clashes = docker_daemon_unit.clashes(words, list(wanted))

    to_be = dict((name, former(state, path, is_[name])) for name, path in where.items())
    to_be["config"] = _config_text(
        current, merged, is_["config"], to_be["config"] if where["config"] in state["files"] else ""
    )
    if present and want["proxy_digest"]:
        to_be["environment"] = environment or _known_environment(want, is_["environment"], state)
        to_be["proxy"] = docker_daemon_unit.proxy_drop_in(where["environment"])
    if present and clashes and want["take_over_flags"]:
        to_be["flags"] = docker_daemon_unit.drop_in(words, list(clashes))
    secrets = [want["state_file"]]
    if (to_be["environment"] or "").startswith(docker_daemon_unit.HEADER):
        secrets.append(where["environment"])
    environments = {"is": digest(is_["environment"] or ""), "to_be": digest(to_be["environment"] or "")}
    if environment is None and to_be["environment"] == "" and state["proxy"].get("digest") == want["proxy_digest"]:
        # Its text is not known to the probe, but what it was when it was written.
        environments["to_be"] = state["proxy"]["file"]
    found = {
        "paths": where,
        "environment": environments,
        "is": is_,
        "to_be": to_be,
        "state": state,
        "has_state": host.read(want["state_file"]) is not None,
        "current": current,
        "wanted": wanted,
        "merged": merged,
        "entries": entries,
        "mirrors": mirrors,
        "unit": properties,
        "clashes": {} if want["take_over_flags"] else clashes,
        "exposed": _exposed(host, secrets),
    }
    found["daemon"] = daemon(host, found)
    return found


def daemon(host: Host, found: Dict[str, Any]) -> Dict[str, Any]:
    """Return the running daemon: its identity, what it has loaded, and the settings of ``to_be`` that it has not."""
    if found["unit"].get("ActiveState") not in ("active", "reloading"):
        return {"identity": "", "info": {}, "loaded": {}, "pending": []}
    process = identity(found["unit"])
    info = docker_info(host)
    wanted = settings(found, "to_be")
    recorded = found["state"]["loaded"]
    if recorded.get("daemon") == process:
        loaded = recorded["values"]
    elif _changed_at(host, found) <= _started_at(found["unit"]):
        loaded = settings(found, "is")
    else:
        # Somebody edited the files after the start: what was loaded is not known.
        loaded = dict((key, None) for key in wanted)
    pending = [key for key in owned(found) if not _has(loaded, wanted, info, key)]
    return {"identity": process, "info": info, "loaded": loaded, "pending": pending}


def unit(host: Host, service: str) -> Dict[str, str]:
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
    texts = {PROXY: [found["environment"][which], found[which]["proxy"]], COMMAND_LINE: [found[which]["flags"]]}
    values.update((name, _sha("\n".join(one or "" for one in parts))) for name, parts in texts.items() if any(parts))
    return values


def owned(found: Dict[str, Any]) -> List[str]:
    """Return the settings that this role answers for: set now, set until now, or given up and not yet loaded."""
    state = found["state"]
    owned = [entry["path"][0] for entry in found["entries"] + state["entries"]] + state["loaded"].get("pending", [])
    for name, parts in ((PROXY, ("environment", "proxy")), (COMMAND_LINE, ("flags",))):
        if any(found["is"][one] != found["to_be"][one] or found["paths"][one] in state["files"] for one in parts):
            owned.append(name)
    return list(dict.fromkeys(owned))


def former(state: Dict[str, Any], path: str, is_: Optional[str]) -> Optional[str]:
    """Return the text of a file before Slipway's first change. A file with Slipway's heading is its own in any case."""
    own = is_ is not None and is_.startswith(docker_daemon_unit.HEADER)
    text = state["files"].get(path, None if own else is_)  # type: Optional[str]
    return text


def wanted_config(want: Dict[str, Any], mirrors: Dict[str, str]) -> Dict[str, Any]:
    """Return the wanted keys, without dead mirrors where asked for. Where all are dead, it may be the network."""
    config = daemon_json.normalise(want["config"])
    alive = [one for one in config.get("registry-mirrors", []) if not mirrors.get(one)]
    if want["probe_mirrors"] == "skip" and alive:
        config["registry-mirrors"] = alive
    return config


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs, without secrets. Changes nothing."""
    try:
        found = survey(host, want)
    except daemon_json.DaemonJsonError as error:
        return {"error": str(error), "state_left": host.read(want["state_file"]) is not None}
    restart, reload = daemon_json.split(found["daemon"]["pending"])
    return {
        "error": "",
        "keys": daemon_json.changes(found["current"], found["merged"]),
        "files": file_changes(found),
        "restart": restart,
        "reload": reload,
        "running": containers(host) if restart else [],
        "dead_mirrors": dict((mirror, reason) for mirror, reason in found["mirrors"].items() if reason),
        "exposed": found["exposed"],
        "state_left": want["state"] == "absent" and found["has_state"],
    }


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted. All of it is mended by one phase, which is atomic."""
    if observed["error"]:
        if want["state"] == "absent" and not observed["state_left"]:
            return []
        return [_entry(want["config_file"], "unreadable at %s" % observed["error"], "a JSON object")]
    drift = [_entry(one["key"], one["is"], one["want"]) for one in observed["keys"]]
    drift += [
        _entry(one["path"], one["is"], one["want"]) for one in observed["files"] if one["path"] != want["config_file"]
    ]
    drift += [_entry(path, mode, SECRET) for path, mode in sorted(observed["exposed"].items())]
    for how in ("restart", "reload"):
        if observed[how]:
            running = (
                "; running: %s" % ", ".join(observed["running"]) if how == "restart" and observed["running"] else ""
            )
            drift.append(
                _entry(
                    "%s of %s" % (how, want["service"]), "pending: %s%s" % (", ".join(observed[how]), running), "done"
                )
            )
    if observed["state_left"] and not drift:
        drift.append(_entry(want["state_file"], "present", "absence"))
    return drift


def file_changes(found: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the files that are to change, as ``{name, path, is, want}``."""
    changed = []
    for name, path in found["paths"].items():
        is_, to_be = found["is"][name], found["to_be"][name]
        if is_ != to_be:
            state = "missing" if is_ is None else "present" if to_be is None else "other content"
            wish = "absence" if to_be is None else "Slipway's content"
            changed.append({"name": name, "path": path, "is": state, "want": wish})
    return changed


def containers(host: Host) -> List[str]:
    """Return the names of the running containers."""
    return sorted(host.run("docker", "ps", "--format", "{{.Names}}")[1].split())


def docker_info(host: Host) -> Dict[str, Any]:
    """Return what the daemon reports, an empty mapping where it does not answer."""
    rc, out = host.run("timeout", "30", "docker", "info", "--format", "{{json .}}")
    try:
        info = json.loads(out) if rc == 0 else {}
    except ValueError:
        return {}
    return info if isinstance(info, dict) and info.get("ServerVersion") else {}


def digest(text: str) -> str:
    """Return what stands for a text that must not be seen; empty for none."""
    return _sha(text) if text else ""


def _exposed(host: Host, paths: List[str]) -> Dict[str, str]:
    """Return the files that somebody else than root can read, with their mode and owner."""
    _rc, out = host.run("stat", "--format", "mode %a of %U %n", *paths)
    found = dict(reversed(line.rsplit(" ", 1)) for line in out.splitlines())
    return dict((path, mode) for path, mode in found.items() if mode != SECRET)


def _state(text: Optional[str]) -> Dict[str, Any]:
    state = {"entries": [], "files": {}, "proxy": {}, "loaded": {}}  # type: Dict[str, Any]
    # Without its memory the role takes all that it finds for somebody else's, and leaves it.
    with contextlib.suppress(ValueError):
        state.update(json.loads(text or "{}"))
    return state


def _config_text(
    current: Dict[str, Any], merged: Dict[str, Any], is_: Optional[str], former: Optional[str]
) -> Optional[str]:
    """Return the text of daemon.json, or ``None`` for no file.

    :param former: the text before Slipway's first change, ``None`` where there was no file, empty before that change.
    """
    if daemon_json.same(current, merged) and (merged or former is not None):
        return is_
    if former is None and not merged:
        return None
    if former and daemon_json.same(daemon_json.parse(former), merged):
        return former
    return daemon_json.render(merged, is_ or "")


def _known_environment(want: Dict[str, Any], is_: Optional[str], state: Dict[str, Any]) -> str:
    known = state["proxy"].get("digest") == want["proxy_digest"] and state["proxy"].get("file") == _sha(is_ or "")
    return is_ or "" if known else ""


def _has(loaded: Dict[str, Any], wanted: Dict[str, Any], info: Dict[str, Any], key: str) -> bool:
    """Tell whether the running daemon has a setting: it says so itself, or it is known to have loaded it."""
    if key in daemon_json.TYPES:
        verdict = daemon_json.reported(info, key, wanted.get(key))
        if verdict is not None:
            return verdict
    return (key in loaded) == (key in wanted) and daemon_json.same(loaded.get(key), wanted.get(key))


def _command(host: Host, service: str, own: str) -> List[str]:
    text = host.run("systemctl", "cat", service)[1]
    files = [host.read(path) or "" for path in docker_daemon_unit.environment_files(text)]
    return docker_daemon_unit.command(text, own, files)


def _changed_at(host: Host, found: Dict[str, Any]) -> float:
    present = [path for name, path in found["paths"].items() if found["is"][name] is not None]
    # The change of the inode: a file moved into place may be old.
    out = host.run("stat", "--format", "%.9Z", *present)[1] if present else ""
    return max([0.0] + [float(line) for line in out.split()])


def _started_at(unit: Dict[str, str]) -> float:
    return time.time() - time.monotonic() + int(unit.get("ExecMainStartTimestampMonotonic") or 0) / 1e6


def _ask_mirrors(want: Dict[str, Any]) -> Dict[str, str]:
    """Ask all registry mirrors at once; return why each is dead, empty for one that lives."""
    mirrors = want["config"].get("registry-mirrors") or []

    def ask(mirror: str) -> str:
        try:
            with urllib.request.urlopen(mirror.rstrip("/") + "/v2/", timeout=float(want["mirror_timeout"])):
                return ""
        except urllib.error.HTTPError as error:
            # 401 asks for a login: a registry all the same.
            return "" if error.code == 401 else "it answers %d" % error.code
        except (OSError, ValueError) as error:
            return daemon_json.redact(str(getattr(error, "reason", error)))

    with ThreadPoolExecutor(max_workers=max(1, len(mirrors))) as pool:
        return dict(zip(mirrors, pool.map(ask, mirrors)))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
