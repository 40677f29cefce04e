"""Whether the network of a bridge (``bip``) takes one that the host is on, has a route to, or is connected with."""

import ipaddress
import re
import socket
import struct

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host


def overlap(host: Host, address: str) -> str:
    """Return what of this host's network a bridge would take, docker0's own aside; empty where that is nothing.

    Networks of default-address-pools are not looked at: Docker takes none of them that overlaps with a route.

    :param address: of the bridge, with its prefix length. IPv4 alone: a link's IPv6 network is nobody's choice.
    """
    try:
        bridge = ipaddress.IPv4Interface(address).network
    except ValueError:  # dockerd says what is wrong with it.
        return ""
    for line in (host.read("/proc/net/route") or "").splitlines()[1:]:
        link, target, gateway, _flags, _count, _use, _metric, mask = line.split()[:8]
        network = ipaddress.IPv4Network((_ipv4(target), _ipv4(mask)))
        if not network.prefixlen or link in ("docker0", "*") or not network.overlaps(bridge):
            continue
        if gateway == "00000000":
            return "the host's own network %s (%s)" % (network, link)
        # A narrow bridge within a company's wide network is usual.
        if bridge.prefixlen <= network.prefixlen:
            return "the network %s behind %s" % (network, _ipv4(gateway))
    mapped = "(?:0{16}(?:FFFF0000|0000FFFF))?"
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        # Connections that are established, IPv4's in IPv6 too.
        ends = re.findall(r"(?m)^ *\d+: %s(\w{8}):\w+ %s(\w{8}):\w+ 01 " % (mapped, mapped), host.read(path) or "")
        for local, peer in [[ipaddress.IPv4Address(_ipv4(one)) for one in pair] for pair in ends]:
            if peer in bridge and local not in bridge:
                return "its connection with %s" % peer
    return ""


def _ipv4(number: str) -> str:
    """Return an address that the kernel writes as a number of the machine's own byte order."""
    return socket.inet_ntoa(struct.pack("=I", int(number, 16)))
