"""What differs of Singularity from what is wanted, what stands in the way, and what an admin should know."""

import os
import re
from functools import partial
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine.host import drift_entry
from ansible_collections.slipway.node.plugins.module_utils.singularity.commands import old_commands
from ansible_collections.slipway.node.plugins.module_utils.singularity.configuration import config_values, values_text
from ansible_collections.slipway.node.plugins.module_utils.singularity.kernel import NAMESPACES, blocking_settings
from ansible_collections.slipway.node.plugins.module_utils.singularity.subordinate_ids import (
    RANGE,
    range_refusals,
    users_without_range,
)
from ansible_collections.slipway.node.plugins.module_utils.singularity.tree import requested_removals, superfluous_trees

_entry = partial(drift_entry, "singularity")
# Damaged files that are named one by one; the rest is a number.
NAMED = 10
# Where hosts share a root on a network's file system, these phases are for the one that writes alone.
TREE_PHASES = ("install_tree", "set_config")
NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "glusterfs", "fuse.glusterfs", "afs")


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    drift = _differences(want, observed)
    if want["writes"]:
        return drift
    shared = (want["root"] + "/", want["tree"])
    return [one for one in drift if one["phase"] not in TREE_PHASES and not one["item"].startswith(shared)]


def _differences(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    if want["state"] == "absent":
        return _absence(want, observed)
    drift = []
    for name, installed in sorted(observed["packages"].items()):
        if not installed:
            drift.append(_entry("install_packages", name, "not installed", "installed"))
    for name in blocking_settings(observed):
        item, at_boot = name, observed["sysctl_at_boot"].get(name)
        if observed["sysctl"][name] != "0" and at_boot:
            item = "%s at the next boot (%s)" % (name, at_boot["file"])
        drift.append(_entry("allow_namespaces", item, "0", NAMESPACES[name]))
    tree = observed["trees"].get(want["tree"])
    drift += _tree_drift(want, tree)
    for key, value in sorted(want["config"].items()):
        found = observed["config"].get(key, []) if tree else None
        if found != config_values(value):
            item = "%s: %s" % (os.path.basename(want["config_file"]), key)
            drift.append(_entry("set_config", item, values_text(found), values_text(config_values(value))))
    for one in want["directories"]:
        if observed["directories"][one["path"]] != one["mode"]:
            is_ = observed["directories"][one["path"]]
            is_ = "mode %s" % is_ if is_ else "missing"
            drift.append(_entry("write_files", one["path"], is_, "folder with mode %s" % one["mode"]))
    drift += [
        entry for one in want["files"] for entry in _file_drift("write_files", one, observed["files"][one["path"]])
    ]
    if observed["apparmor_restricts"]:
        drift += _file_drift("allow_namespaces", want["apparmor"], observed["apparmor_file"])
        if not observed["apparmor_loaded"]:
            item = "AppArmor profile %s" % want["apparmor"]["profile"]
            drift.append(_entry("allow_namespaces", item, "not loaded", "loaded"))
    for user, names in sorted(users_without_range(observed).items()):
        for name in names:
            drift.append(_entry("give_ranges", "/etc/%s: %s" % (name, user), "no range", "%d ids" % RANGE))
    if want["link"] and observed["link"] != want["tree"]:
        is_ = observed["link"] or "missing"
        is_ = "link to %s" % is_ if is_.startswith("/") else is_
        drift.append(_entry("switch_version", want["link"], is_, "link to %s" % want["tree"]))
    for path, target in sorted(want["commands"].items()):
        found = observed["commands"].get(path, "")
        if found != target:
            is_ = "link to %s" % found if found.startswith("/") else found or "missing"
            drift.append(_entry("switch_version", path, is_, "link to %s" % target))
    for one in observed["modulefiles"]:
        drift += _file_drift("write_modulefiles", one, observed["files"][one["path"]])
    for place in observed["unwanted_files"] + old_commands(want, observed) + superfluous_trees(want, observed):
        drift.append(_entry("remove_versions", place, "present", "absent"))
    return drift


def _absence(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    items = [want["link"]] if want["link"] and observed["link"] else []
    items += [one["path"] for one in want["files"] if observed["files"][one["path"]]["exists"]]
    items += observed["unwanted_files"] + old_commands(want, observed)
    items += [want["apparmor"]["path"]] if observed["apparmor_file"]["exists"] else []
    return [_entry("remove_versions", item, "present", "absent") for item in items + superfluous_trees(want, observed)]


def _tree_drift(want: Dict[str, Any], tree: Optional[Dict[str, Any]]) -> List[Dict[str, str]]:
    wanted = "%s %s" % (want["flavor"], want["version"])
    if tree is None or tree["empty"]:
        return [_entry("install_tree", want["tree"], "missing", wanted)]
    if tree["manifest"] is None:
        return [_entry("install_tree", want["tree"], "not Slipway's", wanted)]
    if not re.match(want["archive_pattern"], tree["manifest"]["archive"]):
        return [
            _entry(
                "install_tree", want["tree"], "made from %s" % tree["manifest"]["archive"], "%s as described" % wanted
            )
        ]
    damaged = tree["damage"]
    drift = [
        _entry("install_tree", os.path.join(want["tree"], path), is_, expected)
        for path, is_, expected in damaged[:NAMED]
    ]
    if len(damaged) > NAMED:
        more = "%d more files of %s" % (len(damaged) - NAMED, want["tree"])
        drift.append(_entry("install_tree", more, "damaged", "as installed"))
    return drift


def _file_drift(phase: str, want: Dict[str, Any], found: Dict[str, Any]) -> List[Dict[str, str]]:
    owner = "root:%s" % want["group"]
    if not found["exists"]:
        return [_entry(phase, want["path"], "missing", "Slipway's content")] if found["wanted"] else []
    if not found["same"]:
        return [_entry(phase, want["path"], "edited", "Slipway's content")]
    if found["owner"] != owner:
        return [_entry(phase, want["path"], "owned by %s" % found["owner"], "owned by %s" % owner)]
    if found["mode"] != want["mode"]:
        return [_entry(phase, want["path"], "mode %s" % found["mode"], "mode %s" % want["mode"])]
    return []


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each sentence with the remedy."""
    refused = []
    for place in requested_removals(want, observed):
        if observed["running_programs"].get(place):
            refused.append(
                "%s cannot be removed, since programs run from it: %s. Wait until they end, or end them."
                % (place, ", ".join(observed["running_programs"][place]))
            )
        elif want["state"] == "present" and not want["link"] and place == observed["current"]:
            refused.append(
                "%s is the default version, which singularity_default: false leaves as it is. Make another the default "
                "first, or take it out of singularity_versions_absent." % place
            )
    if want["state"] == "absent":
        return refused
    tree = observed["trees"].get(want["tree"])
    if observed["file_system"] in NETWORK_FILE_SYSTEMS and not want["tree_host"]:
        refused.append(
            "%s is on a file system of type %s, where other hosts would write the same files. Set "
            "singularity_tree_host to the one host that is to write there, or choose a singularity_root on a "
            "local file system." % (want["root"], observed["file_system"])
        )
    if tree and tree["manifest"] is None and not tree["empty"]:
        refused.append(
            "%s was not made by Slipway%s. Move it away, or choose another singularity_prefix."
            % (want["tree"], " (%s)" % tree["error"] if tree["error"] else "")
        )
    if want["setuid"] and observed["nosuid"]:
        refused.append(
            "%s is on a file system that is mounted nosuid (or NFS that squashes root), where the setuid program "
            "starter-suid cannot work. Mount it without nosuid, choose a singularity_prefix on a local file system, or "
            "set singularity_setuid: false." % want["root"]
        )
    if want["writes"] and observed["free"] < want["need"] and _tree_drift(want, tree):
        refused.append(
            "%s has %d MiB free, and a version needs %d MiB. Make room (singularity_versions_absent removes "
            "old versions), or choose another singularity_prefix." % (want["root"], observed["free"], want["need"])
        )
    if observed["link"] == "not a link":
        refused.append("%s is no link, so it is not Slipway's. Move it away." % want["link"])
    for path in sorted(want["commands"]):
        found = observed["commands"].get(path, "")
        if found and "/./bin/" not in found:
            refused.append(
                "%s is there and not Slipway's%s. Move it away, or leave singularity_commands_dir empty."
                % (path, " (a link to %s)" % found if found.startswith("/") else "")
            )
    for path in observed["unmanaged_modulefiles"]:
        refused.append("%s is not Slipway's. Move it away, or choose other singularity_modulefiles." % path)
    for name in observed["missing_groups"]:
        refused.append(
            "singularity_registry_auth_group is %s, and there is no such group. Correct it, or make the host know it "
            "(`getent group %s` must answer)." % (name, name)
        )
    for name, one in sorted(observed["sysctl_at_boot"].items()):
        if one["value"] == "0" and observed["sysctl"][name] and one["last"]:
            refused.append(
                "%s sets %s = 0, so that containers of ordinary users would no longer start after the next boot. "
                "Remove that line, or set it to %s there." % (one["file"], name, NAMESPACES[name])
            )
    return refused + range_refusals(want, observed)


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know beside it."""
    if want["state"] == "absent" or not observed["missing_binds"]:
        return []
    return [
        "Every container gets %s of the host, which is not there, so none starts. Make it, or take it out of "
        "`bind path` in singularity_config." % ", ".join(observed["missing_binds"])
    ]


def facts(_want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, str]:
    """Return what reports show."""
    return {"singularity": observed.get("version", "")}
