"""Inputs of the role ``registry``: what a specification cannot say, and the wanted state that comes of them.

The host is told seals and digests alone; what it has to hold it gets when it acts.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.data import OWN_FOLDERS
from ansible_collections.slipway.node.plugins.module_utils.registry.want import DATA_MARK
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.registry.certificate import certificate_problem, wanted_tls
from ansible_collections.slipway.node.plugins.plugin_utils.registry.endpoints import instances_elsewhere
from ansible_collections.slipway.node.plugins.plugin_utils.registry.files import (
    PROGRAM,
    PROJECT,
    SETTLE_UNIT,
    TIMER,
    TIMER_UNITS,
    files,
)
from ansible_collections.slipway.node.plugins.plugin_utils.registry.instances import (
    collects,
    complete_instances,
    endpoint,
    instance_problems,
    is_local,
    location,
    needs_tls,
    overlaps,
    services,
)
from ansible_collections.slipway.node.plugins.plugin_utils.registry.secrets import (
    account_problems,
    htpasswd,
    make,
    missing,
    number_problems,
    secrets,
)

REMOVAL_INPUTS = ("state", "instances", "config_dir", "data_dir", "purge_data")
# By default, on the controller.
CACHE, DATA_FOLDER = "~/.cache/slipway", "~/.local/share/slipway/registry"


def prepare(inputs: dict[str, Any], site: reader.Site) -> tuple[dict[str, Any], list[str]]:
    """Return the wanted state of a registry host without its secrets, and what is wrong with the inputs."""
    inputs = with_defaults(inputs, site)
    problems = instance_problems(inputs)
    if inputs["state"] == "absent":
        return _absent(inputs), problems + (_engine_problems(inputs, site) if inputs["purge_data"] else [])
    problems += _engine_problems(inputs, site) + _storage_problems(inputs, site)
    problems += (
        number_problems(site) + account_problems(inputs) + _retention_problems(inputs) + _controller_problems(inputs)
    )
    if problems:
        return {}, problems
    folder, instances = inputs["config_dir"], complete_instances(inputs)
    credentials = secrets(inputs)
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
        "accounts": credentials["fingerprints"],
        "replace_secrets": inputs["replace_authority"],
        "tls": wanted_tls(inputs, credentials) if needs_tls(instances) else {},
        "timer": TIMER if collects(inputs) else "",
        "at_boot": Path(SETTLE_UNIT).name,
        "schedule": inputs["collect_schedule"] if collects(inputs) else "",
        "unwanted_units": [] if collects(inputs) else list(TIMER_UNITS),
        "open_ports": [one["port"] for one in services(instances) if inputs["open_firewall"] and not is_local(one)],
        "minimum_free": int(inputs["minimum_free"] * 2**30),
        "purge": [],
        # For tasks on the controller.
        "facts": {
            "secrets_dir": inputs["secrets_dir"],
            "missing_secrets": missing(inputs, credentials),
            # The stores whose images are files of the host, and what the playbooks do with them. A folder may be on a
            # disk that several hosts share.
            **{key: value for key, value in inputs.items() if key.startswith(("backup_", "restore_"))},
            **{key: f"{inputs[key]}/{site.host}" for key in ("backup_dir", "restore_dir")},
            "stores": [one["name"] for one in instances if one["mode"] == "store" and one["driver"] == "filesystem"],
        },
    }, []


def secrets_for_acting(inputs: dict[str, Any], site: reader.Site) -> dict[str, Any]:
    """Return the accounts with hashes of their passwords, the authority, and the certificate that tasks issued."""
    if inputs["state"] == "absent":
        return {}
    inputs = with_defaults(inputs, site)
    has_accounts = any(one["accounts"] for one in complete_instances(inputs))
    issued = {**(site.variable("__registry_issued") or {}), "authority": secrets(inputs)["authority"]}
    return {"registry_htpasswd": htpasswd(inputs) if has_accounts else "", "registry_issued": issued}


def make_on_controller(inputs: dict[str, Any], site: reader.Site) -> None:
    """Make the secrets that are missing."""
    make(with_defaults(inputs, site))


def with_defaults(inputs: Mapping[str, Any], site: reader.Site) -> dict[str, Any]:
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


def _engine_problems(inputs: Mapping[str, Any], site: reader.Site) -> list[str]:
    """Return which instances would keep their images where the engine keeps its own data."""
    roots = dict.fromkeys([str(site.variable("docker_daemon_data_root") or OWN_FOLDERS[0]), *OWN_FOLDERS])
    return [
        f"{one['name']} has its images in {location(one)}, and {root} is the engine's: a purge of one would remove the "
        "other's. Choose another storage path, as in /opt/data/registry."
        for one in complete_instances(inputs)
        for root in roots
        if overlaps(location(one), Path(root))
    ]


def _storage_problems(inputs: Mapping[str, Any], site: reader.Site) -> list[str]:
    """Return which instances would keep their images among those of another, which knows nothing of their pushes."""
    instances = complete_instances(inputs)
    objects = [one for one in instances if one["mode"] == "store" and one["driver"] != "filesystem"]
    elsewhere = instances_elsewhere(site) if objects and inputs["collect_schedule"] else []
    return [
        f"{one['name']} has its images in {location(one)} and {other['name']} in {location(other)}, so that one would "
        "collect the other's as garbage: give each a storage of its own."
        for one, other in [*itertools.combinations(instances, 2), *itertools.product(objects, elsewhere)]
        if overlaps(location(one), location(other))
    ]


def _retention_problems(inputs: Mapping[str, Any]) -> list[str]:
    problems = []
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
    paths.update(
        {f"The upstream.authority of {one['name']}": one["upstream_authority"] for one in complete_instances(inputs)}
    )
    problems = [
        f"{name} is {path}, which is no file on the controller. Correct the path."
        for name, path in paths.items()
        if path and not Path(path).is_file()
    ]
    if bool(inputs["certificate"]) != bool(inputs["certificate_key"]):
        problems.append("registry_certificate and registry_certificate_key belong together: give both, or neither.")
    judged = inputs["certificate"] and needs_tls(complete_instances(inputs)) and not problems
    problem = certificate_problem(inputs) if judged else ""
    if problem:
        problems.append(problem)
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


def _absent(inputs: Mapping[str, Any]) -> dict[str, Any]:
    paths = (
        [one["path"] for one in complete_instances(inputs) if one["driver"] == "filesystem"]
        if inputs["purge_data"]
        else []
    )
    return {
        "state": "absent",
        "project": PROJECT,
        "config_dir": inputs["config_dir"],
        "files": {PROGRAM: {"seal": ""}},
        "unwanted_units": [*TIMER_UNITS, SETTLE_UNIT],
        # What a registry keeps in its folder, and nothing else that may be there.
        "purge": [
            f"{path}/{name}" for path in paths for name in ("docker", ".gone-docker", "scheduler-state.json", DATA_MARK)
        ],
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
        "endpoint": endpoint(one),
        "object_store": one["driver"] != "filesystem" and not one["reader"],
        "upstream": one["upstream"] if one["mode"] == "cache" else "",
        "htpasswd": f"{folder}/{one['service']}/htpasswd" if one["accounts"] else "",
        "certificate": f"{folder}/tls/tls.crt" if one["tls"] else "",
    }
