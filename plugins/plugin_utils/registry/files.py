"""Files of a registry host, with secrets: configuration, containers, environment and units."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.slipway.node.plugins.module_utils.registry.want import DATA, DATA_MARK, WRITTEN
from ansible_collections.slipway.node.plugins.module_utils.registry_client.observe import auth_of
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.registry.instances import (
    collects,
    complete_instances,
    needs_tls,
    services,
)
from ansible_collections.slipway.node.plugins.plugin_utils.registry.secrets import derive, digest, read_text, secrets

# In the containers: an instance's own folder, and the certificate that all instances share.
CONFIG_MOUNT, TLS_MOUNT = "/etc/slipway", "/etc/slipway-tls"
DEBUG_PORT = 5001
PROJECT = "slipway-registry"
PROGRAM = "/usr/local/sbin/slipway-registry"
TIMER = "slipway-registry-collect.timer"
TIMER_UNITS = (f"/etc/systemd/system/{TIMER}", "/etc/systemd/system/slipway-registry-collect.service")
# At each start it puts right what a power cut left of a collection, a copy or a restore.
SETTLE_UNIT = "/etc/systemd/system/slipway-registry-settle.service"


def files(inputs: Mapping[str, Any], site: reader.Site) -> dict[str, dict[str, Any]]:
    """Return the files of a registry host by path: content, mode, and whether it is a secret.

    :param inputs: as :func:`filled` returns them.
    """
    folder, credentials = inputs["config_dir"], secrets(inputs)
    given = {one["name"]: one for one in inputs["instances"]}
    instances = complete_instances(inputs)
    options = site.variable("docker_daemon_options") or {}
    inputs = {**inputs, "relabels": bool(options.get("selinux-enabled")), "networks": _networks(options)}
    made: dict[str, dict[str, Any]] = {}
    containers = {}
    for one in services(instances):
        origin = given[one["name"]]
        keys = {key: str(value) for key, value in ((origin["storage"] or {}).get("secrets") or {}).items()}
        # Google's driver wants a file.
        parts = {"keyfile.json": keys.pop("keyfile")} if "keyfile" in keys else {}
        if one["mode"] == "cache":
            parts["serve-cache"] = site.role_file("registry", "serve-cache")
        if one["upstream_authority"]:
            parts["upstream.crt"] = read_text(Path(one["upstream_authority"]))
        if one["upstream_proxy"]:
            # It may hold a password.
            parts["environment"] = "".join(
                f"{name}={one['upstream_proxy']}\n" for name in ("HTTP_PROXY", "HTTPS_PROXY")
            )
        with_secrets = {**one, "secrets": keys, "upstream_account": origin["upstream"] or {}}
        parts["config.yml"] = _dump(configuration(with_secrets, derive(credentials["secret"], one["name"])))
        for name, content in parts.items():
            made[f"{folder}/{one['service']}/{name}"] = _file(content, "0600", secret=True)
        login = origin["upstream"] or {}
        if one["mode"] == "cache" and login.get("username"):
            # For the probe, which asks as the cache does.
            auth = auth_of(login["username"], login.get("password") or "")
            made[f"{folder}/{one['service']}/upstream-login"] = _file(f"{auth}\n", "0600", secret=True)
        # Not without the secret in them, by which nobody can try guesses at passwords on it.
        containers[one["service"]] = container(
            one, inputs, digest("\0".join(parts.values())) if credentials["secret"] else ""
        )
    compose = {"name": PROJECT, "services": containers, "networks": _networks(options)}
    made[f"{folder}/compose.yml"] = _file(_dump({key: value for key, value in compose.items() if value}))
    keys_shown = ("name", "mode", "driver", "path", "accounts", "anonymous_pull")
    table = {
        "project": PROJECT,
        "data_mark": DATA_MARK,
        "delete_untagged": inputs["collect_untagged"],
        "retention": [{**rule, "keep": rule["keep"] or 0, "days": rule["days"] or 0} for rule in inputs["retention"]],
        "instances": [{key: one[key] for key in keys_shown} for one in instances],
    }
    made[f"{folder}/instances.json"] = _file(json.dumps(_plain(table), indent=2) + "\n")
    program = site.role_file("registry", "slipway-registry")
    # The program runs without arguments too, so it knows its folder by itself.
    made[PROGRAM] = _file(program.replace('CONFIG = "/etc/slipway/registry"', f"CONFIG = {json.dumps(folder)}"), "0755")
    for path in (*(TIMER_UNITS if collects(inputs) else ()), SETTLE_UNIT):
        unit = site.role_file("registry", Path(path).name).replace("@SCHEDULE@", inputs["collect_schedule"])
        made[path] = _file(unit)
    if inputs["certificate"] and needs_tls(instances):
        made[f"{folder}/tls/tls.crt"] = _file(read_text(Path(inputs["certificate"])))
        made[f"{folder}/tls/tls.key"] = _file(read_text(Path(inputs["certificate_key"])), "0600", secret=True)
        if inputs["certificate_authority"]:
            made[f"{folder}/tls/ca.crt"] = _file(credentials["authority"])
    return made


def _file(content: str, mode: str = "0644", *, secret: bool = False) -> dict[str, Any]:
    return {"content": content, "mode": mode, "secret": secret}


def configuration(one: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """Return a registry's own configuration, of version 2 and 3 alike."""
    storage: dict[str, Any] = {
        "delete": {"enabled": True},
        "maintenance": {
            "uploadpurging": {"enabled": not one["reader"], "age": "168h", "interval": "24h", "dryrun": False},
            "readonly": {"enabled": one["reader"]},
        },
    }
    if one["driver"] == "filesystem":
        storage["filesystem"] = {"rootdirectory": DATA}
    else:
        keyfile = (
            {"keyfile": f"{CONFIG_MOUNT}/keyfile.json"}
            if one["driver"] == "gcs" and "keyfile" in one["secret_options"]
            else {}
        )
        # Version 2 does so by itself; version 3 would look for a host by the bucket's name, which few but AWS have.
        style = {"forcepathstyle": True} if one["driver"] == "s3" and "regionendpoint" in one["options"] else {}
        storage[one["driver"]] = {**style, **one["options"], **one["secrets"], **keyfile}
    if not one["reader"]:
        # A reader of another registry's storage is not told when that one deletes, so it remembers nothing.
        storage["cache"] = {"blobdescriptor": "inmemory"}
    result: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info", "fields": {"service": "registry", "instance": one["service"]}},
        "storage": storage,
        "http": {
            "addr": ":5000",
            "secret": secret,
            "headers": {"X-Content-Type-Options": ["nosniff"]},
            "debug": {"addr": f":{DEBUG_PORT}", "prometheus": {"enabled": True, "path": "/metrics"}},
        },
        "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
    }
    if one["tls"]:
        result["http"]["tls"] = {
            "certificate": f"{TLS_MOUNT}/tls.crt",
            "key": f"{TLS_MOUNT}/tls.key",
            "minimumtls": "tls1.2",
        }
    if one["accounts"]:
        result["auth"] = {"htpasswd": {"realm": one["name"], "path": f"{CONFIG_MOUNT}/htpasswd"}}
    if one["mode"] == "cache":
        account = one["upstream_account"]
        login = {key: account[key] for key in ("username", "password") if account.get(key)}
        result["proxy"] = {"remoteurl": one["upstream"], "ttl": one["ttl"], **login}
    return _merge(result, one["config"])


