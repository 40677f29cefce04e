"""Inputs of the section ``registry_client`` of the role ``registry``: what a client of the registries is to have."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.registry.endpoints import (
    endpoints,
    names_of,
    play_only_problems,
)
from ansible_collections.slipway.node.plugins.plugin_utils.registry.inputs import with_defaults
from ansible_collections.slipway.node.plugins.plugin_utils.registry.secrets import number_problems, secrets

# The authority tells our files from those of others.
REMOVAL_INPUTS = ("state", "client_hosts", "secrets_dir", "certificate", "certificate_authority")


def prepare(inputs: dict[str, Any], site: reader.Site) -> tuple[dict[str, Any], list[str]]:
    """Return what the host needs to know, without passwords, and what is wrong with the inputs."""
    inputs = with_defaults(inputs, site)
    absent = inputs["state"] == "absent"
    registries, problems = endpoints(inputs["client_hosts"], site.hostvars, removed=absent)
    account_names = [account["name"] for account in inputs["accounts"]]
    unknown_accounts = sorted({login["account"] for login in inputs["client_logins"]} - set(account_names))
    if not absent:
        problems += number_problems(site) + play_only_problems(site)
    if unknown_accounts and not absent:
        problems.append(
            f"registry_client_logins names accounts that registry_accounts has not: {', '.join(unknown_accounts)}. "
            "Set registry_accounts for the clients too, best in group_vars/all."
        )
    credentials = secrets(inputs)
    authority = credentials["authority"]
    made = {
        "state": inputs["state"],
        "hosts": inputs["client_hosts"],
        "addresses": [
            name for one in registries if one["tls"] and (authority or absent) for name in names_of(one["address"])
        ],
        "refused_hosts": [host for host in inputs["client_hosts"] if _is_refused(host, site)],
        "serves": site.host in site.groups.get("registry_hosts", []),
        "hostnames": sorted({one["address"].rpartition(":")[0] for one in registries}),
        "system_trust": inputs["client_system_trust"],
        "authority": authority,
        "logins": [
            {
                "user": login["user"],
                "account": login["account"],
                "address": address,
                "tls": one["tls"],
                "fingerprint": credentials["fingerprints"].get(login["account"], ""),
            }
            for login in inputs["client_logins"]
            for one in registries
            if one["accounts"]
            for address in names_of(one["address"])
        ],
    }
    # What a client can try: each login, and the registries without one.
    with_login = {one["address"]: one["user"] for one in reversed(made["logins"])}
    made["registries"] = [
        {
            **{key: one[key] for key in ("address", "tls", "mode", "redirects_to")},
            "user": with_login.get(one["address"]),
        }
        for one in registries
    ]
    return made, problems


def _is_refused(host: str, site: reader.Site) -> bool:
    """Tell whether this run may not touch a host's registries: another authority is not for their clients then."""
    found = site.variable("slipway_state", host)
    if not isinstance(found, dict):
        return False
    told = found.get("registry")
    return bool(found.get("failed") or (told if isinstance(told, dict) else {}).get("refused"))


def secrets_for_acting(inputs: dict[str, Any], site: reader.Site) -> dict[str, Any]:
    """Return the passwords of the accounts by which users log in."""
    if inputs["state"] == "absent":
        return {}
    passwords = secrets(with_defaults(inputs, site))["passwords"]
    return {"registry_passwords": {one["account"]: passwords[one["account"]] for one in inputs["client_logins"]}}
