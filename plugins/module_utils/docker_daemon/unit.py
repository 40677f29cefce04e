"""dockerd's command line in its systemd unit: which flags it has, and a drop-in without some of them. Pure.

A setting that is both a flag and a key of daemon.json stops the daemon from starting. Flags are found
in the text that ``systemctl cat docker.service`` prints, with variables of environment files expanded.
"""

import re
import shlex
from typing import Any, Dict, Iterable, List, Sequence, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET

HEADER = "# Written by Slipway (slipway.node.docker_daemon). The next run overwrites changes made here.\n"

# Flags that take no value.
_SWITCHES = re.findall(
    r"\S+",
    "allow-direct-routing cri-containerd debug experimental icc init ip-forward ip-forward-no-drop ip-masq ip6tables"
    " iptables ipv6 live-restore no-new-privileges raw-logs rootless selinux-enabled tls tlsverify userland-proxy"
    " validate",
)
# Names of flags that are no keys, without their dashes: dockerd takes them in the file without a word, without effect.
_LISTS = re.findall(
    r"\S+",
    "allow-nondistributable-artifacts authorization-plugins cdi-spec-dirs cluster-store-opts default-address-pools"
    " default-network-opts default-ulimits dns-opts exec-opts features host-gateway-ips hosts insecure-registries"
    " labels log-opts node-generic-resources registry-mirrors storage-opts",
)
_FLAGS = (
    "D=debug G=group H=hosts b=bridge g=data-root graph=data-root l=log-level p=pidfile s=storage-driver"
    " add-runtime=runtimes containerd-plugins-namespace=containerd-plugin-namespace host-gateway-ip=host-gateway-ips"
    " http-proxy=proxies https-proxy=proxies no-proxy=proxies insecure-registry=insecure-registries"
)
FLAGS = dict((key[:-1], key) for key in _LISTS)
FLAGS.update(re.findall(r"(\S+)=(\S+)", _FLAGS))
# dockerd merges it.
MERGED = ("runtimes",)


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


def engine_words(words: Sequence[str]) -> List[str]:
    """Return the part of a command line that is dockerd's, whatever starts it; empty where a script hides it."""
    for place, word in enumerate(words):
        if word.rpartition("/")[2] == "dockerd":
            return list(words[place:])
        if "dockerd" in word and " " in word:
            return engine_words(_words(word))
    return []


def flags(words: Sequence[str]) -> List[Tuple[str, List[str]]]:
    """Return the flags of a command line in order: the key of daemon.json that means the same, and the flag's words."""
    found = []  # type: List[Tuple[str, List[str]]]
    rest = engine_words(words)[1:]
    while rest:
        word = rest.pop(0)
        name = word.split("=")[0]
        # -Hfd:// is -H fd://.
        short = re.match(r"^-[A-Za-z]", word)
        if short and not word.startswith("--"):
            name = short.group(0)
        key = FLAGS.get(name.lstrip("-"), name.lstrip("-"))
        has_value = "=" in word or (bool(short) and len(word) > 2)
        if not word.startswith("-") or has_value or key in _SWITCHES or not rest:
            found.append((key, [word]))
        else:
            found.append((key, [word, rest.pop(0)]))
    return found


def values(words: Sequence[str], key: str) -> List[str]:
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
        if key in keys and key not in MERGED:
            found[key] = " ".join(([found[key]] if key in found else []) + parts)
    return found


def drop_in(words: List[str], keys: List[str]) -> str:
    """Return a drop-in that starts dockerd, by what starts it now, without the flags of these keys."""
    own = engine_words(words)
    place = len(words) - len(own)
    # A shell's own line is given up.
    start = words[: place + 1] if words[place:] == own else ["/usr/bin/env", "dockerd"]
    kept = [part for key, parts in flags(words) if key not in keys or key in MERGED for part in parts]
    line = " ".join(
        word if re.match(r"^[^\s\"';\\]+$", word) else '"%s"' % word.replace('"', '\\"') for word in start + kept
    )
    return setting("Service", "ExecStart=\nExecStart=%s" % line)


def setting(section: str, line: str) -> str:
    """Return a drop-in with one line."""
    return "%s[%s]\n%s\n" % (HEADER, section, line)


def proxy_environment(http: str, https: str, no_proxy: str) -> str:
    """Return the environment file of the proxies.

    A file, since every user can read a unit's own Environment with ``systemctl show``.
    """
    named = (("HTTP_PROXY", http), ("HTTPS_PROXY", https), ("NO_PROXY", no_proxy))
    return HEADER + "".join(
        '%s="%s"\n' % (name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in named if value
    )


def _lines(unit: str) -> List[str]:
    return re.sub(r"\\\n\s*", " ", unit).splitlines()


def _words(line: str) -> List[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _variables(assignments: Iterable[str]) -> Dict[str, str]:
    return dict(one.split("=", 1) for one in assignments if "=" in one)
