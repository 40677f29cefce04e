"""The section ``docker_ce``: package repository, key, packages, hold, service.

``want`` makes the wanted state, ``observe`` reads a host, ``compare`` says how it drifts, ``changes`` what the role has
to do, ``refusals`` what stands in the way. ``repository_files`` alone defines what the repository's files hold.
"""

import configparser
import contextlib
import fnmatch
import json
import re
from functools import partial
from typing import Any, Dict, List, Optional, Set

from ansible_collections.slipway.node.plugins.module_utils import daemon_json, platforms, versions
from ansible_collections.slipway.node.plugins.module_utils.docker_ce_sources import without_docker
from ansible_collections.slipway.node.plugins.module_utils.host import (
    SOCKET,
    Host,
    docker,
    drift_entry,
    lock_holder,
    sentence,
)

_entry = partial(drift_entry, "docker_ce")

ENGINE_PACKAGES = ("docker-ce", "docker.io", "moby-engine")
UPSTREAM_PACKAGES = ["docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin"]
# The engine's own packages, which share its version.
VERSIONED_PACKAGES = ["docker-ce", "docker-ce-cli", "docker-ce-rootless-extras"]
ARCHITECTURES = ["x86_64", "aarch64", "ppc64le", "s390x", "armv7l"]
# The distribution's engine, by platform and release; an empty release stands for the others.
DISTRIBUTION_PACKAGES = {
    ("debian", "12"): ["docker.io"],
    ("debian", ""): ["docker.io", "docker-cli", "docker-buildx", "docker-compose"],
    ("ubuntu", ""): ["docker.io", "docker-buildx", "docker-compose-v2"],
}
# What Docker's documentation says to remove first; docker-cli and docker-buildx are Debian 13's and Ubuntu's parts of
# docker.io, whose files clash with those of docker-ce-cli and docker-buildx-plugin.
CONFLICTING = {
    "apt": "docker docker-engine docker.io docker-cli docker-buildx docker-doc docker-compose docker-compose-v2"
    " podman-docker containerd runc",
    "dnf": "docker docker-client docker-client-latest docker-common docker-latest docker-latest-logrotate"
    " docker-logrotate docker-engine docker-selinux docker-engine-selinux podman-docker containerd runc",
}
# Conflicting packages that others than Docker use.
CAREFUL = ["containerd", "runc"]
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
FILES = {
    "apt": {
        "repository_file": "/etc/apt/sources.list.d/docker.sources",
        "key_file": "/etc/apt/keyrings/docker.asc",
        "proxy_file": "/etc/apt/apt.conf.d/80slipway-docker-ce",
    },
    "dnf": {
        "repository_file": "/etc/yum.repos.d/docker-ce.repo",
        "key_file": "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker-ce",
        "proxy_file": "",
    },
}
CONFIG = "/etc/docker/daemon.json"
UNITS = ["docker.service", "docker.socket"]
_TRUSTED = "/etc/apt/trusted.gpg"
_HEADER = "# Written by Slipway (slipway.node.docker_ce). The next run overwrites changes made here.\n"

CONTAINERD = "/var/lib/containerd"
# What is nobody else's, unlike a data-root that an admin chose.
OWN_FOLDERS = ("/var/lib/docker", CONTAINERD)
# Docker's own in containerd.
NAMESPACES = ("moby", "plugins.moby")
# What dockerd makes in its data-root; its folder tmp is left, whose name others use too.
ENGINE_DATA = [
    *("aufs", "btrfs", "builder", "buildkit", "containerd", "containers", "devicemapper", "engine-id", "image"),
    *("fuse-overlayfs", "network", "overlay", "overlay2", "plugins", "rootfs", "runtimes", "swarm", "trust"),
    *("vfs", "volumes", "zfs"),
]


