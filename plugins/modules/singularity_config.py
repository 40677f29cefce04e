#!/usr/bin/python
"""Set keys of singularity.conf, those that the program itself takes."""

DOCUMENTATION = r"""
---
module: singularity_config
short_description: Set keys of singularity.conf
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Asks the program itself whether it takes the keys and values, then writes its configuration. All other lines stay.
  - The program can add to a list of values, but not replace one, so the file is written here.
options:
  program:
    description: C(singularity) or C(apptainer).
    type: path
    required: true
  path:
    description: Its configuration file.
    type: path
    required: true
  config:
    description: A value or a list of values for each key.
    type: dict
    required: true
attributes:
  check_mode:
    description: Nothing is written.
    support: full
"""

EXAMPLES = r"""
- name: Set keys of the configuration
  slipway.node.singularity_config:
    program: /opt/singularity/4.5.1/bin/singularity
    path: /opt/singularity/4.5.1/etc/singularity/singularity.conf
    config: {mount home: true, bind path: [/etc/hosts, /data]}
"""

RETURN = r"""
"""

from typing import Any, Callable, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.module_utils.singularity.configuration import config_text, config_values


def rejected_keys(program: str, config: Dict[str, Any], run: Callable[..., Any]) -> List[str]:
    """Return the keys that the program does not take, each with its value and the program's own words."""
    reasons = []
    for key, value in sorted(config.items()):
        values = config_values(value)
        change = ["--set", key, ",".join(values)] if values else ["--get", key]
        rc, out, err = run([program, "config", "global", "--dry-run"] + change)
        if rc:
            reasons.append("%s: %s: %s" % (key, ", ".join(values), " ".join((err or out).split())))
    return reasons


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "path", "required": True},
            "path": {"type": "path", "required": True},
            "config": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    path, config = module.params["path"], module.params["config"]
    try:
        reasons = rejected_keys(module.params["program"], config, module.run_command)
        if reasons:
            module.fail_json(
                msg="singularity_config has what this version does not take: %s. Correct it; %s lists the keys. The "
                "file was left as it was." % ("; ".join(reasons), path)
            )
        with open(path) as file:
            old = file.read()
        new = config_text(old, config)
        if new != old and not module.check_mode:
            files.replace(path, new, 0o644)
    except OSError as error:
        module.fail_json(msg="%s cannot be written: %s. It is as it was." % (path, error))
    module.exit_json(changed=new != old)


if __name__ == "__main__":
    main()
