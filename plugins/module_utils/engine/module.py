"""The beginning of the modules that look at a host, and act on it: options that both have, and root."""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def start(**options: Any) -> AnsibleModule:
    """Return the module, which has these options besides; it ends where it is not root."""
    shared = {
        "phases": {"type": "list", "elements": "str"},
        "inputs": {"type": "dict", "default": {}},
        "platform": {"type": "str", "default": ""},
        "key": {"type": "str", "default": "", "no_log": True},
    }
    module = AnsibleModule(argument_spec=dict(shared, **options), supports_check_mode=True)
    if os.geteuid() != 0:
        module.fail_json(
            msg="This needs root on the host. Let ansible_become be true or unset, and ansible_become_user be root. "
            "A play of your own needs become: true."
        )
    return module
