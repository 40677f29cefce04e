"""The archive of a compiled Singularity that is unpacked on nodes, with a manifest of all that is in it."""

import gzip
import io
import json
import os
import tarfile
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.files import sha256
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed
from ansible_collections.slipway.node.plugins.module_utils.singularity.tree import MANIFEST, describe


def pack(stage: str, prefix: str, folder: str, name: str, facts: Dict[str, Any]) -> None:
    """Pack what ``make install`` put below a staging root.

    ``name.tar.gz`` has paths relative to the prefix, modes as they are, and everything owned by root. It holds the
    manifest, with type, mode, size and sum of every file; ``name.json`` beside it is the same with the archive's own.

    :raises Failed: there is nothing, or something outside the prefix.
    """
    stage = os.path.realpath(stage)
    tree, target = stage + prefix, os.path.join(folder, name + ".tar.gz")
    if not os.path.isdir(tree):
        raise Failed("Nothing was installed: %s is missing." % tree)
    try:
        manifest = dict(facts, archive=name, prefix=prefix, files=manifest_entries(tree), outside=outside(stage, tree))
        manifest["installed_size"] = sum(one["size"] for one in manifest["files"])
        write(tree, manifest, target + ".part")
        about = {"archive_sha256": sha256(target + ".part"), "archive_size": os.path.getsize(target + ".part")}
        os.rename(target + ".part", target)
        # Last, since an archive without it is not taken for one.
        with open(os.path.join(folder, name + ".part"), "w") as file:
            json.dump(dict(manifest, **about), file, indent=1)
        os.rename(os.path.join(folder, name + ".part"), os.path.join(folder, name + ".json"))
    except (OSError, ValueError) as error:
        raise Failed("%s cannot be packed: %s." % (tree, error))


def manifest_entries(tree: str) -> List[Dict[str, Any]]:
    """Return the manifest's entries of everything below a folder."""
    found = []
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            path = os.path.join(folder, name)
            one = describe(path) or {}
            del one["owner"]
            one["path"] = os.path.relpath(path, tree)
            one["config"] = one["path"].startswith("etc/") and one["type"] == "file"
            one["sha256"] = sha256(path) if one["type"] == "file" else ""
            if one["type"] != "file":
                one["size"] = 0
            found.append(one)
    return sorted(found, key=lambda one: str(one["path"]))


def outside(stage: str, tree: str) -> List[str]:
    """Return the empty folders that an install makes outside its prefix, and fail where there is more than those."""
    found = []
    for folder, folders, files in os.walk(stage):
        if os.path.join(folder, "").startswith(os.path.join(tree, "")):
            folders[:] = []
        elif files:
            raise ValueError("%s was installed outside the prefix" % os.path.join(folder, files[0])[len(stage) :])
        elif not folders:
            found.append(folder[len(stage) :])
    return sorted(found)


def write(tree: str, manifest: Dict[str, Any], target: str) -> None:
    """Write the archive: the same tree and manifest make the same bytes."""
    with open(target, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:  # noqa: SIM117
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
            text = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
            entry = tarfile.TarInfo(MANIFEST)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text))
            for one in manifest["files"]:
                archive.add(os.path.join(tree, one["path"]), one["path"], recursive=False, filter=owned_by_root)


def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = "root"
    return entry
