"""Inputs of the role ``registry``: what a specification cannot say, and the files that come of them, with secrets.

The host is told digests alone; what it has to hold is fetched by the lookup ``registry_secrets`` when it acts.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import itertools
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from ansible.errors import AnsibleError
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.data import OWN_FOLDERS
from ansible_collections.slipway.node.plugins.module_utils.registry.section import (
    DATA,
    DATA_MARK,
    MARK,
    WRITTEN,
    certificate,
    mark,
)
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader

REMOVAL_INPUTS = ("state", "instances", "config_dir", "data_dir", "purge_data")
# What clients need to know of another host's registries.
SHOWN_INPUTS = ("state", "instances", "hostname", "tls", "anonymous_pull", "data_dir")
# For the playbooks that back up and restore.
PLAYBOOK_INPUTS = (
    "backup_dir",
    "backup_keep",
    "backup_fetch",
    "restore_dir",
    "restore_archives",
    "restore_replace",
)

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
ACCOUNT = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
HUB = "https://registry-1.docker.io"
# In the containers: an instance's own folder, and the certificate that all instances share.
OWN, TLS = "/etc/slipway", "/etc/slipway-tls"
DEBUG_PORT = 5001
try:
    import bcrypt
except ImportError:
    # A site without accounts does without it.
    bcrypt = None  # type: ignore[assignment]

PROJECT = "slipway-registry"
PROGRAM = "/usr/local/sbin/slipway-registry"
TIMER = "slipway-registry-collect.timer"
TIMER_UNITS = (f"/etc/systemd/system/{TIMER}", "/etc/systemd/system/slipway-registry-collect.service")
# By default, on the controller.
CACHE, DATA_FOLDER = "~/.cache/slipway", "~/.local/share/slipway/registry"
# What bcrypt looks at; the rest of a longer password would count for nothing.
BCRYPT_LIMIT = 72


def prepare(inputs: dict[str, Any], site: reader.Site) -> tuple[dict[str, Any], list[str]]:
    """Return the wanted state of a registry host without its secrets, and what is wrong with the inputs."""
    inputs = filled(inputs, site)
    problems = instance_problems(inputs)
    if inputs["state"] == "absent":
        return _absent(inputs), problems + (_engine_problems(inputs, site) if inputs["purge_data"] else [])
    problems += _engine_problems(inputs, site) + _storage_problems(inputs, site)
    problems += _account_problems(inputs) + _controller_problems(inputs)
    if problems:
        return {}, problems
    folder, instances = inputs["config_dir"], whole(inputs)
    held = secrets(inputs)
    written = files(inputs, site)
    compose = yaml.safe_load(written[f"{folder}/compose.yml"]["content"])
    return {
        "state": "present",
        "project": PROJECT,
        "config_dir": folder,
        "image": inputs["image"],
        "image_archive": inputs["image_archive"],
        # Content without the content: what the host compares, and what its journal and an output may show.
        "files": {
            path: {"seal": site.seal(file["content"]), "mode": file["mode"], "secret": file["secret"]}
            for path, file in written.items()
        },
        "services": [
            _wanted_service(one, folder, compose["services"][one["service"]]["labels"]["slipway.digest"])
            for one in services(instances)
        ],
        "accounts": held["fingerprints"],
        "tls": _wanted_tls(inputs, held) if _needs_tls(instances) else {},
        "timer": TIMER if _collects(inputs) else "",
        "schedule": inputs["collect_schedule"] if _collects(inputs) else "",
        "no_units": [] if _collects(inputs) else list(TIMER_UNITS),
        "open_ports": [one["port"] for one in services(instances)] if inputs["open_firewall"] else [],
        "minimum_free": int(inputs["minimum_free"] * 2**30),
        "purge": [],
        "secrets_dir": inputs["secrets_dir"],
        "lacking": _lacking(inputs, held),
        # The stores whose images are files of the host, and what the playbooks do with them. A folder may be on a disk
        # that several hosts share.
        **{key: inputs[key] for key in PLAYBOOK_INPUTS},
        **{key: f"{inputs[key]}/{site.host}" for key in ("backup_dir", "restore_dir")},
        "stores": [one["name"] for one in instances if one["mode"] == "store" and one["driver"] == "filesystem"],
    }, []


def filled(inputs: Mapping[str, Any], site: reader.Site) -> dict[str, Any]:
    """Return the inputs with those that depend on others."""
    result = dict(inputs)
    result["hostname"] = inputs["hostname"] or site.host
    result["image"] = inputs["image"] or f"registry:{inputs['version']}"
    result["secrets_dir"] = str(Path(inputs["secrets_dir"] or _secrets_dir(site)).expanduser())
    result["client_hosts"] = (
        site.groups.get("registry_hosts", []) if inputs["client_hosts"] is None else inputs["client_hosts"]
    )
    return result


def _secrets_dir(site: reader.Site) -> str:
    """Return where secrets are kept by default: beside other data, not in a cache, which people empty."""
    cache = site.settings.get("cache_dir") or CACHE
    there = f"{cache}/registry"
    return DATA_FOLDER if cache == CACHE and not Path(there).expanduser().is_dir() else there


def whole(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the instances with all that they leave to the role's inputs, without secrets."""
    return [_whole(one, inputs) for one in inputs["instances"]]


