"""Filters by which an inventory names the registries of its hosts to the engines of others."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.node.plugins.plugin_utils.registry.endpoints import endpoints


def registry_mirrors(hosts: list[str], hostvars: Any) -> list[str]:
    """Return the caches of Docker Hub on some hosts, as docker_daemon_registry_mirrors takes them.

    An engine asks its mirrors for every image of Docker Hub, so a cache of another registry is none.
    """
    return [
        f"{'https' if one['tls'] else 'http'}://{one['address']}"
        for one in endpoints(hosts, hostvars)[0]
        if one["upstream"] == "docker.io" and not one["accounts"]
    ]


def registry_insecure(hosts: list[str], hostvars: Any) -> list[str]:
    """Return the registries over plain HTTP on some hosts, as docker_daemon_insecure_registries takes them."""
    return [one["address"] for one in endpoints(hosts, hostvars)[0] if not one["tls"]]


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {one.__name__: one for one in (registry_mirrors, registry_insecure)}
