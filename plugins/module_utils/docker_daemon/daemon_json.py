"""What is known of dockerd's configuration file, and the three-way merge of it. Pure: no file is read here.

``merge`` brings together what is in the file, what is wanted, and the entries of the last merge. An
entry is one thing that was set: its path in the file, its value, and what was there ``before``, so
that it can be undone. What has no entry belongs to somebody else and is never touched.
"""

import copy
import ipaddress
import json
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

Entry = Dict[str, Any]

FILE = "/etc/docker/daemon.json"

# The keys that a SIGHUP applies (of features only some), each with the value that stands for its absence, since a
# reload ignores a key that is gone.
RELOADABLE = {
    "debug": False,
    "default-runtime": "runc",
    "insecure-registries": [],
    "labels": [],
    "live-restore": False,
    "max-concurrent-downloads": 3,
    "max-concurrent-uploads": 5,
    "max-download-attempts": 5,
    "registry-mirrors": [],
    "runtimes": {},
    "shutdown-timeout": 15,
}  # type: Dict[str, Any]

# A restart that changes one of these loses the running containers even with live-restore.
BREAKS_LIVE_RESTORE = {
    *("bip", "bip6", "bridge", "fixed-cidr", "fixed-cidr-v6", "ip-forward", "ip6tables", "iptables", "ipv6"),
    *("cgroup-parent", "containerd", "containerd-namespace", "containerd-plugin-namespace", "exec-opts", "exec-root"),
    *("data-root", "features", "live-restore", "storage-driver", "storage-opts", "userns-remap"),
}

_NAMES = {bool: "true or false", int: "a whole number", str: "a text", list: "a list"}
_LOOPBACK = ("127.0.0.0/8", "::1/128")
# Up to the last @, since a password may hold one.
_PASSWORD = re.compile(r"(?<=://)[^/\s\"']+@")
_SECRET_NAMES = "token|password|secret|credential"
_SECRET = re.compile(r"(\"[^\"]*(?:%s)[^\"]*\"\s*:\s*)\"[^\"]*\"" % _SECRET_NAMES, re.IGNORECASE)


