"""The section ``docker_daemon`` of the probe: daemon.json, the unit's drop-ins, and what the daemon has loaded of them.

``survey`` reads a host and works out what its files are to hold, ``decide`` what has to be done; ``observe`` and
``compare`` show that to the probe, the module ``docker_daemon_config`` acts on it. The state file remembers what was
set and what the running daemon has loaded: ``{entries, files, environment, loaded}``. It may hold secrets and is 0600.
"""

import hashlib
import ipaddress
import json
import os
import re
import socket
import struct
import tempfile
import time
from functools import partial
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils import (
    daemon_json,
    docker_daemon_audit,
    docker_daemon_mirrors,
    docker_daemon_unit,
)
from ansible_collections.slipway.node.plugins.module_utils.host import SEAL, Host, NoAnswer, docker, drift_entry
from ansible_collections.slipway.node.plugins.module_utils.platforms import Platform

PHASE = "apply_configuration"
_entry = partial(drift_entry, "docker_daemon")

RECOMMENDED = {"live-restore": True, "log-driver": "json-file", "log-level": "info"}
PROFILES = {
    "none": {},
    "recommended": RECOMMENDED,
    "hardened": dict(
        RECOMMENDED,
        **{
            "icc": False,
            "no-new-privileges": True,
            "userland-proxy": False,
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 65536, "Hard": 65536}},
        },
    ),
}  # type: Dict[str, Dict[str, Any]]
PROFILE_LOG_OPTS = {"max-size": "50m", "max-file": "3"}

# What only a restart loads, besides keys of daemon.json, each with its files.
PROXY, COMMAND_LINE, SOCKET = "proxy", "command line", "socket"
DROP_INS = {PROXY: ("environment", "proxy"), COMMAND_LINE: ("flags",), SOCKET: ("socket",)}
# The mode and owner of files that may hold passwords.
SECRET = "mode 600 of root"


class RecordError(ValueError):
    """The state file is not what Slipway keeps."""


