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
  - Refuses as M(slipway.node.state) does, before anything is touched. After a comparison C(by_role) the sections that
    do not refuse act, and those that do are told.
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
  planned:
    description: What the plan that was shown would stop, replace or remove, which the action plugin adds.
    type: dict
    default: {}
  owner:
    description: Who is named to another run that wants the host meanwhile, which the action plugin adds.
    type: dict
    default: {}
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
refused:
  description: Why nothing was done, as sentences by section.
  type: dict
  returned: where a section refuses
done:
  description: The phases that acted, in their order.
  type: list
  elements: str
  returned: always
  sample: [user_groups.create_groups, user_groups.add_members]
notes:
  description: What an admin should know of what was done; the action plugin makes warnings of them.
  type: list
  elements: str
  returned: once all have acted
waiting:
  description: How far long work is that goes on; the action plugin asks again.
  type: str
  returned: while it goes on
held:
  description: Whose run acts on the host; the action plugin asks again, as long as C(slipway_lock_timeout) says.
  type: str
  returned: while that does not end
"""

import os
from typing import TYPE_CHECKING, Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine import lock, platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.module import start
from ansible_collections.slipway.node.plugins.module_utils.engine.phases import LATER
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import gone, reasons_of, sentence
from ansible_collections.slipway.node.plugins.module_utils.engine.probe import load, probe, shown
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Refused, Run, Waiting, act

if TYPE_CHECKING:
    # For Ansible, which packs what is imported anywhere, as engine/phases.py has it.
    from ansible_collections.slipway.node.plugins.module_utils.docker_ce import act as _docker_ce  # noqa: F401
    from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import act as _docker_daemon  # noqa: F401
    from ansible_collections.slipway.node.plugins.module_utils.golang import act as _golang  # noqa: F401
    from ansible_collections.slipway.node.plugins.module_utils.images import act as _images  # noqa: F401
    from ansible_collections.slipway.node.plugins.module_utils.registry import act as _registry  # noqa: F401
    from ansible_collections.slipway.node.plugins.module_utils.registry_client import act as _registry_client  # noqa: F401
    from ansible_collections.slipway.node.plugins.module_utils.singularity import act as _singularity  # noqa: F401
    from ansible_collections.slipway.node.plugins.module_utils.singularity_build import act as _singularity_build  # noqa: F401
    from ansible_collections.slipway.node.plugins.module_utils.user_groups import act as _user_groups  # noqa: F401


def main() -> None:
    module = start(
        roles={"type": "list", "elements": "str", "required": True},
        planned={"type": "dict", "default": {}},
        owner={"type": "dict", "default": {}},
        secrets={"type": "dict", "default": {}, "no_log": True},
    )
    if module.check_mode:
        module.exit_json(changed=False, done=[])
    try:
        with lock.hold(module.params["owner"]):
            _act(module)
    except lock.Held as held:
        module.exit_json(changed=False, done=[], held=str(held))


def _act(module: AnsibleModule) -> None:
    """Act, and end the module."""
    # Folders that are made on the way have their modes by this.
    os.umask(0o022)
    given, only, secrets = (module.params[name] for name in ("inputs", "phases", "secrets"))
    platform, host = platforms.find(module.params["platform"]), Host(key=module.params["key"], secrets=secrets)
    run = Run(host, platform, secrets, module._diff)
    # The lists grow while phases act.
    result = {"done": run.done, "notes": run.notes, "diff": run.diffs}  # type: Dict[str, Any]
    try:
        before = act(run, given, only, module.params["planned"])
    except Waiting as waiting:
        module.exit_json(changed=bool(run.done), waiting=str(waiting), **result)
    except Refused as refused:
        module.fail_json(msg=str(refused), refused=refused.reasons, **result)
    except Failed as failed:
        module.fail_json(msg=str(failed), changed=bool(run.done), **result)
    after = {name: probe(name, load(name), host, platform, inputs) for name, inputs in given.items()}
    result.update(changed=bool(run.done), platform=platforms.as_dict(platform))
    for name, state in after.items():
        # What is only known by now.
        for text in [text for text in state["notes"] if text not in before[name]["notes"]]:
            run.note(text)
        result[name] = dict(shown(state), mended=gone(name, shown(before[name])["plan"], shown(state)["plan"]))
    left = [line for name, state in after.items() for line in _left(name, state, only)]
    reasons = [reason for name, state in after.items() for reason in reasons_of(name, state)]
    if left or reasons:
        text = ["%s made its changes, but the host still differs:" % ", ".join(given)] * bool(left)
        hints = [hint for state in after.values() for hint in state["notes"]] if left else []
        module.fail_json(msg="\n".join(text + left + reasons + hints), **result)
    module.exit_json(**result)


def _left(name: str, state: Dict[str, Any], only: Any) -> List[str]:
    """Return the actions that are left of the phases that were to act, as lines."""
    return [
        "  " + sentence(action)
        for phase, actions in state["plan"].items()
        for action in actions
        # What is left for later on purpose is no failure.
        if phase != LATER and (only is None or "%s.%s" % (name, phase) in only)
    ]


if __name__ == "__main__":
    main()
