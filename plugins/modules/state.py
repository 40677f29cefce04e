#!/usr/bin/python
"""Probe a host: what it is like, and how that drifts from what is wanted, in one round trip."""

DOCUMENTATION = r"""
---
module: state
short_description: Compare a host with its wanted state
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Observes a host and compares it with the state that the roles of this collection want it to have.
  - Changes nothing, so check mode makes no difference.
options:
  want:
    description:
      - The wanted state, one mapping a section. Each role keeps its own in C(__<role>_want).
      - "Sections: V(docker_ce), V(docker_daemon), V(golang), V(images), V(registry), V(registry_client),
        V(singularity), V(user_groups)."
    type: dict
    required: true
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
"""

EXAMPLES = r"""
- name: Know the wanted state and check the inputs
  ansible.builtin.import_role:
    name: slipway.node.docker_ce
    tasks_from: preflight

- name: Compare the host with it
  slipway.node.state:
    want:
      docker_ce: "{{ __docker_ce_want }}"
  register: probe
"""

RETURN = r"""
observed:
  description: What was found, one mapping a section.
  type: dict
  returned: always
drift:
  description: What differs, in the order in which the roles mend it; empty on a converged host.
  type: list
  elements: dict
  returned: always
  contains:
    role:
      description: The role that owns the item.
      type: str
      sample: docker_ce
    phase:
      description: The phase of the role that mends it, which is the name of a file of tasks.
      type: str
      sample: install_packages
    item:
      description: What differs.
      type: str
      sample: docker-ce
    is:
      description: How it is.
      type: str
      sample: 20.10.24 installed
    want:
      description: How it should be.
      type: str
      sample: "26.1"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils import (
    docker_ce,
    docker_daemon,
    golang,
    images,
    registry,
    registry_client,
    singularity,
    user_groups,
)
from ansible_collections.slipway.node.plugins.module_utils.host import Host

SECTIONS = {
    "docker_ce": docker_ce,
    "docker_daemon": docker_daemon,
    "golang": golang,
    "images": images,
    "registry": registry,
    "registry_client": registry_client,
    "singularity": singularity,
    "user_groups": user_groups,
}


def main() -> None:
    module = AnsibleModule(argument_spec={"want": {"type": "dict", "required": True}}, supports_check_mode=True)
    wanted = module.params["want"]
    unknown = sorted(set(wanted) - set(SECTIONS))
    if unknown:
        module.fail_json(msg="no such section: %s; there are: %s" % (", ".join(unknown), ", ".join(sorted(SECTIONS))))
    host = Host(module.run_command)
    observed, drift = {}, []
    for name, section in SECTIONS.items():
        if name in wanted:
            observed[name] = section.observe(host, wanted[name])
            drift += section.compare(wanted[name], observed[name])
    module.exit_json(changed=False, observed=observed, drift=drift)


if __name__ == "__main__":
    main()
