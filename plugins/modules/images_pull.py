#!/usr/bin/python
"""Pull images to the engine, each under the name that is wanted."""

DOCUMENTATION = r"""
---
module: images_pull
short_description: Pull images to a Docker engine, through its mirrors, each under the name that is wanted
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Pulls with the C(docker) command, since other ways need a Python library on every node. All images are tried; those
    that cannot be pulled are told in one error, each with its remedy.
  - Always pulls; M(slipway.node.state) tells whether that is needed.
options:
  images:
    description: The images to pull.
    type: list
    elements: dict
    required: true
    suboptions:
      pull:
        description: The reference to pull.
        type: str
        required: true
      local:
        description: The image's name in the engine.
        type: str
        required: true
      source:
        description: What the record says of where it came from.
        type: str
        default: ""
  record:
    description: The file in which it is noted, so that the role removes what it put there and nothing else.
    type: path
attributes:
  check_mode:
    description: Pulls nothing.
    support: full
"""

EXAMPLES = r"""
- name: Pull an image under a name of one's own
  slipway.node.images_pull:
    images:
      - pull: registry.example.org:5000/team/app:1
        local: app:1
"""

RETURN = r"""
pulled:
  description: The names of the images that came.
  type: list
  elements: str
  returned: success
"""

import time
from typing import Dict, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.images.record import record
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import (
    UNREACHABLE,
    last_error,
    remedy,
    with_remedy,
)

TRIES = 3
PAUSE = 5


def pull(module: AnsibleModule, one: Dict[str, str]) -> Tuple[str, str]:
    """Pull an image and give it its name; return its id, or an error."""
    for tried in range(TRIES):
        rc, _out, err = module.run_command(docker_command("pull", "--quiet", one["pull"]))
        # What has a remedy is not mended by another try, but for a registry that does not answer.
        if rc == 0 or remedy(last_error(err)) not in ("", UNREACHABLE):
            break
        if tried + 1 < TRIES:
            time.sleep(PAUSE)
    if rc == 0 and one["local"] != one["pull"] and "@" not in one["local"]:
        rc, _out, err = module.run_command(docker_command("tag", one["pull"], one["local"]))
    if rc:
        return "", with_remedy(err)
    return module.run_command(docker_command("image", "inspect", "--format", "{{.Id}}", one["local"]))[1].strip(), ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "pull": {"type": "str", "required": True},
                    "local": {"type": "str", "required": True},
                    "source": {"type": "str", "default": ""},
                },
            },
            "record": {"type": "path"},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C"}
    if module.check_mode:
        module.exit_json(changed=True, pulled=[])
    pulled, errors = [], []
    for one in module.params["images"]:
        identity, error = pull(module, one)
        if error:
            errors.append("%s cannot be pulled: %s" % (one["pull"], error))
            continue
        pulled.append(one["local"])
        if module.params["record"]:
            record(module.params["record"], "images", one["local"], identity, one["source"])
    if errors:
        module.fail_json(msg="\n".join(errors))
    module.exit_json(changed=bool(pulled), pulled=pulled)


if __name__ == "__main__":
    main()
