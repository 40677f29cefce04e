"""Modulefiles, for Environment Modules and Lmod: one of each version, and the mark of the default."""

import os
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.singularity.commands import COMMANDS
from ansible_collections.slipway.node.plugins.module_utils.singularity.tree import managed_trees, superfluous_trees

# Folders that an earlier run may have written modulefiles into: where Environment Modules and Lmod look.
MODULE_FOLDERS = (
    "/etc/modulefiles",
    "/etc/environment-modules/modules",
    "/etc/lmod/modules",
    "/usr/share/modulefiles",
    "/usr/share/modules/modulefiles",
    "/usr/share/Modules/modulefiles",
)
MODULE_MARK = "#%%Module1.0\n# Written by Slipway (role singularity) for %s.\n"


def modulefiles(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the modulefiles that the host is to have: one of each version that stays, and the mark of the default."""
    folder = want["modulefiles"]["folder"]
    if not folder or want["state"] == "absent":
        return []
    removed = superfluous_trees(want, observed)
    kept = [place for place in managed_trees(observed) if place not in removed]
    trees = dict((place, observed["trees"][place]["manifest"]) for place in kept)  # type: Dict[str, Dict[str, Any]]
    trees[want["tree"]] = want
    default = trees.get(want["tree"] if want["link"] else observed["current"])
    texts = {}
    for place, one in trees.items():
        text = want["modulefiles"]["texts"][one["flavor"]]
        name = "%s/%s/%s" % (folder, COMMANDS[one["flavor"]][0], one["version"])
        texts[name] = text.replace("@TREE@", place).replace("@VERSION@", one["version"])
        if one is default:
            mark = MODULE_MARK % want["root"]
            texts[os.path.dirname(name) + "/.version"] = '%sset ModulesVersion "%s"\n' % (mark, one["version"])
    return [{"path": path, "content": text, "mode": "0644", "group": "root"} for path, text in sorted(texts.items())]


def unmanaged_modulefiles(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return files of somebody else where modulefiles are to go."""
    found = observed["modulefiles"]
    return [
        one["path"] for one in modulefiles(want, observed) if one["path"] in found and not found[one["path"]]["managed"]
    ]


def unwanted_modulefiles(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return modulefiles that an earlier run wrote for this root and that are no longer wanted."""
    wanted = {one["path"] for one in modulefiles(want, observed)}
    return [path for path, found in sorted(observed["modulefiles"].items()) if found["managed"] and path not in wanted]