def want(inputs: Dict[str, Any], _platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: the content of daemon.json, the proxies by their seal, and how they are applied."""
    options = inputs["options"]
    driver = options.get("log-driver") or inputs["log_driver"] or "json-file"
    own_log_opts = PROFILE_LOG_OPTS if inputs["profile"] != "none" and driver in ("json-file", "local") else {}
    named = {
        "registry-mirrors": inputs["registry_mirrors"],
        "insecure-registries": inputs["insecure_registries"],
        "data-root": inputs["data_root"],
        "live-restore": inputs["live_restore"],
        "log-driver": inputs["log_driver"],
        "log-opts": dict(own_log_opts, **inputs["log_opts"]),
        "default-address-pools": inputs["address_pools"],
    }
    config = dict(PROFILES[inputs["profile"]])
    config.update((key, value) for key, value in named.items() if value not in ("", [], {}, None))
    kept = ("state", "restart", "backup", "take_over_flags", "probe_mirrors", "mirror_timeout", "proxy")
    return dict(
        ((name, inputs[name]) for name in kept),
        audit=inputs["state"] == "present" and inputs["audit"],
        config=daemon_json.normalise(_combine(config, options)),
        config_file="/etc/docker/daemon.json",
        state_file="/var/lib/slipway/docker_daemon.json",
        service="docker.service",
    )


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs, without secrets. Changes nothing."""
    audit = docker_daemon_audit.observe(host, want["audit"])
    try:
        found = survey(host, want)
    except (daemon_json.DaemonJsonError, RecordError) as error:
        return {
            "error": str(error),
            "audit": audit,
            "refused": [unreadable(want, error)],
            "state_left": host.read(want["state_file"]) is not None,
        }
    decision = decide(want, found)
    return {
        "error": "",
        "audit": audit,
        "keys": daemon_json.changes(found["current"], found["merged"]),
        "files": file_changes(found),
        "restart": decision["restart"],
        "reload": decision["reload"],
        "pending": decision["pending"],
        "running": found["running"],
        "exposed": found["exposed"],
        "state_left": want["state"] == "absent" and found["has_state"],
        "refused": refused(want, found) + docker_daemon_audit.refusals(audit),
        "notes": advice(want, found, decision),
    }


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted. One phase, which is atomic, mends all but auditd's.

    A restart that waits for a safe moment is for later.
    """
    entry = partial(_entry, PHASE)
    audit = docker_daemon_audit.compare(observed["audit"])
    if observed["error"]:
        if want["state"] == "absent" and not observed["state_left"]:
            return audit
        return [entry(want["config_file"], "unreadable at %s" % observed["error"], "a JSON object")]
    drift = [entry(one["key"], one["is"], one["want"]) for one in observed["keys"]]
    drift += [
        entry(one["path"], one["is"], one["want"]) for one in observed["files"] if one["path"] != want["config_file"]
    ]
    drift += [entry(path, mode, SECRET) for path, mode in sorted(observed["exposed"].items())]
    for how in ("restart", "reload"):
        if observed[how]:
            drift.append(entry(want["service"], "%s pending for %s" % (how, ", ".join(observed[how])), how + "ed"))
    if observed["pending"]:
        drift.append(
            _entry("later", want["service"], pending_text(observed["pending"], observed["running"]), "restarted")
        )
    if observed["state_left"] and not drift:
        drift.append(entry(want["state_file"], "present", "absent"))
    # After the files that it is about.
    return drift + audit


def refusals(_want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what stands in the way, as sentences with their remedies."""
    return list(observed["refused"])


def notes(_want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of the changes."""
    return list(observed.get("notes", []))


def survey(host: Host, want: Dict[str, Any], sealed: Optional[Dict[str, str]] = None) -> Dict[str, Any]:
    """Read a host and work out its files. The result may hold secrets: it is not for output.

    :param sealed: the secrets by their seals; without them those are known that the files or the record hold already.
    :raises DaemonJsonError: daemon.json is not what dockerd can read.
    :raises RecordError: the state file is not what Slipway keeps.
    """
    where, known = paths(want), sealed or {}
    is_ = dict((name, host.read(path)) for name, path in where.items())
    if "\ufffd" in (is_["config"] or ""):
        daemon_json.check_encoding(host.read_bytes(where["config"]) or b"")
    record = host.read(want["state_file"])
    state = parse_record(record, want["state_file"])
    current = daemon_json.parse(is_["config"] or "")
    present = want["state"] == "present"
    config = _open(host, want["config"], current, known) if present else {}
    properties = unit(host, want["service"])
    text = host.run("systemctl", "cat", want["service"])[1] if properties else ""
    variables = [host.read(path) or "" for path in docker_daemon_unit.environment_files(text)]
    words = docker_daemon_unit.command(text, where["flags"], variables) if text else []

    environment = _environment(host, want, is_["environment"], state, known) if present and want["proxy"] else None
    mirrors = {}  # type: Dict[str, str]
    if present and want["probe_mirrors"] != "off" and environment != "":
        # As the daemon will ask: through its proxies, whoever set them.
        proxies = docker_daemon_unit.environment(text, variables + [environment or ""])
        mirrors = docker_daemon_mirrors.ask(host, config, dict(proxies, **_proxies(current)), want["mirror_timeout"])
    wanted = without_dead(want, config, mirrors)
    merged, entries = daemon_json.merge(current, wanted, state["entries"])
    clashes = docker_daemon_unit.clashes(words, list(wanted) + (["proxies"] if environment is not None else []))

    to_be = dict((name, former(state, path, is_[name])) for name, path in where.items())
    to_be["config"] = _config_text(
        current, merged, is_["config"], to_be["config"] if where["config"] in state["files"] else ""
    )
    if environment is not None:
        to_be["environment"] = environment
        to_be["proxy"] = docker_daemon_unit.proxy_drop_in(where["environment"])
    if present and clashes and want["take_over_flags"]:
        to_be["flags"] = docker_daemon_unit.drop_in(words, list(clashes))
    if wanted.get("data-root"):
        to_be["mounts"] = docker_daemon_unit.mounts_drop_in(wanted["data-root"])
    listens = docker_daemon_unit.values(words, "hosts") + list(wanted.get("hosts") or [])
    if wanted.get("group") and any(str(one).startswith("fd:") for one in listens):
        to_be["socket"] = docker_daemon_unit.group_drop_in(wanted["group"])
    secrets = [want["state_file"]]
    if (to_be["environment"] or "").startswith(docker_daemon_unit.HEADER):
        secrets.append(where["environment"])
    if SEAL in json.dumps(want["config"]):
        secrets.append(where["config"])
    found = {
        "paths": where,
        "is": is_,
        "to_be": to_be,
        "state": state,
        "has_state": record is not None,
        "current": current,
        "wanted": wanted,
        "merged": merged,
        "entries": entries,
        "mirrors": mirrors,
        "unit": properties,
        "endpoints": {
            "is": docker_daemon_unit.endpoint(words, current),
            "to_be": docker_daemon_unit.endpoint(words, merged),
        },
        "clashes": {} if want["take_over_flags"] else clashes,
        "secrets": secrets,
        "exposed": _exposed(host, secrets),
    }
    found["daemon"] = daemon(host, found)
    restart, _reload = daemon_json.split(found["daemon"]["pending"])
    found["running"] = containers(host, found["endpoints"]["is"]) if restart else []
    found["verdict"] = _verdict(host, words, found)
    found["in_swarm"] = _in_swarm(host, found)
    found["unmounted"] = _unmounted(host, wanted["data-root"]) if wanted.get("data-root") else ""
    found["moved"] = _moved(found)
    new_root = wanted.get("data-root") if "data-root" in found["moved"] else None
    found["of_others"] = _of_others(host, str(new_root)) if new_root else False
    # One that is there already has done its harm, or none.
    new_bip = wanted.get("bip") if wanted.get("bip") != current.get("bip") else None
    found["taken"] = _taken(host, str(new_bip)) if new_bip else ""
    found["tlsverify"] = bool(merged.get("tlsverify") or docker_daemon_unit.clashes(words, ["tlsverify"]))
    found["no_group"] = bool(wanted.get("group")) and host.run("getent", "group", str(wanted["group"]))[0] != 0
    return found


def decide(want: Dict[str, Any], found: Dict[str, Any]) -> Dict[str, Any]:
    """Return what has to be done, in order, and what is left for later. Pure.

    ``steps``: tuples of a verb and its arguments, as the module ``docker_daemon_config`` knows them; they hold secrets.
    ``restart``, ``reload``: the settings that this loads. ``pending``: those that wait for a safe moment.
    """
    is_, merged = found["daemon"], found["merged"]
    names = [one["name"] for one in file_changes(found)]
    restart, reload = daemon_json.split(is_["pending"])
    # A daemon that failed, or fails again and again, is started with the new files: no container of it can be harmed.
    failed = found["unit"].get("ActiveState") in ("failed", "activating") and bool(names)
    safe = failed or (bool(restart) and is_safe(want["restart"], found, restart, is_["info"]))
    # live-restore that a reload turns on may make the restart safe.
    turns_on = (
        "live-restore" in reload and want["restart"] == "safe" and bool(merged.get("live-restore") and found["running"])
    )
    if turns_on:
        safe = is_safe("safe", found, restart, {"LiveRestoreEnabled": True})
    by_reload = bool(reload) and (turns_on or not safe)
    # A reload ignores that a key is gone, so it has its neutral value in the file meanwhile.
    gone = dict((key, daemon_json.RELOADABLE[key]) for key in reload if key not in merged) if by_reload else {}
    texts = dict((name, found["to_be"][name]) for name in names)
    if gone:
        texts["config"] = daemon_json.render(dict(merged, **gone))

    # The restarted daemon would not know what live-restore lets the present one leave.
    breaks = sorted(set(restart) & daemon_json.BREAKS_LIVE_RESTORE) if is_["info"].get("LiveRestoreEnabled") else []
    stopped = found["running"] if safe and breaks else []

    steps = [("secure", path) for path in sorted(found["exposed"])]  # type: List[Any]
    if names or reload or safe:
        # Before the files, so that an interrupted run is still known as pending.
        steps.append(("record", new_state(found, is_["loaded"], is_["pending"])))
    steps += [("write", name, text) for name, text in texts.items()]
    if set(names) - {"config", "environment"}:
        steps.append(("load_units",))
    loaded = dict(is_["loaded"])
    if by_reload:
        steps.append(("reload",))
        steps += [("write", "config", found["to_be"]["config"])] if gone else []
        steps.append(("prove", reload))
        loaded = dict((key, value) for key, value in loaded.items() if key not in daemon_json.RELOADABLE)
        loaded.update((key, merged[key]) for key in daemon_json.RELOADABLE if key in merged)
    if stopped:
        # By the daemon itself as it stops, so that those come back that are to be restarted.
        text = daemon_json.render(dict(found["current"], **{"live-restore": False}))
        steps += [("write", "config", text), ("reload",), ("write", "config", found["to_be"]["config"])]
    if safe:
        steps += [("restart", SOCKET in restart), ("prove", owned(found))]
        if want["restart"] == "safe" and found["running"]:
            steps.append(("see_alive", found["running"]))
        loaded = settings(found, "to_be")
    pending = [] if safe else restart
    if want["state"] == "absent" and not pending:
        steps += [("forget",)] if found["has_state"] or steps else []
    elif steps:
        steps.append(("record", new_state(found, loaded, pending)))
    return {
        "steps": steps,
        "names": names,
        "failed": failed,
        "restart": restart if safe else [],
        "breaks": breaks,
        "stopped": stopped,
        "reload": reload,
        "pending": pending,
    }


def is_safe(policy: str, found: Dict[str, Any], keys: List[str], info: Dict[str, Any]) -> bool:
    """Tell whether a restart for these settings may be done now."""
    if policy != "safe":
        return policy == "always"
    lives = info.get("LiveRestoreEnabled") and found["merged"].get("live-restore")
    return not found["running"] or bool(lives and not set(keys) & daemon_json.BREAKS_LIVE_RESTORE)


def refused(want: Dict[str, Any], found: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each sentence with its remedy. Pure."""
    if want["state"] == "absent":
        return [found["verdict"]] if found["verdict"] else []
    file, merged, sentences = want["config_file"], found["merged"], []
    if found["verdict"]:
        sentences.append(found["verdict"])
    if found["clashes"]:
        named = "; ".join(
            "%s (%s)" % (key, daemon_json.redact(flags)) for key, flags in sorted(found["clashes"].items())
        )
        sentences.append(
            "The command line of %s sets what daemon.json is to set: %s. The daemon would not start with both. Set"
            " docker_daemon_take_over_flags: true to let a drop-in start it without these flags, or remove the flags"
            " from the unit or from /etc/default/docker." % (want["service"], named)
        )
    if found["in_swarm"] and merged.get("live-restore"):
        sentences.append(
            "This host is in a swarm, and with live-restore the daemon would not start. Set docker_daemon_live_restore:"
            " false, or leave the swarm first (`docker swarm leave`)."
        )
    stranding = [key for key in found["moved"] if key != "storage-driver"]
    if found["in_swarm"] and found["daemon"]["info"] and stranding:
        sentences.append(
            "This host is in a swarm, which the daemon would not find again with another %s. Leave the key as it is, or"
            " leave the swarm first (`docker swarm leave`)." % " and ".join(stranding)
        )
    strangers = daemon_json.misfits(merged)
    if strangers:
        sentences.append(
            "The log driver %s has no option %s, and the daemon would not start with it. Correct"
            " docker_daemon_log_driver or docker_daemon_log_opts, or take it out of log-opts in %s."
            % (merged.get("log-driver") or "json-file", ", ".join(strangers), file)
        )
    if want["proxy"] and merged.get("proxies"):
        sentences.append(
            "%s has proxies of its own, which win over docker_daemon_http_proxy and its sisters. Remove the key proxies"
            " there, or leave these inputs empty." % file
        )
    if found["unmounted"]:
        sentences.append(
            "docker_daemon_data_root is %s, and the disk of %s is not mounted: Docker would start on the empty folder"
            " under it. Mount it (`mount %s`), or correct the path."
            % (merged["data-root"], found["unmounted"], found["unmounted"])
        )
    if found["of_others"]:
        sentences.append(
            "docker_daemon_data_root is %s, which already holds other files. Docker would make it readable by root"
            " only. Use a folder of its own, such as %s/docker." % (merged["data-root"], merged["data-root"])
        )
    if found["taken"]:
        sentences.append(
            "bip of docker_daemon_options is %s, which overlaps %s. You could lose the connection"
            " to the host. Choose another network." % (merged["bip"], found["taken"])
        )
    if found["no_group"]:
        sentences.append(
            "The group %s of docker_daemon_options does not exist, and the socket would not start. Make it, by"
            " user_groups_members for example, or name another." % merged["group"]
        )
    return sentences


def advice(want: Dict[str, Any], found: Dict[str, Any], decision: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of the changes, as sentences. Pure."""
    sentences = [
        "registry mirror %s is dead: %s" % (daemon_json.redact(mirror), reason)
        for mirror, reason in found["mirrors"].items()
        if reason
    ]
    info = found["daemon"]["info"]
    was, snapshotter = _snapshotter(found["current"]), _snapshotter(found["merged"])
    if was and snapshotter is None:
        # Given up: engines before 29 go back to the former store.
        snapshotter = False
    switched = snapshotter is not None and info and snapshotter != daemon_json.has_snapshotter(info)
    in_containerd = daemon_json.has_snapshotter(info) if snapshotter is None else snapshotter
    for key in ["features.containerd-snapshotter"] * bool(switched) + found["moved"]:
        # containerd's images stay where they are.
        images = 0 if key == "data-root" and in_containerd else info.get("Images") or 0
        if images or info.get("Containers"):
            sentences.append(
                "%s changes where images and containers are kept: those of this host (%d images, %d containers) are out"
                " of sight once the daemon is restarted, until it is changed back."
                % (key, images, info.get("Containers") or 0)
            )
    if "data-root" in found["moved"] and in_containerd:
        sentences.append(
            "data-root does not say where containerd's store keeps images: that is /var/lib/containerd, or `root` in"
            " /etc/containerd/config.toml."
        )
    for one in [] if found["tlsverify"] else found["wanted"].get("hosts") or []:
        # Without a host it is dockerd's default, localhost.
        if re.match(r"tcp://(?!127\.|localhost\b|\[::1\]|:|$)", str(one)):
            sentences.append(
                "%s of hosts makes everyone who reaches it root on this host. Set tlsverify: true with tlscacert,"
                " tlscert and tlskey in docker_daemon_options, or leave it out." % one
            )
    if decision["stopped"]:
        sentences.append(
            "live-restore keeps no container over a change of %s, so these are stopped: %s."
            % (", ".join(decision["breaks"]), ", ".join(decision["stopped"]))
        )
    if decision["pending"]:
        sentences.append(
            "%s: %s. It is done by a run when it is safe, or with docker_daemon_restart: always."
            % (want["service"], pending_text(decision["pending"], found["running"]))
        )
    return sentences


def unreadable(want: Dict[str, Any], error: Exception) -> str:
    """Return what to do about a file that cannot be read."""
    if isinstance(error, RecordError):
        return str(error)
    return (
        "%s is not what dockerd can read: %s. It was left as it is. Correct it by hand, or move it away to start from"
        " an empty one." % (want["config_file"], error)
    )


def paths(want: Dict[str, Any]) -> Dict[str, str]:
    """Return the files that may be written, by their purpose."""
    folder = "/etc/systemd/system/%s.d" % want["service"]
    return {
        "config": want["config_file"],
        "environment": os.path.dirname(want["config_file"]) + "/http-proxy.env",
        "proxy": folder + "/http-proxy.conf",
        "flags": folder + "/slipway-flags.conf",
        "mounts": folder + "/slipway-mounts.conf",
        "socket": "/etc/systemd/system/%s.d/slipway-group.conf" % want["service"].replace(".service", ".socket"),
    }


def daemon(host: Host, found: Dict[str, Any]) -> Dict[str, Any]:
    """Return the running daemon: its identity, what it has loaded, and the settings of ``to_be`` that it has not."""
    if found["unit"].get("ActiveState") not in ("active", "reloading"):
        return {"identity": "", "info": {}, "loaded": {}, "pending": []}
    process = identity(found["unit"])
    info = host.engine(found["endpoints"]["is"])
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


def former(state: Dict[str, Any], path: str, is_: Optional[str]) -> Optional[str]:
    """Return the text of a file before Slipway's first change. A file with Slipway's heading is its own in any case."""
    own = is_ is not None and is_.startswith(docker_daemon_unit.HEADER)
    text = state["files"].get(path, None if own else is_)  # type: Optional[str]
    return text


def new_state(found: Dict[str, Any], loaded: Dict[str, Any], pending: List[str]) -> Dict[str, Any]:
    """Return what is remembered: what was set, the former texts, and what the daemon has loaded."""
    files = {}
    for name, path in found["paths"].items():
        was = former(found["state"], path, found["is"][name])
        # A file that is as it was before Slipway is not ours any more.
        if found["to_be"][name] != was or (name == "config" and found["entries"]):
            files[path] = was
    environment = found["to_be"]["environment"] if found["paths"]["environment"] in files else None
    return {
        "entries": found["entries"],
        "files": files,
        "environment": environment,
        "loaded": {"values": loaded, "pending": pending},
    }


def without_dead(want: Dict[str, Any], config: Dict[str, Any], mirrors: Dict[str, str]) -> Dict[str, Any]:
    """Return the wanted keys, without dead mirrors where asked for. Where all are dead, it may be the network."""
    alive = [one for one in config.get("registry-mirrors", []) if not mirrors.get(one)]
    return dict(config, **{"registry-mirrors": alive}) if want["probe_mirrors"] == "skip" and alive else config


def file_changes(found: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the files that are to change, as ``{name, path, is, want}``."""
    changed = []
    for name, path in found["paths"].items():
        is_, to_be = found["is"][name], found["to_be"][name]
        if is_ != to_be:
            state = "missing" if is_ is None else "present" if to_be is None else "other content"
            wish = "absent" if to_be is None else "Slipway's content"
            changed.append({"name": name, "path": path, "is": state, "want": wish})
    return changed


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


def parse_record(text: Optional[str], path: str) -> Dict[str, Any]:
    """Read the state file. Without it the role takes all that it finds for somebody else's, and leaves it.

    :raises RecordError: it is not what Slipway keeps.
    """
    state = {"entries": [], "files": {}, "environment": None, "loaded": {}}  # type: Dict[str, Any]
    try:
        given = json.loads(text or "{}")
        state.update((name, given[name]) for name in state if name in given)
        sound = all(isinstance(entry["path"], list) and "value" in entry for entry in state["entries"])
        if not sound or not isinstance(state["files"], dict) or not isinstance(state["loaded"], dict):
            raise ValueError("it holds something else")
    except (ValueError, TypeError, KeyError) as error:
        raise RecordError(
            "%s is not the record that Slipway keeps (%s). Move it away, then run again; what Slipway set before then"
            " counts as the host's own." % (path, error)
        )
    return state


def _combine(config: Dict[str, Any], other: Dict[str, Any]) -> Dict[str, Any]:
    """Return a configuration with another laid over it: mappings key by key, lists whole."""
    result = dict(config)
    for key, value in other.items():
        old = result.get(key)
        result[key] = _combine(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _open(host: Host, wanted: Any, current: Any, known: Dict[str, str]) -> Any:
    """Return the wanted content with secrets in the place of their seals, as far as they are known."""
    if isinstance(wanted, dict):
        is_ = current if isinstance(current, dict) else {}
        return dict((key, _open(host, value, is_.get(key), known)) for key, value in wanted.items())
    if isinstance(wanted, str) and wanted.startswith(SEAL):
        is_sealed = isinstance(current, str) and host.is_sealed(wanted, current)
        return known.get(wanted, current if is_sealed else wanted)
    return wanted


def _environment(
    host: Host, want: Dict[str, Any], is_: Optional[str], state: Dict[str, Any], known: Dict[str, str]
) -> str:
    """Return the text of the proxies' environment file; empty where it is not known."""
    texts = [known.get(want["proxy"]), is_, state["environment"]]
    return next((text for text in texts if text and host.is_sealed(want["proxy"], text)), "")


def pending_text(keys: List[str], running: List[str]) -> str:
    return "restart pending for %s%s" % (", ".join(keys), " (running: %s)" % ", ".join(running) if running else "")


def _verdict(host: Host, words: List[str], found: Dict[str, Any]) -> str:
    """Return why dockerd would refuse the new content, judged by itself where it can (23.0 and later); else empty."""
    problems = daemon_json.check(found["wanted"], False)
    dockerd = (host.glob(*words[:1]) + host.glob("/usr/bin/dockerd", "/usr/local/bin/dockerd") + [""])[0]
    if not problems and dockerd and found["to_be"]["config"] != found["is"]["config"] and found["merged"]:
        # Readable by root alone.
        with tempfile.NamedTemporaryFile("w", prefix="slipway-", encoding="utf-8") as file:
            file.write(daemon_json.render(found["merged"]))
            file.flush()
            script = 'exec "$0" --validate --config-file "$1" 2>&1'
            rc, out = host.run("sh", "-c", script, dockerd, file.name)
        if rc != 0 and "unknown flag" in out:
            problems = daemon_json.check(found["wanted"], True)
        elif rc != 0:
            problems = [out.strip().replace(file.name, found["paths"]["config"])]
    if not problems:
        return ""
    return (
        "dockerd would refuse this configuration: %s. Correct the docker_daemon_* setting that it names, or the key in"
        " %s if it is not yours." % (daemon_json.redact("; ".join(problems)), found["paths"]["config"])
    )


def _snapshotter(config: Dict[str, Any]) -> Optional[bool]:
    """Return whether a configuration asks for containerd's image store, ``None`` where it says nothing."""
    features = config.get("features")
    return features.get("containerd-snapshotter") if isinstance(features, dict) else None


def _in_swarm(host: Host, found: Dict[str, Any]) -> bool:
    swarm = found["daemon"]["info"].get("Swarm")
    if swarm:
        return swarm.get("LocalNodeState") not in ("", "inactive")
    return bool(host.glob((found["merged"].get("data-root") or "/var/lib/docker") + "/swarm/docker-state.json"))


def _unmounted(host: Host, folder: str) -> str:
    """Return the mount point that a folder is to be on and that is not mounted; empty where all is well."""
    fstab = [line.split() for line in (host.read("/etc/fstab") or "").splitlines()]
    points = [fields[1].replace("\\040", " ") for fields in fstab if len(fields) > 2 and fields[0][:1] != "#"]
    for path in host.glob("/etc/systemd/system/*.mount"):
        points += re.findall(r"(?m)^Where=(.+)$", host.read(path) or "")
    mounted = [line.split(" ")[1].replace("\\040", " ") for line in (host.read("/proc/self/mounts") or "").splitlines()]
    holding = [point for point in points if (folder + "/").startswith(point.rstrip("/") + "/")]
    return next((point for point in holding if point not in mounted), "")


def _moved(found: Dict[str, Any]) -> List[str]:
    """Return the keys of which another value leaves images and containers behind and that get one."""
    info = found["daemon"]["info"]
    moved = []
    for key, default, field in (
        ("data-root", "/var/lib/docker", "DockerRootDir"),
        # Without the key the daemon goes on with the driver whose data it finds.
        ("storage-driver", info.get("Driver", ""), "Driver"),
        ("userns-remap", "", ""),
    ):
        is_, to_be = (str(one.get(key) or default).rstrip("/") for one in (found["current"], found["merged"]))
        # The daemon may have it from its command line.
        if to_be not in (is_, info.get(field)):
            moved.append(key)
    return moved


def _of_others(host: Host, folder: str) -> bool:
    """Tell whether a folder holds something and is no engine's data root, be it with user namespaces."""
    marks = host.glob(folder + "/engine-id", folder + "/image/*/layerdb", folder + "/[0-9]*.[0-9]*/containers")
    return not marks and host.glob(folder + "/*", folder + "/.*") not in ([], [folder + "/lost+found"])


def _taken(host: Host, address: str) -> str:
    """Return what of this host's network a bridge would take, docker0's own aside; empty where that is nothing.

    Networks of default-address-pools are not looked at: Docker takes none of them that overlaps with a route.

    :param address: of the bridge, with its prefix length. IPv4 alone: a link's IPv6 network is nobody's choice.
    """
    try:
        bridge = ipaddress.IPv4Interface(address).network
    except ValueError:  # dockerd says what is wrong with it.
        return ""
    for line in (host.read("/proc/net/route") or "").splitlines()[1:]:
        link, target, gateway, _flags, _count, _use, _metric, mask = line.split()[:8]
        network = ipaddress.IPv4Network((_ipv4(target), _ipv4(mask)))
        if not network.prefixlen or link in ("docker0", "*") or not network.overlaps(bridge):
            continue
        if gateway == "00000000":
            return "the host's own network %s (%s)" % (network, link)
        # A narrow bridge within a company's wide network is usual.
        if bridge.prefixlen <= network.prefixlen:
            return "the network %s behind %s" % (network, _ipv4(gateway))
    mapped = "(?:0{16}(?:FFFF0000|0000FFFF))?"
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        # Connections that are established, IPv4's in IPv6 too.
        ends = re.findall(r"(?m)^ *\d+: %s(\w{8}):\w+ %s(\w{8}):\w+ 01 " % (mapped, mapped), host.read(path) or "")
        for local, peer in [[ipaddress.IPv4Address(_ipv4(one)) for one in pair] for pair in ends]:
            if peer in bridge and local not in bridge:
                return "its connection with %s" % peer
    return ""


def _ipv4(number: str) -> str:
    """Return an address that the kernel writes as a number of the machine's own byte order."""
    return socket.inet_ntoa(struct.pack("=I", int(number, 16)))


def _exposed(host: Host, paths: List[str]) -> Dict[str, str]:
    """Return the files that somebody else than root can read, with their mode and owner."""
    _rc, out = host.run("stat", "--dereference", "--format", "mode %a of %U %n", *paths)
    found = dict(reversed(line.rsplit(" ", 1)) for line in out.splitlines())
    return dict((path, mode) for path, mode in found.items() if mode != SECRET)


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


def _has(loaded: Dict[str, Any], wanted: Dict[str, Any], info: Dict[str, Any], key: str) -> bool:
    """Tell whether the running daemon has a setting: it says so itself, or it is known to have loaded it."""
    if key in daemon_json.TYPES:
        verdict = daemon_json.reported(info, key, wanted.get(key))
        if verdict is not None:
            return verdict
    return (key in loaded) == (key in wanted) and daemon_json.same(loaded.get(key), wanted.get(key))


def _changed_at(host: Host, found: Dict[str, Any]) -> float:
    present = [path for name, path in found["paths"].items() if found["is"][name] is not None and name != "mounts"]
    # The change of the inode: a file moved into place may be old.
    out = host.run("stat", "--dereference", "--format", "%.9Z", *present)[1] if present else ""
    return max([0.0] + [float(line) for line in out.split()])


def _started_at(unit: Dict[str, str]) -> float:
    return time.time() - time.monotonic() + int(unit.get("ExecMainStartTimestampMonotonic") or 0) / 1e6


def _proxies(config: Dict[str, Any]) -> Dict[str, str]:
    """Return the proxies of daemon.json, which win over the environment's, by the environment's names."""
    listed = config.get("proxies")
    return (
        dict((key.replace("-", "_").upper(), str(value)) for key, value in listed.items())
        if isinstance(listed, dict)
        else {}
    )
