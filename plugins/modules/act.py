#!/usr/bin/python
"""Make a host as roles want it: look, act where it differs, look again, in one round trip."""

DOCUMENTATION = r"""
---
module: act
short_description: Make a host as roles want it
version_added: 0.2.0
author: Slipway (@slipway)
description:
  - Reads the inputs of roles from the play's variables on the controller, looks at the host as it is now, lets the
    phases act that have drift, in the order of the site's list, and proves that none is left.
  - Refuses as M(slipway.node.state) does, before anything is touched.
  - Work that takes long goes on by itself on the host and is asked for its progress, which is shown.
extends_documentation_fragment: slipway.node.inputs
options:
  roles:
    description: The roles, or parts of them as C(registry_client); they need not have drift.
    type: list
    elements: str
    required: true
  phases:
    description: The phases to do and to prove, as C(images.push_images); all by default.
    type: list
    elements: str
  secrets:
    description: What only acting needs, which the action plugin adds.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Does nothing in check mode. M(slipway.node.state) tells what would be done.
    support: full
  diff_mode:
    description: Shows the change of each file that holds no secret.
    support: full
"""

EXAMPLES = r"""
- name: Compare the host with its wanted state
  slipway.node.state:
    roles: [user_groups]
  register: slipway_state

- name: Act where it differs
  slipway.node.act:
    roles: [user_groups]
  register: slipway_state
"""

RETURN = r"""
user_groups:
  description: What is known of each role once all have acted, as M(slipway.node.state) returns it.
  type: dict
  returned: success
  contains:
    mended:
      description: The actions that were found and that a proof found gone.
      type: list
      elements: dict
done:
  description: The phases that acted, in their order.
  type: list
  elements: str
  returned: always
  sample: [user_groups.create_groups, user_groups.add_members]
waiting:
  description: How far long work is that goes on; the action plugin asks again.
  type: str
  returned: while it goes on
"""

import os
from typing import TYPE_CHECKING, Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import reasons_of, sentence
from ansible_collections.slipway.node.plugins.module_utils.engine.probe import load, probe, shown
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, Waiting, act

if TYPE_CHECKING:
    # For Ansible, which packs what is imported anywhere.
    from ansible_collections.slipway.node.plugins.module_utils.golang import act, observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.singularity import act, observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.singularity_build import act, observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.user_groups import act, observe, plan, want  # noqa: F401, F811


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "roles": {"type": "list", "elements": "str", "required": True},
            "phases": {"type": "list", "elements": "str"},
            "inputs": {"type": "dict", "default": {}},
            "platform": {"type": "str", "default": ""},
            "key": {"type": "str", "default": "", "no_log": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    if os.geteuid() != 0:
        module.fail_json(msg="This needs root on the host. A play of your own needs become: true.")
    if module.check_mode:
        module.exit_json(changed=False, done=[])
    # Folders that are made on the way have their modes by this.
    os.umask(0o022)
    given, only = module.params["inputs"], module.params["phases"]
    platform = platforms.find(module.params["platform"])
    run = Run(Host(key=module.params["key"]), platform, module.params["secrets"], module._diff)
    told = {}  # type: Dict[str, Any]
    try:
        before = act(run, given, only)
    except Waiting as waiting:
        module.exit_json(changed=bool(run.done), done=run.done, warnings=run.notes, waiting=str(waiting))
    except Failed as failed:
        told["failure"] = str(failed)
    after = {name: probe(name, load(name), run.host, platform, inputs) for name, inputs in given.items()}
    result = {"changed": bool(run.done), "done": run.done, "warnings": run.notes, "diff": run.diffs}  # type: Dict[str, Any]
    if told:
        module.fail_json(msg=told["failure"], **result)
    result["platform"] = platforms.as_dict(platform)
    for name, state in after.items():
        result[name] = dict(shown(state), mended=_rows(before[name], None, state))
    left = [line for name, state in after.items() for line in _left(name, state, only)]
    if left:
        hints = [hint for name, state in after.items() for hint in reasons_of(name, state) + state["notes"]]
        text = "%s made its changes, but the host still differs:\n%s" % (", ".join(given), "\n".join(left))
        module.fail_json(msg="\n".join([text] + hints), **result)
    module.exit_json(**result)


def _rows(state: Dict[str, Any], only: Any, other: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Return the actions of a state that another has not."""
    there = [row for rows in shown(other)["plan"].values() for row in rows]
    return [row for rows in shown(state)["plan"].values() for row in rows if row not in there]


def _left(name: str, state: Dict[str, Any], only: Any) -> List[str]:
    """Return the actions that are left of the phases that were to act, as lines."""
    errors = ["  %s" % state["error"]] if state["error"] else []
    return errors + [
        "  " + sentence(action)
        for phase, actions in state["plan"].items()
        for action in actions
        # What is left for later on purpose is no failure.
        if phase != "later" and (only is None or "%s.%s" % (name, phase) in only)
    ]


if __name__ == "__main__":
    main()
