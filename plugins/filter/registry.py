"""Filters of the role registry: its inputs made whole, judged, and turned into the files that a registry host has."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
ACCOUNT = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
# In the containers: an instance's own folder, and the certificate that all instances share.
OWN, TLS = "/etc/slipway", "/etc/slipway-tls"
DATA = "/var/lib/registry"
DEBUG_PORT = 5001
PROJECT = "slipway-registry"
TIMER = """# Written by Slipway, role registry: changes here are lost.
[Unit]
Description=When to free what no image of the registries needs

[Timer]
OnCalendar={schedule}
RandomizedDelaySec=15min
Persistent=true

[Install]
WantedBy=timers.target
"""
# A cache panics (exit status 2) where its upstream does not answer when it starts. What it has is then served by a
# store that cannot be written to, and every five minutes the cache is tried again.
SERVE_CACHE = f"""run() {{ "$@" & program=$!; wait $program; }}
trap 'kill $program; wait $program; exit' TERM INT
config={OWN}/config.yml
while run registry serve $config; [ $? = 2 ]; do
  echo 'The cache does not start, see above. What it has is served for five minutes, then it is tried again.'
  run env REGISTRY_PROXY_REMOTEURL= REGISTRY_STORAGE_MAINTENANCE_READONLY='{{enabled: true}}' \\
    timeout 300 registry serve $config
  [ $? = 143 ] || exit 1
done
exit 1
"""
# What bcrypt looks at; the rest of a longer password would count for nothing.
BCRYPT_LIMIT = 72


def registry_instances(instances: list[dict[str, Any]], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the instances with all that they leave to the defaults, without secrets.

    :param settings: the role's inputs that instances fall back to.
    """
    return [_whole(one, settings) for one in _plain(instances)]


