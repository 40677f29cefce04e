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

_KEYS = {
    bool: "allow-direct-routing cri-containerd debug experimental icc init ip-forward ip-forward-no-drop ip-masq"
    " ip6tables iptables ipv6 live-restore no-new-privileges raw-logs rootless selinux-enabled tls tlsverify"
    " userland-proxy",
    int: "cpu-rt-period cpu-rt-runtime max-concurrent-downloads max-concurrent-uploads max-download-attempts mtu"
    " network-control-plane-mtu network-diagnostic-port oom-score-adjust shutdown-timeout swarm-raft-election-tick"
    " swarm-raft-heartbeat-tick",
    str: "api-cors-header bip bip6 bridge bridge-accept-fwmark cgroup-parent cluster-advertise cluster-store"
    " containerd containerd-namespace containerd-plugin-namespace data-root default-cgroupns-mode"
    " default-gateway default-gateway-v6 default-init default-ipc-mode default-runtime exec-root firewall-backend"
    " fixed-cidr fixed-cidr-v6 group host-gateway-ip init-path ip log-driver log-format log-level metrics-addr"
    " pidfile resolv-conf seccomp-profile storage-driver swarm-default-advertise-addr tlscacert tlscert tlskey"
    " userland-proxy-path userns-remap",
    list: "allow-nondistributable-artifacts authorization-plugins cdi-spec-dirs default-address-pools dns dns-opts"
    " dns-search exec-opts host-gateway-ips hosts insecure-registries labels node-generic-resources registry-mirrors"
    " storage-opts",
    dict: "builder cluster-store-opts default-network-opts default-ulimits features log-opts proxies runtimes",
    # A number of bytes, or a text such as 64M.
    object: "default-shm-size",
}
TYPES = dict((key, kind) for kind, keys in _KEYS.items() for key in keys.split())  # type: Dict[str, type]

# What may be an option of any log driver, and what else each driver takes. A driver that is not listed is a plugin.
_ANY_LOG_OPTS = "mode max-buffer-size cache-disabled cache-max-size cache-max-file cache-compress"
_LABELLED = " labels labels-regex env env-regex tag"
_LOG_OPTS = {
    "awslogs": "awslogs-create-group awslogs-create-stream awslogs-credentials-endpoint awslogs-datetime-format"
    " awslogs-endpoint awslogs-force-flush-interval-seconds awslogs-format awslogs-group awslogs-max-buffered-events"
    " awslogs-multiline-pattern awslogs-region awslogs-stream tag",
    "fluentd": "fluentd-address fluentd-async fluentd-async-connect fluentd-async-reconnect-interval"
    " fluentd-buffer-limit fluentd-max-retries fluentd-read-timeout fluentd-request-ack fluentd-retry-wait"
    " fluentd-sub-second-precision fluentd-write-timeout" + _LABELLED,
    "gcplogs": "gcp-log-cmd gcp-meta-id gcp-meta-name gcp-meta-zone gcp-project" + _LABELLED,
    "gelf": "gelf-address gelf-compression-level gelf-compression-type gelf-tcp-max-reconnect gelf-tcp-reconnect-delay"
    + _LABELLED,
    "journald": _LABELLED,
    "json-file": "max-size max-file compress" + _LABELLED,
    "local": "max-size max-file compress",
    "none": "",
    "splunk": "splunk-caname splunk-capath splunk-format splunk-gzip splunk-gzip-level splunk-index"
    " splunk-index-acknowledgment splunk-insecureskipverify splunk-source splunk-sourcetype splunk-token splunk-url"
    " splunk-verify-connection" + _LABELLED,
    "syslog": "syslog-address syslog-facility syslog-format syslog-tls-ca-cert syslog-tls-cert syslog-tls-key"
    " syslog-tls-skip-verify" + _LABELLED,
}
_NAMES = {bool: "true or false", int: "a whole number", str: "a text", list: "a list", dict: "a mapping"}
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


def check(config: Dict[str, Any], refuse_unknown: bool) -> List[str]:
    """Return what is wrong with a wanted configuration, as far as it is known without dockerd.

    :param refuse_unknown: for a dockerd that cannot say itself which keys it knows.
    """
    problems = []
    for key, value in sorted(config.items()):
        kind = TYPES.get(key, object)
        if key not in TYPES and refuse_unknown:
            problems.append("%s: dockerd has no such key" % key)
        elif not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            problems.append("%s must be %s, not %s" % (key, _NAMES[kind], redact(json.dumps(value))))
    return problems


def unknown_log_options(config: Dict[str, Any]) -> List[str]:
    """Return the log options that the log driver does not know, which keep the daemon from starting."""
    driver, options = config.get("log-driver") or "json-file", config.get("log-opts")
    if driver not in _LOG_OPTS or not isinstance(options, dict):
        return []
    return sorted(set(options) - set(_ANY_LOG_OPTS.split()) - set(_LOG_OPTS[driver].split()))


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