def container(one: Mapping[str, Any], inputs: Mapping[str, Any], parts: str) -> dict[str, Any]:
    """Return a registry's container, as a service of the compose project."""
    ports = [_published(one["address"], one["port"], 5000)]
    if one["metrics_port"]:
        ports.append(_published(one["metrics_address"], one["metrics_port"], DEBUG_PORT))
    binds = [(f"{inputs['config_dir']}/{one['service']}", CONFIG_MOUNT, True)]
    binds += [(f"{inputs['config_dir']}/tls", TLS_MOUNT, True)] if one["tls"] else []
    binds += [(one["path"], DATA, one["reader"])] if one["driver"] == "filesystem" else []
    service: dict[str, Any] = {
        "image": inputs["image"],
        "container_name": f"{PROJECT}-{one['service']}",
        **(
            {"entrypoint": ["/bin/sh", f"{CONFIG_MOUNT}/serve-cache"]}
            if one["mode"] == "cache"
            else {"command": ["serve", f"{CONFIG_MOUNT}/config.yml"]}
        ),
        "restart": "always",
        # Where the engine maps users, the container's root could neither read its files nor write its folder.
        "userns_mode": "host",
        "ports": ports,
        # A folder that is missing, such as one on a disk that is not mounted, is an error and not an empty registry.
        "volumes": [
            {
                "type": "bind",
                "source": source,
                "target": target,
                "read_only": fixed,
                "bind": {"create_host_path": False, **({"selinux": "z"} if inputs["relabels"] else {})},
            }
            for source, target, fixed in binds
        ],
        # What an image declares as a volume is otherwise an anonymous one.
        "tmpfs": ["/tmp"] + ([DATA] if one["driver"] != "filesystem" else []),
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "environment": {"OTEL_TRACES_EXPORTER": "none"},
        "healthcheck": {
            "test": ["CMD", "wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{DEBUG_PORT}/debug/health"],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
        },
    }
    if one["upstream_proxy"]:
        service["env_file"] = [f"{one['service']}/environment"]
    if one["upstream_authority"]:
        # Beside the system's authorities, which are a file.
        service["environment"]["SSL_CERT_DIR"] = CONFIG_MOUNT
    if one["memory"]:
        service["mem_limit"] = one["memory"]
    if one["cpus"]:
        service["cpus"] = float(one["cpus"])
    if inputs["networks"]:
        parts += json.dumps(inputs["networks"])
    # Tells a container that was made from this from one that was not.
    service["labels"] = {"slipway.digest": digest(json.dumps(service, sort_keys=True) + parts)[:32]}
    return service


def _networks(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the registries' network where packets are to be as small there as in the engine's own."""
    mtu = options.get("mtu")
    # By a name of its own, since a network that is there keeps its size.
    driver = {"com.docker.network.driver.mtu": str(mtu)}
    return {"default": {"name": f"{PROJECT}_mtu{mtu}", "driver_opts": driver}} if mtu else {}


def _published(address: str, port: int, inside: int) -> str:
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{port}:{inside}" if address else f"{port}:{inside}"


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), dict)
        result[key] = _merge(result[key], value) if both else value
    return result


def _dump(data: dict[str, Any]) -> str:
    return f"{WRITTEN}: changes here are lost.\n" + yaml.safe_dump(_plain(data), sort_keys=False)


def _plain(data: Any) -> Any:
    """Return data without Ansible's own types, which YAML's writer does not know."""
    return json.loads(json.dumps(data))
