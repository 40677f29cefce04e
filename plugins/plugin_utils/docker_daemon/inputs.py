"""Inputs of the role ``docker_daemon``: what a specification cannot say, and secrets, which become seals."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.unit import FLAGS, proxy_environment
from ansible_collections.slipway.node.plugins.module_utils.engine.versions import upstream
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import Site
from ansible_collections.slipway.node.plugins.plugin_utils.registry.endpoints import for_engine

REMOVAL_INPUTS = ("state", "restart", "restart_timeout", "backup")

_PROXY = re.compile(r"((https?|socks5)://\S+)?")
_USUAL_SOCKET = re.compile(r"fd://.*|unix://((/var)?/run/docker\.sock)?")
_URL_WITH_USER = re.compile(r'://[^/@\s"]+@')

PROBLEMS = {
    "mirrors": "docker_daemon_registry_mirrors has {}; give roots of domains without a path, a user or a password, as "
    "in https://mirror.example.org.",
    "insecure": "docker_daemon_insecure_registries has {}; give hosts such as registry.example.org:5000 and networks "
    "such as 10.0.0.0/8, without http:// or https:// and any user.",
    "root": "{} is {}; give an absolute path without a slash at its end, as in /data/docker.",
    "hosts": "docker_daemon_options has hosts without Docker's usual socket, where every client and role asks; add "
    'fd:// to them, as in hosts: ["fd://", "unix:///srv/docker.sock"].',
    "proxies": "docker_daemon_http_proxy and docker_daemon_https_proxy must be URLs such as "
    "http://proxy.example.org:3128, and docker_daemon_no_proxy hosts with commas between, without spaces.",
    "secrets": "docker_daemon_options or docker_daemon_log_opts holds a URL with a user, or the key proxies; set "
    "docker_daemon_http_proxy, _https_proxy and _no_proxy instead, which keep passwords out of every output and from "
    "every user of the host but root.",
    "flag": "docker_daemon_options has {}, a flag's name that has no effect in daemon.json; write {}.",
}


def prepare(inputs: dict[str, Any], site: Site) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs that the node needs, without the secrets, and what is wrong with them."""
    http, no_proxy = inputs["http_proxy"], inputs["no_proxy"]
    https = http if inputs["https_proxy"] is None else inputs["https_proxy"]
    plain, registries = for_engine(site)
    insecure = inputs["insecure_registries"]
    inputs = {**inputs, "insecure_registries": [*insecure, *(one for one in plain if one not in insecure)]}
    if http or https:
        # No proxy stands between a host and the registries of its own site.
        no_proxy = ",".join([no_proxy] * bool(no_proxy) + [one for one in registries if one not in no_proxy.split(",")])
    options, hosts = inputs["options"], inputs["options"].get("hosts")
    mirrors = [one for one in inputs["registry_mirrors"] if not re.fullmatch(r"https?://[^/@\s]+/?", one)]
    insecure = [one for one in inputs["insecure_registries"] if re.search("://|@", one)]
    has_secret = _URL_WITH_USER.search(json.dumps([options, inputs["log_opts"]])) or "proxies" in options
    # systemd's socket would listen there all the same, with nobody to answer.
    listed = hosts if isinstance(hosts, list) else [hosts]
    is_deaf = bool(hosts) and not any(_USUAL_SOCKET.fullmatch(str(one)) for one in listed)
    wrong = {"mirrors": _listed(mirrors), "insecure": _listed(insecure), "hosts": is_deaf, "secrets": has_secret}
    wrong["proxies"] = not (_PROXY.fullmatch(http) and _PROXY.fullmatch(https) and re.fullmatch(r"\S*", no_proxy))
    problems = [PROBLEMS[name].format(is_so) for name, is_so in wrong.items() if is_so]
    named = {"docker_daemon_data_root": inputs["data_root"]}
    named["data-root of docker_daemon_options"] = options.get("data-root")
    for name, root in named.items():
        if not re.fullmatch("(/[^/]+)*", str(root or "")):
            problems.append(PROBLEMS["root"].format(name, root))
    flags = sorted(set(options) & set(FLAGS))
    problems += [PROBLEMS["flag"].format(name, FLAGS[name]) for name in flags]
    # A token of digits alone is a number in YAML.
    log_opts = daemon_json.normalise({"log-opts": inputs["log_opts"]})["log-opts"]
    options = daemon_json.normalise(options)
    kept = {name: value for name, value in inputs.items() if not name.endswith("_proxy")}
    return {
        **kept,
        "log_opts": daemon_json.map_secrets(log_opts, site.seal),
        "options": daemon_json.map_secrets(options, site.seal),
        "engine_version": upstream(str(site.variable("docker_ce_version") or "")) if "docker_ce" in site.roles else "",
        "proxy": site.seal(proxy_environment(http, https, no_proxy)) if http or https else "",
    }, problems


def _listed(values: list[str]) -> str:
    return daemon_json.redact(", ".join(values))
