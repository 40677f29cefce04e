"""What registries and the upstreams of caches answer, as to a client, and what a registry that fails says."""

import ctypes
import http.client
import os
import re
import select
import signal
import ssl
import time
from typing import Any, Dict, List

from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.web import ask_registry
from ansible_collections.slipway.node.plugins.module_utils.registry.certificate import first_certificate

TIMEOUT = 10
# What a registry says goes to either output, and this is worth showing.
MERGED_OUTPUT = ("sh", "-c", 'exec "$@" 2>&1', "sh")
# Of Linux.
CLONE_NEWNS, CLONE_NEWNET, MS_BIND, MS_PRIVATE = 0x20000, 0x40000000, 0x1000, 0x44000
ERROR_LINE = re.compile("level=(error|fatal)|panic|onfigur")


def answer(one: Dict[str, Any]) -> Any:
    """Ask a registry for /v2/ without an account; return the HTTP status, or why there is none."""
    address = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(one["address"], one["address"])
    try:
        if one["tls"]:
            # The folder's certificate was judged by itself; here it matters that this is the one that is served.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(address, one["port"], timeout=TIMEOUT, context=context)  # type: http.client.HTTPConnection
        else:
            connection = http.client.HTTPConnection(address, one["port"], timeout=TIMEOUT)
        connection.connect()
        if one["tls"] and first_certificate(one["certificate"]) != connection.sock.getpeercert(True):  # type: ignore
            return "another certificate"
        connection.request("GET", "/v2/")
        response = connection.getresponse()
        status = response.status
        registry = response.getheader("Docker-Distribution-Api-Version", "")
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return "does not answer: %s" % (getattr(error, "strerror", "") or error)
    # One that is ill says 503 and not what it is.
    return status if registry.startswith("registry/2") or status == 503 else "something that is no registry answers"


def upstreams(host: Host, want: Dict[str, Any], containers: Dict[str, Any]) -> Dict[str, str]:
    """Ask the upstreams of caches, all at once, from where the caches run; return why each does not answer."""
    asked = {}  # type: Dict[str, Any]
    for one in [one for one in want["services"] if one["upstream"]]:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            # It says it all by its pipe, and must not go on with what is its parent's.
            try:
                inside(containers.get(one["container"], {}).get("pid", 0))
                os.write(writing, upstream(host, want, one).encode("utf-8", "replace"))
            finally:
                os._exit(0)
        os.close(writing)
        asked[one["service"]] = (child, reading, one["upstream"])
    found, end = {}, time.monotonic() + TIMEOUT + 2
    for name, (child, reading, url) in asked.items():
        ready = select.select([reading], [], [], max(0, end - time.monotonic()))[0]
        said = os.read(reading, 4096) if ready else b"%s: no answer within %d s" % (to_bytes(url), TIMEOUT)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        found[name] = to_text(said, errors="replace")
    return found


def inside(pid: int) -> None:
    """Have this process use the network and the name service of a container; without one, the host's."""
    if not pid:
        return
    libc = ctypes.CDLL(None)
    # Mounts of its own, which the host does not see.
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_PRIVATE, None):
        return
    names = ((b"/proc/%d/root/etc/resolv.conf" % pid, b"/etc/resolv.conf"), (b"/dev/null", b"/etc/nsswitch.conf"))
    for source, place in names:
        libc.mount(source, os.path.realpath(place), None, MS_BIND, None)
    with open("/proc/%d/ns/net" % pid) as network:
        libc.setns(network.fileno(), CLONE_NEWNET)


def upstream(host: Host, want: Dict[str, Any], one: Dict[str, Any]) -> str:
    """Ask a cache's upstream as the cache does, with its account; return why that fails, empty where it does not."""
    folder = "%s/%s" % (want["config_dir"], one["service"])
    pairs = [line.partition("=") for line in (host.read(folder + "/environment") or "").splitlines()]
    proxies = dict((name.partition("_")[0].lower(), value) for name, _, value in pairs)
    authority, auth = folder + "/upstream.crt", (host.read(folder + "/upstream-login") or "").strip()
    authorities = [authority] if os.path.exists(authority) else []
    why = ask_registry(one["upstream"], proxies, authorities, auth=auth, timeout=TIMEOUT)
    return "%s: %s" % (one["upstream"], why) if why else ""


def container_errors(host: Host, want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, List[str]]:
    """Return the last words, since their last start, of containers that do not answer as they should."""
    found = {}
    for one in want["services"]:
        container = observed["containers"].get(one["container"])
        if container and observed["answers"].get(one["service"]) != one["answer"]:
            since = ("logs", "--tail", "50", "--since", container["started"])
            out = host.run(*MERGED_OUTPUT, *docker_command(*since, one["container"]))[1]
            found[one["container"]] = [line[:300] for line in out.splitlines() if ERROR_LINE.search(line)][-3:]
    return found
