"""What the role registry writes to hosts and shows to nobody, made on the controller when a task needs it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: registry_secrets
author: Slipway (@slipway)
short_description: Files, accounts and logins of registries, with their passwords
description:
  - For the tasks of the role registry, which show nothing of it.
  - Reads the same inputs as M(slipway.node.state), which tells hosts digests alone.
options:
  _terms:
    description:
      - V(files) for the files of a registry host, by path.
      - V(htpasswd) for the accounts of its registries.
      - V(logins) for a client's logins, by user.
    required: true
"""

EXAMPLES = r"""
- name: Write a file
  ansible.builtin.copy:
    dest: "{{ item }}"
    content: "{{ lookup('slipway.node.registry_secrets', 'files')[item].content }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: What was asked for.
  type: list
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.registry.files import files
from ansible_collections.slipway.node.plugins.plugin_utils.registry.inputs import with_defaults
from ansible_collections.slipway.node.plugins.plugin_utils.registry.secrets import htpasswd
from ansible_collections.slipway.node.plugins.plugin_utils.registry_client.inputs import logins


class LookupModule(LookupBase):
    """Read the inputs of the role, and return what they hold."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **_options: Any) -> list[Any]:
        """Return what each term names."""
        known: dict[str, Any] = variables or {}
        settings, problems = reader.of_role("", known, self._templar)
        inputs, wrong = reader.of_role("registry", known, self._templar)
        if problems + wrong:
            raise AnsibleError("\n".join(problems + wrong))
        site = reader.Site(
            known.get("inventory_hostname", ""), settings, known.get("groups", {}), hostvars=known.get("hostvars", {})
        )
        complete = with_defaults(inputs, site)
        made: dict[str, Callable[[], Any]] = {
            "files": lambda: files(complete, site),
            "htpasswd": lambda: htpasswd(complete),
            "logins": lambda: logins(inputs, site),
        }
        return [made[term]() for term in terms]
