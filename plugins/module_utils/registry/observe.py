"""What a host has of registries: files, containers, folders of images, certificate and accounts; no secrets."""

import errno
import fcntl
import json
import os
import stat
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, Host, docker, free_bytes
from ansible_collections.slipway.node.plugins.module_utils.registry.accounts import accounts
from ansible_collections.slipway.node.plugins.module_utils.registry.answers import answer, container_errors, upstream
from ansible_collections.slipway.node.plugins.module_utils.registry.certificate import certificate, names
from ansible_collections.slipway.node.plugins.module_utils.registry.plan import changes, differs, removals
from ansible_collections.slipway.node.plugins.module_utils.registry.ports import closed_ports, listening_program
from ansible_collections.slipway.node.plugins.module_utils.registry.storage import (
    data,
    emptied,
    unreachable,
    unwritable,
)
from ansible_collections.slipway.node.plugins.module_utils.registry.want import WRITTEN

LOCK = "/run/slipway-registry.lock"
# Where packages put the engine.
ENGINES = ("/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd")


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs, without secrets. Changes nothing."""
    containers, engine_unreachable = _containers(host, want["project"])
    observed = {
        "files": dict((path, _file(host, path, wanted["seal"])) for path, wanted in want["files"].items()),
        "folders": [folder for folder in host.glob(want["config_dir"] + "/*/") if _is_ours(host, folder)],
        "containers": containers,
        "engine_unreachable": engine_unreachable,
        "units": [path for path in want["unwanted_units"] if os.path.exists(path)],
        "maintenance": _locked(),
        "purge": [path for path in want["purge"] if os.path.exists(path)],
    }  # type: Dict[str, Any]
    if want["state"] == "absent":
        own = ("compose.yml", "instances.json", "tls")
        observed["own"] = host.glob(*("%s/%s" % (want["config_dir"], name) for name in own))
        observed["changes"] = removals(want, observed)
        return observed
    observed["image"] = _image(host, want["image"])
    services = want["services"]
    observed["data"] = dict((one["data"], data(one["data"])) for one in services if one["data"])
    observed["accounts"] = dict(
        (one["htpasswd"], accounts(_text(host, one["htpasswd"]), want["accounts"]))
        for one in services
        if one["htpasswd"]
    )
    observed["names"] = names(host, want) if want["tls"] else []
    observed["certificate"] = certificate(want["tls"]) if want["tls"] else {}
    up = [one for one in services if _is_up(containers.get(one["container"]))]
    observed["answers"] = dict((one["service"], answer(one)) for one in up)
    observed["unwritable"] = unwritable(host, up, observed["data"])
    observed["blocked"] = _blocked(host, want, containers)
    observed["timer"] = host.run("systemctl", "is-active", want["timer"])[1].strip() if want["timer"] else ""
    observed["closed_ports"] = closed_ports(host, want["open_ports"])
    observed["emptied"] = emptied(host, want, observed["data"])
    observed["bad_schedule"] = _bad_schedule(host, want, observed)
    observed["ip_forward"] = (host.read("/proc/sys/net/ipv4/ip_forward") or "1").strip() != "0"
    observed["upstreams"] = dict((one["service"], upstream(host, want, one)) for one in services if one["upstream"])
    observed["container_errors"] = container_errors(host, want, observed)
    observed["changes"] = changes(want, observed)
    return observed


def _containers(host: Host, project: str) -> Tuple[Dict[str, Any], bool]:
    """Return the containers of the compose project by name, and whether there is an engine that does not answer."""
    chosen = "label=com.docker.compose.project=%s" % project
    rc, out = docker(host, SOCKET, "ps", "--all", "--quiet", "--filter", chosen)
    if rc != 0 or not out.split():
        return {}, rc != 0 and bool(host.glob(*ENGINES))
    _rc, out = docker(host, SOCKET, "inspect", *out.split())
    found = {}
    for one in json.loads(out or "[]"):
        # `docker compose run` makes containers of the project that come and go.
        if one["Config"]["Labels"].get("com.docker.compose.oneoff") == "True":
            continue
        found[one["Name"].lstrip("/")] = {
            "status": one["State"]["Status"],
            "image": one["Image"],
            "digest": one["Config"]["Labels"].get("slipway.digest", ""),
            "ports": [
                place["HostPort"]
                for places in (one["HostConfig"].get("PortBindings") or {}).values()
                for place in places or []
            ],
            "read_only": any(
                word.startswith("REGISTRY_STORAGE_MAINTENANCE_READONLY=") for word in one["Config"].get("Env") or []
            ),
        }
    return found, False


def _is_up(container: Optional[Dict[str, Any]]) -> bool:
    return container is not None and container["status"] == "running"


def _image(host: Host, name: str) -> str:
    rc, out = docker(host, SOCKET, "image", "inspect", "--format", "{{.Id}}", name)
    return out.strip() if rc == 0 else ""


def _locked() -> bool:
    """Tell whether garbage is being collected or a copy being made."""
    try:
        with open(LOCK) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (IOError, OSError) as error:
        return error.errno in (errno.EAGAIN, errno.EACCES)
    return False


def _blocked(host: Host, want: Dict[str, Any], containers: Dict[str, Any]) -> List[str]:
    """Return why registries cannot be started, or started anew at other ports, each with the remedy."""
    refused = []
    published = {port for one in containers.values() if _is_up(one) for port in one["ports"]}
    for one in want["services"]:
        for address, port in one["ports"]:
            user = "" if str(port) in published else listening_program(host, address, port)
            if user:
                refused.append(
                    "Port %d, wanted for %s, is taken by %s. Stop that, or set another port in registry_instances."
                    % (port, one["service"], user)
                )
        if _is_up(containers.get(one["container"])):
            continue
        free = free_bytes(one["data"]) if one["data"] else None
        if free is not None and free < want["minimum_free"]:
            refused.append(
                "%s, where %s keeps its images, has %d GiB free; registry_minimum_free is %d. Free some, choose "
                "another storage path, or lower registry_minimum_free."
                % (one["data"], one["service"], free // 2**30, want["minimum_free"] // 2**30)
            )
        problem = unreachable(one["endpoint"]) if one["endpoint"] else ""
        if problem:
            refused.append(
                "%s, the object store of %s, cannot be reached from this host: %s. Check regionendpoint, name service, "
                "routes and firewalls." % (one["endpoint"], one["service"], problem)
            )
    return refused


def _bad_schedule(host: Host, want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what systemd says of a schedule that it does not take; one that is written already it took."""
    unit = "/etc/systemd/system/%s" % want["timer"]
    if not want["schedule"] or not differs(observed, unit):
        return []
    if host.run("systemd-analyze", "calendar", want["schedule"])[0] == 0:
        return []
    return [
        'registry_collect_schedule is "%s", which systemd does not take; give it as systemd.time(7) has it, for '
        'example "Sun 03:30" for every Sunday.' % want["schedule"]
    ]


def _is_ours(host: Host, folder: str) -> bool:
    """Tell whether a folder of configuration was made by this role."""
    return (host.read(folder + "config.yml") or "").startswith(WRITTEN)


def _file(host: Host, path: str, seal: str = "") -> Optional[Dict[str, Any]]:
    content = host.read(path)
    if content is None:
        return None
    status = os.stat(path)
    return {
        "same": host.is_sealed(seal, content),
        "mode": "%04o" % stat.S_IMODE(status.st_mode),
        "owner": "%d:%d" % (status.st_uid, status.st_gid),
    }


def _text(host: Host, path: str) -> Tuple[Optional[str], str]:
    found = _file(host, path)
    return (host.read(path), found["mode"]) if found else (None, "")