def want(inputs: Dict[str, Any], platform: platforms.Platform) -> Dict[str, Any]:
    """Return the wanted state. Pure.

    :raises InputProblem: inputs that this platform cannot meet.
    """
    problems = platforms.unsupported(platform, "docker_ce", ARCHITECTURES)
    manager, mirrors = platforms.manager(platform), inputs["source"] == "mirrors"
    own = DISTRIBUTION_PACKAGES.get((platform.like, platform.release)) or DISTRIBUTION_PACKAGES.get((platform.like, ""))
    packages = inputs["packages"] or (UPSTREAM_PACKAGES if mirrors else own or [])
    if not mirrors and not own and inputs["state"] == "present":
        problems.append(
            "%s has no Docker engine of its own, so docker_ce_source: distribution is not possible there; set "
            "docker_ce_source: mirrors, with docker_ce_mirrors at a mirror that the host reaches."
            % platform.distribution
        )
    if problems:
        raise platforms.InputProblem(*problems)
    wishes = dict((name, inputs["version"]) for name in VERSIONED_PACKAGES) if mirrors else {}
    wishes.update((name, str(version)) for name, version in inputs["package_versions"].items())
    upstream = list(dict.fromkeys(UPSTREAM_PACKAGES + VERSIONED_PACKAGES))
    conflicting = CONFLICTING[manager].split() if mirrors else upstream
    # Docker publishes for RHEL and, under centos, for everything built from it.
    name = platform.like if manager == "apt" else "rhel" if platform.distribution == "Redhat" else "centos"
    machine = platform.architecture
    same = ("state", "source", "mirrors", "mirror_choice", "mirror_timeout", "proxy", "channel", "hold")
    wanted = dict((key, inputs[key]) for key in same)
    wanted.update(FILES[manager])
    wanted.update(
        manager=manager,
        path="linux/" + name,
        release=platform.codename if manager == "apt" else platform.release,
        architecture=platforms.DEBIAN_ARCHITECTURES[machine] if manager == "apt" else machine,
        key=inputs["keys"].get(manager, {}).get("text", ""),
        fingerprint=inputs["keys"].get(manager, {}).get("fingerprint", ""),
        packages=packages,
        versions=dict((name, wishes.get(name, "")) for name in packages),
        engine_packages=upstream,
        conflicting=[name for name in conflicting if name not in packages],
        remove_conflicting=inputs["remove_conflicting"],
        restart=inputs["restart"],
        services=UNITS[:1] if inputs["service_state"] == "started" else UNITS,
        service_enabled=inputs["service_enabled"],
        service_state=inputs["service_state"],
        purge_data=inputs["purge_data"],
    )
    return wanted


