"""Registry mirrors, asked as dockerd asks them: through its proxies, with the authorities of ``certs.d``."""

import ipaddress
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict
from urllib.parse import urlsplit

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.web import ask_registry

CERTIFICATES = "/etc/docker/certs.d"


def ask(host: Host, config: Dict[str, Any], variables: Dict[str, str], timeout: float) -> Dict[str, str]:
    """Ask all registry mirrors of a configuration at once; return why each is dead, empty for one that lives.

    :param variables: the daemon's environment, of which the proxies count.
    """
    mirrors = config.get("registry-mirrors") or []
    insecure = config.get("insecure-registries") or []
    named = dict((name.lower(), value) for name, value in variables.items())
    proxies = dict((kind, named[kind + "_proxy"]) for kind in ("http", "https") if named.get(kind + "_proxy"))

    def one(mirror: str) -> str:
        place = urlsplit(mirror).netloc
        own = {} if is_direct(place, named.get("no_proxy", "")) else proxies
        if own.get(urlsplit(mirror).scheme, "").startswith("socks"):
            # This cannot be asked through; who is not asked counts as alive.
            return ""
        authorities = host.glob("%s/%s/*.crt" % (CERTIFICATES, place))
        return daemon_json.redact(ask_registry(mirror, own, authorities, place in insecure, timeout=timeout))

    with ThreadPoolExecutor(max_workers=max(1, len(mirrors))) as pool:
        return dict(zip(mirrors, pool.map(one, mirrors)))


def is_direct(place: str, no_proxy: str) -> bool:
    """Tell whether a host (with a port) is asked without a proxy, as Go has it: loopback, names, and networks."""
    name = urlsplit("//" + place).hostname or ""
    try:
        address = ipaddress.ip_address(name)
        networks = [ipaddress.ip_network(one.strip(), strict=False) for one in no_proxy.split(",") if "/" in one]
        if address.is_loopback or any(address in network for network in networks):
            return True
    except ValueError:
        if name == "localhost":
            return True
    bypass = getattr(urllib.request, "proxy_bypass_environment")  # noqa: B009 typeshed lacks its second argument
    return bool(bypass(place, {"no": no_proxy}))


def without_dead_mirrors(want: Dict[str, Any], config: Dict[str, Any], mirrors: Dict[str, str]) -> Dict[str, Any]:
    """Return the wanted keys, without dead mirrors where asked for. Where all are dead, it may be the network."""
    alive = [one for one in config.get("registry-mirrors", []) if not mirrors.get(one)]
    return dict(config, **{"registry-mirrors": alive}) if want["probe_mirrors"] == "skip" and alive else config
