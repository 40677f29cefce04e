"""A version's tree and its manifest: what is damaged, which trees are Slipway's, and which of them are to go.

A version is a tree below one root. It holds ``.slipway.json``, the manifest of the archive that it was unpacked from; a
tree without one is somebody else's.
"""

import json
import os
import stat
from functools import cmp_to_key
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine import versions

MANIFEST = ".slipway.json"


def parse_manifest(text: str) -> Tuple[Optional[Dict[str, Any]], str]:
    """Read a manifest; return it, or ``None`` and why it cannot be read."""
    try:
        data = json.loads(text)
        if not isinstance(data["archive"], str) or not all(isinstance(one["path"], str) for one in data["files"]):
            raise ValueError("a name is not a string")
    except (ValueError, KeyError, TypeError) as error:
        return None, "%s is broken: %s %s" % (MANIFEST, type(error).__name__, error)
    return data, ""


def describe(path: str) -> Optional[Dict[str, Any]]:
    """Return type, mode, owner, size and target of a file, as a manifest has them; ``None`` where there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    kind = "link" if stat.S_ISLNK(status.st_mode) else "folder" if stat.S_ISDIR(status.st_mode) else "file"
    return {
        "type": kind,
        "mode": "%04o" % stat.S_IMODE(status.st_mode),
        "owner": "%d:%d" % (status.st_uid, status.st_gid),
        "size": status.st_size,
        "target": os.readlink(path) if kind == "link" else "",
    }


def damage(files: List[Dict[str, Any]], found: Dict[str, Optional[Dict[str, Any]]]) -> List[Tuple[str, str, str]]:
    """Return what differs of a tree's files from its manifest: path, how it is, how it should be.

    Files of configuration are edited, so their size is free.
    """
    damaged = []
    for one in files:
        path, is_ = one["path"], found.get(one["path"])
        if is_ is None:
            damaged.append((path, "missing", "a %s" % one["type"]))
        elif is_["type"] != one["type"]:
            damaged.append((path, "a %s" % is_["type"], "a %s" % one["type"]))
        elif is_["owner"] != "0:0":
            damaged.append((path, "owned by %s" % is_["owner"], "owned by 0:0"))
        elif one["type"] != "link" and is_["mode"] != one["mode"]:
            damaged.append((path, "mode %s" % is_["mode"], "mode %s" % one["mode"]))
        elif one["type"] == "link" and is_["target"] != one["target"]:
            damaged.append((path, "a link to %s" % is_["target"], "a link to %s" % one["target"]))
        elif one["type"] == "file" and not one["config"] and is_["size"] != one["size"]:
            damaged.append((path, "%d bytes" % is_["size"], "%d bytes" % one["size"]))
    return damaged


def superfluous_trees(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the trees to remove: those that are no longer wanted, but for old ones that are in use."""
    to_remove = requested_removals(want, observed)
    # Where hosts share the root, nobody knows what runs on the others.
    if want["state"] == "present" and want["keep"] is not None and not want["tree_host"]:
        # A version beside the default one leaves that alone.
        kept = (want["tree"], "" if want["link"] else observed["current"])
        older = sorted(
            (place for place in managed_trees(observed) if place not in kept), key=_version_key(observed), reverse=True
        )
        to_remove += [
            place
            for place in older[want["keep"] :]
            if place not in to_remove and not observed["running_programs"].get(place)
        ]
    return sorted(to_remove)


def requested_removals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the trees whose removal was asked for."""
    if want["state"] == "absent":
        return managed_trees(observed)
    named = [os.path.join(want["root"], version) for version in want["versions_absent"]]
    return [place for place in managed_trees(observed) if place in named and place != want["tree"]]


def managed_trees(observed: Dict[str, Any]) -> List[str]:
    return sorted(place for place, tree in observed["trees"].items() if tree["manifest"])


def _version_key(observed: Dict[str, Any]) -> Any:
    by_version = cmp_to_key(versions.compare)
    return lambda place: by_version(str(observed["trees"][place]["manifest"]["version"]))


def default_version(want: Dict[str, Any], observed: Dict[str, Any]) -> str:
    """Return flavour and version of the tree that is the default, for reports."""
    manifest = (observed["trees"].get(observed["link"] or want["tree"]) or {}).get("manifest")
    return "%s %s" % (manifest["flavor"], manifest["version"]) if manifest else ""
