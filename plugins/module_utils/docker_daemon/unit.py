"""dockerd's command line in its systemd unit: which flags it has, and a drop-in without some of them. Pure.

A setting that is both a flag and a key of daemon.json stops the daemon from starting. Flags are found
in the text that ``systemctl cat docker.service`` prints, with variables of environment files expanded.
"""

import re
import shlex
from typing import Any, Dict, Iterable, List, Tuple

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.daemon_json import TYPES
from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET

HEADER = "# Written by Slipway (slipway.node.docker_daemon). The next run overwrites changes made here.\n"

# Flags whose name is not the key's name.
_KEYS = {
    "-D": "debug",
    "-G": "group",
    "-H": "hosts",
    "-b": "bridge",
    "-g": "data-root",
    "-l": "log-level",
    "-p": "pidfile",
    "-s": "storage-driver",
    "--add-runtime": "runtimes",
    "--authorization-plugin": "authorization-plugins",
    "--cdi-spec-dir": "cdi-spec-dirs",
    "--containerd-plugins-namespace": "containerd-plugin-namespace",
    "--default-address-pool": "default-address-pools",
    "--default-network-opt": "default-network-opts",
    "--default-ulimit": "default-ulimits",
    "--dns-opt": "dns-opts",
    "--exec-opt": "exec-opts",
    "--graph": "data-root",
    "--host": "hosts",
    "--host-gateway-ip": "host-gateway-ips",
    "--http-proxy": "proxies",
    "--https-proxy": "proxies",
    "--insecure-registry": "insecure-registries",
    "--label": "labels",
    "--log-opt": "log-opts",
    "--no-proxy": "proxies",
    "--node-generic-resource": "node-generic-resources",
    "--registry-mirror": "registry-mirrors",
    "--storage-opt": "storage-opts",
}
# dockerd merges it.
_MERGED = ("runtimes",)
# Names of flags that are no keys: dockerd takes them in the file without a word, and without effect.
FLAGS = dict((name[2:], key) for name, key in _KEYS.items() if name.startswith("--") and name[2:] not in TYPES)


def environment_files(unit: str) -> List[str]:
    """Return the paths of the unit's environment files."""
    return re.findall(r"(?m)^EnvironmentFile=-?(\S+)", unit)


def command(unit: str, own: str, files: List[str]) -> List[str]:
    """Return the words of the unit's ExecStart as it is without Slipway's drop-in.

    :param unit: what ``systemctl cat`` prints: each file after a line ``# /its/path``.
    :param own: the path of Slipway's drop-in, which is skipped.
    :param files: the contents of the environment files.
    """
    path, line = "", ""
    variables = environment(unit, files)
    for one in _lines(unit):
        if one.startswith("# /"):
            path = one[2:].strip()
        elif path != own and one.startswith("ExecStart="):
            line = one[len("ExecStart=") :].strip()
    words = []  # type: List[str]
    for word in _words(line):
        name = re.match(r"^\$\{?(\w+)\}?$", word)
        words += variables.get(name.group(1), "").split() if name else [word]
    return words


def environment(unit: str, files: List[str]) -> Dict[str, str]:
    """Return the variables that the unit sets, those of its environment files last."""
    variables = {}  # type: Dict[str, str]
    for one in _lines(unit):
        if one.startswith("Environment="):
            variables.update(_variables(_words(one[len("Environment=") :])))
    for text in files:
        lines = [one.strip() for one in text.splitlines() if not one.lstrip().startswith(("#", ";"))]
        variables.update(_variables(" ".join(_words(one)) for one in lines))
    return variables


def flags(words: List[str]) -> List[Tuple[str, List[str]]]:
    """Return the flags of a command line in order: the key of daemon.json that means the same, and the flag's words."""
    found = []  # type: List[Tuple[str, List[str]]]
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        name = word.split("=")[0]
        # -Hfd:// is -H fd://.
        short = re.match(r"^-[A-Za-z]", word)
        if short and not word.startswith("--"):
            name = short.group(0)
        key = _KEYS.get(name, name.lstrip("-"))
        has_value = "=" in word or (bool(short) and len(word) > 2)
        if not word.startswith("-") or has_value or TYPES.get(key) is bool or not rest:
            found.append((key, [word]))
        else:
            found.append((key, [word, rest.pop(0)]))
    return found


def values(words: List[str], key: str) -> List[str]:
    """Return the values of a key's flags."""
    found = [parts for name, parts in flags(words) if name == key]
    return [parts[-1] if len(parts) > 1 else re.sub(r"^(--[^=]*=|-[A-Za-z]=?)", "", parts[0]) for parts in found]


def endpoint(words: List[str], config: Dict[str, Any]) -> str:
    """Return where the daemon of this unit listens: root's client may be set to another."""
    listed = config.get("hosts")
    hosts = [str(one) for one in (listed if isinstance(listed, list) else []) + values(words, "hosts")]
    own = [one for one in hosts if one.startswith("unix://")]
    remote = [one for one in hosts if one.startswith("tcp://")]
    if own:
        return own[0] if own[0] != "unix://" else SOCKET
    return remote[0] if remote and not any(one.startswith("fd:") for one in hosts) else SOCKET


def conflicts(words: List[str], keys: List[str]) -> Dict[str, str]:
    """Return the keys that are flags too, each with its flags as they stand on the command line."""
    found = {}  # type: Dict[str, str]
    for key, parts in flags(words):
        if key in keys and key not in _MERGED:
            found[key] = " ".join(([found[key]] if key in found else []) + parts)
    return found


def drop_in(words: List[str], keys: List[str]) -> str:
    """Return a drop-in that starts dockerd without the flags of these keys."""
    kept = [part for key, parts in flags(words) if key not in keys or key in _MERGED for part in parts]
    line = " ".join(
        word if re.match(r"^[^\s\"';\\]+$", word) else '"%s"' % word.replace('"', '\\"') for word in words[:1] + kept
    )
    return "%s[Service]\nExecStart=\nExecStart=%s\n" % (HEADER, line)


def mounts_drop_in(folder: str) -> str:
    """Return the drop-in that lets the daemon wait for the disk of its data, and not start without it."""
    return "%s[Unit]\nRequiresMountsFor=%s\n" % (HEADER, '"%s"' % folder if " " in folder else folder)


def group_drop_in(group: str) -> str:
    """Return the drop-in of the socket that gives it a group, since systemd makes the socket and not the daemon."""
    return "%s[Socket]\nSocketGroup=%s\n" % (HEADER, group)


def proxy_environment(http: str, https: str, no_proxy: str) -> str:
    """Return the environment file of the proxies.

    A file, since every user can read a unit's own Environment with ``systemctl show``.
    """
    named = (("HTTP_PROXY", http), ("HTTPS_PROXY", https), ("NO_PROXY", no_proxy))
    return HEADER + "".join(
        '%s="%s"\n' % (name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in named if value
    )


def proxy_drop_in(environment_file: str) -> str:
    """Return the drop-in that makes the daemon read the environment file."""
    return "%s[Service]\nEnvironmentFile=%s\n" % (HEADER, environment_file)


def _lines(unit: str) -> List[str]:
    return re.sub(r"\\\n\s*", " ", unit).splitlines()


def _words(line: str) -> List[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _variables(assignments: Iterable[str]) -> Dict[str, str]:
    return dict(one.split("=", 1) for one in assignments if "=" in one)
