"""How a host drifts from what is wanted, what the role has to do, and what stands in the way. Pure."""

from functools import partial
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.data import CONTAINERD
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import excluded, without_hold
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.want import ENGINE_PACKAGES, SHARED_RUNTIMES, UNITS
from ansible_collections.slipway.node.plugins.module_utils.engine import versions
from ansible_collections.slipway.node.plugins.module_utils.engine.host import drift_entry
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence

_entry = partial(drift_entry, "docker_ce")


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    if want["state"] == "absent":
        return _compare_absent(want, observed)
    drift = [_entry("clean_leftovers", item["what"], "present", "absent") for item in observed["leftovers"]]
    drift += [
        _entry("remove_conflicting", name, versions.upstream(observed["packages"][name]["version"]), "absent")
        for name in want["conflicting"]
        if name in observed["packages"]
    ]
    drift += _compare_repository(want, observed)
    drift += _compare_packages(want, observed["packages"])
    drift += _compare_hold(want, observed)
    # The first installation of an engine makes it, and one whose configuration is left from an earlier one does not.
    if observed["group"] == "missing" and (observed["installed_version"] or observed["known_to_dpkg"]):
        drift.append(_entry("manage_service", "group docker", "missing", "present"))
    drift += _compare_services(want, observed["services"])
    return drift


