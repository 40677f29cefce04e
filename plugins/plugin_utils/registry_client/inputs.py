"""Inputs of the section ``registry_client`` of the role ``registry``: what a client of the registries is to have."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.registry.endpoints import endpoints, unseen
from ansible_collections.slipway.node.plugins.plugin_utils.registry.inputs import filled
from ansible_collections.slipway.node.plugins.plugin_utils.registry.secrets import digest, secrets

# The authority tells our files from those of others.
REMOVAL_INPUTS = ("state", "client_hosts", "secrets_dir", "certificate", "certificate_authority")


def prepare(inputs: dict[str, Any], site: reader.Site) -> tuple[dict[str, Any], list[str]]:
    """Return what the host needs to know, without passwords, and what is wrong with the inputs."""
    inputs = filled(inputs, site)
    absent = inputs["state"] == "absent"
    reached, problems = endpoints(inputs["client_hosts"], site.hostvars, removed=absent)
    known = [account["name"] for account in inputs["accounts"]]
    strangers = sorted({login["account"] for login in inputs["client_logins"]} - set(known))
    if not absent:
        problems += unseen(site)
    if strangers and not absent:
        problems.append(
            f"registry_client_logins names accounts that registry_accounts has not: {', '.join(strangers)}. "
            "Set registry_accounts for the clients too, best in group_vars/all."
        )
    held = secrets(inputs)
    authority = held["authority"]
    made = {
        "state": inputs["state"],
        "addresses": [one["address"] for one in reached if one["tls"] and (authority or absent)],
        "system_trust": inputs["client_system_trust"],
        "authority_file": held["authority_file"],
        "authority_sha256": digest(authority) if authority else "",
        "logins": [
            {
                "user": login["user"],
                "account": login["account"],
                "address": one["address"],
                "tls": one["tls"],
                "fingerprint": held["fingerprints"].get(login["account"], ""),
            }
            for login in inputs["client_logins"]
            for one in reached
            if one["accounts"]
        ],
    }
    # What a client can try: each login, and the registries without one.
    with_login = {one["address"]: one["user"] for one in reversed(made["logins"])}
    made["registries"] = [
        {"address": one["address"], "tls": one["tls"], "user": with_login.get(one["address"])} for one in reached
    ]
    return made, problems


def logins(inputs: dict[str, Any], site: reader.Site) -> dict[str, list[dict[str, Any]]]:
    """Return each user's logins with their passwords."""
    passwords = secrets(filled(inputs, site))["passwords"]
    made: dict[str, list[dict[str, Any]]] = {}
    for login in prepare(inputs, site)[0]["logins"]:
        made.setdefault(login["user"], []).append({**login, "password": passwords[login["account"]]})
    return made
