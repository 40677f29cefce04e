"""What differs of Singularity from what is wanted, what stands in the way, and what an admin should know."""

import os
import re
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine import trees
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action, Plan, action
from ansible_collections.slipway.node.plugins.module_utils.singularity import kernel, modulefiles, subordinate_ids, tree
from ansible_collections.slipway.node.plugins.module_utils.singularity.commands import COMMANDS, old_commands
from ansible_collections.slipway.node.plugins.module_utils.singularity.configuration import config_values, values_text

# Damaged files that are named one by one; the rest is a number.
NAMED = 10
# Where hosts share a root on a network's file system, these phases are for the one that writes alone.
TREE_PHASES = ("install_tree", "set_config")


def plan(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    """Return what differs, and how it is mended."""
    if want["state"] == "absent":
        phases = {"remove_versions": _absence(want, observed)}
    else:
        version = observed["trees"].get(want["tree"])
        phases = {
            "install_packages": [
                action(name, "not installed", "installed")
                for name, installed in sorted(observed["packages"].items())
                if not installed
            ],
            "allow_namespaces": _namespaces(want, observed) + _apparmor(want, observed),
            "install_tree": _tree(want, version),
            "set_config": _config(want, observed["config"] if version else None),
            "write_files": _files(want, observed),
            "give_ranges": [
                action("/etc/%s: %s" % (name, user), "no range", "%d ids" % subordinate_ids.RANGE)
                for user, names in sorted(subordinate_ids.users_without_range(observed).items())
                for name in names
            ],
            "switch_version": _links(want, observed),
            "write_modulefiles": [
                entry
                for one in modulefiles.modulefiles(want, observed)
                for entry in _file(one, _found_modulefile(one, observed))
            ],
            "remove_versions": _removals(_strays(want, observed) + tree.superfluous_trees(want, observed)),
        }
    return trees.of_this_host(want, phases, (want["root"] + "/", want["tree"]), TREE_PHASES)


def _found_modulefile(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    found = observed["modulefiles"].get(want["path"], {"exists": False, "text": ""})
    return dict(found, same=found["text"] == want["content"], wanted=True)


def _namespaces(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    names, actions = kernel.blocking_settings(want, observed), []
    for name in names:
        item, at_boot = name, observed["sysctl_at_boot"].get(name)
        if observed["sysctl"][name] != "0" and at_boot:
            item = "%s at the next boot (%s)" % (name, at_boot["file"])
        write = ["write", kernel.SYSCTL_FILE, kernel.sysctl_text(observed["sysctl_file"], names)]
        setting = ["command", ["sysctl", "-w", "%s=%s" % (name, kernel.NAMESPACES[name])]]
        actions.append(action(item, "0", kernel.NAMESPACES[name], write, setting))
    return actions


def _apparmor(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    if not observed["apparmor_restricts"]:
        return []
    load = ["command", ["apparmor_parser", "--replace", want["apparmor"]["path"]]]
    actions = _file(want["apparmor"], observed["apparmor_file"], load)
    if not observed["apparmor_loaded"]:
        actions.append(action("AppArmor profile %s" % want["apparmor"]["profile"], "not loaded", "loaded", load))
    return actions


def _config(want: Dict[str, Any], config: Optional[Dict[str, List[str]]]) -> List[Action]:
    actions = []
    for key, value in sorted(want["config"].items()):
        found = None if config is None else config.get(key, [])
        if found != config_values(value):
            item = "%s: %s" % (os.path.basename(want["config_file"]), key)
            actions.append(action(item, values_text(found), values_text(config_values(value))))
    return actions


def _files(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    actions = []
    for one in want["directories"]:
        mode = observed["directories"][one["path"]]
        if mode != one["mode"]:
            folder = ["folder", one["path"], int(one["mode"], 8)]
            is_ = "mode %s" % mode if mode else "missing"
            actions.append(action(one["path"], is_, "folder with mode %s" % one["mode"], folder))
    return actions + [entry for one in want["files"] for entry in _file(one, observed["files"][one["path"]])]


def _links(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    # Those of commands lead through the first.
    links = [(want["link"], observed["link"], want["tree"])] if want["link"] else []
    links += [(path, observed["commands"].get(path, ""), target) for path, target in sorted(want["commands"].items())]
    return [
        action(
            path,
            "link to %s" % found if found.startswith("/") else found or "missing",
            "link to %s" % target,
            ["link", path, target],
        )
        for path, found, target in links
        if found != target
    ]


def _strays(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    return observed["unwanted_files"] + modulefiles.unwanted_modulefiles(want, observed) + old_commands(want, observed)


def _absence(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    items = [want["link"]] if want["link"] and observed["link"] else []
    items += [one["path"] for one in want["files"] if observed["files"][one["path"]]["exists"]]
    items += _strays(want, observed)
    items += [want["apparmor"]["path"]] if observed["apparmor_file"]["exists"] else []
    return _removals(items + tree.superfluous_trees(want, observed))


def _removals(places: List[str]) -> List[Action]:
    return [action(place, "present", "absent", ["remove", place]) for place in places]


def _tree(want: Dict[str, Any], tree: Optional[Dict[str, Any]]) -> List[Action]:
    wanted = "%s %s" % (want["flavor"], want["version"])
    if tree is None or tree["empty"]:
        return [action(want["tree"], "missing", wanted)]
    if tree["manifest"] is None:
        return [action(want["tree"], "not Slipway's", wanted)]
    if not re.match(want["archive"]["archive_pattern"], tree["manifest"]["archive"]):
        return [action(want["tree"], "made from %s" % tree["manifest"]["archive"], "%s as described" % wanted)]
    damaged = tree["damage"]
    actions = [action(os.path.join(want["tree"], path), is_, expected) for path, is_, expected in damaged[:NAMED]]
    if len(damaged) > NAMED:
        more = "%d more files of %s" % (len(damaged) - NAMED, want["tree"])
        actions.append(action(more, "damaged", "as installed"))
    return actions


def _file(want: Dict[str, Any], found: Dict[str, Any], *after: List[Any]) -> List[Action]:
    owner, mode = "root:%s" % want["group"], int(want["mode"], 8)
    if not found["exists"]:
        is_, wanted = ("missing" if found["wanted"] else ""), "Slipway's content"
    elif not found["same"]:
        is_, wanted = "edited", "Slipway's content"
    elif found["owner"] != owner:
        is_, wanted = "owned by %s" % found["owner"], "owned by %s" % owner
    else:
        is_, wanted = "mode %s" % found["mode"], "mode %s" % want["mode"]
    if not is_ or is_ == wanted:
        return []
    # Credentials are a secret, of which the plan has the name.
    method = ["write_secret", want["path"], want["secret"]] if "secret" in want else []
    write = (method or ["write", want["path"], want["content"]]) + [mode, "root", want["group"]]
    return [action(want["path"], is_, wanted, write, *after)]


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each sentence with the remedy."""
    to_remove = tree.requested_removals(want, observed)
    refused = trees.busy_refusals(to_remove, observed["running_programs"])
    if want["state"] == "absent":
        return refused
    if not want["link"] and observed["current"] in to_remove:
        refused.append(
            "%s is the default version, which singularity_default: false leaves as it is. Make another the default "
            "first, or take it out of singularity_versions_absent." % observed["current"]
        )
    version = observed["trees"].get(want["tree"])
    refused += trees.disk_refusals(want, observed["disk"], "singularity", bool(_tree(want, version)))
    if version and version["manifest"] is None and not version["empty"]:
        refused.append(
            "%s was not made by Slipway%s. Move it away, or choose another singularity_prefix."
            % (want["tree"], " (%s)" % version["error"] if version["error"] else "")
        )
    if want["setuid"] and "nosuid" in observed["disk"]["options"]:
        refused.append(
            "%s is on a file system that is mounted nosuid (or NFS that squashes root), where the setuid program "
            "starter-suid cannot work. Mount it without nosuid, choose a singularity_prefix on a local file system, or "
            "set singularity_setuid: false." % want["root"]
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
    for path in modulefiles.unmanaged_modulefiles(want, observed):
        refused.append("%s is not Slipway's. Move it away, or choose other singularity_modulefiles." % path)
    for name in sorted(set(observed["missing_groups"]) - set(want["made_groups"])):
        refused.append(
            "singularity_registry_auth_group is %s, and there is no such group. Correct it, or make the host know it "
            "(`getent group %s` must answer)." % (name, name)
        )
    for name, one in sorted(observed["sysctl_at_boot"].items()):
        if one["last"] and name in kernel.blocking_settings(want, observed) and one["value"] == "0":
            refused.append(
                "%s sets %s = 0, so that containers of ordinary users would no longer start after the next boot. "
                "Remove that line, or set it to %s there." % (one["file"], name, kernel.NAMESPACES[name])
            )
    return refused + subordinate_ids.range_refusals(want, observed)


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know beside it."""
    if want["state"] == "absent":
        return []
    said = []
    if observed["missing_binds"]:
        said.append(
            "Every container gets %s of the host, which is not there, so none starts. Make it, or take it out of "
            "`bind path` in singularity_config." % ", ".join(observed["missing_binds"])
        )
    if "noexec" in observed["tmpdir_options"]:
        said.append(
            "%s is on a file system that is mounted noexec, so no image can be built there. Mount it without noexec, "
            "or choose another singularity_tmpdir." % want["tmpdir"]
        )
    foreign = [path for path, target in observed["commands"].items() if "/./bin/" not in target]
    said += trees.foreign_commands(want["commands_dir"], foreign)
    if observed["gone_members"]:
        said.append(
            "These members of singularity_fakeroot_groups are gone and get no ids: %s. Take them out of their groups."
            % ", ".join(observed["gone_members"])
        )
    for name, value in sorted(observed["sysctl"].items()):
        if value == "0" and not kernel.needs_namespaces(want):
            said.append("%s is 0 and stays so: containers run by the setuid program, without --fakeroot." % name)
    return said


def facts(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what reports show, what finding an archive or having one compiled needs, and what is tried."""
    place, flavor = (want["current"] if want["link"] else want["tree"]), want["flavor"]
    other = (observed["trees"].get(observed["current"]) or {}).get("manifest")
    if other and not want["link"]:
        place, flavor = want["current"], other["flavor"]
    name = COMMANDS[flavor][0]
    return dict(
        want["archive"],
        singularity=tree.default_version(want, observed),
        program="%s/bin/%s" % (place, name),
        config="%s/etc/%s/%s.conf" % (place, name, name),
        fakeroot=next((user for user, uid in sorted(observed["accounts"].items()) if uid is not None), ""),
    )
