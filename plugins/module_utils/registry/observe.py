"""What a host has of registries: files, containers, folders of images, certificate and accounts; no secrets."""

import json
import os
import stat
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine import lock
from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, Host, docker
from ansible_collections.slipway.node.plugins.module_utils.registry.accounts import accounts
from ansible_collections.slipway.node.plugins.module_utils.registry.answers import answer, container_errors, upstreams
from ansible_collections.slipway.node.plugins.module_utils.registry.certificate import certificate, names
from ansible_collections.slipway.node.plugins.module_utils.registry.plan import is_up
from ansible_collections.slipway.node.plugins.module_utils.registry.ports import closed_ports, listening_program
from ansible_collections.slipway.node.plugins.module_utils.registry.storage import (
    data,
    former_data,
    unreachable,
    unwritable,
)
from ansible_collections.slipway.node.plugins.module_utils.registry.want import UNREAD, WRITTEN

# What holds the host's lock while it collects garbage, copies or restores.
PROGRAM = "slipway-registry"
# Where packages put the engine.
ENGINES = ("/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd")


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`plan` needs, without secrets. Changes nothing."""
    containers, tools, engine_unreachable = _containers(host, want["project"])
    observed = {
        "files": dict((path, _file(host, path, wanted["seal"])) for path, wanted in want["files"].items()),
        "folders": [folder for folder in host.glob(want["config_dir"] + "/*/") if _is_ours(host, folder)]
        # Of a removal that broke off.
        + host.glob(want["config_dir"] + "/.gone-*/"),
        "containers": containers,
        "engine_unreachable": engine_unreachable,
        "units": [path for path in want["unwanted_units"] if os.path.exists(path)],
        "maintenance": lock.is_held_by(PROGRAM),
        "tools": tools,
        "purge": [path for path in want["purge"] if os.path.exists(path)],
    }  # type: Dict[str, Any]
    if want["state"] == "absent":
        own = ("compose.yml", "instances.json", "tls")
        observed["own"] = host.glob(*("%s/%s" % (want["config_dir"], name) for name in own))
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
    up = [one for one in services if is_up(containers.get(one["container"]))]
    observed["answers"] = dict((one["service"], answer(one)) for one in up)
    observed["unwritable"] = unwritable(host, up, observed["data"])
    observed["taken"] = _taken(host, services, containers)
    observed["unreachable"] = dict(
        (one["service"], unreachable(one["endpoint"])) for one in services if one["endpoint"] and one not in up
    )
    observed["unread"] = [
        one["service"] for one in services if os.path.exists(os.path.join(want["config_dir"], one["service"], UNREAD))
    ]
    observed["timer"] = host.run("systemctl", "is-active", want["timer"])[1].strip() if want["timer"] else ""
    observed["at_boot"] = host.run("systemctl", "is-enabled", want["at_boot"])[1].strip()
    observed["firewall"], observed["closed_ports"] = closed_ports(host, want["open_ports"])
    observed["former_data"] = former_data(host, want)
    schedule = want["schedule"]
    observed["schedule_accepted"] = bool(schedule) and host.run("systemd-analyze", "calendar", schedule)[0] == 0
    observed["ip_forward"] = (host.read("/proc/sys/net/ipv4/ip_forward") or "1").strip() != "0"
    observed["upstreams"] = upstreams(host, want, containers)
    observed["container_errors"] = container_errors(host, want, observed)
    return observed


def _containers(host: Host, project: str) -> Tuple[Dict[str, Any], List[str], bool]:
    """Return the containers of the compose project by name, those of `docker compose run`, and whether there is an
    engine that does not answer."""
    chosen = "label=com.docker.compose.project=%s" % project
    rc, out = docker(host, SOCKET, "ps", "--all", "--quiet", "--filter", chosen)
    if rc != 0 or not out.split():
        return {}, [], rc != 0 and bool(host.glob(*ENGINES))
    _rc, out = docker(host, SOCKET, "inspect", *out.split())
    found, tools = {}, []
    for one in json.loads(out or "[]"):
        if one["Config"]["Labels"].get("com.docker.compose.oneoff") == "True":
            tools.append(one["Name"].lstrip("/"))
            continue
        found[one["Name"].lstrip("/")] = {
            "status": one["State"]["Status"],
            "started": one["State"]["StartedAt"],
            "pid": one["State"].get("Pid", 0),
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
    return found, tools, False


def _image(host: Host, name: str) -> str:
    rc, out = docker(host, SOCKET, "image", "inspect", "--format", "{{.Id}}", name)
    return out.strip() if rc == 0 else ""


def _taken(host: Host, services: List[Dict[str, Any]], containers: Dict[str, Any]) -> Dict[str, List[List[Any]]]:
    """Return the wanted ports that others than running registries listen on, by service, and who that is."""
    published = {port for one in containers.values() if is_up(one) for port in one["ports"]}
    taken = {}  # type: Dict[str, List[List[Any]]]
    for one in services:
        for address, port in one["ports"]:
            user = "" if str(port) in published else listening_program(host, address, port)
            if user:
                taken.setdefault(one["service"], []).append([port, user])
    return taken


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
