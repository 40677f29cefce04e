"""What ``docker_ce`` reads from a host."""

import fnmatch
import re
from functools import cmp_to_key
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.conflicts import (
    by_hand,
    containers,
    other_users,
    snap,
    unit_files,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.data import NUKE, data_roots, engine_data
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import changes, runs
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.record import RECORD, held_by_record
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import excluded, mirror_of, public
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.sources import TRUSTED_KEYRING, is_key
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.want import ENGINE_PACKAGES, SHARED_RUNTIMES, UNITS
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.engine import versions
from ansible_collections.slipway.node.plugins.module_utils.engine.containers import stay_down
from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, Host, lock_holder

# Where older set-ups put Docker's key, which is known by its content; apt trusts those of the first for all sources.
KEY_FILES = ["/etc/apt/trusted.gpg.d/*", "/etc/apt/keyrings/*", "/usr/share/keyrings/*docker*"]
# What shadow locks groups with; one without a number is of a program that ended, and holds for ever.
GROUP_LOCKS = ("/etc/group.lock", "/etc/gshadow.lock")
VERSIONLOCK = "/etc/dnf/plugins/versionlock.list"
PROGRAMS = ["/usr/bin/docker", "/usr/bin/dockerd", "/usr/bin/containerd"]
SOURCE_FILES = {
    "apt": ["/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"],
    "dnf": ["/etc/yum.repos.d/*.repo"],
}


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that the plan needs. Changes nothing."""
    names = sorted(set(want["packages"]) | set(want["conflicting"]) | set(want["engine_packages"] + SHARED_RUNTIMES))
    packages = installed(host, want["manager"], names)
    texts = dict((path, host.read(path)) for path in (want["repository_file"], want["proxy_file"]) if path)
    files = dict((path, None if text is None else public(text)) for path, text in texts.items())
    key, services, settings = host.read(want["key_file"]), _services(host), host.read(daemon_json.FILE)
    observed = {
        "packages": packages,
        "installed_version": next(
            (versions.upstream(packages[name]["version"]) for name in ENGINE_PACKAGES if name in packages), ""
        ),
        "files": files,
        "mirror": mirror_of(files[want["repository_file"]] or "", want["path"]),
        "key": "missing" if key is None else "right" if key == want["key"] else "another key",
        "known_to_dpkg": bool(host.glob(*["/var/lib/dpkg/info/%s.list" % name for name in ENGINE_PACKAGES])),
        "services": services,
        "unit_files": unit_files(host, services.get("docker.service", {})),
        "containerd_files": unit_files(host, services.get("containerd.service", {})),
        # Removed, its purge is to come.
        "unpurged": ["docker.io"]
        * bool("docker.io" not in packages and host.glob("/var/lib/dpkg/info/docker.io.postrm")),
        "group_locks": [
            path for path in GROUP_LOCKS if (host.read_bytes(path) or b"").strip(b"\0 \n") == b"" and host.glob(path)
        ],
        "locked": re.findall(r"(?m)^[^!#\s].*", host.read(VERSIONLOCK) or "") if want["manager"] == "dnf" else [],
        "pins": pins(host),
        "owners": {},
        "compose_units": [],
        "snap": snap(host),
        "group": _group(host),
        "dnf_excludes": excluded(host.read("/etc/dnf/dnf.conf") or "", "excludepkgs", "exclude"),
        "configured": settings is not None,
        "recorded": held_by_record(host.read(RECORD)),
        "containers": [],
        "stay_down": [],
        "imported_keys": [],
        "data": {},
        "lock": lock_holder(host),
    }  # type: Dict[str, Any]
    # What runs, which an installed package is not until a restart.
    engine = host.engine() if runs(observed) else {}
    observed["running_version"] = engine.get("ServerVersion", "").split("+")[0]
    # A removal stops containers whatever the engine would do.
    observed["live_restore"] = bool(want["state"] == "present" and engine.get("LiveRestoreEnabled"))
    # An engine of any version that is told to has that store.
    told = re.search(r'"containerd-snapshotter":\s*true', settings or "")
    observed["has_containerd_store"] = not told and daemon_json.has_snapshotter(engine)
    if want["state"] == "absent":
        observed["imported_keys"] = _imported_keys(host, want)
        entries = dict((path, engine_data(host, path)) for path in data_roots(host, engine))
        observed["data"] = dict((path, found) for path, found in entries.items() if found)
    else:
        observed.update(_leftovers(host, want))
    # What would change is asked whom it would harm.
    todo = changes(want, observed)
    if todo["install"]:
        observed["owners"] = _owners(host, want["manager"])
    if "docker-compose" in todo["remove"]:
        units = host.glob("/etc/systemd/system/*.service")
        observed["compose_units"] = [path for path in units if "docker-compose" in (host.read(path) or "")]
    if todo["stops"] or by_hand(observed):
        observed["containers"] = containers(host)
        observed["stay_down"] = stay_down(host, SOCKET, observed["containers"]) if runs(observed) else []
    observed["other_users"] = other_users(host, want, todo["shared_packages"])
    return observed


def installed(host: Host, manager: str, names: List[str]) -> Dict[str, Dict[str, Any]]:
    """Return the packages that are there, with version and hold."""
    if manager == "apt":
        _rc, out = host.run("dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\t${Version}\\n", *names)
    else:
        _rc, out = host.run("rpm", "-q", "--qf", "%{NAME}\\tii\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n", *names)
    return parse_packages(out)


def parse_packages(out: str) -> Dict[str, Dict[str, Any]]:
    """Read lines of name, dpkg status and version. The status' letters: wanted (h: hold), is (i: installed)."""
    packages = {}  # type: Dict[str, Dict[str, Any]]
    for line in out.splitlines():
        fields = line.split("\t")
        # n: not installed, c: removed, its configuration left.
        if len(fields) == 3 and fields[1][1:2] not in ("n", "c", ""):
            version = fields[2][2:] if fields[2].startswith("0:") else fields[2]
            found = {
                "version": version,
                "held": fields[1][0] == "h",
                "broken": fields[1][1] != "i",
            }  # type: Dict[str, Any]
            twin = packages.get(fields[0])
            if twin:
                # A transaction of dnf's that was cut off leaves two; the newer has the files.
                older, newer = sorted([twin["version"], version], key=cmp_to_key(versions.compare))
                found.update(version=newer, broken=True, older=twin.get("older", []) + [older.rpartition(":")[2]])
            packages[fields[0]] = found
    return packages


def _services(host: Host) -> Dict[str, Dict[str, str]]:
    names = "Id,LoadState,UnitFileState,ActiveState,FragmentPath,DropInPaths,ExecStart"
    _rc, out = host.run("systemctl", "show", "--property=" + names, *(UNITS + ["containerd.service"]))
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in out.strip().split("\n\n")]
    for block in blocks:
        # The rest of it changes with each start.
        program = re.search(r"path=(\S+)", block.get("ExecStart", ""))
        block["ExecStart"] = program.group(1) if program else ""
    return dict((block["Id"], block) for block in blocks if "Id" in block)