def changes(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what the role has to do. Pure.

    ``remove``, ``install``: packages; an engine that changes brings the others along, since it may need newer ones than
    are held. ``engine``: how it changes, as sentences; ``containerd``: how containerd changes under it. ``stops``:
    whether one of them stops. ``shared_packages``: packages to be replaced that others than Docker use.
    ``validating_package``: the package whose engine is to judge the configuration first. ``unmask``: units.
    ``make_group``: whether the group docker is to be made.
    """
    drift, packages = compare(want, observed), observed["packages"]
    phases = ("remove_conflicting", "install_packages", "remove_packages")
    engines = set(ENGINE_PACKAGES) & set(packages)
    drifted = [one["item"] for one in drift if one["phase"] == "install_packages"]
    todo = {
        "remove": [one["item"] for one in drift if one["phase"] in ("remove_conflicting", "remove_packages")],
        "install": want["packages"] if set(drifted) & set(ENGINE_PACKAGES) else drifted,
        "engine": [sentence(one) for one in drift if one["phase"] in phases and one["item"] in engines],
        "containerd": [
            sentence(one)
            for one in drift
            if one["phase"] in phases[:2] and one["item"] == "containerd.io" and "containerd.io" in packages
        ],
        "unmask": [one["item"] for one in drift if one["want"] == "not masked"],
        "make_group": any(one["item"] == "group docker" for one in drift),
    }  # type: Dict[str, Any]
    todo["stops"] = bool(
        todo["engine"]
        or todo["containerd"]
        or any(one["want"] == "stopped" or one["phase"] == "purge_data" for one in drift)
    )
    todo["validating_package"] = next(
        (name for name in todo["install"] if name in ENGINE_PACKAGES and observed["configured"]), ""
    )
    shared = SHARED_RUNTIMES + ["containerd.io"]
    todo["shared_packages"] = [name for name in todo["remove"] + todo["install"] if name in shared and name in packages]
    if any(one["phase"] == "purge_data" and one["item"] == CONTAINERD for one in drift):
        todo["shared_packages"] = sorted({"containerd.io", *todo["shared_packages"]})
    return todo


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each with its remedy."""
    todo, containers = observed["changes"], ", ".join(observed["containers"])
    if want["state"] == "absent":
        # Only the engine can stop them, and their data is not to go from under them.
        refused = [
            "Containers run without their engine: %s. Start it with `systemctl start docker`, so that it can stop "
            "them, and run again." % containers
        ] * bool(containers and not runs(observed))
        if observed["other_users"]:
            refused.append(
                "%s or its data would be removed, which others use: %s. Stop and remove what uses it, or take "
                "docker_ce out of this host's slipway_roles."
                % (", ".join(todo["shared_packages"]), "; ".join(observed["other_users"]))
            )
        return refused
    refused = list(observed["obstacles"])
    if observed["other_users"] and not want["remove_conflicting"]:
        refused.append(
            "Installing Docker would replace %s, which others use: %s. Move those containers away and set "
            "docker_ce_remove_conflicting: true, or take docker_ce out of this host's slipway_roles."
            % (", ".join(todo["shared_packages"]), "; ".join(observed["other_users"]))
        )
    if (todo["engine"] or todo["containerd"]) and not may_restart(want, observed):
        restarts = "the engine" if todo["engine"] else "containerd"
        consequence = "and these containers stop" if todo["engine"] else "on which these containers run"
        refused.append(
            "%s: that restarts %s%s. Set docker_ce_restart: always to have it done%s."
            % (
                "; ".join(todo["engine"] + todo["containerd"]),
                restarts,
                ", %s: %s" % (consequence, containers) if containers else "",
                ", or stop them first" if containers and want["restart"] == "safe" else "",
            )
        )
    return refused


def may_restart(want: Dict[str, Any], observed: Dict[str, Any]) -> bool:
    """Tell whether an engine may be replaced, or containerd under it.

    live-restore keeps containers from one patch release of the engine to another, and while containerd restarts.
    """
    if want["restart"] != "safe":
        return bool(want["restart"] == "always" or not (runs(observed) or observed["containers"]))
    if not observed["changes"]["engine"]:
        return bool(observed["live_restore"] or not observed["containers"])
    to_be = want["versions"].get("docker-ce", "").split(":")[-1].split(".")[:2]
    is_ = (observed["running_version"] or observed["installed_version"]).split(".")[:2]
    patch = len(to_be) == 2 and to_be == is_ and not observed["changes"]["remove"]
    return not observed["containers"] or bool(observed["live_restore"] and patch)


def runs(observed: Dict[str, Any]) -> bool:
    """Tell whether the engine runs."""
    return observed["services"].get("docker.service", {}).get("ActiveState") in ("active", "reloading")


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of the changes."""
    todo = observed["changes"]
    sentences = []
    if observed["lock"] and {"install_packages", "remove_packages"} & {one["phase"] for one in compare(want, observed)}:
        sentences.append(
            "%s holds the lock of the packages; the run waits ten minutes for it. End it or wait." % observed["lock"]
        )
    before_29 = observed["running_version"][:2] >= "29" > want["versions"].get("docker-ce", "").split(":")[-1][:2] > ""
    if want["state"] == "present" and todo["engine"] and observed["has_containerd_store"] and before_29:
        sentences.append(
            "After this downgrade `docker images` and `docker ps -a` will be empty, because Docker before 29 does not "
            "read containerd's image store. To keep them visible, set docker_daemon_options: {features: "
            "{containerd-snapshotter: true}}."
        )
    refused = want["state"] == "present" and todo["engine"] and not may_restart(want, observed)
    if not observed["containers"] or observed["live_restore"] or refused or (todo["containerd"] and not todo["engine"]):
        return sentences
    return sentences + ["This stops the containers %s." % ", ".join(observed["containers"])]


def _compare_absent(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    drift = [
        _entry("remove_packages", name, versions.upstream(package["version"]), "absent")
        for name, package in sorted(observed["packages"].items())
        if name in want["packages"] or name in want["engine_packages"]
    ]
    drift += [_entry("remove_repository", path, "present", "absent") for path in observed["present_files"]]
    drift += [
        _entry("remove_repository", "RPM key %s" % one, "imported", "absent") for one in observed["imported_keys"]
    ]
    if want["purge_data"]:
        drift += [_entry("purge_data", path, "holds data", "empty") for path in observed["data_folders"]]
    return drift


def _compare_repository(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    phase, key_file, key = "configure_repository", want["key_file"], observed["key"]
    if want["source"] != "mirrors":
        absent = "absent (docker_ce_source: %s)" % want["source"]
        return [_entry(phase, path, "present", absent) for path in observed["present_files"]]
    drift, mirrors = [], want["mirrors"]
    wanted = mirrors[0] if len(mirrors) == 1 else "one of %d mirrors" % len(mirrors)
    if observed["files"][want["repository_file"]] is None:
        drift.append(_entry(phase, want["repository_file"], "missing", wanted))
    elif not observed["wanted_files"]:
        drift.append(_entry(phase, want["repository_file"], "at %s" % (observed["mirror"] or "no mirror"), wanted))
    for path, content in observed["wanted_files"].items():
        is_ = observed["files"][path]
        if without_hold(is_) != without_hold(content):
            found = "missing" if is_ is None else "present" if content is None else "edited"
            drift.append(_entry(phase, path, found, "absent" if content is None else "as Slipway writes it"))
    if key != "right":
        drift.append(_entry(phase, key_file, key, "the key %s" % want["fingerprint"]))
    return drift


def _compare_packages(want: Dict[str, Any], packages: Dict[str, Dict[str, Any]]) -> List[Dict[str, str]]:
    drift = []
    for name in want["packages"]:
        version = want["versions"][name]
        if name not in packages:
            drift.append(_entry("install_packages", name, "not installed", version or "the newest"))
        elif packages[name]["broken"]:
            drift.append(_entry("install_packages", name, "half installed", version or "installed"))
        elif not versions.satisfies(version, packages[name]["version"]):
            drift.append(_entry("install_packages", name, versions.upstream(packages[name]["version"]), version))
    return drift


def _compare_hold(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    if want["manager"] == "apt":
        held = [name for name in want["packages"] if observed["packages"].get(name, {}).get("held")]
    else:
        held = excluded(observed["files"][want["repository_file"]] or "")
    if want["hold"]:
        return [_entry("hold_packages", name, "not held", "held") for name in want["packages"] if name not in held]
    return [_entry("hold_packages", name, "held", "not held") for name in held]


def _compare_services(want: Dict[str, Any], observed: Dict[str, Dict[str, str]]) -> List[Dict[str, str]]:
    drift = []
    for unit in UNITS:
        is_ = observed.get(unit, {})
        enabled, active = is_.get("UnitFileState", "") == "enabled", is_.get("ActiveState", "") == "active"
        masked = "masked" in (is_.get("LoadState"), is_.get("UnitFileState"))
        if masked:
            drift.append(_entry("manage_service", unit, "masked", "not masked"))
        # The socket comes with the service.
        if unit not in want["services"]:
            continue
        if not masked and enabled != want["service_enabled"]:
            states = ("not enabled", "enabled")
            drift.append(_entry("manage_service", unit, states[enabled], states[want["service_enabled"]]))
        if active != (want["service_state"] == "started"):
            wanted = "running" if want["service_state"] == "started" else "stopped"
            found = "running" if active else is_.get("ActiveState") or "inactive"
            drift.append(_entry("manage_service", unit, found, wanted))
    return drift


def facts(_want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, str]:
    """Return what reports show."""
    engine = observed["running_version"] or (observed["installed_version"] and "does not run")
    return {"engine": engine, "mirror": observed["mirror"]}
