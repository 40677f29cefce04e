"""Skopeo's settings and commands: mirrors, registries over plain HTTP, logins."""

import ipaddress
import os
import re
import socket
from typing import Any, Dict, Iterable, List

from ansible_collections.slipway.node.plugins.module_utils.images.reference import HUB, parse_registry

_REGISTRIES_HEADER = "# Written by Slipway, role images: changes here are lost.\n"
TIMEOUT = 30


def plain_http_registries(insecure: List[str], places: Iterable[str]) -> List[str]:
    """Return the registries over plain HTTP: those that are listed, and of ``places`` those of the networks listed."""
    plain = {parse_registry(name) for name in insecure if not network(name)}
    networks = [network(name) for name in insecure if network(name)]
    for place in set(places) - {HUB} if networks else ():
        if any(address in one for address in _addresses(place) for one in networks):
            plain.add(place)
    return sorted(plain)


def registries(mirrors: Dict[str, List[str]], plain: List[str]) -> str:
    """Return skopeo's registries.conf: mirrors by registry, and registries over plain HTTP. It knows no networks."""
    by_registry = dict((parse_registry(name), places) for name, places in mirrors.items() if places)
    tables = []
    for registry in sorted(set(by_registry) | set(plain)):
        lines = ["[[registry]]"] + _location(registry, registry in plain)
        for mirror in by_registry.get(registry, []):
            insecurely = mirror.startswith("http://") or mirror_host(mirror) in plain
            lines += ["[[registry.mirror]]"] + _location(mirror_host(mirror), insecurely)
        tables.append("\n".join(lines) + "\n")
    return _REGISTRIES_HEADER + "\n".join(tables)


def network(text: str) -> Any:
    """Return a network such as ``10.0.0.0/8``, or ``None`` for what is none."""
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _addresses(registry: str) -> List[Any]:
    """Return the addresses of a registry as this host resolves its name, as dockerd does; none where it does not."""
    try:
        found = socket.getaddrinfo(re.sub(r":[0-9]+$", "", registry).strip("[]"), None)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]


def mirror_host(mirror: str) -> str:
    return re.sub(r"^https?://", "", mirror).rstrip("/")


def _location(place: str, plain: bool) -> List[str]:
    return ['location = "%s"' % place, "insecure = %s" % str(plain).lower()]


def skopeo(want: Dict[str, Any]) -> List[str]:
    """Return skopeo's command with the role's registries; a registry that never answers ends it."""
    command = ["skopeo", "--command-timeout=%ds" % TIMEOUT]
    return command + (["--registries-conf", want["registries"]] if os.path.exists(want["registries"]) else [])


def authfile(want: Dict[str, Any]) -> List[str]:
    """Return the argument that names the file of logins; skopeo refuses one that does not exist."""
    return ["--authfile", want["authfile"]] if os.path.exists(want["authfile"]) else []


def copy_command(want: Dict[str, Any], version: str, keep: bool) -> List[str]:
    """Return skopeo's command to copy an image whole, but for source and target.

    :param version: what ``skopeo --version`` says.
    :param keep: digests must stay; skopeo before 1.5 cannot promise that, and then the proof tells.
    """
    numbers = [int(number) for number in re.findall("[0-9]+", version)[:2]]
    conf = ["--registries-conf", want["registries"]] if os.path.exists(want["registries"]) else []
    return (
        ["skopeo"]
        + conf
        + ["copy", "--all", "--quiet", "--retry-times", "2"]
        + (["--preserve-digests"] if keep and numbers >= [1, 5] else [])
        + authfile(want)
    )
