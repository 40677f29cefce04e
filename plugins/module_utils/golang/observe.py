"""What a host has of Go: toolchains side by side, links, profile, environment file."""

import json
import os
import re
from typing import Any, Dict, List, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine import trees, versions
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.golang.toolchain import (
    MANIFEST,
    damage,
    programs,
    read_environment,
)
from ansible_collections.slipway.node.plugins.module_utils.golang.want import tree_path

# Where distributions and others keep toolchains that can compile Go itself.
_BOOTSTRAPS = ("/usr/local/go", "/usr/lib/go-*", "/usr/lib/go", "/usr/lib/golang")
_COMMANDS = ("go", "gofmt")
# What gives all users their environment.
_SETTINGS = (
    "/etc/environment",
    "/etc/environment.d/*.conf",
    "/etc/security/pam_env.conf",
    "/etc/profile",
    "/etc/profile.d/*sh",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zsh*",
    "/etc/zsh/*",
    "/etc/csh.*",
    "/etc/csh/*.d/*",
)
_SETTING = re.compile(
    r"(?:^|[\s;&])(?:{0}(?:[ \t]+DEFAULT)?=|setenv[ \t]+{0}[ \t]+)([^\s;]+)".format(
        "(GOROOT|GOPROXY|GOSUMDB|GOTOOLCHAIN)"
    )
)


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`plan` needs. Changes nothing."""
    toolchains = {}
    for path in host.glob(tree_path(want, "*")):
        version = os.path.basename(path)[len("go-") :]
        if version == want["version"] or version[:1].isdigit():
            toolchains[version] = _toolchain(host, path)
    present = want["state"] == "present"
    links = dict((path, _link(host, path)) for path in _link_paths(want))
    return {
        "toolchains": toolchains,
        # What a removal that was killed left.
        "remains": host.glob("%s/.gone-go-*" % want["root"]),
        "link": links.get(want["link"]),
        "links": links,
        "files": dict(
            (path, {"text": host.read(path), "has_folder": os.path.isdir(os.path.dirname(path))})
            for path in want["profile_files"]
        ),
        "has_csh": bool(host.glob("/bin/csh", "/bin/tcsh", "/usr/bin/tcsh")),
        "settings": _settings(host) if present else [],
        "disk": trees.disk(host, want["root"], want["need"]),
        "running": trees.running_programs(
            [tree_path(want, version) for version in toolchains if not present or version != want["version"]]
        ),
        "bootstrap": _bootstrap(host, want) if present and want["bootstrap"] else "",
    }


def _toolchain(host: Host, path: str) -> Dict[str, Any]:
    about, managed = _read_manifest(host, path)
    return {
        "managed": managed,
        "aside": _free_name(path),
        "about": dict((name, about.get(name, "")) for name in ("version", "method", "checksum", "url")),
        "damage": damage(about.get("programs", {}), programs(path)) if managed else [],
        "shipped": about.get("environment", {}),
        "environment": read_environment(host.read(path + "/go.env") or ""),
    }


def _read_manifest(host: Host, path: str) -> Tuple[Dict[str, Any], bool]:
    """Return a toolchain's manifest, and whether there is one at all: a broken one is Slipway's still."""
    text = host.read("%s/%s" % (path, MANIFEST))
    try:
        data = json.loads(text or "")
    except ValueError:
        data = None
    if isinstance(data, dict) and isinstance(data.get("programs"), dict):
        return data, True
    return {"programs": {"a readable %s" % MANIFEST: [0, 0, 0]}}, text is not None


def _link_paths(want: Dict[str, Any]) -> List[str]:
    """Return where links of Slipway's are to be, or may be from an earlier run."""
    folders = {folder for folder in trees.COMMAND_FOLDERS + (want["commands_dir"],) if folder}
    commands = sorted("%s/%s" % (folder, name) for folder in folders for name in _COMMANDS)
    return [want["link"]] + commands if want["link"] else []


def _link(host: Host, path: str) -> Dict[str, Any]:
    """Return where a link leads; it is Slipway's to change if it leads to a toolchain of its own, or nowhere."""
    text = os.readlink(path) if os.path.islink(path) else ""
    target = os.path.normpath(os.path.join(path, "..", text)) if text else ""
    managed = bool(text) and ("/./bin/" in text or _read_manifest(host, target)[1] or not os.path.exists(path))
    found = {"exists": os.path.lexists(path), "aside": _free_name(path)}
    return dict(found, text=text, target=target, managed=managed)


def _settings(host: Host) -> List[List[str]]:
    """Return which files give all users a variable of Go's: path, name, value, and where its links lead."""
    found = {}
    for path in host.glob(*_SETTINGS):
        for line in (host.read(path) or "").splitlines():
            match = None if line.lstrip().startswith("#") else _SETTING.search(line)
            value = match.group(3).strip("\"'") if match else ""
            name = match.group(1) or match.group(2) if match else ""
            # What a command answers is not known, and is that of the Go in use where the command is its `go env`.
            if value and "`" not in value and "$(" not in value:
                found[(path, name)] = value.rstrip("/") if name == "GOROOT" else value
    return [[path, name, value, os.path.realpath(value)] for (path, name), value in sorted(found.items())]


def _free_name(path: str) -> str:
    """Return a name that nothing has, to set something aside under."""
    name, number = path + ".before-slipway", 1
    while os.path.lexists(name):
        number += 1
        name = "%s.before-slipway-%d" % (path, number)
    return name


def _bootstrap(host: Host, want: Dict[str, Any]) -> str:
    """Return a toolchain of the host that is new enough to compile the wanted one, the newest if there are more."""
    newest, version = "", want["bootstrap"]["oldest"]
    for path in host.glob(tree_path(want, "*"), *_BOOTSTRAPS):
        match = re.match(r"go(1(?:\.[0-9]+)+)\s", (host.read(path + "/VERSION") or "") + "\n")
        runs = all(os.access("%s/bin/%s" % (path, name), os.X_OK) for name in ("go", "gofmt"))
        is_wanted = os.path.realpath(path) == want["tree"]
        if match and runs and not is_wanted and versions.compare(match.group(1), version) >= 0:
            newest, version = path, match.group(1)
    return newest
