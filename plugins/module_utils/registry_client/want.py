"""The wanted state of ``registry_client``: which files hold the authority, and who is logged in where."""

import hashlib
from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import Platform, manager

# The system's store: our file in it, all authorities in one file, and the command that makes that.
STORES = {
    "apt": (
        "/usr/local/share/ca-certificates/slipway-registry.crt",
        "/etc/ssl/certs/ca-certificates.crt",
        "update-ca-certificates",
    ),
    "dnf": (
        "/etc/pki/ca-trust/source/anchors/slipway-registry.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "update-ca-trust",
    ),
}


def want(inputs: Dict[str, Any], platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: which files hold the authority, and who is logged in where. Pure."""
    anchor, bundle, renew = STORES[manager(platform)]
    absent, authority = inputs["state"] == "absent", inputs["authority"]
    digest = hashlib.sha256(authority.encode("utf-8")).hexdigest() if authority else ""
    system = absent or bool(inputs["system_trust"] and inputs["addresses"])
    paths = ["/etc/docker/certs.d/%s/ca.crt" % address for address in inputs["addresses"]] + [anchor] * system
    return {
        "state": inputs["state"],
        "files": dict((path, digest) for path in paths),
        "authority": authority,
        "anchor": anchor if system else "",
        "bundle": bundle if system else "",
        "renew": renew,
        "hostnames": inputs["hostnames"],
        # Hosts whose registries were refused in this run.
        "refused_hosts": inputs["refused_hosts"],
        "serves": inputs["serves"],
        "logins": inputs["logins"],
        "registries": inputs["registries"],
        "hosts": inputs["hosts"],
    }
