"""Ports of registries: who listens on them, and whether the firewall lets them through."""

import errno
import re
import socket
from typing import List, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host

# Instead of a program.
NO_ADDRESS = "no address"


def listening_program(host: Host, address: str, port: int) -> str:
    """Return who listens on a port, empty where nobody does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port))
            return ""
        except socket.error as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return NO_ADDRESS
    out = host.run("ss", "-Hltnp", "sport = :%d" % port)[1]
    found = re.search(r'users:\(\("([^"]+)",pid=(\d+)', out)
    return "%s (pid %s)" % found.groups() if found else "another program"


def closed_ports(host: Host, ports: List[int]) -> Tuple[str, List[str]]:
    """Return the firewall that is active, and the ports that it does not let through."""
    if not ports:
        return "", []
    if host.glob("/usr/bin/firewall-cmd") and host.run("firewall-cmd", "--state")[0] == 0:
        firewall, listed = "firewalld", host.run("firewall-cmd", "--list-ports")[1].split()
    elif host.glob("/usr/sbin/ufw"):
        out = host.run("ufw", "status")[1]
        if not out.startswith("Status: active"):
            return "", []
        firewall, listed = "ufw", [line.split()[0] for line in out.splitlines() if "ALLOW" in line]
    else:
        return "", []
    return firewall, ["%d/tcp" % port for port in ports if not any(_is_in(port, one) for one in listed)]


def _is_in(port: int, listed: str) -> bool:
    """Tell whether a port is one that a firewall lists, or in a range: ``5000-5010/tcp``, ufw's with a colon."""
    found = re.match(r"(\d+)(?:[-:](\d+))?(/tcp)?$", listed)
    return found is not None and int(found.group(1)) <= port <= int(found.group(2) or found.group(1))