def repository_files(want: Dict[str, Any], mirror: str) -> Dict[str, Optional[str]]:
    """Return the files that make a package manager use a mirror: path to content, ``None`` for one not to be there."""
    base = "%s/%s" % (mirror.rstrip("/"), want["path"])
    if want["manager"] == "apt":
        fields = [
            ("Types", "deb"),
            ("URIs", base),
            ("Suites", want["release"]),
            ("Components", want["channel"]),
            ("Architectures", want["architecture"]),
            ("Signed-By", want["key_file"]),
        ]
        host = mirror.split("/")[2].split(":")[0]
        scopes = ['Acquire::%s::Proxy::%s "%s";\n' % (scheme, host, want["proxy"]) for scheme in ("http", "https")]
        return {
            want["repository_file"]: _HEADER + "".join("%s: %s\n" % field for field in fields),
            want["proxy_file"]: ("//" + _HEADER[1:] + "".join(scopes)) if want["proxy"] else None,
        }
    options = [
        ("name", "Docker CE %s" % want["channel"]),
        ("baseurl", "%s/%s/$basearch/%s" % (base, want["release"], want["channel"])),
        ("enabled", "1"),
        ("gpgcheck", "1"),
        ("gpgkey", "file://%s" % want["key_file"]),
        # Enterprise Linux 8's container-tools module would hide containerd.io.
        ("module_hotfixes", "1"),
    ]
    if want["proxy"]:
        options.append(("proxy", want["proxy"]))
    if want["hold"]:
        options.append(("excludepkgs", " ".join(want["packages"])))
    text = _HEADER + "[docker-ce-%s]\n" % want["channel"] + "".join("%s=%s\n" % option for option in options)
    return {want["repository_file"]: text}


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` and :func:`refusals` need. Changes nothing."""
    names = sorted(set(want["packages"]) | set(want["conflicting"]) | set(want["engine_packages"]))
    packages = _packages(host, want["manager"], names)
    texts = dict((path, host.read(path)) for path in (want["repository_file"], want["proxy_file"]) if path)
    files = dict((path, None if text is None else public(text)) for path, text in texts.items())
    mirror = _mirror(files[want["repository_file"]] or "", want["path"])
    key = host.read(want["key_file"])
    observed = {
        "packages": packages,
        "installed": next(
            (versions.upstream(packages[name]["version"]) for name in ENGINE_PACKAGES if name in packages), ""
        ),
        "files": files,
        "mirror": mirror,
        "wanted_files": repository_files(want, mirror) if mirror in want["mirrors"] else {},
        "key": "missing" if key is None else "right" if key == want["key"] else "another key",
        "present": [path for path in files if files[path] is not None] + ([] if key is None else [want["key_file"]]),
        "known": bool(host.glob(*["/var/lib/dpkg/info/%s.list" % name for name in ENGINE_PACKAGES])),
        "leftovers": _leftovers(host, want),
        "services": _services(host),
        "group": _group(host),
        "containers": [],
        "configured": host.read(CONFIG) is not None,
        "in_use": [],
        "in_the_way": [],
        "imported_keys": [],
        "data": [],
        "emptied": [],
        "purge": [],
        "lock": lock_holder(host),
    }  # type: Dict[str, Any]
    # What runs, which an installed package is not until a restart.
    engine = host.engine() if runs(observed) else {}
    observed["engine"] = engine.get("ServerVersion", "").split("+")[0]
    # A removal stops containers whatever the engine would do.
    observed["live_restore"] = bool(want["state"] == "present" and engine.get("LiveRestoreEnabled"))
    observed["in_containerd"] = daemon_json.has_snapshotter(engine)
    if want["state"] == "absent":
        observed["imported_keys"] = _imported_keys(host, want)
        kept = dict((path, _engine_data(host, path)) for path in _data_roots(host, engine))
        observed["data"] = [path for path, entries in kept.items() if entries]
        # Of its own folders all goes, also what comes until then: containerd makes folders while it runs.
        observed["emptied"] = [path for path in observed["data"] if path in OWN_FOLDERS]
        observed["purge"] = [one for path, entries in kept.items() if path not in OWN_FOLDERS for one in entries]
    observed["changes"] = todo = changes(want, observed)
    if todo["stops"]:
        observed["containers"] = _containers(host)
    observed["in_use"] = _in_use(host, want, todo["shared"])
    if want["state"] == "present":
        observed["in_the_way"] = _in_the_way(host, want, observed)
    return observed


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    if want["state"] == "absent":
        return _compare_absent(want, observed)
    drift = [_entry("clean_leftovers", item["what"], "present", "absent") for item in observed["leftovers"]]
    drift += [
        _entry("remove_conflicting", name, versions.upstream(observed["packages"][name]["version"]), "absent")
        for name in want["conflicting"]
        if name in observed["packages"]
    ]
    drift += _compare_repository(want, observed)
    drift += _compare_packages(want, observed["packages"])
    drift += _compare_hold(want, observed)
    # The first installation of an engine makes it, and one whose configuration is left from an earlier one does not.
    if observed["group"] == "missing" and (observed["installed"] or observed["known"]):
        drift.append(_entry("manage_service", "group docker", "missing", "present"))
    drift += _compare_services(want, observed["services"])
    return drift


def changes(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what the role has to do. Pure.

    ``remove``, ``install``: packages; an engine that changes brings the others along, since it may need newer ones than
    are held. ``engine``: how it changes, as sentences;
    ``runtime``: how containerd changes under it. ``stops``: whether one of them stops. ``shared``: packages to be
    replaced that others than Docker use. ``tried``: the package whose engine is to judge the configuration first.
    ``unmask``: units. ``group``: whether the group docker is to be made.
    """
    drift, packages = compare(want, observed), observed["packages"]
    phases = ("remove_conflicting", "install_packages", "remove_packages")
    engines = set(ENGINE_PACKAGES) & set(packages)
    drifted = [one["item"] for one in drift if one["phase"] == "install_packages"]
    todo = {
        "remove": [one["item"] for one in drift if one["phase"] in ("remove_conflicting", "remove_packages")],
        "install": want["packages"] if set(drifted) & set(ENGINE_PACKAGES) else drifted,
        "engine": [sentence(one) for one in drift if one["phase"] in phases and one["item"] in engines],
        "runtime": [
            sentence(one)
            for one in drift
            if one["phase"] in phases[:2] and one["item"] == "containerd.io" and "containerd.io" in packages
        ],
        "unmask": [one["item"] for one in drift if one["want"] == "not masked"],
        "group": any(one["item"] == "group docker" for one in drift),
    }  # type: Dict[str, Any]
    todo["stops"] = bool(
        todo["engine"]
        or todo["runtime"]
        or any(one["want"] == "stopped" or one["phase"] == "purge_data" for one in drift)
    )
    todo["tried"] = next((name for name in todo["install"] if name in ENGINE_PACKAGES and observed["configured"]), "")
    shared = CAREFUL + ["containerd.io"]
    todo["shared"] = [name for name in todo["remove"] + todo["install"] if name in shared and name in packages]
    if any(one["phase"] == "purge_data" and one["item"] == CONTAINERD for one in drift):
        todo["shared"] = sorted({"containerd.io", *todo["shared"]})
    return todo


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each with its remedy."""
    todo, containers = observed["changes"], ", ".join(observed["containers"])
    if want["state"] == "absent":
        # Only the engine can stop them, and their data is not to go from under them.
        refused = [
            "Containers run without their engine: %s. Start it with `systemctl start docker`, so that it can stop "
            "them, and run again." % containers
        ] * bool(containers and not runs(observed))
        if observed["in_use"]:
            refused.append(
                "%s or its data would be removed, which others use: %s. Stop and remove what uses it, or take "
                "docker_ce out of this host's slipway_roles."
                % (", ".join(todo["shared"]), "; ".join(observed["in_use"]))
            )
        return refused
    refused = list(observed["in_the_way"])
    if observed["in_use"] and not want["remove_conflicting"]:
        refused.append(
            "Installing Docker would replace %s, which others use: %s. Move those containers away and set "
            "docker_ce_remove_conflicting: true, or take docker_ce out of this host's slipway_roles."
            % (", ".join(todo["shared"]), "; ".join(observed["in_use"]))
        )
    if (todo["engine"] or todo["runtime"]) and not may_restart(want, observed):
        restarts = "the engine" if todo["engine"] else "containerd"
        harm = "and these containers stop" if todo["engine"] else "on which these containers run"
        refused.append(
            "%s: that restarts %s%s. Set docker_ce_restart: always to have it done%s."
            % (
                "; ".join(todo["engine"] + todo["runtime"]),
                restarts,
                ", %s: %s" % (harm, containers) if containers else "",
                ", or stop them first" if containers and want["restart"] == "safe" else "",
            )
        )
    return refused


def may_restart(want: Dict[str, Any], observed: Dict[str, Any]) -> bool:
    """Tell whether an engine may be replaced, or containerd under it.

    live-restore keeps containers from one patch release of the engine to another, and while containerd restarts.
    """
    if want["restart"] != "safe":
        return bool(want["restart"] == "always" or not (runs(observed) or observed["containers"]))
    if not observed["changes"]["engine"]:
        return bool(observed["live_restore"] or not observed["containers"])
    to_be = want["versions"].get("docker-ce", "").split(":")[-1].split(".")[:2]
    is_ = (observed["engine"] or observed["installed"]).split(".")[:2]
    patch = len(to_be) == 2 and to_be == is_ and not observed["changes"]["remove"]
    return not observed["containers"] or bool(observed["live_restore"] and patch)


def runs(observed: Dict[str, Any]) -> bool:
    """Tell whether the engine runs."""
    return observed["services"].get("docker.service", {}).get("ActiveState") in ("active", "reloading")


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of the changes."""
    todo = observed["changes"]
    told = []
    if observed["lock"] and {"install_packages", "remove_packages"} & {one["phase"] for one in compare(want, observed)}:
        told.append(
            "%s holds the lock of the packages; the run waits ten minutes for it. End it or wait." % observed["lock"]
        )
    before_29 = observed["engine"][:2] >= "29" > want["versions"].get("docker-ce", "").split(":")[-1][:2] > ""
    if want["state"] == "present" and todo["engine"] and observed["in_containerd"] and before_29:
        told.append(
            "After this downgrade `docker images` and `docker ps -a` will be empty, because Docker before 29 does not "
            "read containerd's image store. To keep them visible, set docker_daemon_options: {features: "
            "{containerd-snapshotter: true}}."
        )
    refused = want["state"] == "present" and todo["engine"] and not may_restart(want, observed)
    if not observed["containers"] or observed["live_restore"] or refused or (todo["runtime"] and not todo["engine"]):
        return told
    return told + ["Containers that are stopped: %s." % ", ".join(observed["containers"])]


def _compare_absent(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    drift = [
        _entry("remove_packages", name, versions.upstream(package["version"]), "absent")
        for name, package in sorted(observed["packages"].items())
        if name in want["packages"] or name in want["engine_packages"]
    ]
    drift += [_entry("remove_repository", path, "present", "absent") for path in observed["present"]]
    drift += [
        _entry("remove_repository", "RPM key %s" % one, "imported", "absent") for one in observed["imported_keys"]
    ]
    if want["purge_data"]:
        drift += [_entry("purge_data", path, "holds data", "empty") for path in observed["data"]]
    return drift


def _compare_repository(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    phase, key_file, key = "configure_repository", want["key_file"], observed["key"]
    if want["source"] != "mirrors":
        absent = "absent (docker_ce_source: %s)" % want["source"]
        return [_entry(phase, path, "present", absent) for path in observed["present"]]
    drift, mirrors = [], want["mirrors"]
    wanted = mirrors[0] if len(mirrors) == 1 else "one of %d mirrors" % len(mirrors)
    if observed["files"][want["repository_file"]] is None:
        drift.append(_entry(phase, want["repository_file"], "missing", wanted))
    elif not observed["wanted_files"]:
        drift.append(_entry(phase, want["repository_file"], "at %s" % (observed["mirror"] or "no mirror"), wanted))
    for path, content in observed["wanted_files"].items():
        is_ = observed["files"][path]
        if _without_hold(is_) != _without_hold(content):
            found = "missing" if is_ is None else "present" if content is None else "edited"
            drift.append(_entry(phase, path, found, "absent" if content is None else "as Slipway writes it"))
    if key != "right":
        drift.append(_entry(phase, key_file, key, "the key %s" % want["fingerprint"]))
    return drift


def _compare_packages(want: Dict[str, Any], packages: Dict[str, Dict[str, Any]]) -> List[Dict[str, str]]:
    drift = []
    for name in want["packages"]:
        wish = want["versions"][name]
        if name not in packages:
            drift.append(_entry("install_packages", name, "not installed", wish or "the newest"))
        elif packages[name]["broken"]:
            drift.append(_entry("install_packages", name, "half installed", wish or "installed"))
        elif not versions.satisfies(wish, packages[name]["version"]):
            drift.append(_entry("install_packages", name, versions.upstream(packages[name]["version"]), wish))
    return drift


def _compare_hold(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    if want["manager"] == "apt":
        held = [name for name in want["packages"] if observed["packages"].get(name, {}).get("held")]
    else:
        held = _excluded(observed["files"][want["repository_file"]] or "")
    if want["hold"]:
        return [_entry("hold_packages", name, "not held", "held") for name in want["packages"] if name not in held]
    return [_entry("hold_packages", name, "held", "not held") for name in held]


def _compare_services(want: Dict[str, Any], observed: Dict[str, Dict[str, str]]) -> List[Dict[str, str]]:
    drift = []
    for unit in UNITS:
        is_ = observed.get(unit, {})
        enabled, active = is_.get("UnitFileState", "") == "enabled", is_.get("ActiveState", "") == "active"
        masked = "masked" in (is_.get("LoadState"), is_.get("UnitFileState"))
        if masked:
            drift.append(_entry("manage_service", unit, "masked", "not masked"))
        # The socket comes with the service.
        if unit not in want["services"]:
            continue
        if not masked and enabled != want["service_enabled"]:
            states = ("not enabled", "enabled")
            drift.append(_entry("manage_service", unit, states[enabled], states[want["service_enabled"]]))
        if active != (want["service_state"] == "started"):
            wanted = "running" if want["service_state"] == "started" else "stopped"
            found = "running" if active else is_.get("ActiveState") or "inactive"
            drift.append(_entry("manage_service", unit, found, wanted))
    return drift


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


def _mirror(content: str, path: str) -> str:
    """Return the root of the mirror that a repository file points at, or an empty string."""
    match = re.search(r"(?mi)^(?:URIs|baseurl)\s*[:=]\s*(\S+?)/%s(?:/\S*)?\s*$" % re.escape(path), content)
    return match.group(1) if match else ""


def public(text: str) -> str:
    """Return a repository's file without the passwords that somebody else put there."""
    return re.sub(r"(?mi)(//)[^/@\s]+(@)|^(password\s*=).*", r"\1\3***\2", text)


def _excluded(content: str, *names: str) -> List[str]:
    """Return what the sections of a dnf file exclude."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(content)
    except configparser.Error:
        return []
    values = [parser[section].get(name, "") for section in parser.sections() for name in names or ("excludepkgs",)]
    return re.split(r"[\s,]+", " ".join(values).strip()) if any(values) else []


def _without_hold(content: Optional[str]) -> Optional[str]:
    return content and re.sub(r"(?m)^excludepkgs=.*\n", "", content)


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
    kept = (want["repository_file"], want["key_file"], want["proxy_file"])
    paths = [path for path in host.glob(*LEFTOVER_FILES[manager]) if path not in kept]
    found += [{"what": path, "path": path, "kind": "file"} for path in paths]
    for path in host.glob(*SOURCE_FILES[manager]):
        if path not in paths and path not in kept:
            text = without_docker(path, host.read(path) or "", want["mirrors"])
            if text is not None:
                found.append({"what": "Docker's entries in %s" % path, "path": path, "kind": "text", "text": text})
    if manager == "apt" and host.glob(_TRUSTED) and host.glob("/usr/bin/gpg"):
        # With apt's folder for a home, gpg makes none.
        options = ("--batch", "--no-options", "--no-default-keyring", "--homedir", "/etc/apt", "--with-colons")
        _rc, out = host.run("gpg", *(options + ("--show-keys", _TRUSTED)))
        keys = re.findall(r"(?m)^pub:.*\nfpr:+([0-9A-F]+):", out)
        if want["fingerprint"] in keys:
            kind = "file" if len(keys) == 1 else "key"
            found.append({"what": "Docker's key in %s" % _TRUSTED, "path": _TRUSTED, "kind": kind})
    return found


def _in_the_way(host: Host, want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin has to clear away first, as sentences with their remedies."""
    reasons = []
    if host.glob("/snap/docker/current", "/var/lib/snapd/snap/docker/current"):
        reasons.append(
            "Docker from snap is installed, a second engine beside this one; remove it with `snap remove docker`, "
            "which removes its containers and images too, and run again."
        )
    service = observed["services"].get("docker.service", {})
    program = service.get("ExecStart", "")
    if program.endswith("/dockerd") and program not in ("/usr/bin/dockerd", "/usr/sbin/dockerd"):
        files = [service.get("FragmentPath", "")] + service.get("DropInPaths", "").split()
        files = [path for path in files if program in (host.read(path) or "")]
        reasons.append(
            "%s starts %s in place of the package's engine; stop docker.service, remove that file, run `systemctl "
            "daemon-reload`, and run again." % (", ".join(files) or "docker.service", program)
        )
    if observed["group"] not in ("local", "missing"):
        reasons.append(
            "The group docker is in a directory alone, which is not there yet when docker.socket starts at boot; "
            "add it to the host's own groups under the same number with `echo '%s' >> /etc/group`." % observed["group"]
        )
    if want["manager"] == "dnf" and observed["changes"]["install"]:
        patterns = _excluded(host.read("/etc/dnf/dnf.conf") or "", "excludepkgs", "exclude")
        hit = [
            one for one in patterns if any(fnmatch.fnmatchcase(name, one) for name in observed["changes"]["install"])
        ]
        if hit:
            reasons.append(
                "/etc/dnf/dnf.conf excludes %s, so dnf cannot install it; take that out of its line excludepkgs or "
                "exclude, since docker_ce_hold keeps the version." % ", ".join(hit)
            )
    return reasons


