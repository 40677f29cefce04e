"""What differs of a host from what is wanted, how it is mended, and what stands in the way. Pure."""

import fnmatch
import re
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.conflicts import obstacles, runs
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.data import CONTAINERD, OWN_FOLDERS
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import (
    excluded,
    repository_files,
    without_hold,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.sources import (
    TRUSTED_KEYRING,
    is_bare,
    without_docker,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.want import ENGINE_PACKAGES, SHARED_RUNTIMES, UNITS
from ansible_collections.slipway.node.plugins.module_utils.engine import containers, versions
from ansible_collections.slipway.node.plugins.module_utils.engine.files import COPIES
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action, Plan, action, sentence

# The item of the group that docker.socket belongs to.
GROUP = "group docker"


def plan(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    """Return what differs, by the phase that mends it."""
    packages = observed["packages"]
    if want["state"] == "absent":
        return _removal(want, observed)
    services = _services(want, observed["services"])
    # The first installation of an engine makes it, and one whose configuration is left from an earlier one does not.
    if observed["group"] == "missing" and (observed["installed_version"] or observed["known_to_dpkg"]):
        services.insert(0, action(GROUP, "missing", "present"))
    return {
        "clean_leftovers": _leftovers(want, observed),
        "configure_repository": _repository(want, observed),
        "remove_conflicting": [
            action(name, versions.upstream(packages[name]["version"]), "absent")
            for name in want["conflicting"]
            if name in packages
        ]
        + [
            action(name, "its settings are left", "purged")
            for name in observed["unpurged"]
            if name in want["conflicting"]
        ],
        "install_packages": _packages(want, packages),
        "hold_packages": _hold(want, observed),
        "manage_service": services,
    }


def changes(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what becomes of packages.

    ``remove``, ``install``: packages; an engine that changes brings the others along, since it may need newer ones than
    are held. ``engine``: how it changes, as sentences; ``containerd``: how containerd changes under it. ``stops``:
    whether one of them stops. ``shared_packages``: packages to be replaced that others than Docker use.
    ``is_tried``: whether the engine that comes is to show first that it works here.
    """
    phases, packages = plan(want, observed), observed["packages"]
    going = phases.get("remove_conflicting", []) + phases.get("remove_packages", [])
    coming = phases.get("install_packages", [])
    purged = phases.get("purge_data", [])
    changed = [one for one in going + coming if one["item"] in packages]
    lacking = [one["item"] for one in coming]
    todo = {
        "remove": [one["item"] for one in going],
        "install": want["packages"] if set(lacking) & set(ENGINE_PACKAGES) else lacking,
        "engine": [sentence(one) for one in changed if one["item"] in ENGINE_PACKAGES],
        "containerd": [
            sentence(one) for one in changed if one["item"] == "containerd.io" and want["state"] == "present"
        ],
    }  # type: Dict[str, Any]
    stopped = [one for one in phases.get("manage_service", []) if one["want"] == "stopped"]
    todo["stops"] = bool(todo["engine"] or todo["containerd"] or stopped or purged)
    programs = {*ENGINE_PACKAGES, "containerd.io"} & set(todo["install"])
    todo["is_tried"] = bool(programs) and bool(observed["configured"] or runs(observed))
    shared = SHARED_RUNTIMES + ["containerd.io"]
    todo["shared_packages"] = [name for name in todo["remove"] + lacking if name in shared and name in packages]
    if any(one["item"] == CONTAINERD for one in purged):
        todo["shared_packages"] = sorted({"containerd.io", *todo["shared_packages"]})
    return todo


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each with its remedy."""
    todo, names = changes(want, observed), containers.some(observed["containers"])
    if want["state"] == "absent":
        # Only the engine can stop them, and their data is not to go from under them.
        refused = [
            "Containers run without their engine: %s. Start it with `systemctl start docker`, so that it can stop "
            "them, and run again." % names
        ] * bool(names and not runs(observed))
        if observed["other_users"]:
            refused.append(
                "%s or its data would be removed, which others use: %s. Stop and remove what uses it, or take "
                "docker_ce out of this host's slipway_roles."
                % (", ".join(todo["shared_packages"]), "; ".join(observed["other_users"]))
            )
        return refused
    refused = obstacles(want, observed, todo["install"])
    if observed["other_users"] and not want["remove_conflicting"]:
        refused.append(
            "Installing Docker would replace %s, which others use: %s. Move those containers away and set "
            "docker_ce_remove_conflicting: true, or take docker_ce out of this host's slipway_roles."
            % (", ".join(todo["shared_packages"]), "; ".join(observed["other_users"]))
        )
    if (todo["engine"] or todo["containerd"]) and not may_restart(want, observed, todo):
        restarts = "the engine" if todo["engine"] else "containerd"
        consequence = "and these containers stop" if todo["engine"] else "on which these containers run"
        refused.append(
            "%s: that restarts %s%s. Set docker_ce_restart: always to have it done%s."
            % (
                "; ".join(todo["engine"] + todo["containerd"]),
                restarts,
                ", %s: %s" % (consequence, names) if names else "",
                ", or stop them first" if names and want["restart"] == "safe" else "",
            )
        )
    return refused


def may_restart(want: Dict[str, Any], observed: Dict[str, Any], todo: Dict[str, Any]) -> bool:
    """Tell whether an engine may be replaced, or containerd under it.

    live-restore keeps containers from one patch release of the engine to another, and while containerd restarts.
    """
    if want["restart"] != "safe":
        return bool(want["restart"] == "always" or not (runs(observed) or observed["containers"]))
    if not todo["engine"]:
        return bool(observed["live_restore"] or not observed["containers"])
    to_be = want["versions"].get("docker-ce", "").split(":")[-1].split(".")[:2]
    is_ = (observed["running_version"] or observed["installed_version"]).split(".")[:2]
    patch = len(to_be) == 2 and to_be == is_ and not todo["remove"]
    return not observed["containers"] or bool(observed["live_restore"] and patch)


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of the changes."""
    todo = changes(want, observed)
    sentences = []
    if observed["lock"] and (todo["install"] or (want["state"] == "absent" and todo["remove"])):
        sentences.append(
            "%s holds the lock of the packages; the run waits ten minutes for it. End it or wait." % observed["lock"]
        )
    by_hand = [name for name in want["packages"] if observed["packages"].get(name, {}).get("held")]
    if want["state"] == "present" and not want["hold"] and set(by_hand) - set(observed["recorded"]):
        sentences.append(
            "%s is held, and not by Slipway. The hold stays. Take it off with `apt-mark unhold`, or set "
            "docker_ce_version." % ", ".join(sorted(set(by_hand) - set(observed["recorded"])))
        )
    for path, version in observed["pins"] if want["state"] == "present" and not want["hold"] else ():
        is_ = observed["packages"].get("docker-ce", {}).get("version", "")
        if todo["install"] or not fnmatch.fnmatchcase(is_, version):
            sentences.append(
                "%s pins docker-ce to %s: the next upgrade of the system brings that version. Change it, or set "
                "docker_ce_hold: true." % (path, version)
            )
    if observed["compose_units"] and "docker-compose" in todo["remove"]:
        sentences.append(
            "%s calls docker-compose, which goes. Change it to `docker compose`." % ", ".join(observed["compose_units"])
        )
    if want["state"] == "present" and _leftovers(want, observed):
        sentences.append("Copies of source files and keys that change or go are kept in %s." % COPIES)
    before_29 = observed["running_version"][:2] >= "29" > want["versions"].get("docker-ce", "").split(":")[-1][:2] > ""
    if want["state"] == "present" and todo["engine"] and observed["has_containerd_store"] and before_29:
        sentences.append(
            "After this downgrade `docker images` and `docker ps -a` will be empty, because Docker before 29 does not "
            "read containerd's image store. To keep them visible, set docker_daemon_options: {features: "
            "{containerd-snapshotter: true}}."
        )
    names = stopped(want, observed)
    return sentences + [containers.sentence(names, observed["stay_down"])] * bool(names)


def stopped(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the containers that the changes stop."""
    todo = changes(want, observed)
    refused = want["state"] == "present" and todo["engine"] and not may_restart(want, observed, todo)
    stay = not todo["stops"] or observed["live_restore"] or refused or (todo["containerd"] and not todo["engine"])
    return [] if stay else list(observed["containers"])


def _removal(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    packages = [
        action(name, versions.upstream(package["version"]), "absent")
        for name, package in sorted(observed["packages"].items())
        if name in want["packages"] or name in want["engine_packages"]
    ]
    repository = _unwanted(want, observed, "absent")
    for key in observed["imported_keys"]:
        command = ["command", ["rpm", "--erase", "--allmatches", "gpg-pubkey-%s" % key]]
        repository.append(action("RPM key %s" % key, "imported", "absent", command))
    data = []
    for path, entries in observed["data"].items() if want["purge_data"] else ():
        # Of its own folders all goes, also what comes until then: containerd makes folders while it runs. The folder
        # may be a disk's mount point or a link to one, and one that is not the engine's own may hold other things.
        if path in OWN_FOLDERS:
            command = ["command", ["find", "-H", path, "-xdev", "-mindepth", "1", "-delete"]]
        else:
            command = ["command", ["rm", "-rf", "--one-file-system", "--"] + entries]
        data.append(action(path, "holds data", "empty", command))
    return {"remove_packages": packages, "remove_repository": repository, "purge_data": data}


def _unwanted(want: Dict[str, Any], observed: Dict[str, Any], absent: str) -> List[Action]:
    """Return the removal of the repository's files that are there."""
    paths = [path for path, text in observed["files"].items() if text is not None]
    paths += [want["key_file"]] * (observed["key"] != "missing")
    return [action(path, "present", absent, ["remove", path]) for path in paths]


def _leftovers(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    found = []
    others = ""
    for path, text in observed["sources"].items():
        changed = without_docker(path, text, want["mirrors"])
        others += text if changed is None else changed
        if changed is not None and is_bare(path, changed):
            found.append(action(path, "present", "absent", ["keep_copy", path], ["remove", path]))
        elif changed is not None:
            found.append(action("Docker's entries in %s" % path, "present", "absent", ["rewrite", path, changed]))
    in_force = re.sub(r"(?m)^\s*#.*", "", others)
    found += [
        action(path, "present", "absent", ["keep_copy", path], ["remove", path])
        for path in observed["leftover_files"]
        # Another repository's entry may name the key.
        if path not in in_force
    ]
    if want["fingerprint"] in observed["trusted_keys"]:
        gpg = ["gpg", "--batch", "--yes", "--no-default-keyring", "--keyring", TRUSTED_KEYRING]
        delete = ["command", gpg + ["--delete-keys", want["fingerprint"]]]
        how = delete if len(observed["trusted_keys"]) > 1 else ["remove", TRUSTED_KEYRING]
        found.append(action("Docker's key in %s" % TRUSTED_KEYRING, "present", "absent", how))
    return found


def _repository(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    key_file, key = want["key_file"], observed["key"]
    if want["source"] != "mirrors":
        return _unwanted(want, observed, "absent (docker_ce_source: %s)" % want["source"])
    found, mirrors, mirror = [], want["mirrors"], observed["mirror"]
    wanted = mirrors[0] if len(mirrors) == 1 else "one of %d mirrors" % len(mirrors)
    if observed["files"][want["repository_file"]] is None:
        found.append(action(want["repository_file"], "missing", wanted))
    elif mirror not in mirrors:
        found.append(action(want["repository_file"], "at %s" % (mirror or "no mirror"), wanted))
    for path, content in repository_files(want, mirror).items() if mirror in mirrors else ():
        is_ = observed["files"][path]
        if without_hold(is_) != without_hold(content):
            how = "missing" if is_ is None else "present" if content is None else "edited"
            found.append(action(path, how, "absent" if content is None else "as Slipway writes it"))
    if key != "right":
        found.append(action(key_file, key, "the key %s" % want["fingerprint"]))
    return found


def _packages(want: Dict[str, Any], packages: Dict[str, Dict[str, Any]]) -> List[Action]:
    found = []
    for name in want["packages"]:
        version = want["versions"][name]
        if name not in packages:
            found.append(action(name, "not installed", version or "the newest"))
        elif packages[name]["broken"]:
            how = "two versions installed" if packages[name].get("older") else "half installed"
            found.append(action(name, how, version or "installed"))
        elif not versions.satisfies(version, packages[name]["version"]):
            found.append(action(name, versions.upstream(packages[name]["version"]), version))
    return found


def _hold(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    if want["manager"] == "apt":
        held = [name for name in want["packages"] if observed["packages"].get(name, {}).get("held")]
    else:
        held = excluded(observed["files"][want["repository_file"]] or "")
    if want["hold"]:
        return [action(name, "not held", "held") for name in _to_hold(want, observed) if name not in held]
    return [
        action(name, "held", "not held") for name in held if name in observed["recorded"] or want["manager"] == "dnf"
    ]


def _to_hold(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the packages to hold: the distribution's engine runs on parts that have packages of their own."""
    below = SHARED_RUNTIMES if want["source"] == "distribution" else []
    return want["packages"] + [name for name in below if name in observed["packages"]]


def _services(want: Dict[str, Any], observed: Dict[str, Dict[str, str]]) -> List[Action]:
    found = []
    for unit in ["containerd.service"] + UNITS:
        is_ = observed.get(unit, {})
        enabled, active = is_.get("UnitFileState", "") == "enabled", is_.get("ActiveState", "") == "active"
        masked = "masked" in (is_.get("LoadState"), is_.get("UnitFileState"))
        if masked:
            found.append(action(unit, "masked", "not masked"))
        # The socket comes with the service.
        if unit not in want["services"]:
            continue
        if not masked and enabled != want["service_enabled"]:
            states = ("not enabled", "enabled")
            found.append(action(unit, states[enabled], states[want["service_enabled"]]))
        if active != (want["service_state"] == "started"):
            wanted = "running" if want["service_state"] == "started" else "stopped"
            how = "running" if active else is_.get("ActiveState") or "inactive"
            found.append(action(unit, how, wanted))
    return found


def facts(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what reports show."""
    engine = observed["running_version"] or (observed["installed_version"] and "does not run")
    return {"engine": engine, "mirror": observed["mirror"], "stops": stopped(want, observed)}
