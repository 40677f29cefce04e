"""Certificates of registries: what a client makes of one, and the names that it must have."""

import hashlib
import os
import re
import socket
import ssl
import stat
import time
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.web import tls_context

# Networks that Docker and its like make on a host: no client comes by them.
OWN_INTERFACES = re.compile(r"(lo|docker\d+|br-[0-9a-f]{12}|veth\w+|virbr\d+|cni\w*|podman\d+|flannel\S*|cali\w+)$")
DAY = 86400
# Python has a name for it from 3.10 on.
PARTIAL_CHAIN = 0x80000


def certificate(tls: Dict[str, Any]) -> Dict[str, Any]:
    """Return what a client that trusts the authority makes of certificate and key, tried without a network.

    The standard library reads a certificate only from a peer that it verified, so a handshake is made in memory.
    """
    result = {"error": "", "names": [], "days": 0, "mode": ""}  # type: Dict[str, Any]
    missing = [path for path in (tls["certificate"], tls["key"]) if not os.path.exists(path)]
    if missing or not (tls["system_trust"] or os.path.exists(tls["authority"])):
        result["error"] = "missing"
        return result
    if not tls["system_trust"]:
        with open(tls["authority"], "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != tls["authority_sha256"]:
                result["error"] = "of another authority"
                return result
    try:
        peer = _handshake(tls["certificate"], tls["key"], "" if tls["system_trust"] else tls["authority"])
    except (ssl.SSLError, OSError) as error:
        result["error"] = "not valid: %s" % (
            getattr(error, "verify_message", "") or getattr(error, "reason", "") or error
        )
        return result
    result["names"] = [value for kind, value in peer.get("subjectAltName", ())]
    result["days"] = int((ssl.cert_time_to_seconds(peer["notAfter"]) - time.time()) // DAY)
    result["mode"] = "%04o" % stat.S_IMODE(os.stat(tls["key"]).st_mode)
    return result


def _handshake(path: str, key: str, authority: str) -> Dict[str, Any]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Without a password OpenSSL would ask for one at the terminal.
    server.load_cert_chain(path, key, "")
    client = tls_context(authority or None)
    client.check_hostname = False
    # As Go, an authority that is trusted may be any in the chain.
    client.verify_flags |= PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [here, there]
    for _round in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
        if here not in waiting:
            return here.getpeercert() or {}
    raise OSError("the handshake does not end")


def first_certificate(path: str) -> bytes:
    try:
        with open(path) as file:
            found = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", file.read(), re.DOTALL)
    except OSError:
        return b""
    return ssl.PEM_cert_to_DER_cert(found.group(0)) if found else b""


def names(host: Host, want: Dict[str, Any]) -> List[str]:
    """Return the names and addresses that clients may use: the wanted ones and the host's own."""
    found = list(want["tls"]["names"]) + ["localhost", "127.0.0.1"]
    found += [host.run("hostname")[1].strip(), host.run("hostname", "--fqdn")[1].strip()]
    routes = "".join(host.run("ip", version, "-o", "route", "show", "default")[1] for version in ("-4", "-6"))
    outside = set(re.findall(r"\bdev (\S+)", routes))
    for line in host.run("ip", "-o", "addr", "show", "scope", "global")[1].splitlines():
        fields = line.split()
        if len(fields) < 4 or "temporary" in fields or OWN_INTERFACES.match(fields[1].split("@")[0]):
            continue
        # Others come and go, as those of a VPN; registry_certificate_names has what else clients use.
        if not outside or fields[1] in outside:
            found.append(canonical(fields[3].split("/")[0]))
    return sorted({canonical(name) for name in found if name})


def canonical(name: str) -> str:
    """Return a name as certificates have it: an address of version 6 in full capitals, as OpenSSL prints it."""
    try:
        packed = socket.inet_pton(socket.AF_INET6, name)
    except (OSError, ValueError):
        return name.lower()
    return ":".join("%X" % (packed[index] * 256 + packed[index + 1]) for index in range(0, 16, 2))
