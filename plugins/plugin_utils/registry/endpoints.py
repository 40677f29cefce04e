"""Registries as other hosts see them: where they are reached, and which inputs those hosts do not see."""

from __future__ import annotations

import functools
import json
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.registry.instances import (
    complete_instances,
    endpoint,
    is_local,
    services,
)

# What clients need to know of another host's registries.
CLIENT_INPUTS = ("state", "instances", "hostname", "tls", "anonymous_pull", "data_dir")


def endpoints(hosts: list[str], hostvars: Any, *, removed: bool = False) -> tuple[list[dict[str, Any]], list[str]]:
    """Return where the registries of some hosts are reached, and what is wrong with those hosts' inputs.

    :param removed: also those of hosts that are to have none any more, or do not take the role.
    """
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    for host in hosts:
        if host not in hostvars:
            problems.append(
                f"registry_client_hosts has {host}, which is not in the inventory; give hosts of the inventory."
            )
            continue
        inputs, wrong = reader.read(*_client_inputs(), hostvars[host], _resolved, "registry_", host)
        # The same wrong input of several hosts is told once, and without the host it reads as the host's own.
        problems += [problem for problem in wrong if problem not in problems]
        if wrong:
            continue
        if not removed and (inputs["state"] == "absent" or not reader.takes("registry", inputs["slipway_roles"])):
            continue
        # A name has no capitals where an engine looks for it.
        name = (inputs["hostname"] or host).lower()
        found += [
            {
                "address": f"{name}:{one['port']}",
                "host": host,
                "mode": "pull" if one["reader"] else one["mode"],
                "tls": one["tls"],
                "accounts": one["accounts"],
                "upstream": one["upstream_registry"] if one["mode"] == "cache" else "",
                # To which clients are sent for layers.
                "redirects_to": "" if (one["config"].get("storage") or {}).get("redirect") else endpoint(one),
            }
            for one in services(complete_instances(inputs))
            if not is_local(one)
        ]
    return found, problems


def names_of(address: str) -> list[str]:
    """Return how an image's name may begin for a registry: at port 443 the port may be left out."""
    return [address, *([address[:-4]] if address.endswith(":443") else [])]


def for_engine(site: reader.Site) -> tuple[list[str], list[str]]:
    """Return the registries of the inventory for a host's engine: those over plain HTTP, and the names of all."""
    hosts = site.groups.get("registry_hosts", []) if "registry" in site.roles else []
    found = endpoints(hosts, site.hostvars)[0]
    plain = [name for one in found if not one["tls"] for name in names_of(one["address"])]
    return plain, list(dict.fromkeys(one["address"].rpartition(":")[0] for one in found))


def play_only_problems(site: reader.Site) -> list[str]:
    """Return a problem for each input that a play sets, so that the registries' clients on other hosts see another."""
    problems = []
    options, defaults = _client_inputs()
    for name in options:
        # The role's defaults, which its tasks have among their variables, are known to clients too.
        default = defaults.get(name)
        try:
            shown = _resolved(site.hostvars[site.host].get(name, default)) if site.host in site.hostvars else default
        except AnsibleError:
            continue
        own = site.variable(name)
        # Of the roles it matters alone whether this one is taken.
        alike = name == "slipway_roles" and reader.takes("registry", own) == reader.takes("registry", shown)
        if own not in (None, shown) and not alike:
            problems.append(
                f"{name} is set by a play or as a role's parameter, which clients on other hosts do not see; set it in "
                "the inventory, best in group_vars/all."
            )
    return problems


def instances_elsewhere(site: reader.Site) -> list[dict[str, Any]]:
    """Return the instances of other registry hosts, of those whose inputs can be read."""
    found = []
    for host in [one for one in site.groups.get("registry_hosts", []) if one != site.host]:
        inputs, wrong = reader.read(*_client_inputs(), site.hostvars[host], _resolved, "registry_", host)
        if not wrong and inputs["state"] == "present" and reader.takes("registry", inputs["slipway_roles"]):
            found += [{**one, "name": f"{one['name']} of {host}"} for one in complete_instances(inputs)]
    return found


@functools.cache
def _client_inputs() -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    options = {f"registry_{name}": reader.specification("registry")[f"registry_{name}"] for name in CLIENT_INPUTS}
    return {**options, "slipway_roles": reader.specification()["slipway_roles"]}, reader.defaults("registry")


def _resolved(value: Any) -> Any:
    # Before ansible-core 2.19 another host's template is left as it is where it cannot be resolved.
    if "{{" in json.dumps(value, default=str):
        raise AnsibleError("it needs what is not defined")
    return value
