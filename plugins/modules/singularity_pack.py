#!/usr/bin/python
"""Make the archive of a compiled Singularity that is unpacked on nodes, with a manifest of all that is in it."""

DOCUMENTATION = r"""
---
module: singularity_pack
short_description: Pack an installed tree with a manifest of its files
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Packs what C(make install) put below a staging root into C(NAME.tar.gz), with paths relative to the prefix, modes as
    they are, and everything owned by root.
  - The archive holds a manifest, C(.slipway.json), with type, mode, size and SHA-256 of every file. C(NAME.json) beside
    the archive is the same with the sum of the archive itself.
options:
  stage:
    description: The staging root, C(DESTDIR) of C(make install).
    type: path
    required: true
  prefix:
    description: The prefix below it.
    type: path
    required: true
  dest:
    description: The folder to write into. It must exist.
    type: path
    required: true
  name:
    description: The archive's name, without its ending.
    type: str
    required: true
  facts:
    description: What else the manifest says, for example flavor and version.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Pack what was installed into the staging root
  slipway.node.singularity_pack:
    stage: /var/cache/slipway/build/stage
    prefix: /opt/singularity/4.5.1
    dest: /var/cache/slipway/build
    name: singularity-ce-4.5.1-go1.26.8-debian13-x86_64-0123456789ab
    facts: {flavor: singularity-ce, version: 4.5.1}
"""

RETURN = r"""
path:
  description: The archive.
  type: str
  returned: success
sha256:
  description: Its SHA-256.
  type: str
  returned: success
size:
  description: Its size in bytes.
  type: int
  returned: success
installed_size:
  description: The size of what is in it, in bytes.
  type: int
  returned: success
"""

import gzip
import io
import json
import os
import tarfile
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine.files import sha256
from ansible_collections.slipway.node.plugins.module_utils.singularity.tree import MANIFEST, describe


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


def pack(tree: str, manifest: Dict[str, Any], target: str) -> None:
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


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stage": {"type": "path", "required": True},
            "prefix": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "facts": {"type": "dict", "default": {}},
        }
    )
    given = module.params
    # The archive is fetched by whoever logs in, whatever root's own umask.
    os.umask(0o022)
    stage = os.path.realpath(given["stage"])
    tree = stage + given["prefix"]
    target = os.path.join(given["dest"], given["name"] + ".tar.gz")
    if not os.path.isdir(tree):
        module.fail_json(msg="nothing was installed: %s is missing" % tree)
    try:
        manifest = dict(given["facts"], archive=given["name"], prefix=given["prefix"], files=manifest_entries(tree))
        manifest["outside"] = outside(stage, tree)
        manifest["installed_size"] = sum(one["size"] for one in manifest["files"])
        pack(tree, manifest, target + ".part")
        result = {"sha256": sha256(target + ".part"), "size": os.path.getsize(target + ".part")}
        os.rename(target + ".part", target)
        with open(os.path.join(given["dest"], given["name"] + ".json"), "w") as file:
            json.dump(dict(manifest, archive_sha256=result["sha256"], archive_size=result["size"]), file, indent=1)
    except (OSError, ValueError) as error:
        module.fail_json(msg="cannot pack %s: %s" % (tree, error))
    module.exit_json(changed=True, path=target, installed_size=manifest["installed_size"], **result)


if __name__ == "__main__":
    main()
