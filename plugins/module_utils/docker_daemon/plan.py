"""How a host differs from what is wanted, what has to be done and what waits, and what stands in the way. Pure."""

import re
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import audit, daemon_json
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.daemon import SOCKET, owned, settings
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.data_root import moved_keys
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.record import new_state
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.target import target
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.unit import conflicts, values
from ansible_collections.slipway.node.plugins.module_utils.engine import containers
from ansible_collections.slipway.node.plugins.module_utils.engine.phases import LATER
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Plan, action

# The mode and owner of files that may hold passwords.
PRIVATE = "mode 600 of root"

# Why nothing may be changed, with the remedy.
REFUSALS = {
    "invalid": "dockerd would refuse this configuration: %s. Correct the docker_daemon_* setting that it names, or the"
    " key in %s if it is not yours.",
    "flags": "The command line of %s sets what daemon.json is to set: %s. The daemon would not start with both. Set"
    " docker_daemon_take_over_flags: true to let a drop-in start it without these flags, or remove the flags from the"
    " unit or from /etc/default/docker.",
    "swarm": "This host is in a swarm, and with live-restore the daemon would not start. Set"
    " docker_daemon_live_restore: false, or leave the swarm first (`docker swarm leave`).",
    "swarm_lost": "This host is in a swarm, which the daemon would not find again with another %s. Leave the key as it"
    " is, or leave the swarm first (`docker swarm leave`).",
    "config_file": "%s reads %s, not %s. Take --config-file out of its command line, or move that file here.",
    "proxies": "%s has proxies of its own, which win over docker_daemon_http_proxy and its sisters. Remove the key"
    " proxies there, or leave these inputs empty.",
    "unmounted": "docker_daemon_data_root is %s, and the disk of %s is not mounted: Docker would start on the empty"
    " folder under it. Mount it (`mount %s`), or correct the path.",
    "others_root": "docker_daemon_data_root is %s, which already holds other files. Docker would make it readable by"
    " root only. Use a folder of its own, such as %s/docker.",
    "overlap": "bip of docker_daemon_options is %s, which overlaps %s. You could lose the connection to the host."
    " Choose another network.",
    "group": "The group %s of docker_daemon_options does not exist, and the socket would not start. Make it, by"
    " user_groups_members for example, or name another.",
    "record": "%s is not the record that Slipway keeps (%s). Move it away, then run again; what Slipway set before then"
    " counts as the host's own.",
    "rehearsal": "Docker was tried beside the engine that runs, as it is to be, and this went wrong: %s. Neither Docker"
    " nor its configuration was changed. Correct the docker_daemon_* input that it names, or the key in %s if it is not"
    " yours.",
    "config": "%s is not what dockerd can read: %s. It was left as it is. Correct it by hand, or move it away to start"
    " from an empty one.",
}
NOTES = {
    "moved": "%s changes where images and containers are kept: those of this host (%d images, %d containers) are out of"
    " sight once the daemon is restarted, until it is changed back.",
    "containerd": "data-root does not say where containerd's store keeps images: that is /var/lib/containerd, or `root`"
    " in /etc/containerd/config.toml.",
    "open": "%s of hosts makes everyone who reaches it root on this host. Set tlsverify: true with tlscacert, tlscert"
    " and tlskey in docker_daemon_options, or leave it out.",
    "breaks": "live-restore keeps no container over a change of %s.",
    "pending": "%s: %s. It is done by a run when it is safe, or with docker_daemon_restart: always.",
}


