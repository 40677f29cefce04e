#!/usr/bin/python
"""Probe a host: what it is like, and how that drifts from what is wanted, in one round trip."""

DOCUMENTATION = r"""
---
module: state
short_description: Compare a host with its wanted state
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Reads the inputs of roles from the play's variables on the controller, makes the wanted state of them on the host,
    and compares the host with it, in one round trip for all roles.
  - Changes nothing. In check mode it reports what the roles would change, with C(--diff) in lines.
extends_documentation_fragment: slipway.node.inputs
options:
  roles:
    description: The roles to ask for; by default those of C(slipway_roles).
    type: list
    elements: str
  prove:
    description:
      - Fail where drift is left after a role has acted. What the role found before is added to RV(ignore:mended).
      - In check mode nothing is proved.
    type: bool
    default: false
  phases:
    description:
      - With O(prove=true), the phases of which no drift may be left; by default all.
      - With none it only looks again in the middle of a role's work.
    type: list
    elements: str
  refuse:
    description: Fail where inputs are wrong, or something on the host stands in the way, before anything is touched.
    type: bool
    default: true
  refuse_inputs:
    description: Fail where inputs are wrong; by default as O(refuse).
    type: bool
  by_role:
    description:
      - What stands in the way of a role is told, and leaves that role and those that need it as they are. The others of
        the host act. Problems of inputs are in the result, for the play to refuse.
    type: bool
    default: false
  make:
    description: Make on the controller what it keeps of the roles and lacks yet, as secrets of registries.
    type: bool
    default: false
  ask:
    description: Ask mirrors which versions exactly would be installed, where packages would change.
    type: bool
    default: false
  full:
    description: Answer with the wanted state and all that was observed too, as C(want) and C(observed), for tests.
    type: bool
    default: false
  records:
    description: What tells of roles that left something on the host, as shell patterns, which the action plugin adds.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
"""

EXAMPLES = r"""
- name: Compare the host with its wanted state
  slipway.node.state:
    roles: [user_groups]
  register: slipway_state

- name: Act where it differs
  ansible.builtin.include_tasks: act.yml
  when: slipway_state.user_groups.phases | length > 0

- name: Prove the result
  slipway.node.state:
    roles: [user_groups]
    prove: true
  register: slipway_state
"""

RETURN = r"""
user_groups:
  description: What is known of a role; each role that was asked for has such a mapping, and the others keep theirs.
  type: dict
  returned: when the role was asked for
  contains:
    plan:
      description:
        - What the role would do, by phase, in the order in which it acts; each action has C(item), C(is) and C(want).
        - What it leaves for later on purpose has the phase V(later).
      type: dict
      sample: {add_members: [{item: docker alice, is: not a member, want: member}]}
    facts:
      description: What reports and other hosts read of it.
      type: dict
    refused:
      description: What stands in the way on the host, as sentences with their remedies.
      type: list
      elements: str
    problems:
      description: What is wrong with the inputs, as sentences with their remedies.
      type: list
      elements: str
    error:
      description: Why the host could not be compared; empty where it could.
      type: str
    notes:
      description: What an admin should know of it.
      type: list
      elements: str
    mended:
      description: The drift that was found when the role began and that a proof found gone.
      type: list
      elements: dict
roles:
  description: The roles that the host takes. Like RV(kept) and RV(unused), where no role was named in O(roles).
  type: list
  elements: str
  returned: when no role was named
kept:
  description: The roles that the host's groups leave out, and of which it has what Slipway installed.
  type: list
  elements: str
  returned: when no role was named
unused:
  description: The inputs that are given to the host for nothing, by the role that it would have to take.
  type: dict
  returned: when no role was named
platform:
  description: The platform of the host.
  type: dict
  returned: always
  sample: {distribution: Ubuntu, version: "24.04", like: ubuntu, release: "24.04", codename: noble}
site_notes:
  description: Variables without effect, of other roles for Docker among them, as sentences with their remedies.
  type: list
  elements: str
  returned: success
"""

from typing import TYPE_CHECKING, Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.module import start
from ansible_collections.slipway.node.plugins.module_utils.engine.probe import load, probe, shown
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Run

if TYPE_CHECKING:
    # For Ansible, which packs it.
    from ansible_collections.slipway.node.plugins.module_utils.docker_ce import ask as _ask  # noqa: F401

# The sections that have something to ask of others than the host.
ASK = ("docker_ce",)


def main() -> None:
    module = start(
        roles={"type": "list", "elements": "str"},
        prove={"type": "bool", "default": False},
        refuse={"type": "bool", "default": True},
        refuse_inputs={"type": "bool"},
        by_role={"type": "bool", "default": False},
        make={"type": "bool", "default": False},
        ask={"type": "bool", "default": False},
        full={"type": "bool", "default": False},
        records={"type": "dict", "default": {}},
    )
    module.exit_json(changed=False, **answer(module.params))


def answer(params: Dict[str, Any]) -> Dict[str, Any]:
    """Return the platform, what is kept of roles that the host does not take, and the state of each section."""
    host, platform = Host(key=params["key"]), platforms.find(params["platform"])
    states = {}
    for name, inputs in params["inputs"].items():
        state = probe(name, load(name), host, platform, inputs)
        if name in ASK and params["ask"] and state["plan"]:
            run = Run(host, platform)
            load(name, ("ask",)).ask(run, state)
            state["notes"] += run.notes
        states[name] = shown(state, params["full"])
    kept = sorted(role for role, pattern in params["records"].items() if host.glob(pattern))
    return dict(states, platform=platforms.as_dict(platform), kept=kept)


if __name__ == "__main__":
    main()
