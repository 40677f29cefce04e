"""Instances of a registry host: with all that they leave to the role's inputs, as containers, and judged."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
HUB = "https://registry-1.docker.io"


def complete_instances(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the instances with all that they leave to the role's inputs, without secrets."""
    return [_complete(one, inputs) for one in inputs["instances"]]


def _complete(one: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
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


def is_local(one: Mapping[str, Any]) -> bool:
    """Tell whether only the host itself reaches an instance."""
    return _is_address(one["address"]) and ipaddress.ip_address(one["address"]).is_loopback


def needs_tls(instances: list[dict[str, Any]]) -> bool:
    return any(one["tls"] for one in instances)


def collects(inputs: Mapping[str, Any]) -> bool:
    return bool(inputs["collect_schedule"]) and any(one["mode"] == "store" for one in inputs["instances"])


def endpoint(one: Mapping[str, Any]) -> str:
    """Return host and port of an object store, empty where the host is not known beforehand."""
    if one["driver"] != "s3":
        return ""
    given = str(one["options"].get("regionendpoint", ""))
    if not given:
        return f"s3.{one['options'].get('region', 'us-east-1')}.amazonaws.com:443"
    parts = urlsplit(given if "://" in given else f"https://{given}")
    return f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}"


def location(one: Mapping[str, Any]) -> Path:
    """Return the folder that an instance has for itself alone: of the host, or of an object store."""
    if one["driver"] == "filesystem":
        return Path(one["path"], "docker")
    parts = [one["options"].get(key) or "" for key in ("accountname", "bucket", "container", "rootdirectory")]
    return Path(one["driver"], endpoint(one), *(str(part).strip("/") for part in parts), "docker")


def overlaps(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def instance_problems(inputs: Mapping[str, Any]) -> list[str]:
    """Return what cannot be in the instances, each as a sentence with its remedy. No secret is shown."""
    problems = [
        f"{one['name']!r} cannot name an instance: use a-z, 0-9 and dashes inside."
        for one in inputs["instances"]
        if not NAME.fullmatch(one["name"])
    ]
    if problems:
        return problems
    instances = complete_instances(inputs)
    names = [one["name"] for one in instances]
    problems += [
        f"Two instances have the name {name}: give each its own."
        for name in sorted({one for one in names if names.count(one) > 1})
    ]
    problems += [
        f"The name {name}-pull is that of the container by which everyone pulls from {name}: give another."
        for name in [one["name"] for one in instances if one["anonymous_pull"]]
        if f"{name}-pull" in names
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
    if set(one["config"].get("http") or {}) & {"addr", "net", "tls"}:
        problems.append(
            f"The config of {name} has http.addr, http.net or http.tls, with which nothing answers at its port: remove "
            "that, and set port, address or tls of the instance."
        )
    if one["cpus"] and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", one["cpus"]):
        problems.append(f'The cpus of {name} are {one["cpus"]}: give a number, as in "1.5".')
    if one["anonymous_pull"] and not one["accounts"]:
        problems.append(
            f"{name} has no accounts, so everyone may pull and push: remove anonymous_pull, or accounts: false."
        )
    return problems


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