def plan(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    """Return what differs. One phase, which is atomic, mends all but auditd's.

    A restart that waits for a safe moment is for later.
    """
    phases = audit.plan(observed["audit"])
    # An engine that is yet to come starts with it.
    phase = "configure" if observed.get("unit") else "write_configuration"
    phase = phase if want["state"] == "present" else "remove_configuration"
    if observed["unreadable"]:
        path, error = observed["unreadable"]
        is_left = want["state"] == "present" or observed["has_state"]
        return dict(phases, **{phase: [action(path, "unreadable at %s" % error, "a JSON object")] * is_left})
    found, service = target(want, observed), want["service"]
    decision = decide(want, found)
    actions = [action(*one) for one in daemon_json.changes(found["current"], found["merged"])]
    actions += [action(*one[1:]) for one in file_changes(found) if one[0] != "config"]
    actions += [action(path, mode, PRIVATE) for path, mode in exposed_files(found)]
    for how in ("restart", "reload"):
        if decision[how]:
            actions.append(action(service, "%s pending for %s" % (how, ", ".join(decision[how])), how + "ed"))
    pending = decision["pending"]
    if pending:
        waits = action(service, pending_text(pending, found["running"]), "restarted")
        phases[LATER] = [waits] + phases.get(LATER, [])
    if want["state"] == "absent" and found["has_state"] and not actions + pending:
        actions.append(action(want["state_file"], "present", "absent"))
    return dict(phases, **{phase: actions})


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what stands in the way, as sentences with their remedies."""
    if observed["unreadable"]:
        path, error = observed["unreadable"]
        return [REFUSALS["config" if path == want["config_file"] else "record"] % (path, error)]
    return _refused(want, target(want, observed)) + audit.refusals(observed["audit"])


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of the changes."""
    if observed["unreadable"]:
        return []
    found = target(want, observed)
    return advice(want, found, decide(want, found))


def facts(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return the settings that wait for a restart, and the containers that this run stops."""
    if observed["unreadable"]:
        return {"pending": [], "stops": []}
    found = target(want, observed)
    decision = decide(want, found)
    return {"pending": decision["pending"], "stops": stopped(found, decision)}


def stopped(found: Dict[str, Any], decision: Dict[str, Any]) -> List[str]:
    """Return the containers that a restart stops which is done now."""
    keeps = found["info"].get("LiveRestoreEnabled") and found["merged"].get("live-restore")
    harms = decision["restart"] and not (keeps and not decision["breaking_keys"])
    return list(found["running"]) if harms else []


def decide(want: Dict[str, Any], found: Dict[str, Any]) -> Dict[str, Any]:
    """Return what has to be done, in order, and what is left for later. Pure.

    ``steps``: tuples of a verb and its arguments, as :class:`Executor` knows them; they hold secrets.
    ``restart``, ``reload``: the settings that this loads. ``pending``: those that wait for a safe moment.
    """
    merged, info = found["merged"], found["info"]
    names = [one[0] for one in file_changes(found)]
    restart, reload = daemon_json.split(found["pending"])
    # A daemon that failed, or fails again and again, is started with the new files: no container of it can be harmed.
    failed = found["unit"].get("ActiveState") in ("failed", "activating") and bool(names)
    restart_now = failed or (bool(restart) and is_safe(want["restart"], found, restart, info))
    # live-restore that a reload turns on may make the restart safe.
    enables_live_restore = (
        "live-restore" in reload and want["restart"] == "safe" and bool(merged.get("live-restore") and found["running"])
    )
    if enables_live_restore:
        restart_now = is_safe("safe", found, restart, {"LiveRestoreEnabled": True})
    by_reload = bool(reload) and (enables_live_restore or not restart_now)
    # A reload ignores that a key is gone, so it has its neutral value in the file meanwhile.
    neutral_values = (
        dict((key, daemon_json.RELOADABLE[key]) for key in reload if key not in merged) if by_reload else {}
    )
    texts = dict((name, found["to_be"][name]) for name in names)
    if neutral_values:
        texts["config"] = daemon_json.render(dict(merged, **neutral_values))

    # The restarted daemon would not know what live-restore lets the present one leave.
    breaking_keys = sorted(set(restart) & daemon_json.BREAKS_LIVE_RESTORE) if info.get("LiveRestoreEnabled") else []
    stopped = found["running"] if restart_now and breaking_keys else []

    steps = [("restrict", path) for path, _mode in exposed_files(found)]  # type: List[Any]
    if names or reload or restart_now:
        # Before the files, so that an interrupted run is still known as pending.
        steps.append(("record", new_state(found, found["loaded"], found["pending"])))
    steps += [("write", name, text) for name, text in texts.items()]
    if set(names) - {"config", "environment"}:
        steps.append(("load_units",))
    loaded = dict(found["loaded"])
    if by_reload:
        steps.append(("reload",))
        steps += [("write", "config", found["to_be"]["config"])] if neutral_values else []
        steps.append(("prove", reload))
        loaded = dict((key, value) for key, value in loaded.items() if key not in daemon_json.RELOADABLE)
        loaded.update((key, merged[key]) for key in daemon_json.RELOADABLE if key in merged)
    if stopped:
        # By the daemon itself as it stops, so that those come back that are to be restarted.
        text = daemon_json.render(dict(found["current"], **{"live-restore": False}))
        steps += [("write", "config", text), ("reload",), ("write", "config", found["to_be"]["config"])]
    if restart_now:
        steps += [("restart", SOCKET in restart), ("prove", owned(found))]
        if want["restart"] == "safe" and found["running"]:
            steps.append(("check_containers", found["running"]))
        loaded = settings(found, "to_be")
    pending = [] if restart_now else restart
    if want["state"] == "absent" and not pending:
        steps += [("remove_record",)] if found["has_state"] or steps else []
    elif steps:
        steps.append(("record", new_state(found, loaded, pending)))
    restart = restart if restart_now else []
    decision = {"steps": steps, "names": names, "restart": restart, "reload": reload, "pending": pending}
    return dict(decision, breaking_keys=breaking_keys)


def is_safe(policy: str, found: Dict[str, Any], keys: List[str], info: Dict[str, Any]) -> bool:
    """Tell whether a restart for these settings may be done now."""
    if policy != "safe":
        return policy == "always"
    live_restore = info.get("LiveRestoreEnabled") and found["merged"].get("live-restore")
    return not found["running"] or bool(live_restore and not set(keys) & daemon_json.BREAKS_LIVE_RESTORE)


def _refused(want: Dict[str, Any], found: Dict[str, Any]) -> List[str]:
    file, merged, wanted, moved = want["config_file"], found["merged"], found["wanted"], moved_keys(found)
    in_swarm, root, (code, said) = found["in_swarm"], merged.get("data-root"), found["validated"]
    flags = "; ".join("%s (%s)" % one for one in sorted(found["conflicting_flags"].items()))
    swarm_keys = [key for key in moved if key != "storage-driver"] if in_swarm and found["info"] else []
    read = [one for one in values(found["words"], "config-file") if one != file]
    # A bridge that is there already has done its harm, or none.
    overlap = found["bip_overlap"] if wanted.get("bip") != found["current"].get("bip") else ""
    reasons = {
        "invalid": (code != 0, (said, file)),
        "flags": (flags, (want["service"], daemon_json.redact(flags))),
        "swarm": (in_swarm and merged.get("live-restore"), ()),
        "swarm_lost": (swarm_keys, (" and ".join(swarm_keys),)),
        "config_file": (read, (want["service"], ", ".join(read), file)),
        "proxies": (want["proxy"] and merged.get("proxies"), (file,)),
        "unmounted": (found["unmounted"], (root, found["unmounted"], found["unmounted"])),
        "others_root": (found["data_root_is_others"] and "data-root" in moved, (root, root)),
        "overlap": (overlap, (wanted.get("bip"), overlap)),
        "group": (found["group_missing"], (wanted.get("group"),)),
    }
    # What is in the way of a removal.
    asked = reasons if want["state"] == "present" else ["invalid"]
    return [REFUSALS[name] % reasons[name][1] for name in asked if reasons[name][0]]


def advice(want: Dict[str, Any], found: Dict[str, Any], decision: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of the changes, as sentences. Pure."""
    sentences = [
        "registry mirror %s is dead: %s" % (daemon_json.redact(mirror), reason)
        for mirror, reason in found["mirrors"].items()
        if reason
    ]
    info, moved, verifies = found["info"], moved_keys(found), conflicts(found["words"], ["tlsverify"])
    was, snapshotter = _snapshotter(found["current"]), _snapshotter(found["merged"])
    if was and snapshotter is None:
        # Given up: engines before 29 go back to the former store.
        snapshotter = False
    switched = snapshotter is not None and info and snapshotter != daemon_json.has_snapshotter(info)
    in_containerd = daemon_json.has_snapshotter(info) if snapshotter is None else snapshotter
    for key in ["features.containerd-snapshotter"] * bool(switched) + moved:
        # containerd's images stay where they are.
        images = 0 if key == "data-root" and in_containerd else info.get("Images") or 0
        if images or info.get("Containers"):
            sentences.append(NOTES["moved"] % (key, images, info.get("Containers") or 0))
    if "data-root" in moved and in_containerd:
        sentences.append(NOTES["containerd"])
    for one in found["wanted"].get("hosts") or []:
        # Without a host it is dockerd's default, localhost.
        is_open = re.match(r"tcp://(?!127\.|localhost\b|\[::1\]|:|$)", str(one))
        if is_open and not verifies and not found["merged"].get("tlsverify"):
            sentences.append(NOTES["open"] % one)
    names = stopped(found, decision)
    if names:
        sentences += [NOTES["breaks"] % ", ".join(decision["breaking_keys"])] * bool(decision["breaking_keys"])
        sentences.append(containers.sentence(names, found["stay_down"]))
    if decision["pending"]:
        sentences.append(NOTES["pending"] % (want["service"], pending_text(decision["pending"], found["running"])))
    return sentences


def file_changes(found: Dict[str, Any]) -> List[List[str]]:
    """Return the files that are to change, each as its name, its path, what it is and what is wanted."""
    changed = []
    for name, path in found["paths"].items():
        is_, to_be = found["is"][name], found["to_be"][name]
        if is_ != to_be:
            state = "missing" if is_ is None else "present" if to_be is None else "other content"
            changed.append([name, path, state, "absent" if to_be is None else "Slipway's content"])
    return changed


def exposed_files(found: Dict[str, Any]) -> List[Any]:
    """Return the files with secrets that somebody else than root can read, each with its mode and owner."""
    return sorted((path, mode) for path, mode in found["modes"].items() if mode != PRIVATE)


def pending_text(keys: List[str], running: List[str]) -> str:
    return "restart pending for %s%s" % (", ".join(keys), " (running: %s)" % ", ".join(running) if running else "")


def _snapshotter(config: Dict[str, Any]) -> Optional[bool]:
    """Return whether a configuration asks for containerd's image store, ``None`` where it says nothing."""
    features = config.get("features")
    return features.get("containerd-snapshotter") if isinstance(features, dict) else None