def _in_use(host: Host, want: Dict[str, Any], shared: List[str]) -> List[str]:
    """Return who else uses packages that are to be replaced: packages that need them, and what runs on them."""
    if not shared:
        return []
    reasons = []
    for name in [name for name in shared if name in CAREFUL]:
        if want["manager"] == "apt":
            # apt itself would quietly put crun in runc's place, under containers that runc made.
            _rc, out = host.run(
                "dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\t${Depends}, ${Recommends}\\n"
            )
            users = needing(name, out)
        else:
            _rc, out = host.run("rpm", "-q", "--qf", "%{NAME}\\n", "--whatrequires", name)
            users = [line for line in out.splitlines() if line and " " not in line]
        going = set(want["conflicting"]) | set(want["packages"])
        reasons += ["%s needs %s" % (user, name) for user in sorted(set(users) - going)]
    # conmon watches over each of podman's containers, kubelet over a cluster's.
    programs = ["podman", "buildah", "conmon"] if "runc" in shared else []
    programs += ["kubelet"] if set(shared) & {"containerd", "containerd.io"} else []
    commands = _commands(host)
    running = {words[0].rsplit("/", 1)[-1] for words in commands}
    reasons += ["%s is running" % name for name in programs if name in running]
    spaces = sorted({space for space, _id in _shims(commands)} - set(NAMESPACES))
    reasons += ["containerd runs containers of %s" % space for space in spaces]
    if want["state"] == "absent" and want["purge_data"]:
        reasons += [
            "containerd keeps images or containers of %s" % space for space in sorted(_keeping(host) - set(spaces))
        ]
    return reasons