def parse(text: str) -> Dict[str, Any]:
    """Return the file's content as a mapping; an empty file is an empty one, as it is to dockerd.

    :raises ValueError: it is not JSON, with line and column, or not an object.
    """
    text = text[1:] if text.startswith("\ufeff") else text
    if not text.strip():
        return {}
    try:
        config = json.loads(text)
    except ValueError as error:
        where = "line %d, column %d: " % (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError("%s%s" % (where, getattr(error, "msg", error)))
    if not isinstance(config, dict):
        kind = _NAMES.get(type(config), "a number or null")
        raise ValueError("line 1, column 1: it holds %s, not an object" % kind)
    return config


def check_encoding(data: bytes) -> None:
    """Refuse a file that cannot be written back as it is.

    :raises ValueError: it is not UTF-8, with line and column.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        raise ValueError("line %d, column %d: it is not UTF-8" % (line, column))


def render(config: Dict[str, Any], like: str = "") -> str:
    """Return the mapping as JSON, indented like the text that it replaces."""
    found = re.search(r"\n([ \t]+)\"", like)
    indent = found.group(1) if found else None if like.strip(" \t\r\n{}") else 4
    end = "" if like and not like.endswith("\n") else "\n"
    return json.dumps(config, indent=indent, ensure_ascii=False) + end


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON: to Python alone, 1 and true would be."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def redact(text: str) -> str:
    """Return text without the passwords in its URLs and the values of its tokens and secrets."""
    return _SECRET.sub(r'\1"***"', _PASSWORD.sub("***@", text))


def map_secrets(config: Any, change: Callable[[str], str], name: str = "") -> Any:
    """Return a content in which the texts under names of secrets are changed."""
    if isinstance(config, dict):
        return dict((key, map_secrets(value, change, str(key))) for key, value in config.items())
    if isinstance(config, list):
        return [map_secrets(one, change, name) for one in config]
    return change(config) if isinstance(config, str) and re.search(_SECRET_NAMES, name, re.IGNORECASE) else config


def normalise(config: Dict[str, Any]) -> Dict[str, Any]:
    """Return the wanted configuration as dockerd takes it: log-opts are texts, whatever YAML made of them."""
    config = copy.deepcopy(config)
    options = config.get("log-opts")
    if isinstance(options, dict):
        for key, value in options.items():
            options[key] = value if isinstance(value, str) else json.dumps(value)
    return config


def merge(current: Dict[str, Any], wanted: Dict[str, Any], entries: List[Entry]) -> Tuple[Dict[str, Any], List[Entry]]:
    """Return the file's new content and the new entries.

    Objects are merged key by key; anything else, a list too, is exactly as wanted. An entry that is not
    wanted any more is undone, unless somebody else has changed the value since.
    """
    result = copy.deepcopy(current)
    flat = _flatten(wanted)
    last = dict((tuple(entry["path"]), entry) for entry in entries)
    for path, entry in reversed(list(last.items())):
        if path not in flat or _is_object(flat[path]) != _is_object(entry["value"]):
            _undo(result, entry)
            del last[path]
    merged = []
    for path, value in flat.items():
        parent = _parent(result, path)
        existed, is_ = path[-1] in parent, parent.get(path[-1])
        entry = last.get(path) or {"path": list(path), "value": value}
        if path not in last:
            if _is_object(value) and isinstance(is_, dict):
                # Somebody else's object: only what is put into it is ours.
                continue
            if existed:
                entry["before"] = copy.deepcopy(is_)
        if not (_is_object(value) and isinstance(is_, dict)):
            parent[path[-1]] = copy.deepcopy(value)
        merged.append(dict(entry, value=copy.deepcopy(value)))
    return result, merged


def changes(current: Dict[str, Any], merged: Dict[str, Any], prefix: str = "") -> List[List[str]]:
    """Return how two contents differ, as key, is and want that a person reads; a nested key has dots."""
    found = []  # type: List[List[str]]
    for key in list(current) + [key for key in merged if key not in current]:
        old, new = current.get(key), merged.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += changes(old, new, "%s%s." % (prefix, key))
        elif key not in current or key not in merged or not same(old, new):
            is_ = _show(prefix + key, old) if key in current else "not set"
            want = _show(prefix + key, new) if key in merged else "not set"
            found.append([prefix + key, is_, want if want != is_ else "another value, not shown"])
    return found


def split(keys: List[str]) -> Tuple[List[str], List[str]]:
    """Return the keys that need a restart and those for which a reload is enough."""
    return [key for key in keys if key not in RELOADABLE], [key for key in keys if key in RELOADABLE]


def reported(info: Dict[str, Any], key: str, value: Any) -> Optional[bool]:
    """Tell whether the running daemon reports a value, ``None`` where ``docker info`` does not say.

    :param value: what the file holds, ``None`` for a key that is not in it.
    """
    if not info or (value is None and not isinstance(RELOADABLE.get(key), (bool, list))):
        return None
    try:
        return _reported(info, key, value)
    except (AttributeError, TypeError):  # Of another kind: dockerd says what is wrong with it.
        return None


def _reported(info: Dict[str, Any], key: str, value: Any) -> Optional[bool]:
    value = RELOADABLE[key] if value is None else value
    registries = info.get("RegistryConfig") or {}
    if key == "registry-mirrors":
        return [one.rstrip("/") for one in registries.get("Mirrors") or []] == [one.rstrip("/") for one in value]
    if key == "insecure-registries":
        listed = set(registries.get("InsecureRegistryCIDRs") or [])
        listed |= {name for name, one in (registries.get("IndexConfigs") or {}).items() if not one.get("Secure")}
        return listed - set(_LOOPBACK) == {_network(one) for one in value} - set(_LOOPBACK)
    if key == "labels":
        return sorted(info.get("Labels") or []) == sorted(value)
    if key == "runtimes":
        return None if set(value) <= set(info.get("Runtimes") or {}) else False
    if key == "default-address-pools":
        pools = [(one.get("Base"), one.get("Size")) for one in info.get("DefaultAddressPools") or []]
        return pools == [(_network(one.get("base", "")), one.get("size")) for one in value]
    if key == "features":
        return _features(info, value)
    name = {
        "debug": "Debug",
        "default-runtime": "DefaultRuntime",
        "experimental": "ExperimentalBuild",
        "live-restore": "LiveRestoreEnabled",
        "log-driver": "LoggingDriver",
        "storage-driver": "Driver",
    }.get(key)
    return None if name is None or name not in info else same(info[name], value)


def _features(info: Dict[str, Any], value: Dict[str, Any]) -> Optional[bool]:
    """Tell whether the features that show in ``docker info`` are as wanted."""
    shown = {}
    if "DriverStatus" in info:
        shown["containerd-snapshotter"] = has_snapshotter(info)
    if "CDISpecDirs" in info:
        shown["cdi"] = bool(info["CDISpecDirs"])
    known = [name for name in value if name in shown]
    return all(shown[name] == value[name] for name in known) if known else None


def has_snapshotter(info: Dict[str, Any]) -> bool:
    """Tell whether the daemon keeps its images in containerd's store."""
    return any(str(one[-1]).startswith("io.containerd.snapshotter") for one in info.get("DriverStatus") or [])


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _flatten(wanted: Dict[str, Any], path: Tuple[str, ...] = ()) -> Dict[Tuple[str, ...], Any]:
    """Return what is wanted by path, parents before children; an object stands there as an empty one."""
    flat = {}  # type: Dict[Tuple[str, ...], Any]
    for key, value in wanted.items():
        flat[path + (key,)] = {} if _is_object(value) else value
        if _is_object(value):
            flat.update(_flatten(value, path + (key,)))
    return flat


def _parent(config: Dict[str, Any], path: Tuple[str, ...]) -> Dict[str, Any]:
    for key in path[:-1]:
        config = config[key]
    return config


def _undo(config: Dict[str, Any], entry: Entry) -> None:
    parent = config  # type: Any
    for key in entry["path"][:-1]:
        parent = parent.get(key) if isinstance(parent, dict) else None
    key = entry["path"][-1]
    if not isinstance(parent, dict) or key not in parent or not same(parent[key], entry["value"]):
        return
    if "before" in entry:
        parent[key] = copy.deepcopy(entry["before"])
    else:
        del parent[key]


def _show(key: str, value: Any) -> str:
    if key.split(".")[0] == "proxies":
        return "set"
    return redact('"%s": %s' % (key, json.dumps(value, ensure_ascii=False)))[len(key) + 4 :]


def _network(registry: str) -> str:
    try:
        return str(ipaddress.ip_network(registry, strict=False)) if "/" in registry else registry
    except ValueError:
        return registry
