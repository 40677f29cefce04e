#!/usr/bin/python
"""Load one image of an archive into the engine, under one name."""

DOCUMENTATION = r"""
---
module: images_load
short_description: Load one image of an archive into a Docker engine, under the name that is wanted
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Takes archives of C(docker save) and OCI archives, compressed or not, and hands the engine the one image that is
    meant for its platform. No other tag of the engine moves, whatever else the archive holds.
  - Always loads; M(slipway.node.state) tells whether that is needed.
options:
  path:
    description: The archive, on this host.
    type: path
    required: true
  name:
    description: The image's name in the engine.
    type: str
    required: true
  image:
    description: Which image of the archive is meant, where it holds several and none is called like O(name).
    type: str
    default: ""
  record:
    description: The file in which it is noted, so that the role removes what it put there and nothing else.
    type: path
attributes:
  check_mode:
    description: Tells what would be loaded.
    support: full
"""

EXAMPLES = r"""
- name: Load an image
  slipway.node.images_load:
    path: /srv/images/app.tar
    name: registry.example.org:5000/team/app:1
"""

RETURN = r"""
config:
  description: The digest of the image's configuration, which is its id but in containerd's image store.
  type: str
  returned: success
"""

import subprocess
import tarfile
import zlib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.images import archive
from ansible_collections.slipway.node.plugins.module_utils.images.record import record
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import with_remedy


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "image": {"type": "str", "default": ""},
            "record": {"type": "path"},
        },
        supports_check_mode=True,
    )
    path, name = module.params["path"], module.params["name"]
    rc, platform, err = module.run_command(
        docker_command("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"), environ_update={"LC_ALL": "C"}
    )
    if rc:
        module.fail_json(msg="%s cannot be loaded: %s" % (name, with_remedy(err)))
    try:
        contents = archive.read(path)
        image = archive.choose(path, contents, name, module.params["image"])
        chosen = archive.part(path, image, platform.strip())
    except archive.ArchiveError as error:
        module.fail_json(msg=str(error))
    if not module.check_mode:
        load = subprocess.Popen(
            docker_command("load", "--quiet"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        broken = ""
        try:
            archive.stream(path, contents, chosen, name, load.stdin)  # type: ignore[arg-type]
        except BrokenPipeError:
            pass  # It says why below.
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            broken = "%s is damaged: %s. " % (path, error)
        said = to_text(load.communicate()[0])
        if load.returncode or broken:
            module.fail_json(msg="%s cannot be loaded from %s: %s%s" % (name, path, broken, with_remedy(said)))
        if module.params["record"]:
            _rc, identity, _err = module.run_command(docker_command("image", "inspect", "--format", "{{.Id}}", name))
            record(module.params["record"], "images", name, identity.strip(), chosen["config"])
    module.exit_json(changed=True, config=chosen["config"])


if __name__ == "__main__":
    main()