def _keeping(host: Host) -> Set[str]:
    """Return the namespaces that are not Docker's and in which containerd, where it answers, keeps something."""
    spaces = host.run("ctr", "namespaces", "ls", "--quiet")[1].split() if host.glob("/usr/bin/ctr") else []
    kinds = ("images", "containers")
    return {
        space
        for space in set(spaces) - set(NAMESPACES)
        if any(host.run("ctr", "--namespace", space, kind, "ls", "--quiet")[1].strip() for kind in kinds)
    }


def needing(name: str, out: str) -> List[str]:
    """Return who depends on or recommends a package, from lines of name, dpkg status and relations."""
    users = []
    for line in out.splitlines():
        package, status, relations = (line.split("\t") + ["", ""])[:3]
        wanted = [relation.split() for relation in re.split(r"[,|]", relations)]
        if status[1:2] == "i" and any(words and words[0].split(":")[0] == name for words in wanted):
            users.append(package)
    return users


def _containers(host: Host) -> List[str]:
    """Return the running containers: their names, or where the engine does not run their ids."""
    if host.glob("/usr/bin/docker"):
        rc, out = docker(host, SOCKET, "ps", "--format", "{{.Names}}")
        if rc == 0:
            return sorted(out.split())
    return sorted(one[:12] for space, one in _shims(_commands(host)) if space == "moby")