def pins(host: Host) -> List[List[str]]:
    """Return files whose pins on docker-ce outweigh what is installed, each with the version."""
    found = []
    for path in host.glob("/etc/apt/preferences", "/etc/apt/preferences.d/*"):
        for stanza in re.split(r"\n\s*\n", host.read(path) or ""):
            fields = dict(re.findall(r"(?m)^(Package|Pin|Pin-Priority)\s*:\s*(.*?)\s*$", stanza))
            kind, _, version = fields.get("Pin", "").partition(" ")
            priority = re.match(r"\d{4,}$", fields.get("Pin-Priority", ""))
            names = fields.get("Package", "").split()
            if priority and kind == "version" and any(fnmatch.fnmatchcase("docker-ce", one) for one in names):
                found.append([path, version.strip()])
    return found


def _owners(host: Host, manager: str) -> Dict[str, str]:
    """Return whose Docker's programs are that are there: a package's, or empty for nobody's."""
    paths = host.glob(*PROGRAMS)
    if not paths:
        return {}
    if manager == "apt":
        out = host.run("dpkg", "-S", *paths)[1]
        owned = re.findall(r"(?m)^(?!diversion)([^\s:,]+)[^/\n]*: (/.*)$", out)
        return dict(dict.fromkeys(paths, ""), **{path: name for name, path in owned})
    lines = [host.run("rpm", "-qf", "--qf", "%{NAME}\\n", path)[1].split() for path in paths]
    return {path: words[0] if len(words) == 1 else "" for path, words in zip(paths, lines)}


def _group(host: Host) -> str:
    """Return where the group docker is: local, missing, or its line without members where a directory alone has it."""
    if re.search("(?m)^docker:", host.read("/etc/group") or ""):
        return "local"
    rc, out = host.run("getent", "group", "docker")
    return ":".join(out.split(":")[:3]) + ":" if rc == 0 and out.strip() else "missing"


def _leftovers(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Return what an older set-up may have left: files of its own, files with other sources too, and trusted keys."""
    manager, keys = want["manager"], []  # type: str, List[str]
    own_files = (want["repository_file"], want["key_file"], want["proxy_file"])
    others = [path for path in host.glob(*SOURCE_FILES[manager]) if path not in own_files]
    candidates = host.glob(*KEY_FILES) if manager == "apt" else []
    files = [path for path in candidates if path not in own_files and is_key(host.read_bytes(path), want["key"])]
    files += host.glob(NUKE)
    if manager == "apt" and host.glob(TRUSTED_KEYRING) and host.glob("/usr/bin/gpg"):
        # With apt's folder for a home, gpg makes none.
        options = ("--batch", "--no-options", "--no-default-keyring", "--homedir", "/etc/apt", "--with-colons")
        _rc, out = host.run("gpg", *(options + ("--show-keys", TRUSTED_KEYRING)))
        keys = re.findall(r"(?m)^pub:.*\nfpr:+([0-9A-F]+):", out)
    sources = dict((path, host.read(path) or "") for path in others)
    return {"leftover_files": files, "sources": sources, "trusted_keys": keys}


def _imported_keys(host: Host, want: Dict[str, Any]) -> List[str]:
    """Return the key as RPM names it, by its last eight digits, where it is imported."""
    if want["manager"] == "apt" or not want["fingerprint"]:
        return []
    _rc, out = host.run("rpm", "-q", "gpg-pubkey", "--qf", "%{VERSION}\\n")
    short = want["fingerprint"][-8:].lower()
    return [short] if short in {line[-8:] for line in out.split()} else []
