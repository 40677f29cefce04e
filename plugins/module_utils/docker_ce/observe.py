"""What ``docker_ce`` reads from a host."""

import re
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.conflicts import containers, obstacles, other_users
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.data import OWN_FOLDERS, data_roots, engine_data
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import changes, runs
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import (
    mirror_of,
    public,
    repository_files,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.sources import without_docker
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.want import ENGINE_PACKAGES, UNITS
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.engine import versions
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, lock_holder

# What older set-ups leave, and what would clash with the repository that this role writes.
LEFTOVER_FILES = {
    "apt": [
        "/etc/apt/sources.list.d/docker.list",
        "/etc/apt/sources.list.d/docker-ce.list",
        "/etc/apt/sources.list.d/docker-ce.sources",
        "/etc/apt/sources.list.d/download_docker_com_linux_*",
        "/etc/apt/sources.list.d/archive_uri-*docker*",
        "/etc/apt/trusted.gpg.d/*docker*",
        "/etc/apt/keyrings/docker.gpg",
        "/usr/share/keyrings/docker*",
    ],
    "dnf": [
        "/etc/yum.repos.d/docker.repo",
        "/etc/yum.repos.d/docker-main.repo",
        "/etc/yum.repos.d/docker-ce-stable.repo",
        "/etc/yum.repos.d/download.docker.com_linux_*.repo",
    ],
}
SOURCE_FILES = {
    "apt": ["/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"],
    "dnf": ["/etc/yum.repos.d/*.repo"],
}
_TRUSTED_KEYRING = "/etc/apt/trusted.gpg"


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` and :func:`refusals` need. Changes nothing."""
    names = sorted(set(want["packages"]) | set(want["conflicting"]) | set(want["engine_packages"]))
    packages = _packages(host, want["manager"], names)
    texts = dict((path, host.read(path)) for path in (want["repository_file"], want["proxy_file"]) if path)
    files = dict((path, None if text is None else public(text)) for path, text in texts.items())
    mirror = mirror_of(files[want["repository_file"]] or "", want["path"])
    key = host.read(want["key_file"])
    observed = {
        "packages": packages,
        "installed_version": next(
            (versions.upstream(packages[name]["version"]) for name in ENGINE_PACKAGES if name in packages), ""
        ),
        "files": files,
        "mirror": mirror,
        "wanted_files": repository_files(want, mirror) if mirror in want["mirrors"] else {},
        "key": "missing" if key is None else "right" if key == want["key"] else "another key",
        "present_files": [path for path in files if files[path] is not None]
        + ([] if key is None else [want["key_file"]]),
        "known_to_dpkg": bool(host.glob(*["/var/lib/dpkg/info/%s.list" % name for name in ENGINE_PACKAGES])),
        "leftovers": _leftovers(host, want),
        "services": _services(host),
        "group": _group(host),
        "containers": [],
        "configured": host.read(daemon_json.FILE) is not None,
        "other_users": [],
        "obstacles": [],
        "imported_keys": [],
        "data_folders": [],
        "folders_to_empty": [],
        "paths_to_remove": [],
        "lock": lock_holder(host),
    }  # type: Dict[str, Any]
    # What runs, which an installed package is not until a restart.
    engine = host.engine() if runs(observed) else {}
    observed["running_version"] = engine.get("ServerVersion", "").split("+")[0]
    # A removal stops containers whatever the engine would do.
    observed["live_restore"] = bool(want["state"] == "present" and engine.get("LiveRestoreEnabled"))
    observed["has_containerd_store"] = daemon_json.has_snapshotter(engine)
    if want["state"] == "absent":
        observed["imported_keys"] = _imported_keys(host, want)
        entries_by_root = dict((path, engine_data(host, path)) for path in data_roots(host, engine))
        observed["data_folders"] = [path for path, entries in entries_by_root.items() if entries]
        # Of its own folders all goes, also what comes until then: containerd makes folders while it runs.
        observed["folders_to_empty"] = [path for path in observed["data_folders"] if path in OWN_FOLDERS]
        observed["paths_to_remove"] = [
            one for path, entries in entries_by_root.items() if path not in OWN_FOLDERS for one in entries
        ]
    observed["changes"] = todo = changes(want, observed)
    if todo["stops"]:
        observed["containers"] = containers(host)
    observed["other_users"] = other_users(host, want, todo["shared_packages"])
    if want["state"] == "present":
        observed["obstacles"] = obstacles(host, want, observed)
    return observed


def _packages(host: Host, manager: str, names: List[str]) -> Dict[str, Dict[str, Any]]:
    if manager == "apt":
        _rc, out = host.run("dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\t${Version}\\n", *names)
    else:
        _rc, out = host.run("rpm", "-q", "--qf", "%{NAME}\\tii\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n", *names)
    return parse_packages(out)


def parse_packages(out: str) -> Dict[str, Dict[str, Any]]:
    """Read lines of name, dpkg status and version. The status' letters: wanted (h: hold), is (i: installed)."""
    packages = {}
    for line in out.splitlines():
        fields = line.split("\t")
        # n: not installed, c: removed, its configuration left.
        if len(fields) == 3 and fields[1][1:2] not in ("n", "c", ""):
            version = fields[2][2:] if fields[2].startswith("0:") else fields[2]
            packages[fields[0]] = {"version": version, "held": fields[1][0] == "h", "broken": fields[1][1] != "i"}
    return packages


def _services(host: Host) -> Dict[str, Dict[str, str]]:
    names = "Id,LoadState,UnitFileState,ActiveState,FragmentPath,DropInPaths,ExecStart"
    _rc, out = host.run("systemctl", "show", "--property=" + names, *UNITS)
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in out.strip().split("\n\n")]
    for block in blocks:
        # The rest of it changes with each start.
        program = re.search(r"path=(\S+)", block.get("ExecStart", ""))
        block["ExecStart"] = program.group(1) if program else ""
    return dict((block["Id"], block) for block in blocks if "Id" in block)


def _group(host: Host) -> str:
    """Return where the group docker is: local, missing, or its line without members where a directory alone has it."""
    if re.search("(?m)^docker:", host.read("/etc/group") or ""):
        return "local"
    rc, out = host.run("getent", "group", "docker")
    return ":".join(out.split(":")[:3]) + ":" if rc == 0 and out.strip() else "missing"


def _leftovers(host: Host, want: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Return what an older set-up left: whole files to remove, and files with other things too, to be rewritten."""
    if want["state"] == "absent":
        return []
    manager, found = want["manager"], []  # type: str, List[Dict[str, Any]]
    own_files = (want["repository_file"], want["key_file"], want["proxy_file"])
    paths = [path for path in host.glob(*LEFTOVER_FILES[manager]) if path not in own_files]
    found += [{"what": path, "path": path, "kind": "file"} for path in paths]
    for path in host.glob(*SOURCE_FILES[manager]):
        if path not in paths and path not in own_files:
            text = without_docker(path, host.read(path) or "", want["mirrors"])
            if text is not None:
                found.append({"what": "Docker's entries in %s" % path, "path": path, "kind": "text", "text": text})
    if manager == "apt" and host.glob(_TRUSTED_KEYRING) and host.glob("/usr/bin/gpg"):
        # With apt's folder for a home, gpg makes none.
        options = ("--batch", "--no-options", "--no-default-keyring", "--homedir", "/etc/apt", "--with-colons")
        _rc, out = host.run("gpg", *(options + ("--show-keys", _TRUSTED_KEYRING)))
        keys = re.findall(r"(?m)^pub:.*\nfpr:+([0-9A-F]+):", out)
        if want["fingerprint"] in keys:
            kind = "file" if len(keys) == 1 else "key"
            found.append({"what": "Docker's key in %s" % _TRUSTED_KEYRING, "path": _TRUSTED_KEYRING, "kind": kind})
    return found


def _imported_keys(host: Host, want: Dict[str, Any]) -> List[str]:
    """Return the key as RPM names it, by its last eight digits, where it is imported."""
    if want["manager"] == "apt" or not want["fingerprint"]:
        return []
    _rc, out = host.run("rpm", "-q", "gpg-pubkey", "--qf", "%{VERSION}\\n")
    short = want["fingerprint"][-8:].lower()
    return [short] if short in {line[-8:] for line in out.split()} else []
