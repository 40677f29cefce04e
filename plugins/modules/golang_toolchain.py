#!/usr/bin/python
"""Put a Go toolchain in its place, from an archive or from a tree that was built."""

DOCUMENTATION = r"""
---
module: golang_toolchain
short_description: Put a Go toolchain in its place
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Unpacks a verified archive beside O(dest), or takes a tree that was built there, sees that its C(go) runs and is the
    wanted version, writes a manifest into it, and renames it to O(dest). What was at O(dest) works until then.
  - The manifest, C(.slipway.json), says that the toolchain is Slipway's, and how its programs look.
options:
  archive:
    description: An archive in the layout of Go's own, with all files below C(go).
    type: path
  tree:
    description: A toolchain that was built, on the file system of O(dest). It is moved.
    type: path
  dest:
    description: Where the toolchain goes.
    type: path
    required: true
  version:
    description: The version that it must be.
    type: str
    required: true
  method:
    description: How it came about, for the manifest.
    type: str
    choices: [archive, source]
    default: archive
  url:
    description: Where it came from, for the manifest.
    type: str
    default: ''
  checksum:
    description: The SHA-256 sum of what it came from, for the manifest.
    type: str
    default: ''
  aside:
    description: A name to keep under what is at O(dest) now and is not Slipway's; without one, that is an error.
    type: path
attributes:
  check_mode:
    description: Not possible, since the archive is not there.
    support: none
"""

EXAMPLES = r"""
- name: Install Go
  slipway.node.golang_toolchain:
    archive: /var/tmp/go1.26.7.linux-amd64.tar.gz
    dest: /usr/local/go-1.26.7
    version: 1.26.7
"""

RETURN = r"""
version:
  description: What the toolchain says of itself.
  type: str
  returned: success
  sample: go version go1.26.7 linux/amd64
"""

import json
import os
import shutil
from typing import Any, Callable, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine.download import HostError, check_space
from ansible_collections.slipway.node.plugins.module_utils.golang import toolchain


def remove(path: str) -> None:
    """Remove a tree, whatever it is."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def install(params: Dict[str, Any], run: Callable[..., Any]) -> str:
    """Do it; return what the toolchain says of itself.

    :raises HostError: why it cannot be; then what was there is as it was.
    """
    dest = params["dest"]
    folder, name = os.path.split(dest)
    new = params["tree"] or "%s/.%s.new" % (folder, name)
    try:
        if params["archive"]:
            remove(new)
            check_space(folder, toolchain.unpacked_size(params["archive"]))
            os.mkdir(new)
            tar = ["tar", "--extract", "--gzip", "--strip-components=1", "--no-same-owner", "--directory", new]
            rc, _out, err = run(tar + ["--file", params["archive"]])
            if rc:
                raise HostError("unpacking failed: %s" % " / ".join(err.strip().splitlines()[-3:]))
        version = _version_line(new, folder, params["version"], run)
        about = dict((name, params[name]) for name in ("version", "method", "url", "checksum"))
        with open(os.path.join(new, toolchain.MANIFEST), "w") as file:
            json.dump(toolchain.manifest(new, about), file, indent=1, sort_keys=True)
        toolchain.replace_tree(new, dest, params["aside"] or "", remove)
    except (OSError, ValueError) as error:
        raise HostError(str(error))
    finally:
        if params["archive"]:
            remove(new)
    return version


def _version_line(tree: str, folder: str, version: str, run: Callable[..., Any]) -> str:
    """See that a toolchain runs, and is the wanted version."""
    go = os.path.join(tree, "bin/go")
    if not os.path.isfile(go):
        raise HostError("the archive holds no go/bin/go, so it is not one of Go's")
    # Without a home, Go keeps no telemetry there.
    settings = {"GOTOOLCHAIN": "local", "GOROOT": "", "GOFLAGS": "", "HOME": "", "XDG_CONFIG_HOME": "", "LC_ALL": "C"}
    try:
        rc, out, err = run([go, "version"], environ_update=settings, handle_exceptions=False)
    except (OSError, ValueError) as error:
        raise HostError(
            "its go does not run (%s); is %s mounted noexec, or the archive another platform's?" % (error, folder)
        )
    if rc:
        raise HostError("its go does not run: %s" % (err or out).strip())
    if (out.split() + ["", "", ""])[2] != "go" + version:
        raise HostError("it is %s, not Go %s" % (out.strip(), version))
    return str(out.strip())


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "archive": {"type": "path"},
            "tree": {"type": "path"},
            "dest": {"type": "path", "required": True},
            "version": {"type": "str", "required": True},
            "method": {"type": "str", "choices": ["archive", "source"], "default": "archive"},
            "url": {"type": "str", "default": ""},
            "checksum": {"type": "str", "default": ""},
            "aside": {"type": "path"},
        },
        mutually_exclusive=[("archive", "tree")],
        required_one_of=[("archive", "tree")],
    )
    # Go's archives name no folders, whose modes then come from this.
    os.umask(0o022)
    try:
        version = install(module.params, module.run_command)
    except HostError as error:
        module.fail_json(
            msg="Go %s was not installed: %s. What was at %s is as it was."
            % (module.params["version"], error, module.params["dest"])
        )
    module.exit_json(changed=True, version=version)


if __name__ == "__main__":
    main()