def _whole(one: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    store, storage, upstream = one["mode"] == "store", one["storage"] or {}, one["upstream"] or {}
    url = (upstream.get("url") or HUB).rstrip("/")

    def either(key: str, otherwise: Any) -> Any:
        return otherwise if one[key] is None else one[key]

    return {
        "name": one["name"],
        "port": one["port"],
        "address": one["address"] or "",
        "mode": one["mode"],
        "driver": storage.get("driver") or "filesystem",
        "path": storage.get("path") or f"{inputs['data_dir']}/{one['name']}",
        "options": storage.get("options") or {},
        "secret_options": sorted(storage.get("secrets") or {}),
        "upstream": url,
        "upstream_registry": upstream.get("registry") or ("docker.io" if url == HUB else urlsplit(url).netloc),
        "upstream_proxy": upstream.get("proxy") or "",
        "upstream_authority": upstream.get("authority") or "",
        "ttl": upstream.get("ttl") or "168h",
        "tls": either("tls", inputs["tls"]),
        "accounts": either("accounts", store),
        "anonymous_pull": store and either("anonymous_pull", inputs["anonymous_pull"]),
        "anonymous_port": either("anonymous_port", one["port"] + 1),
        "metrics_port": one["metrics_port"] or 0,
        "metrics_address": one["metrics_address"],
        "memory": one["memory"] or "",
        "cpus": one["cpus"] or "",
        "config": one["config"] or {},
    }


def services(instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the containers: one an instance, and one more for a store that is pulled from without an account."""
    made = []
    for one in instances:
        made.append({**one, "service": one["name"], "reader": False})
        if one["anonymous_pull"]:
            reading = {"port": one["anonymous_port"], "metrics_port": 0, "accounts": False, "reader": True}
            made.append({**one, "service": f"{one['name']}-pull", **reading})
    return made


def instance_problems(inputs: Mapping[str, Any]) -> list[str]:
    """Return what cannot be in the instances, each as a sentence with its remedy. No secret is shown."""
    problems = [
        f"{one['name']!r} cannot name an instance: use a-z, 0-9 and dashes inside."
        for one in inputs["instances"]
        if not NAME.fullmatch(one["name"])
    ]
    if problems:
        return problems
    instances = whole(inputs)
    names = [one["name"] for one in instances]
    problems += [
        f"Two instances have the name {name}: give each its own."
        for name in sorted({one for one in names if names.count(one) > 1})
    ]
    problems += _port_problems(instances)
    for one, given in zip(instances, inputs["instances"], strict=True):
        problems += _instance_problems(one, given)
    return problems


def _port_problems(instances: list[dict[str, Any]]) -> list[str]:
    problems, taken = [], {}  # type: ignore[var-annotated]
    for one in instances:
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


def _instance_problems(one: dict[str, Any], given: Mapping[str, Any]) -> list[str]:
    problems, name = [], one["name"]
    for key in ("address", "metrics_address"):
        if one[key] and not _is_address(one[key]):
            problems.append(
                f"The {key} of {name} is {one[key]}: give an IP address of the host, such as 10.0.0.5 or ::1."
            )
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
        if not re.fullmatch(r"https?://[^/@\s]+", one["upstream"]):
            problems.append(f"The upstream of {name} must be a URL such as {HUB}, without path and user.")
        if given["anonymous_pull"]:
            problems.append(f"{name} is a cache, which has no accounts unless asked for: remove anonymous_pull.")
    elif given["upstream"]:
        problems.append(f"{name} has an upstream and is a store: set mode: cache, or remove it.")
    if one["cpus"] and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", one["cpus"]):
        problems.append(f'The cpus of {name} are {one["cpus"]}: give a number, as in "1.5".')
    if one["anonymous_pull"] and not one["accounts"]:
        problems.append(
            f"{name} has no accounts, so everyone may pull and push: remove anonymous_pull, or accounts: false."
        )
    return problems


def _place(one: Mapping[str, Any]) -> Path:
    """Return the folder that an instance has for itself alone: of the host, or of an object store."""
    if one["driver"] == "filesystem":
        return Path(one["path"], "docker")
    parts = [one["options"].get(key) or "" for key in ("accountname", "bucket", "container", "rootdirectory")]
    return Path(one["driver"], _endpoint(one), *(str(part).strip("/") for part in parts), "docker")


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _engine_problems(inputs: Mapping[str, Any], site: reader.Site) -> list[str]:
    """Return which instances would keep their images where the engine keeps its own data."""
    roots = dict.fromkeys([str(site.variable("docker_daemon_data_root") or OWN_FOLDERS[0]), *OWN_FOLDERS])
    return [
        f"{one['name']} has its images in {_place(one)}, and {root} is the engine's: a purge of one would remove the "
        "other's. Choose another storage path, as in /opt/data/registry."
        for one in whole(inputs)
        for root in roots
        if _overlap(_place(one), Path(root))
    ]


def _storage_problems(inputs: Mapping[str, Any], site: reader.Site) -> list[str]:
    """Return which instances would keep their images among those of another, which knows nothing of their pushes."""
    instances = whole(inputs)
    objects = [one for one in instances if one["mode"] == "store" and one["driver"] != "filesystem"]
    elsewhere = _elsewhere(site) if objects and inputs["collect_schedule"] else []
    return [
        f"{one['name']} has its images in {_place(one)} and {other['name']} in {_place(other)}, so that one would "
        "collect the other's as garbage: give each a storage of its own."
        for one, other in [*itertools.combinations(instances, 2), *itertools.product(objects, elsewhere)]
        if _overlap(_place(one), _place(other))
    ]


def _elsewhere(site: reader.Site) -> list[dict[str, Any]]:
    """Return the instances of other registry hosts, of those whose inputs can be read."""
    found = []
    for host in [one for one in site.groups.get("registry_hosts", []) if one != site.host]:
        inputs, wrong = reader.read(*_shown_inputs(), site.hostvars[host], _resolved, "registry_", host)
        if not wrong and inputs["state"] == "present" and reader.takes("registry", inputs["slipway_roles"]):
            found += [{**one, "name": f"{one['name']} of {host}"} for one in whole(inputs)]
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _account_problems(inputs: Mapping[str, Any]) -> list[str]:
    problems = []
    for account in inputs["accounts"]:
        name = account["name"]
        if not ACCOUNT.fullmatch(name):
            problems.append(f"{name!r} cannot name an account: use letters, digits, dots, dashes, underscores and @.")
        if len((account["password"] or "").encode()) > BCRYPT_LIMIT:
            problems.append(
                f"The password of {name} is longer than {BCRYPT_LIMIT} bytes, which bcrypt cannot tell apart: "
                "give a shorter one."
            )
    names = [account["name"] for account in inputs["accounts"]]
    problems += [
        f"Account {name} is listed twice: remove one."
        for name in sorted({one for one in names if names.count(one) > 1})
    ]
    problems += [
        f"{one['name']} has no account: list some in registry_accounts, or say accounts: false for it, and "
        "everyone may push and delete."
        for one in whole(inputs)
        if one["accounts"] and not names
    ]
    if bcrypt is None and any(one["accounts"] for one in whole(inputs)):
        problems.append(
            "Accounts of registries need the Python package bcrypt on the controller, beside Ansible: install it there "
            f"with {sys.executable} -m pip install bcrypt."
        )
    for rule in inputs["retention"]:
        keep, days = rule["keep"] or 0, rule["days"] or 0
        if not min(keep, days) >= 0 < max(keep, days):
            problems.append(
                f"The rule for {rule['repository']} in registry_retention does not say what is kept: give keep, "
                "days or both, above 0."
            )
    return problems


def _controller_problems(inputs: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with files of the controller, and with what belongs to certificates."""
    paths = {
        f"registry_{key}": inputs[key]
        for key in ("certificate", "certificate_key", "certificate_authority", "image_archive")
    }
    paths.update({f"The upstream.authority of {one['name']}": one["upstream_authority"] for one in whole(inputs)})
    problems = [
        f"{name} is {path}, which is no file on the controller. Correct the path."
        for name, path in paths.items()
        if path and not Path(path).is_file()
    ]
    if bool(inputs["certificate"]) != bool(inputs["certificate_key"]):
        problems.append("registry_certificate and registry_certificate_key belong together: give both, or neither.")
    judged = inputs["certificate"] and _needs_tls(whole(inputs)) and not problems
    error = _certificate_error(inputs) if judged else ""
    if error:
        problems.append(
            f"registry_certificate cannot be used: {error}. Give files in PEM: a certificate that is "
            "valid, its own key without a passphrase, and its authority."
        )
    if inputs["backup_keep"] is not None and inputs["backup_keep"] < 1:
        problems.append(
            f"registry_backup_keep is {inputs['backup_keep']}; give a number from 1 on, or leave it out for all."
        )
    if inputs["certificate_days"] <= inputs["certificate_renew_days"]:
        problems.append(
            f"registry_certificate_days is {inputs['certificate_days']}; give more than "
            f"registry_certificate_renew_days, which is {inputs['certificate_renew_days']}."
        )
    return problems


def _certificate_error(inputs: Mapping[str, Any]) -> str:
    """Return what is wrong with the given certificate, its key and its authority, as the host would find it."""
    authority = inputs["certificate_authority"]
    given = {"certificate": inputs["certificate"], "key": inputs["certificate_key"], "authority": authority}
    found = certificate({**given, "authority_sha256": digest(_text(Path(authority))), "system_trust": not authority})
    # Whom a host's system trusts the host alone knows.
    unknown = not authority and re.search("issuer|self.signed", found["error"])
    return "" if unknown else str(found["error"])


def secrets(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the controller keeps: the secret, each account's password and fingerprint, and the authority.

    What is not made yet is empty, and so are the fingerprints without a secret.
    """
    folder = Path(inputs["secrets_dir"])
    secret = _text(folder / "secret").rstrip("\n")
    passwords = {
        account["name"]: account["password"] or _text(folder / "passwords" / account["name"]).rstrip("\n")
        for account in inputs["accounts"]
    }
    authority = Path(inputs["certificate_authority"] if inputs["certificate"] else folder / "ca.crt")
    return {
        "secret": secret,
        "passwords": passwords,
        # What stands for a password where it may be seen.
        "fingerprints": {
            name: digest(f"{secret}\0{name}\0{password}") if secret and password else ""
            for name, password in passwords.items()
        },
        "authority": _text(authority),
        "authority_file": str(authority),
    }


def _lacking(inputs: Mapping[str, Any], held: Mapping[str, Any]) -> list[str]:
    """Return what is to be made on the controller: paths below the folder of secrets, and ``authority``."""
    made = {"secret": held["secret"]}
    made.update({f"passwords/{name}": password for name, password in held["passwords"].items()})
    if _needs_tls(whole(inputs)) and not inputs["certificate"]:
        made["authority"] = held["authority"]
    return [name for name, content in made.items() if not content]


def _needs_tls(instances: list[dict[str, Any]]) -> bool:
    return any(one["tls"] for one in instances)


def _collects(inputs: Mapping[str, Any]) -> bool:
    return bool(inputs["collect_schedule"]) and any(one["mode"] == "store" for one in inputs["instances"])


def _absent(inputs: Mapping[str, Any]) -> dict[str, Any]:
    paths = [one["path"] for one in whole(inputs) if one["driver"] == "filesystem"] if inputs["purge_data"] else []
    return {
        "state": "absent",
        "project": PROJECT,
        "config_dir": inputs["config_dir"],
        "files": {PROGRAM: {"seal": ""}},
        "no_units": list(TIMER_UNITS),
        # What a registry keeps in its folder, and nothing else that may be there.
        "purge": [f"{path}/{name}" for path in paths for name in ("docker", "scheduler-state.json", DATA_MARK)],
    }


def _wanted_tls(inputs: Mapping[str, Any], held: Mapping[str, Any]) -> dict[str, Any]:
    folder, own = f"{inputs['config_dir']}/tls", bool(inputs["certificate"])
    return {
        "certificate": f"{folder}/tls.crt",
        "key": f"{folder}/tls.key",
        "authority": f"{folder}/ca.crt",
        "authority_file": held["authority_file"],
        "authority_sha256": digest(held["authority"]) if held["authority"] else "",
        "hostname": inputs["hostname"],
        "names": [inputs["hostname"], *inputs["certificate_names"]],
        "days": inputs["certificate_days"],
        "renew_days": inputs["certificate_renew_days"],
        "given": own,
        "system_trust": own and not inputs["certificate_authority"],
        "replace": inputs["replace_authority"],
    }


def _wanted_service(one: Mapping[str, Any], folder: str, label: str) -> dict[str, Any]:
    """Return what the probe has to know of a container."""
    return {
        "service": one["service"],
        "container": f"{PROJECT}-{one['service']}",
        "digest": label,
        "address": one["address"] or "127.0.0.1",
        "port": one["port"],
        # With the addresses to be published at; an empty one stands for all.
        "ports": [
            place
            for place in ([one["address"], one["port"]], [one["metrics_address"], one["metrics_port"]])
            if place[1]
        ],
        "tls": one["tls"],
        # What it answers to somebody without a password.
        "answer": 401 if one["accounts"] else 200,
        "data": one["path"] if one["driver"] == "filesystem" else "",
        "writes": one["driver"] == "filesystem" and not one["reader"],
        "endpoint": _endpoint(one),
        "upstream": one["upstream"] if one["mode"] == "cache" else "",
        "htpasswd": f"{folder}/{one['service']}/htpasswd" if one["accounts"] else "",
        "certificate": f"{folder}/tls/tls.crt" if one["tls"] else "",
    }


def _endpoint(one: Mapping[str, Any]) -> str:
    """Return host and port of an object store, empty where the host is not known beforehand."""
    if one["driver"] != "s3":
        return ""
    given = str(one["options"].get("regionendpoint", ""))
    if not given:
        return f"s3.{one['options'].get('region', 'us-east-1')}.amazonaws.com:443"
    parts = urlsplit(given if "://" in given else f"https://{given}")
    return f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}"


def files(inputs: Mapping[str, Any], site: reader.Site) -> dict[str, dict[str, Any]]:
    """Return the files of a registry host by path: content, mode, and whether it is a secret.

    :param inputs: as :func:`filled` returns them.
    """
    folder, held = inputs["config_dir"], secrets(inputs)
    given = {one["name"]: one for one in inputs["instances"]}
    instances = whole(inputs)
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
            parts["upstream.crt"] = _text(Path(one["upstream_authority"]))
        if one["upstream_proxy"]:
            # It may hold a password.
            parts["environment"] = "".join(
                f"{name}={one['upstream_proxy']}\n" for name in ("HTTP_PROXY", "HTTPS_PROXY")
            )
        settled = {**one, "secrets": keys, "upstream_account": origin["upstream"] or {}}
        parts["config.yml"] = _dump(configuration(settled, _derive(held["secret"], one["name"])))
        for name, content in parts.items():
            made[f"{folder}/{one['service']}/{name}"] = _file(content, "0600", secret=True)
        # Not without the secret in them, by which nobody can try guesses at passwords on it.
        containers[one["service"]] = container(one, inputs, digest("\0".join(parts.values())) if held["secret"] else "")
    made[f"{folder}/compose.yml"] = _file(_dump({"name": PROJECT, "services": containers}))
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
    if _collects(inputs):
        for path in TIMER_UNITS:
            unit = site.role_file("registry", Path(path).name).replace("@SCHEDULE@", inputs["collect_schedule"])
            made[path] = _file(unit)
    if inputs["certificate"] and _needs_tls(instances):
        made[f"{folder}/tls/tls.crt"] = _file(_text(Path(inputs["certificate"])))
        made[f"{folder}/tls/tls.key"] = _file(_text(Path(inputs["certificate_key"])), "0600", secret=True)
        if inputs["certificate_authority"]:
            made[f"{folder}/tls/ca.crt"] = _file(held["authority"])
    return made


def _file(content: str, mode: str = "0644", *, secret: bool = False) -> dict[str, Any]:
    return {"content": content, "mode": mode, "secret": secret}


def htpasswd(inputs: Mapping[str, Any], cost: int = 10) -> str:
    """Return a file of accounts, with a mark before each by which the host knows of what password a hash was made."""
    held = secrets(inputs)
    lines = []
    for name, password in held["passwords"].items():
        if not held["fingerprints"][name]:
            # A registry without accounts makes one up.
            raise ValueError(f"there is no password for {name} yet")
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()
        lines += [MARK + mark(held["fingerprints"][name], name, hashed), f"{name}:{hashed}"]
    return "".join(f"{line}\n" for line in lines)


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
        login = {key: account[key] for key in ("username", "password") if account.get(key)}
        result["proxy"] = {"remoteurl": one["upstream"], "ttl": one["ttl"], **login}
    return _merge(result, one["config"])


def container(one: Mapping[str, Any], inputs: Mapping[str, Any], parts: str) -> dict[str, Any]:
    """Return a registry's container, as a service of the compose project."""
    ports = [_published(one["address"], one["port"], 5000)]
    if one["metrics_port"]:
        ports.append(_published(one["metrics_address"], one["metrics_port"], DEBUG_PORT))
    binds = [(f"{inputs['config_dir']}/{one['service']}", OWN, True)]
    binds += [(f"{inputs['config_dir']}/tls", TLS, True)] if one["tls"] else []
    binds += [(one["path"], DATA, one["reader"])] if one["driver"] == "filesystem" else []
    service: dict[str, Any] = {
        "image": inputs["image"],
        "container_name": f"{PROJECT}-{one['service']}",
        **(
            {"entrypoint": ["/bin/sh", f"{OWN}/serve-cache"]}
            if one["mode"] == "cache"
            else {"command": ["serve", f"{OWN}/config.yml"]}
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
    if one["upstream_proxy"]:
        service["env_file"] = [f"{one['service']}/environment"]
    if one["upstream_authority"]:
        # Beside the system's authorities, which are a file.
        service["environment"]["SSL_CERT_DIR"] = OWN
    if one["memory"]:
        service["mem_limit"] = one["memory"]
    if one["cpus"]:
        service["cpus"] = float(one["cpus"])
    # Tells a container that was made from this from one that was not.
    service["labels"] = {"slipway.digest": digest(json.dumps(service, sort_keys=True) + parts)[:32]}
    return service


def _published(address: str, port: int, inside: int) -> str:
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{port}:{inside}" if address else f"{port}:{inside}"


def endpoints(hosts: list[str], hostvars: Any, *, removed: bool = False) -> tuple[list[dict[str, Any]], list[str]]:
    """Return where the registries of some hosts are reached, and what is wrong with those hosts' inputs.

    :param removed: also those of hosts that are to have none any more, or do not take the role.
    """
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    for host in hosts:
        if host not in hostvars:
            problems.append(
                f"registry_client_hosts has {host}, which is not in the inventory; give hosts of the inventory."
            )
            continue
        inputs, wrong = reader.read(*_shown_inputs(), hostvars[host], _resolved, "registry_", host)
        # The same wrong input of several hosts is told once, and without the host it reads as the host's own.
        problems += [problem for problem in wrong if problem not in problems]
        if wrong:
            continue
        if not removed and (inputs["state"] == "absent" or not reader.takes("registry", inputs["slipway_roles"])):
            continue
        name = inputs["hostname"] or host
        found += [
            {
                "address": f"{name}:{one['port']}",
                "host": host,
                "mode": "pull" if one["reader"] else one["mode"],
                "tls": one["tls"],
                "accounts": one["accounts"],
                "upstream": one["upstream_registry"] if one["mode"] == "cache" else "",
            }
            for one in services(whole(inputs))
        ]
    return found, problems


def unseen(site: reader.Site) -> list[str]:
    """Return a problem for each input that a play sets, so that the registries' clients on other hosts see another."""
    problems = []
    options, defaults = _shown_inputs()
    for name in options:
        # The role's defaults, which its tasks have among their variables, are known to clients too.
        default = defaults.get(name)
        try:
            shown = _resolved(site.hostvars[site.host].get(name, default)) if site.host in site.hostvars else default
        except AnsibleError:
            continue
        own = site.variable(name)
        # Of the roles it matters alone whether this one is taken.
        alike = name == "slipway_roles" and reader.takes("registry", own) == reader.takes("registry", shown)
        if own not in (None, shown) and not alike:
            problems.append(
                f"{name} is set by a play or as a role's parameter, which clients on other hosts do not see; set it in "
                "the inventory, best in group_vars/all."
            )
    return problems


def _resolved(value: Any) -> Any:
    # Before ansible-core 2.19 another host's template is left as it is where it cannot be resolved.
    if "{{" in json.dumps(value, default=str):
        raise AnsibleError("it needs what is not defined")
    return value


@functools.cache
def _shown_inputs() -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    options = {f"registry_{name}": reader.specification("registry")[f"registry_{name}"] for name in SHOWN_INPUTS}
    return {**options, "slipway_roles": reader.specification()["slipway_roles"]}, reader.defaults("registry")


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), dict)
        result[key] = _merge(result[key], value) if both else value
    return result


def _derive(secret: str, purpose: str) -> str:
    return digest(f"{secret}\0{purpose}") if secret else ""


def _dump(data: dict[str, Any]) -> str:
    return f"{WRITTEN}: changes here are lost.\n" + yaml.safe_dump(_plain(data), sort_keys=False)


def _plain(data: Any) -> Any:
    """Return data without Ansible's own types, which YAML's writer does not know."""
    return json.loads(json.dumps(data))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def digest(text: str) -> str:
    """Return a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()