def _whole(given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    # An input that is named but empty (null) counts as not named.
    one = {key: value for key, value in given.items() if value is not None}
    store = one.get("mode", "store") == "store"
    storage, upstream = one.get("storage", {}), one.get("upstream", {})
    port = int(one.get("port", 5000))
    return {
        "name": one["name"],
        "port": port,
        "address": one.get("address", ""),
        "mode": one.get("mode", "store"),
        "driver": storage.get("driver", "filesystem"),
        "path": storage.get("path") or f"{settings['data_dir']}/{one['name']}",
        "options": storage.get("options", {}),
        "secret_options": sorted(storage.get("secrets", {})),
        "upstream": upstream.get("url", "https://registry-1.docker.io"),
        "ttl": upstream.get("ttl", "168h"),
        "tls": bool(one.get("tls", settings["tls"])),
        "accounts": bool(one.get("accounts", store)),
        "anonymous_pull": store and bool(one.get("anonymous_pull", settings["anonymous_pull"])),
        "anonymous_port": int(one.get("anonymous_port", port + 1)),
        "metrics_port": int(one.get("metrics_port", 0)),
        "metrics_address": one.get("metrics_address", "127.0.0.1"),
        "memory": str(one.get("memory", "")),
        "cpus": str(one.get("cpus", "")),
        "config": one.get("config", {}),
    }


def registry_problems(instances: list[dict[str, Any]], settings: dict[str, Any]) -> list[str]:
    """Return what cannot be in the inputs, each as a sentence with its remedy. No secret is shown."""
    problems = []
    for one in instances:
        if not NAME.fullmatch(str(one.get("name", ""))):
            problems.append(f"{one.get('name', '')!r} cannot name an instance: use a-z, 0-9 and dashes inside.")
    if problems:
        return problems
    whole = registry_instances(instances, settings)
    for key, what in (("name", "name"), ("path", "storage path")):
        taken: dict[Any, str] = {}
        for one in whole:
            if key == "path" and one["driver"] != "filesystem":
                continue
            if one[key] in taken:
                problems.append(f"Two instances have the {what} {one[key]}: give each its own.")
            taken[one[key]] = one["name"]
    problems += _port_problems(whole)
    for one, given in zip(whole, _plain(instances), strict=True):
        problems += _instance_problems(one, given, settings)
    for account in settings["accounts"]:
        name, password = str(account.get("name", "")), str(account.get("password") or "")
        if not ACCOUNT.fullmatch(name):
            problems.append(f"{name!r} cannot name an account: use letters, digits, dots, dashes, underscores and @.")
        if len(password.encode()) > BCRYPT_LIMIT:
            problems.append(
                f"The password of {name} is longer than {BCRYPT_LIMIT} bytes, which bcrypt cannot tell apart."
            )
    for rule in _plain(settings["retention"]):
        if not rule.get("repository") or rule.get("keep") is rule.get("days") is None:
            problems.append(
                f"The rule {json.dumps(rule)} of registry_retention must name a repository and what is kept: give "
                "keep, days or both."
            )
    names = [str(account.get("name")) for account in settings["accounts"]]
    problems += [f"Account {name} is listed twice." for name in sorted({one for one in names if names.count(one) > 1})]
    return problems


def _port_problems(whole: list[dict[str, Any]]) -> list[str]:
    problems, taken = [], {}  # type: ignore[var-annotated]
    for one in whole:
        ports = [("port", one["port"])]
        ports += [("anonymous_port", one["anonymous_port"])] if one["anonymous_pull"] else []
        ports += [("metrics_port", one["metrics_port"])] if one["metrics_port"] else []
        for key, port in ports:
            who = f"{key} of {one['name']}"
            if not 0 < port < 65536:
                problems.append(f"The {who} is {port}: give a number from 1 to 65535.")
            elif port in taken:
                problems.append(f"The {who} and the {taken[port]} are both {port}: give each its own.")
            taken[port] = who
    return problems


def _instance_problems(one: dict[str, Any], given: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    problems, name = [], one["name"]
    if one["driver"] == "filesystem":
        if not re.fullmatch(r"(/[^/\s]+)+", one["path"]):
            problems.append(
                f"The storage path of {name} is {one['path']}: give an absolute path without a slash at its end."
            )
    elif not one["options"]:
        problems.append(f"The storage of {name} is {one['driver']}: name its bucket or container in storage.options.")
    for key in one["options"]:
        if re.search("secret|accesskey|accountkey|password|keyfile", key):
            problems.append(f"Move {key} of {name} from storage.options to storage.secrets, which no output shows.")
    if one["mode"] == "cache":
        if not re.fullmatch(r"https?://[^/@\s]+/?", one["upstream"]):
            problems.append(
                f"The upstream of {name} must be a URL such as https://registry-1.docker.io, without path and user."
            )
        if given.get("anonymous_pull"):
            problems.append(f"{name} is a cache, which has no accounts unless asked for: remove anonymous_pull.")
    elif given.get("upstream"):
        problems.append(f"{name} has an upstream and is a store: set mode: cache, or remove it.")
    if one["anonymous_pull"] and not one["accounts"]:
        problems.append(
            f"{name} has no accounts, so everyone may pull and push: remove anonymous_pull, or accounts: false."
        )
    if one["accounts"] and not settings["accounts"]:
        problems.append(
            f"{name} has no account: list some in registry_accounts, or say accounts: false for it, and "
            "everyone may push and delete."
        )
    return problems


def registry_services(instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the containers: one for each instance, and one more for each store that is pulled from without an account.

    :param instances: as :func:`registry_instances` returns them.
    """
    services = []
    for one in _plain(instances):
        services.append({**one, "service": one["name"], "instance": one["name"], "reader": False})
        if one["anonymous_pull"]:
            services.append(
                {
                    **one,
                    "service": f"{one['name']}-pull",
                    "instance": one["name"],
                    "port": one["anonymous_port"],
                    "metrics_port": 0,
                    "accounts": False,
                    "reader": True,
                }
            )
    return services


def registry_files(instances: list[dict[str, Any]], settings: dict[str, Any], secret: str) -> dict[str, dict[str, Any]]:
    """Return the files of a registry host by path: content, mode, and whether an output may show it.

    :param instances: the role's input, with secrets.
    :param secret: a long random text that only the controller knows, empty where it is not made yet.
    """
    folder = settings["config_dir"]
    given = {one["name"]: one for one in _plain(instances)}
    whole = registry_instances(instances, settings)
    services = registry_services(whole)
    files: dict[str, dict[str, Any]] = {}
    digests = {}
    for one in services:
        own = f"{folder}/{one['service']}"
        secrets = {
            key: str(value) for key, value in given[one["instance"]].get("storage", {}).get("secrets", {}).items()
        }
        parts = {}
        if "keyfile" in secrets:
            # Google's driver wants a file.
            parts["keyfile.json"] = secrets.pop("keyfile")
        settled = {**one, "secrets": secrets, "upstream_account": given[one["instance"]].get("upstream", {})}
        parts["config.yml"] = _dump(configuration(settled, _derive(secret, one["instance"])))
        for name, content in parts.items():
            files[f"{own}/{name}"] = {"content": content, "mode": "0600", "secret": True}
        digests[one["service"]] = _sha("\0".join(parts.values()))
    compose = {
        "name": PROJECT,
        "services": {one["service"]: container(one, settings, digests[one["service"]]) for one in services},
    }
    files[f"{folder}/compose.yml"] = {"content": _dump(compose), "mode": "0644", "secret": False}
    table = [
        {key: one[key] for key in ("name", "mode", "driver", "path", "accounts", "anonymous_pull")} for one in whole
    ]
    files[f"{folder}/instances.json"] = {
        "content": json.dumps(
            {
                "project": PROJECT,
                "delete_untagged": settings["delete_untagged"],
                "retention": [_rule(rule) for rule in _plain(settings["retention"])],
                "instances": table,
            },
            indent=2,
        )
        + "\n",
        "mode": "0644",
        "secret": False,
    }
    programs = Path(__file__).parents[2] / "roles" / "registry" / "files"
    files["/usr/local/sbin/slipway-registry"] = {
        "content": (programs / "slipway-registry").read_text(encoding="utf-8"),
        "mode": "0755",
        "secret": False,
    }
    if settings["schedule"]:
        for name, content in {
            "slipway-registry-collect.service": (programs / "slipway-registry-collect.service").read_text(
                encoding="utf-8"
            ),
            "slipway-registry-collect.timer": TIMER.format(schedule=settings["schedule"]),
        }.items():
            files[f"/etc/systemd/system/{name}"] = {"content": content, "mode": "0644", "secret": False}
    return files


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    return {
        "repository": str(rule["repository"]),
        "tag": str(rule.get("tag") or "*"),
        "keep": int(rule.get("keep") or 0),
        "days": float(rule.get("days") or 0),
    }


def configuration(one: dict[str, Any], secret: str) -> dict[str, Any]:
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
            {"keyfile": f"{OWN}/keyfile.json"} if one["driver"] == "gcs" and "keyfile" in one["secret_options"] else {}
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
        result["http"]["tls"] = {"certificate": f"{TLS}/tls.crt", "key": f"{TLS}/tls.key", "minimumtls": "tls1.2"}
    if one["accounts"]:
        result["auth"] = {"htpasswd": {"realm": one["name"], "path": f"{OWN}/htpasswd"}}
    if one["mode"] == "cache":
        account = one["upstream_account"]
        login = {key: str(account[key]) for key in ("username", "password") if account.get(key)}
        result["proxy"] = {"remoteurl": one["upstream"].rstrip("/"), "ttl": one["ttl"], **login}
    return _merge(result, one["config"])


def container(one: dict[str, Any], settings: dict[str, Any], digest: str) -> dict[str, Any]:
    """Return a registry's container, as a service of the compose project."""
    address = f"{one['address']}:" if one["address"] else ""
    ports = [f"{address}{one['port']}:5000"]
    if one["metrics_port"]:
        ports.append(f"{one['metrics_address']}:{one['metrics_port']}:{DEBUG_PORT}")
    binds = [(f"{settings['config_dir']}/{one['service']}", OWN, True)]
    binds += [(f"{settings['config_dir']}/tls", TLS, True)] if one["tls"] else []
    binds += [(one["path"], DATA, one["reader"])] if one["driver"] == "filesystem" else []
    service: dict[str, Any] = {
        "image": settings["image"],
        "container_name": f"{PROJECT}-{one['service']}",
        # Compose takes a dollar for a variable of its own.
        **(
            {"entrypoint": ["/bin/sh", "-c", SERVE_CACHE.replace("$", "$$")]}
            if one["mode"] == "cache"
            else {"command": ["serve", f"{OWN}/config.yml"]}
        ),
        "restart": "always",
        "ports": ports,
        # A folder that is missing, such as one on a disk that is not mounted, is an error and not an empty registry.
        "volumes": [
            {
                "type": "bind",
                "source": source,
                "target": target,
                "read_only": fixed,
                "bind": {"create_host_path": False},
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
    if one["memory"]:
        service["mem_limit"] = one["memory"]
    if one["cpus"]:
        service["cpus"] = float(one["cpus"])
    # Tells a container that was made from this from one that was not.
    service["labels"] = {"slipway.digest": _sha(json.dumps(service, sort_keys=True) + digest)[:32]}
    return service


def registry_wanted_services(
    instances: list[dict[str, Any]], settings: dict[str, Any], secret: str
) -> list[dict[str, Any]]:
    """Return what the probe has to know of each container. No secret is in it."""
    files = registry_files(instances, settings, secret)
    compose = yaml.safe_load(files[f"{settings['config_dir']}/compose.yml"]["content"])
    return [
        {
            "service": one["service"],
            "container": f"{PROJECT}-{one['service']}",
            "digest": compose["services"][one["service"]]["labels"]["slipway.digest"],
            "address": one["address"] or "127.0.0.1",
            "port": one["port"],
            "tls": one["tls"],
            # What it answers to somebody without a password.
            "answer": 401 if one["accounts"] else 200,
            "data": one["path"] if one["driver"] == "filesystem" else "",
            "endpoint": _endpoint(one),
            "htpasswd": f"{settings['config_dir']}/{one['service']}/htpasswd" if one["accounts"] else "",
            "certificate": f"{settings['config_dir']}/tls/tls.crt" if one["tls"] else "",
        }
        for one in registry_services(registry_instances(instances, settings))
    ]


def _endpoint(one: dict[str, Any]) -> str:
    """Return host and port of an object store, empty where the host is not known beforehand."""
    if one["driver"] != "s3":
        return ""
    given = str(one["options"].get("regionendpoint", ""))
    if not given:
        return f"s3.{one['options'].get('region', 'us-east-1')}.amazonaws.com:443"
    parts = urlsplit(given if "://" in given else f"https://{given}")
    return f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}"


def registry_fingerprints(accounts: list[dict[str, Any]], passwords: dict[str, str], secret: str) -> dict[str, str]:
    """Return what stands for each account's password where it may be seen; empty without a secret or a password.

    :param passwords: those that were generated, by account.
    """
    return {
        account["name"]: _sha(f"{secret}\0{account['name']}\0{password}") if secret and password else ""
        for account in accounts
        for password in [registry_password(account, passwords)]
    }


def registry_password(account: dict[str, Any], passwords: dict[str, str]) -> str:
    """Return an account's password: the given one, else the one that was generated."""
    return str(account.get("password") or passwords.get(account["name"], ""))


def registry_endpoints(hosts: list[str], hostvars: Any, defaults: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return where the registries of some hosts are reached: address, mode, tls, accounts.

    :param defaults: the instances of a host that names none.
    """
    endpoints = []
    for host in hosts:
        values = hostvars[host]
        name = values.get("registry_hostname") or host
        fallback = {"data_dir": "", "tls": values.get("registry_tls", True)}
        fallback["anonymous_pull"] = values.get("registry_anonymous_pull", False)
        for one in registry_services(registry_instances(values.get("registry_instances") or defaults, fallback)):
            endpoints.append(
                {
                    "address": f"{name}:{one['port']}",
                    "host": host,
                    "instance": one["service"],
                    "mode": "pull" if one["reader"] else one["mode"],
                    "tls": one["tls"],
                    "accounts": one["accounts"],
                    "upstream": one["upstream"] if one["mode"] == "cache" else "",
                }
            )
    return endpoints


def registry_mirrors(hosts: list[str], hostvars: Any) -> list[str]:
    """Return the caches of Docker Hub on some hosts, as docker_daemon_registry_mirrors takes them."""
    return [
        f"{'https' if one['tls'] else 'http'}://{one['address']}"
        for one in registry_endpoints(hosts, hostvars, [])
        if one["mode"] == "cache" and not one["accounts"]
    ]


def registry_insecure(hosts: list[str], hostvars: Any) -> list[str]:
    """Return the registries over plain HTTP on some hosts, as docker_daemon_insecure_registries takes them."""
    return [one["address"] for one in registry_endpoints(hosts, hostvars, []) if not one["tls"]]


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merge(result[key], value) if both else value
    return result


def _derive(secret: str, purpose: str) -> str:
    return _sha(f"{secret}\0{purpose}") if secret else ""


def _dump(data: dict[str, Any]) -> str:
    return "# Written by Slipway, role registry: changes here are lost.\n" + yaml.safe_dump(
        _plain(data), sort_keys=False
    )


def _plain(data: Any) -> Any:
    """Return data without Ansible's own types, which YAML's writer does not know."""
    return json.loads(json.dumps(data))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "registry_instances": registry_instances,
            "registry_problems": registry_problems,
            "registry_services": registry_services,
            "registry_files": registry_files,
            "registry_wanted_services": registry_wanted_services,
            "registry_fingerprints": registry_fingerprints,
            "registry_password": registry_password,
            "registry_endpoints": registry_endpoints,
            "registry_mirrors": registry_mirrors,
            "registry_insecure": registry_insecure,
        }