def _commands(host: Host) -> List[List[str]]:
    """Return the command line of each process."""
    commands = []
    for path in host.glob("/proc/[0-9]*/cmdline"):
        # It may have ended since.
        with contextlib.suppress(ProcessLookupError):
            commands.append((host.read(path) or "").split("\0"))
    return commands


def _shims(commands: List[List[str]]) -> List[List[str]]:
    """Return namespace and id of each container that containerd runs."""
    shims = [words for words in commands if words[0].rsplit("/", 1)[-1].startswith("containerd-shim")]
    pairs = [dict(zip(words, words[1:])) for words in shims]
    return [[one["-namespace"], one["-id"]] for one in pairs if "-namespace" in one and "-id" in one]


def _imported_keys(host: Host, want: Dict[str, Any]) -> List[str]:
    """Return the key as RPM names it, by its last eight digits, where it is imported."""
    if want["manager"] == "apt" or not want["fingerprint"]:
        return []
    _rc, out = host.run("rpm", "-q", "gpg-pubkey", "--qf", "%{VERSION}\\n")
    short = want["fingerprint"][-8:].lower()
    return [short] if short in {line[-8:] for line in out.split()} else []


def _data_roots(host: Host, engine: Dict[str, Any]) -> List[str]:
    """Return where images and containers are kept: by the running engine's word, else by its configuration's."""
    try:
        root = engine.get("DockerRootDir") or json.loads(host.read(CONFIG) or "{}").get("data-root")
    except (ValueError, AttributeError):
        root = ""
    usable = isinstance(root, str) and root.startswith("/") and root.strip("/")
    return [root if usable else "/var/lib/docker", CONTAINERD]


def _engine_data(host: Host, root: str) -> List[str]:
    """Return what the engine keeps in a folder: all of its own, of one that others may use what bears its names."""
    if root in OWN_FOLDERS:
        return host.glob(root + "/*")
    return host.glob(*("%s/%s" % (root, name) for name in ENGINE_DATA))
