#!/usr/bin/python
"""Use registries as a client does."""

DOCUMENTATION = r"""
---
module: registry_try
short_description: Use registries as a client of them does
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Asks each registry for an answer, with the authorities that Docker believes on this host.
  - Where a user is logged in, begins to push with that login and goes no further. The registry clears that away by
    itself, a week later by default.
  - Changes nothing on the host.
options:
  registries:
    description:
      - The registries, each with its C(address), which is host and port, whether it speaks C(tls), and the
        C(user) of this host whose login is tried; without one the registry is only asked. Where it has a C(mode),
        the engine pulls an image that is not there, and C(redirects_to) is to be reached.
    type: list
    elements: dict
    required: true
attributes:
  check_mode:
    description: Does the same.
    support: full
"""

EXAMPLES = r"""
- name: Begin to push as root
  slipway.node.registry_try:
    registries: [{address: "registry.example.org:5000", tls: true, user: root}]
"""

RETURN = r"""
addresses:
  description: The registries that answered.
  type: list
  elements: str
  returned: success
"""

import glob
import json
import os
import re
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, NoAnswer, run_limited
from ansible_collections.slipway.node.plugins.module_utils.engine.web import ask_registry
from ansible_collections.slipway.node.plugins.module_utils.registry.storage import unreachable
from ansible_collections.slipway.node.plugins.module_utils.registry_client.observe import config_path

CERTIFICATES = "/etc/docker/certs.d"
# An upload that is begun makes no image. It is not cancelled, which leaves a file that nothing clears away (2.8).
REPOSITORY = "slipway/verify"


def auth_of_user(user: str, address: str) -> str:
    """Return the login of a user as Docker's configuration has it, empty where there is none."""
    try:
        with open(config_path(user)) as file:
            return str(json.load(file).get("auths", {}).get(address, {}).get("auth", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def refusal(one: Dict[str, Any]) -> str:
    """Use a registry; return why that fails, empty where it does not."""
    base = "%s://%s" % ("https" if one["tls"] else "http", one["address"])
    auth = auth_of_user(one["user"], one["address"]) if one["user"] else ""
    if one["user"] and not auth:
        return "%s is not logged in there" % one["user"]
    authorities = glob.glob("%s/%s/*.crt" % (CERTIFICATES, glob.escape(one["address"])))
    # A proxy has no business between a node and its own registry.
    why = ask_registry(base, {}, authorities, auth=auth, upload=REPOSITORY if auth else "")
    if not why and one.get("redirects_to"):
        why = unreachable(one["redirects_to"])
        why = why and "%s, to which it sends clients for layers, cannot be reached: %s; %s" % (
            one["redirects_to"],
            why,
            "set config: {storage: {redirect: {disable: true}}} for that instance",
        )
    return why or engine_refusal(one)


def engine_refusal(one: Dict[str, Any]) -> str:
    """Have the engine pull an image that is not there; return why the registry does not tell it so."""
    # A cache would ask its upstream for it, and only a login sees what a store has.
    if one.get("mode") not in ("store", "pull") or (one["mode"] == "store" and not one["user"]):
        return ""
    folder = os.path.dirname(config_path(one["user"] or "root"))
    name = "%s/%s:none" % (one["address"], REPOSITORY)
    try:
        _code, _out, err = run_limited(["docker", "--config", folder, "--host", SOCKET, "pull", name], {"LC_ALL": "C"})
    except NoAnswer as error:
        # Without Docker nobody pulls by it.
        return "" if "is missing" in str(error) else str(error)
    if re.search("manifest unknown|not found|name unknown|Cannot connect to the Docker daemon", err):
        return ""
    return "docker pull: %s" % err.strip().split("\n")[-1]


def main() -> None:
    module = AnsibleModule(
        argument_spec={"registries": {"type": "list", "elements": "dict", "required": True}}, supports_check_mode=True
    )
    reasons = []
    for one in module.params["registries"]:
        why = refusal(one)
        if why:
            what = "%s cannot push to %s" % (one["user"], one["address"]) if one["user"] else one["address"]
            reasons.append("%s: %s." % (what, why))
    if reasons:
        module.fail_json(
            msg="Registries do not serve this host:\n  %s\nplan.yml says what differs here and on their hosts, and "
            "site.yml mends it; `docker logs` on their hosts has their own words." % "\n  ".join(reasons)
        )
    module.exit_json(changed=False, addresses=[one["address"] for one in module.params["registries"]])


if __name__ == "__main__":
    main()
