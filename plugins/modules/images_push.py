#!/usr/bin/python
"""Copy an image into a registry, with all its architectures."""

DOCUMENTATION = r"""
---
module: images_push
short_description: Copy an image into a registry, with all its architectures
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Copies with C(skopeo), which needs no daemon and keeps lists of many architectures and their digests, which
    C(docker push) does not. An image of an engine is saved by C(docker) first.
  - Always copies; M(slipway.node.state) tells whether that is needed.
options:
  name:
    description: What the image is called in messages, and in an archive of several.
    type: str
    required: true
  target:
    description: Where it goes, as skopeo takes it.
    type: str
    required: true
  location:
    description: Where it comes from, C(docker://REFERENCE) or C(docker-daemon:NAME).
    type: str
  archive:
    description: An archive of C(docker save) or an OCI archive on this host, in place of O(location).
    type: path
  image:
    description: Which image of O(archive) is meant, where it holds several and none is called like O(name).
    type: str
    default: ""
  authfile:
    description: A file of logins to registries. One that does not exist is left out.
    type: path
    default: ""
  registries:
    description: A file of skopeo's settings. One that does not exist is left out.
    type: path
    default: ""
  record:
    description: The file in which is noted by what the registry knows an image of the engine.
    type: path
attributes:
  check_mode:
    description: Copies nothing.
    support: full
"""

EXAMPLES = r"""
- name: Copy an image into a registry
  slipway.node.images_push:
    name: registry.example.org:5000/library/busybox:1.37
    target: docker://registry.example.org:5000/library/busybox:1.37
    location: docker://docker.io/library/busybox:1.37
"""

RETURN = r"""
"""

import shutil
import tempfile
from typing import Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.images import archive
from ansible_collections.slipway.node.plugins.module_utils.images.record import record
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import with_remedy
from ansible_collections.slipway.node.plugins.module_utils.images.skopeo import copy_command


def source(module: AnsibleModule, folder: str) -> Tuple[str, bool, str]:
    """Return what skopeo is to read, whether that has a manifest to keep, and the digest of a saved configuration."""
    params = module.params
    if params["archive"]:
        about = archive.facts(params["archive"], params["name"], params["image"])
        inside = ":" + about["inside"] if about["inside"] else ""
        # An archive of `docker save` has no manifest, so one is made.
        return "%s:%s%s" % (about["transport"], params["archive"], inside), about["transport"] == "oci-archive", ""
    if not params["location"].startswith("docker-daemon:"):
        return params["location"], True, ""
    saved, error = archive.save(module.run_command, params["location"].partition(":")[2], folder)
    if error:
        module.fail_json(msg="%s cannot be pushed: %s" % (params["name"], error))
    (image,) = archive.read(saved)["images"]
    return "docker-archive:" + saved, False, image["parts"][0]["config"]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "target": {"type": "str", "required": True},
            "location": {"type": "str"},
            "archive": {"type": "path"},
            "image": {"type": "str", "default": ""},
            "authfile": {"type": "path", "default": ""},
            "registries": {"type": "path", "default": ""},
            "record": {"type": "path"},
        },
        required_one_of=[("location", "archive")],
        mutually_exclusive=[("location", "archive")],
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C"}
    params = module.params
    if module.check_mode:
        module.exit_json(changed=True)
    # Not in /tmp, which may be memory.
    work = tempfile.mkdtemp(prefix="slipway-image-", dir="/var/tmp")
    try:
        location, keep, config = source(module, work)
        _rc, version, _err = module.run_command(["skopeo", "--version"])
        rc, out, err = module.run_command(copy_command(params, version, keep) + [location, params["target"]])
        if rc:
            module.fail_json(msg="%s cannot be pushed: %s" % (params["name"], with_remedy(out + err)))
        if config and params["record"]:
            name = params["location"].partition(":")[2]
            _rc, identity, _err = module.run_command(docker_command("image", "inspect", "--format", "{{.Id}}", name))
            if identity.strip() != config:
                record(params["record"], "pushed", params["name"], config, identity.strip())
    except archive.ArchiveError as error:
        module.fail_json(msg=str(error))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
