"""The section ``singularity`` of the probe: versions and their files, the link, configuration, profile, ranges.

A version is a tree below one root. It holds ``.slipway.json``, the manifest of the archive that it was unpacked from; a
tree without one is somebody else's. ``want`` makes the wanted state, ``observe`` reads a host, ``compare`` says the
drift, ``refusals`` what stands in the way.
"""

import grp
import hashlib
import json
import os
import pwd
import re
import stat
from functools import cmp_to_key, partial
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

from ansible_collections.slipway.node.plugins.module_utils import platforms, versions
from ansible_collections.slipway.node.plugins.module_utils.host import Host, drift_entry, existing, free_bytes

_entry = partial(drift_entry, "singularity")

MANIFEST = ".slipway.json"
AUTH_FILE = "/etc/slipway/singularity-auth.json"
# Which variable names such a file. SingularityCE before 4.1 has none.
AUTH_VARIABLES = {"singularity-ce": "SINGULARITY_AUTHFILE", "apptainer": "APPTAINER_AUTH_FILE"}
# Damaged files that are named one by one; the rest is a number.
NAMED = 10
# The commands of a version, and folders on everyone's PATH that an earlier run may have put links to them into.
COMMANDS = {"singularity-ce": ["singularity"], "apptainer": ["apptainer", "singularity"]}
COMMAND_FOLDERS = ("/usr/local/bin", "/usr/bin")
# The same of modulefiles: where Environment Modules and Lmod look.
MODULE_FOLDERS = (
    "/etc/modulefiles",
    "/etc/environment-modules/modules",
    "/etc/lmod/modules",
    "/usr/share/modulefiles",
    "/usr/share/modules/modulefiles",
    "/usr/share/Modules/modulefiles",
)
MODULE_MARK = "#%%Module1.0\n# Written by Slipway (role singularity) for %s.\n"
# Where hosts share a root on a network's file system, these phases are for the one that writes alone.
TREE_PHASES = ("install_tree", "set_config")
NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "glusterfs", "fuse.glusterfs", "afs")
# A range has as many ids as a container expects of a system.
RANGE = 65536
RESTRICTED = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
NAMESPACES = {"user.max_user_namespaces": "15000", "kernel.unprivileged_userns_clone": "1"}
# The folders of settings that the kernel gets at boot, the weakest first, and Slipway's own file.
SYSCTL_FOLDERS = ("/usr/lib/sysctl.d", "/usr/local/lib/sysctl.d", "/run/sysctl.d", "/etc/sysctl.d")
SYSCTL_FILE = "/etc/sysctl.d/90-slipway-singularity.conf"
ARCHITECTURES = ["x86_64", "aarch64", "ppc64le", "s390x", "riscv64"]

# Packages by flavour and version, as package manager: (needed on every node, needed on the build host besides).
PACKAGES = [
    ("", "0", "", {
        "apt": ("squashfs-tools cryptsetup-bin uidmap", "gcc g++ libc6-dev make pkg-config tar gzip"),
        "dnf": (
            "squashfs-tools cryptsetup shadow-utils",
            "gcc gcc-c++ glibc-devel make pkgconf-pkg-config tar gzip diffutils",
        ),
    }),
    ("apptainer", "1.1", "", {
        "apt": ("squashfuse fuse2fs fuse-overlayfs fakeroot", ""), "dnf": ("fuse-overlayfs", ""),
    }),
    ("singularity-ce", "3.11", "4.3", {"apt": ("", "libglib2.0-dev"), "dnf": ("", "glib2-devel")}),
    ("singularity-ce", "3.11", "4.0", {"apt": ("crun", ""), "dnf": ("crun", "")}),
    # Not runc, which Docker's containerd.io cannot be installed beside.
    ("singularity-ce", "4.0", "", {
        "apt": ("crun squashfs-tools-ng fuse2fs", "autoconf automake libtool git zlib1g-dev"),
        "dnf": ("crun", "autoconf automake libtool git zlib-devel"),
    }),
    ("singularity-ce", "4.0", "4.3", {"apt": ("fuse", "libfuse-dev"), "dnf": ("fuse3", "fuse3-devel")}),
    ("singularity-ce", "4.3", "", {"apt": ("fuse3", "libfuse3-dev"), "dnf": ("fuse fuse3", "fuse3-devel")}),
]  # type: List[Tuple[str, str, str, Dict[str, Tuple[str, str]]]]  # fmt: skip
SECCOMP_PACKAGES = {"apt": ("libseccomp2", "libseccomp-dev"), "dnf": ("libseccomp", "libseccomp-devel")}
# Repositories with headers that Enterprise Linux does not enable, by their names on RHEL and on those built from it.
# One that a host does not have is passed over.
HEADER_REPOSITORIES = ["powertools", "crb", "devel", "codeready-builder-for-rhel-*-rpms"]
# What a build leaves at its largest, in MiB: about 800 of sources and compiled packages, more with the toolchain.
BUILD_ROOM = 2500
# An installed version is about 150 MiB, and lies beside its archive while it is unpacked.
INSTALL_ROOM = 400

# Inputs that the wanted state, and what it says of the build, have as they are.
SAME = (
    "state flavor version name root setuid config files strays apparmor modulefiles cache_dir commands_dir tree_host "
    "writes fakeroot_users fakeroot_groups fakeroot_first fakeroot_limit versions_absent"
)
BUILD_SAME = "go_version goproxy mirrors mirror_timeout allow_unverified release_api known_sum kept_sum"

Range = Tuple[str, int, int]


def want(inputs: Dict[str, Any], platform: platforms.Platform) -> Dict[str, Any]:
    """Return the wanted state that a role's prepared inputs make on a platform. Pure.

    :raises InputProblem: the platform cannot have it.
    """
    if inputs["state"] == "present":
        problems = platforms.unsupported(platform, "singularity", ARCHITECTURES)
        if problems:
            raise platforms.InputProblem(*problems)
    settled = dict(inputs)
    manager = platforms.manager(platform)
    if settled["libsubid"] is None:
        settled["libsubid"] = has_libsubid(inputs["flavor"], inputs["version"], platform)
    run, build = packages(settled, platform)
    arguments = mconfig(settled)
    digest = hashlib.sha256(json.dumps([inputs["archive_checksum"]] + arguments).encode()).hexdigest()[:12]
    # One archive serves all hosts of a platform.
    name = re.sub("[^a-z0-9]", "", platform.distribution.lower()) + platform.version.split(".")[0]
    stem, end = "%(flavor)s-%(version)s" % inputs, "-%s-%s-%s" % (name, platform.architecture, digest)
    go_version = re.escape(inputs["go_version"]) or "[0-9.]+"
    link = os.path.join(inputs["root"], "current")
    scratch = sorted({path for path in (inputs["tmpdir"], inputs["cachedir"]) if path})
    # A folder of its own, since whatever else is in singularity_build_dir is somebody else's.
    own = os.path.join(inputs["build_dir"], "slipway-singularity")
    wanted = dict((name, settled[name]) for name in SAME.split())
    wanted.update(
        tree=inputs["prefix"],
        program="%(prefix)s/bin/%(name)s" % inputs,
        config_file="%(prefix)s/etc/%(name)s/%(name)s.conf" % inputs,
        current=link,
        link=link if inputs["default"] or inputs["state"] == "absent" else "",
        archive_pattern="^%s-go%s%s$" % (re.escape(stem), go_version, re.escape(end)),
        archive_glob="%s-go%s%s.json" % (stem, inputs["go_version"] or "*", end),
        commands=(
            dict(
                ("%s/%s" % (inputs["commands_dir"], command), _command(link, command))
                for command in COMMANDS[inputs["flavor"]]
            )
            if inputs["commands_dir"] and inputs["default"] and inputs["state"] == "present"
            else {}
        ),
        manager=manager,
        packages=run if inputs["packages"] is None else inputs["packages"],
        repositories=HEADER_REPOSITORIES if manager == "dnf" else [],
        directories=[{"path": path, "mode": "1777"} for path in scratch],
        keep=inputs["keep_versions"] if inputs["keep_versions"] >= 0 else None,
        need=INSTALL_ROOM,
        namespaces=NAMESPACES,
        sysctl_file=SYSCTL_FILE,
        build={
            "packages": sorted(set(run if inputs["packages"] is None else inputs["packages"]) | set(build)),
            "mconfig": arguments,
            "dir": own,
            # Where every version is compiled, since the paths are part of what Go's cache goes by.
            "folder": own + "/build",
            "source": "%s/%s.tar.gz" % (own, stem),
            # What is being built: another build may not be disturbed, and one that broke off is gone on with.
            "task": stem + end,
            "stem": stem,
            "end": end,
            "log": "/var/log/slipway/%s.log" % stem,
            "platform": "%s-%s" % (name, platform.architecture),
            "room": BUILD_ROOM,
            "keep": inputs["keep_build"],
            "go_kind": "linux-%s" % platforms.GO_ARCHITECTURES.get(platform.architecture, platform.architecture),
        },
    )
    links = {link: inputs["prefix"]} if wanted["link"] and inputs["writes"] else {}
    wanted["build"].update((name, inputs[name]) for name in BUILD_SAME.split())
    wanted["links"] = dict(links, **wanted["commands"])
    if not inputs["writes"]:
        wanted["files"] = [one for one in inputs["files"] if not one["path"].startswith(inputs["prefix"] + "/")]
    return wanted


def numbers(version: str) -> Tuple[int, ...]:
    """Return the leading numbers of a version: (1, 25, 9) for go1.25.9."""
    found = re.match(r"(?:go)?([0-9]+(?:\.[0-9]+)*)", version)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def has_libsubid(flavor: str, version: str, platform: platforms.Platform) -> bool:
    """Tell whether flavour, version and platform can ask a directory for ranges of ids."""
    since = {"debian": 12, "ubuntu": 24}.get(platform.like, 9)
    return _knows_libsubid(flavor, version) and numbers(platform.release) >= (since,)


def packages(inputs: Dict[str, Any], platform: platforms.Platform) -> Tuple[List[str], List[str]]:
    """Return the packages that every node needs, and those that the build host needs besides."""
    version = numbers(inputs["version"])
    fitting = [
        names
        for flavor, since, before, names in PACKAGES
        if flavor in ("", inputs["flavor"]) and numbers(since) <= version and (not before or version < numbers(before))
    ]
    if inputs["seccomp"]:
        fitting.append(SECCOMP_PACKAGES)
    if inputs["libsubid"]:
        old = (platform.like, platform.release) in (("debian", "12"), ("ubuntu", "24.04"))
        fitting.append(
            {
                "apt": ("libsubid4" if old else "libsubid5", "libsubid-dev"),
                "dnf": ("shadow-utils-subid", "shadow-utils-subid-devel"),
            }
        )
    pairs = [names[platforms.manager(platform)] for names in fitting]
    run, build = ({name for pair in pairs for name in pair[index].split()} for index in (0, 1))
    return sorted(run), sorted(build)


def mconfig(inputs: Dict[str, Any]) -> List[str]:
    """Return the arguments of mconfig, those that the flavour's version knows."""
    arguments = ["--prefix=%s" % inputs["prefix"], "-P", inputs["build_profile"]]
    if inputs["localstatedir"]:
        arguments.append("--localstatedir=%s" % inputs["localstatedir"])
    # Apptainer's own default is without the setuid program, SingularityCE's is with it.
    if not inputs["setuid"]:
        arguments.append("--without-suid")
    elif inputs["flavor"] == "apptainer":
        arguments.append("--with-suid")
    arguments += ["--without-%s" % name for name in ("network", "seccomp") if not inputs[name]]
    if not inputs["libsubid"] and _knows_libsubid(inputs["flavor"], inputs["version"]):
        arguments.append("--without-libsubid")
    return arguments + list(inputs["mconfig_extra"])


def guarded_sum(data: bytes, salt: str) -> str:
    """Return a salted sum that is slow to make, so that it tells nobody a password who tries many."""
    return hashlib.pbkdf2_hmac("sha256", data, salt.encode(), 100000).hex()


def _knows_libsubid(flavor: str, version: str) -> bool:
    return numbers(version) >= ((1, 3) if flavor == "apptainer" else (4, 3))


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs. Changes nothing."""
    tree, place = want["tree"], os.path.dirname(want["tree"])
    found = {os.path.dirname(path) for path in host.glob(os.path.join(want["root"], "*", MANIFEST))}
    # A link to a version is no version.
    places = sorted({place for place in found if not os.path.islink(place)} | {tree})
    trees = dict((place, _tree(host, place, want)) for place in places)
    candidates = [place for place in places if trees[place]["manifest"]]
    accounts, source = _accounts(host, want), _subid_source(host)
    observed = {
        "trees": dict((place, one) for place, one in trees.items() if one["exists"]),
        "link": _link(want["link"]) if want["link"] else "",
        "current": _link(want["current"]),
        "commands": _commands(want) if want["link"] else {},
        "config": parse_config(host.read(want["config_file"]) or ""),
        "packages": _installed(host, want),
        "files": dict((one["path"], _file(host, one)) for one in want["files"]),
        "missing_groups": sorted(
            name
            for name in {one["group"] for one in want["files"]} - {"root"}
            if host.run("getent", "group", name)[0] != 0
        ),
        "strays": host.glob(*want["strays"]),
        "directories": dict((one["path"], _mode(one["path"])) for one in want["directories"]),
        "accounts": accounts,
        "subid_source": source,
        "subid": _ranges(host, source, sorted(accounts)),
        "busy": _busy(candidates),
        "file_system": file_system(host.read("/proc/self/mounts") or "", os.path.realpath(existing(place))),
        "nosuid": _nosuid(place),
        "free": min(free_bytes(place) // 2**20, want["need"]),
        "sysctl": dict((name, (host.read(_proc(name)) or "").strip()) for name in NAMESPACES),
        "sysctl_at_boot": _at_boot(host),
        "restricted": (host.read(RESTRICTED) or "").strip() == "1",
        "apparmor_file": _file(host, want["apparmor"]),
        "apparmor_loaded": want["apparmor"]["profile"] in (host.read("/sys/kernel/security/apparmor/profiles") or ""),
    }  # type: Dict[str, Any]
    observed["version"] = _version(want, observed)
    binds = want["config"].get("bind path", observed["config"].get("bind path", []))
    observed["unbound"] = [one for one in config_values(binds) if not host.glob(one.split(":")[0])]
    # What the phases work on, so that no task has to find it in the drift.
    observed["forbidden"] = _forbidden(observed)
    observed["modulefiles"] = modulefiles(want, observed)
    own = _own_modulefiles(host, want)
    paths = [one["path"] for one in observed["modulefiles"]]
    observed["files"].update((one["path"], _file(host, one)) for one in observed["modulefiles"])
    observed["foreign"] = [path for path in paths if path not in own and observed["files"][path]["exists"]]
    observed["strays"] += [path for path in own if path not in paths]
    observed["remove"] = [entry["item"] for entry in compare(want, observed) if entry["phase"] == "remove_versions"]
    return observed


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    drift = _differences(want, observed)
    if want["writes"]:
        return drift
    shared = (want["root"] + "/", want["tree"])
    return [one for one in drift if one["phase"] not in TREE_PHASES and not one["item"].startswith(shared)]


def _differences(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    if want["state"] == "absent":
        return _absence(want, observed)
    drift = []
    for name, installed in sorted(observed["packages"].items()):
        if not installed:
            drift.append(_entry("install_packages", name, "not installed", "installed"))
    for name in _forbidden(observed):
        item, at_boot = name, observed["sysctl_at_boot"].get(name)
        if observed["sysctl"][name] != "0" and at_boot:
            item = "%s at the next boot (%s)" % (name, at_boot["file"])
        drift.append(_entry("allow_namespaces", item, "0", NAMESPACES[name]))
    tree = observed["trees"].get(want["tree"])
    drift += _tree_drift(want, tree)
    for key, value in sorted(want["config"].items()):
        found = observed["config"].get(key, []) if tree else None
        if found != config_values(value):
            drift.append(_entry("set_config", "%s: %s" % (os.path.basename(want["config_file"]), key), _said(found),
                                _said(config_values(value))))  # fmt: skip
    for one in want["directories"]:
        if observed["directories"][one["path"]] != one["mode"]:
            is_ = observed["directories"][one["path"]]
            is_ = "mode %s" % is_ if is_ else "missing"
            drift.append(_entry("write_files", one["path"], is_, "folder with mode %s" % one["mode"]))
    drift += [
        entry for one in want["files"] for entry in _file_drift("write_files", one, observed["files"][one["path"]])
    ]
    if observed["restricted"]:
        drift += _file_drift("allow_namespaces", want["apparmor"], observed["apparmor_file"])
        if not observed["apparmor_loaded"]:
            item = "AppArmor profile %s" % want["apparmor"]["profile"]
            drift.append(_entry("allow_namespaces", item, "not loaded", "loaded"))
    for user, names in sorted(lacking(observed).items()):
        for name in names:
            drift.append(_entry("give_ranges", "/etc/%s: %s" % (name, user), "no range", "%d ids" % RANGE))
    if want["link"] and observed["link"] != want["tree"]:
        is_ = observed["link"] or "missing"
        is_ = "link to %s" % is_ if is_.startswith("/") else is_
        drift.append(_entry("switch_version", want["link"], is_, "link to %s" % want["tree"]))
    for path, target in sorted(want["commands"].items()):
        found = observed["commands"].get(path, "")
        if found != target:
            is_ = "link to %s" % found if found.startswith("/") else found or "missing"
            drift.append(_entry("switch_version", path, is_, "link to %s" % target))
    for one in observed["modulefiles"]:
        drift += _file_drift("write_modulefiles", one, observed["files"][one["path"]])
    for place in observed["strays"] + _old_commands(want, observed) + superfluous(want, observed):
        drift.append(_entry("remove_versions", place, "present", "absent"))
    return drift


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each sentence with the remedy."""
    refused = []
    for place in _doomed(want, observed):
        if observed["busy"].get(place):
            refused.append(
                "%s cannot be removed, since programs run from it: %s. Wait until they end, or end them."
                % (place, ", ".join(observed["busy"][place]))
            )
        elif want["state"] == "present" and not want["link"] and place == observed["current"]:
            refused.append(
                "%s is the default version, which singularity_default: false leaves as it is. Make another the default "
                "first, or take it out of singularity_versions_absent." % place
            )
    if want["state"] == "absent":
        return refused
    tree = observed["trees"].get(want["tree"])
    if observed["file_system"] in NETWORK_FILE_SYSTEMS and not want["tree_host"]:
        refused.append(
            "%s is on a file system of type %s, where other hosts would write the same files. Set "
            "singularity_tree_host to the one host that is to write there, or choose a singularity_root on a "
            "local file system." % (want["root"], observed["file_system"])
        )
    if tree and tree["manifest"] is None and not tree["empty"]:
        refused.append(
            "%s was not made by Slipway%s. Move it away, or choose another singularity_prefix."
            % (want["tree"], " (%s)" % tree["error"] if tree["error"] else "")
        )
    if want["setuid"] and observed["nosuid"]:
        refused.append(
            "%s is on a file system that is mounted nosuid (or NFS that squashes root), where the setuid program "
            "starter-suid cannot work. Mount it without nosuid, choose a singularity_prefix on a local file system, or "
            "set singularity_setuid: false." % want["root"]
        )
    if want["writes"] and observed["free"] < want["need"] and _tree_drift(want, tree):
        refused.append(
            "%s has %d MiB free, and a version needs %d MiB. Make room (singularity_versions_absent removes "
            "old versions), or choose another singularity_prefix." % (want["root"], observed["free"], want["need"])
        )
    if observed["link"] == "not a link":
        refused.append("%s is no link, so it is not Slipway's. Move it away." % want["link"])
    for path in sorted(want["commands"]):
        found = observed["commands"].get(path, "")
        if found and "/./bin/" not in found:
            refused.append(
                "%s is there and not Slipway's%s. Move it away, or leave singularity_commands_dir empty."
                % (path, " (a link to %s)" % found if found.startswith("/") else "")
            )
    for path in observed["foreign"]:
        refused.append("%s is not Slipway's. Move it away, or choose other singularity_modulefiles." % path)
    for name in observed["missing_groups"]:
        refused.append(
            "singularity_registry_auth_group is %s, and there is no such group. Correct it, or make the host know it "
            "(`getent group %s` must answer)." % (name, name)
        )
    for name, one in sorted(observed["sysctl_at_boot"].items()):
        if one["value"] == "0" and observed["sysctl"][name] and one["last"]:
            refused.append(
                "%s sets %s = 0, so that containers of ordinary users would no longer start after the next boot. "
                "Remove that line, or set it to %s there." % (one["file"], name, NAMESPACES[name])
            )
    return refused + _range_refusals(want, observed)


def _range_refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why users cannot have ranges of ids."""
    missing = [name for name, account in sorted(observed["accounts"].items()) if account is None]
    if missing:
        return [
            "These users or groups do not exist on this host: %s. They come from singularity_fakeroot_users or "
            "singularity_fakeroot_groups. Correct these, or make the host know them (`getent passwd %s` must answer)."
            % (", ".join(missing), missing[0])
        ]
    users = lacking(observed)
    if users and observed["subid_source"] != "files":
        return [
            "/etc/nsswitch.conf has `subid: %s`, so ranges in /etc/subuid and /etc/subgid are not read, and there are "
            "none of %d ids for %s. Give them in the directory, or set `subid: files`."
            % (observed["subid_source"], RANGE, ", ".join(sorted(users)))
        ]
    wanted = dict((user, observed["accounts"][user]) for user in users)
    if allot(wanted, _taken(observed["subid"]), want["fakeroot_first"], want["fakeroot_limit"]) is None:
        return [
            "from singularity_fakeroot_first on there are not enough free ranges of %d ids in /etc/subuid and "
            "/etc/subgid. Set it lower, or remove ranges of users who are gone." % RANGE
        ]
    return []


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know beside it."""
    if want["state"] == "absent" or not observed["unbound"]:
        return []
    return [
        "Every container gets %s of the host, which is not there, so none starts. Make it, or take it out of "
        "`bind path` in singularity_config." % ", ".join(observed["unbound"])
    ]


def superfluous(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the trees to remove: those that are no longer wanted, but for old ones that are in use."""
    doomed = _doomed(want, observed)
    # Where hosts share the root, nobody knows what runs on the others.
    if want["state"] == "present" and want["keep"] is not None and not want["tree_host"]:
        # A version beside the default one leaves that alone.
        kept = (want["tree"], "" if want["link"] else observed["current"])
        older = sorted((place for place in _managed(observed) if place not in kept), key=_order(observed), reverse=True)
        doomed += [place for place in older[want["keep"] :] if place not in doomed and not observed["busy"].get(place)]
    return sorted(doomed)


def modulefiles(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the modulefiles that the host is to have: one of each version that stays, and the mark of the default."""
    folder = want["modulefiles"]["folder"]
    if not folder or want["state"] == "absent":
        return []
    gone = superfluous(want, observed)
    kept = [place for place in _managed(observed) if place not in gone]
    trees = dict((place, observed["trees"][place]["manifest"]) for place in kept)  # type: Dict[str, Dict[str, Any]]
    trees[want["tree"]] = want
    default = trees.get(want["tree"] if want["link"] else observed["current"])
    texts = {}
    for place, one in trees.items():
        text = want["modulefiles"]["texts"][one["flavor"]]
        name = "%s/%s/%s" % (folder, COMMANDS[one["flavor"]][0], one["version"])
        texts[name] = text.replace("@TREE@", place).replace("@VERSION@", one["version"])
        if one is default:
            mark = MODULE_MARK % want["root"]
            texts[os.path.dirname(name) + "/.version"] = '%sset ModulesVersion "%s"\n' % (mark, one["version"])
    return [{"path": path, "content": text, "mode": "0644", "group": "root"} for path, text in sorted(texts.items())]


def _own_modulefiles(host: Host, want: Dict[str, Any]) -> List[str]:
    """Return the modulefiles that an earlier run wrote for this root."""
    folders = set(MODULE_FOLDERS) | ({want["modulefiles"]["folder"]} - {""})
    names = {commands[0] for commands in COMMANDS.values()}
    files = host.glob(
        *["%s/%s/%s" % (one, name, end) for one in folders for name in names for end in ("*", ".version")]
    )
    return [path for path in files if (host.read(path) or "").startswith(MODULE_MARK % want["root"])]


def damage(files: List[Dict[str, Any]], found: Dict[str, Optional[Dict[str, Any]]]) -> List[Tuple[str, str, str]]:
    """Return what differs of a tree's files from its manifest: path, how it is, how it should be.

    Files of configuration are edited, so their size is free.
    """
    damaged = []
    for one in files:
        path, is_ = one["path"], found.get(one["path"])
        if is_ is None:
            damaged.append((path, "missing", "a %s" % one["type"]))
        elif is_["type"] != one["type"]:
            damaged.append((path, "a %s" % is_["type"], "a %s" % one["type"]))
        elif is_["owner"] != "0:0":
            damaged.append((path, "owned by %s" % is_["owner"], "owned by 0:0"))
        elif one["type"] != "link" and is_["mode"] != one["mode"]:
            damaged.append((path, "mode %s" % is_["mode"], "mode %s" % one["mode"]))
        elif one["type"] == "link" and is_["target"] != one["target"]:
            damaged.append((path, "a link to %s" % is_["target"], "a link to %s" % one["target"]))
        elif one["type"] == "file" and not one["config"] and is_["size"] != one["size"]:
            damaged.append((path, "%d bytes" % is_["size"], "%d bytes" % one["size"]))
    return damaged


def describe(path: str) -> Optional[Dict[str, Any]]:
    """Return type, mode, owner, size and target of a file, as a manifest has them; ``None`` where there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    kind = "link" if stat.S_ISLNK(status.st_mode) else "folder" if stat.S_ISDIR(status.st_mode) else "file"
    return {
        "type": kind,
        "mode": "%04o" % stat.S_IMODE(status.st_mode),
        "owner": "%d:%d" % (status.st_uid, status.st_gid),
        "size": status.st_size,
        "target": os.readlink(path) if kind == "link" else "",
    }


def parse_manifest(text: str) -> Tuple[Optional[Dict[str, Any]], str]:
    """Read a manifest; return it, or ``None`` and why it cannot be read."""
    try:
        data = json.loads(text)
        if not isinstance(data["archive"], str) or not all(isinstance(one["path"], str) for one in data["files"]):
            raise ValueError("a name is not a string")
    except (ValueError, KeyError, TypeError) as error:
        return None, "%s is broken: %s %s" % (MANIFEST, type(error).__name__, error)
    return data, ""


def parse_config(text: str) -> Dict[str, List[str]]:
    """Read singularity.conf: the values of each key, in their order."""
    config = {}  # type: Dict[str, List[str]]
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith("#"):
            config.setdefault(key.strip(), []).append(value.strip())
    return config


def config_values(value: Any) -> List[str]:
    """Return the values that a key of singularity.conf is to have."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def parse_ranges(text: str) -> List[Range]:
    """Read ``/etc/subuid`` or ``/etc/subgid``: name or number, first id, count."""
    fields = [line.strip().split(":") for line in text.splitlines()]
    return [
        (one[0], int(one[1]), int(one[2])) for one in fields if len(one) == 3 and one[1].isdigit() and one[2].isdigit()
    ]


def lacking(observed: Dict[str, Any]) -> Dict[str, List[str]]:
    """Return the wanted users who lack a range of 65536 ids or more, with the files that lack it."""
    missing = {}
    for user, uid in observed["accounts"].items():
        names = [
            name
            for name, ranges in sorted(observed["subid"].items(), reverse=True)
            if uid is not None and not any(one[0] in (user, str(uid)) and one[2] >= RANGE for one in ranges)
        ]
        if names:
            missing[user] = names
    return missing


def allot(users: Dict[str, int], taken: Iterable[Tuple[int, int]], first: int, limit: int) -> Optional[Dict[str, int]]:
    """Return the first id of a new range for each user, or ``None`` where there is no room. Pure.

    A user's place follows from the uid alone, so that it is the same on every host; where the place is taken, it is the
    next free one.

    :param users: uid by name.
    :param taken: first id and count of the ranges that exist.
    :param first: the first id to give; ``limit`` is the one after the last.
    """
    slots = (limit - first) // RANGE
    used: Set[int] = set()
    for start, count in taken:
        if start < limit and start + count > first and count > 0:
            used.update(range(max(0, (start - first) // RANGE), min(slots, (start + count - 1 - first) // RANGE + 1)))
    given = {}
    for user, uid in sorted(users.items(), key=lambda item: (item[1], item[0])):
        if len(used) >= slots:
            return None
        slot = uid % slots
        while slot in used:
            slot = (slot + 1) % slots
        used.add(slot)
        given[user] = first + slot * RANGE
    return given


def give_ranges(users: Dict[str, int], texts: Dict[str, str], first: int, limit: int) -> Optional[Dict[str, str]]:
    """Return the new texts of files, of those that change; ``None`` where there is no room. Pure.

    :param users: uid by name of all who are to have a range.
    :param texts: what ``subuid`` and ``subgid`` hold.
    """
    ranges = dict((name, parse_ranges(text)) for name, text in texts.items())
    missing = lacking({"accounts": users, "subid": ranges})
    given = allot(dict((user, users[user]) for user in missing), _taken(ranges), first, limit)
    if given is None:
        return None
    new = {}
    for name, old in texts.items():
        lines = ["%s:%d:%d\n" % (user, given[user], RANGE) for user in sorted(missing) if name in missing[user]]
        if lines:
            new[name] = old + ("\n" if old and not old.endswith("\n") else "") + "".join(lines)
    return new


def config_text(text: str, wanted: Dict[str, Any]) -> str:
    """Return the text of singularity.conf with keys as wanted, at the place where the key was, and all else as it is.

    :param wanted: a value or a list of values for each key; no line is left of a key with an empty list.
    """
    lines = text.splitlines()
    for key, value in wanted.items():
        places = [index for index, line in enumerate(lines) if _key_of(line) == key]
        comments = [index for index, line in enumerate(lines) if _key_of(line.lstrip("# ")) == key]
        place = places[0] if places else comments[-1] + 1 if comments else len(lines)
        fresh = ["%s = %s" % (key, one) for one in config_values(value)]
        rest = [line for index, line in enumerate(lines[place:], place) if index not in places]
        lines = lines[:place] + fresh + rest
    return "".join("%s\n" % line for line in lines)


def boot_value(files: Iterable[Tuple[str, str]], key: str) -> Tuple[str, str]:
    """Return the value that a setting of the kernel gets at boot and the file that says so; empty where none does.

    :param files: path and text of each file of sysctl.d, those of the stronger folders last.
    """
    # Of files with one name, that of the stronger folder counts; then they are read by name, whatever the folder.
    by_name = dict((os.path.basename(path), (path, text)) for path, text in files)
    value, source = "", ""
    for _name, (path, text) in sorted(by_name.items()):
        for line in text.splitlines():
            left, equals, right = line.strip().lstrip("-").partition("=")
            if equals and left.strip().replace("/", ".") == key:
                value, source = right.strip(), path
    return value, source


def _forbidden(observed: Dict[str, Any]) -> List[str]:
    """Return the settings of the kernel that forbid user namespaces, now or at the next boot."""
    at_boot = observed["sysctl_at_boot"]
    return [
        name
        for name, value in sorted(observed["sysctl"].items())
        if value == "0" or (value and at_boot.get(name, {}).get("value") == "0")
    ]


def file_system(mounts: str, path: str) -> str:
    """Return the type of the file system that a path is on. Pure.

    :param mounts: the text of ``/proc/self/mounts``.
    """
    found, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        place = fields[1].replace("\\040", " ").rstrip("/") if len(fields) > 2 else None
        # Of mounts at one place the last counts.
        if place is not None and (path + "/").startswith(place + "/") and len(place) >= len(found):
            found, kind = place, fields[2]
    return kind


def _taken(ranges: Dict[str, List[Range]]) -> List[Tuple[int, int]]:
    return [(one[1], one[2]) for listed in ranges.values() for one in listed]


def _key_of(line: str) -> str:
    key, equals, _ = line.partition("=")
    return key.strip() if equals else ""


def _absence(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    items = [want["link"]] if want["link"] and observed["link"] else []
    items += [one["path"] for one in want["files"] if observed["files"][one["path"]]["exists"]]
    items += observed["strays"] + _old_commands(want, observed)
    items += [want["apparmor"]["path"]] if observed["apparmor_file"]["exists"] else []
    return [_entry("remove_versions", item, "present", "absent") for item in items + superfluous(want, observed)]


def _tree_drift(want: Dict[str, Any], tree: Optional[Dict[str, Any]]) -> List[Dict[str, str]]:
    wanted = "%s %s" % (want["flavor"], want["version"])
    if tree is None or tree["empty"]:
        return [_entry("install_tree", want["tree"], "missing", wanted)]
    if tree["manifest"] is None:
        return [_entry("install_tree", want["tree"], "not Slipway's", wanted)]
    if not re.match(want["archive_pattern"], tree["manifest"]["archive"]):
        return [
            _entry(
                "install_tree", want["tree"], "made from %s" % tree["manifest"]["archive"], "%s as described" % wanted
            )
        ]
    damaged = tree["damage"]
    drift = [_entry("install_tree", os.path.join(want["tree"], path), is_, wish) for path, is_, wish in damaged[:NAMED]]
    if len(damaged) > NAMED:
        more = "%d more files of %s" % (len(damaged) - NAMED, want["tree"])
        drift.append(_entry("install_tree", more, "damaged", "as installed"))
    return drift


def _file_drift(phase: str, want: Dict[str, Any], found: Dict[str, Any]) -> List[Dict[str, str]]:
    owner = "root:%s" % want["group"]
    if not found["exists"]:
        return [_entry(phase, want["path"], "missing", "Slipway's content")] if found["wanted"] else []
    if not found["same"]:
        return [_entry(phase, want["path"], "edited", "Slipway's content")]
    if found["owner"] != owner:
        return [_entry(phase, want["path"], "owned by %s" % found["owner"], "owned by %s" % owner)]
    if found["mode"] != want["mode"]:
        return [_entry(phase, want["path"], "mode %s" % found["mode"], "mode %s" % want["mode"])]
    return []


def _doomed(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the trees whose removal was asked for."""
    if want["state"] == "absent":
        return _managed(observed)
    named = [os.path.join(want["root"], version) for version in want["versions_absent"]]
    return [place for place in _managed(observed) if place in named and place != want["tree"]]


def _managed(observed: Dict[str, Any]) -> List[str]:
    return sorted(place for place, tree in observed["trees"].items() if tree["manifest"])


def _order(observed: Dict[str, Any]) -> Any:
    by_version = cmp_to_key(versions.compare)
    return lambda place: by_version(str(observed["trees"][place]["manifest"]["version"]))


def _version(want: Dict[str, Any], observed: Dict[str, Any]) -> str:
    """Return flavour and version of the tree that is the default, for reports."""
    manifest = (observed["trees"].get(observed["link"] or want["tree"]) or {}).get("manifest")
    return "%s %s" % (manifest["flavor"], manifest["version"]) if manifest else ""


def _said(values: Optional[List[str]]) -> str:
    return "missing" if values is None else ", ".join(values) if values else "unset"


def _tree(host: Host, place: str, want: Dict[str, Any]) -> Dict[str, Any]:
    text = host.read(os.path.join(place, MANIFEST))
    manifest, error = parse_manifest(text) if text is not None else (None, "")
    tree = {
        "exists": os.path.lexists(place),
        "empty": os.path.isdir(place) and not os.listdir(place),
        "manifest": None,
        "error": error,
        "damage": [],
    }  # type: Dict[str, Any]
    if manifest:
        tree["manifest"] = dict((key, value) for key, value in manifest.items() if key != "files")
        if place == want["tree"]:
            paths = [one["path"] for one in manifest["files"]]
            tree["damage"] = damage(
                manifest["files"], dict((path, describe(os.path.join(place, path))) for path in paths)
            )
    return tree


def _link(path: str) -> str:
    if os.path.islink(path):
        return os.path.join(os.path.dirname(path), os.readlink(path))
    return "not a link" if os.path.exists(path) else ""


def _command(link: str, name: str) -> str:
    """Return where a link to a command leads. The dot marks it as Slipway's: nobody else writes it."""
    return "%s/./bin/%s" % (link, name)


def _commands(want: Dict[str, Any]) -> Dict[str, str]:
    """Return where links to commands lead, of those that are wanted and those that an earlier run may have made."""
    names = sorted({name for commands in COMMANDS.values() for name in commands})
    folders = set(COMMAND_FOLDERS) | ({want["commands_dir"]} if want["commands_dir"] else set())
    paths = set(want["commands"]) | {"%s/%s" % (folder, name) for folder in folders for name in names}
    return dict((path, _link(path)) for path in sorted(paths) if os.path.lexists(path))


def _old_commands(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return links to commands of this root that are no longer wanted."""
    mark = _command(want["link"], "")
    found = observed["commands"].items()
    return [path for path, target in sorted(found) if target.startswith(mark) and path not in want["commands"]]


def _file(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    data = host.read_bytes(want["path"])
    if data is None:
        same = False
    elif "sum" in want:
        same = guarded_sum(data, want["salt"]) == want["sum"]
    else:
        same = data == want["content"].encode("utf-8")
    return {
        "exists": data is not None,
        "same": same,
        "mode": _mode(want["path"]),
        "owner": _owner(want["path"]),
        "wanted": not want.get("only_with") or bool(host.glob(want["only_with"])),
    }


def _owner(path: str) -> str:
    """Return owner and group of a file, by name where they have one."""
    found = describe(path)
    if not found:
        return ""
    names = []
    for number, known in zip(found["owner"].split(":"), (pwd.getpwuid, grp.getgrgid)):
        try:
            names.append(str(known(int(number))[0]))
        except KeyError:
            names.append(number)
    return ":".join(names)


def _mode(path: str) -> str:
    found = describe(path)
    return found["mode"] if found else ""


def _installed(host: Host, want: Dict[str, Any]) -> Dict[str, bool]:
    names = want["packages"] if want["state"] == "present" else []
    if not names:
        return {}
    if want["manager"] == "apt":
        _rc, out = host.run("dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\n", *names)
        found = [line.split("\t")[0] for line in out.splitlines() if line.split("\t")[1][1:2] == "i"]
        return dict((name, name in found) for name in names)
    return dict((name, host.run("rpm", "-q", "--whatprovides", name)[0] == 0) for name in names)


def _accounts(host: Host, want: Dict[str, Any]) -> Dict[str, Optional[int]]:
    """Return the uid of each user who is to have ranges, ``None`` for one who does not exist."""
    if want["state"] == "absent":
        return {}
    names, missing = set(want["fakeroot_users"]), []
    for group in want["fakeroot_groups"]:
        rc, out = host.run("getent", "group", group)
        if rc:
            missing.append("group %s" % group)
        else:
            names.update(name for name in out.strip().split(":")[3].split(",") if name)
            names.update(_primary_members(host, out.split(":")[2]))
    accounts = dict((name, None) for name in sorted(names) + missing)  # type: Dict[str, Optional[int]]
    if names:
        for fields in _passwd(host.run("getent", "passwd", *sorted(names))[1]):
            if fields[0] in accounts:
                accounts[fields[0]] = int(fields[2])
    return accounts


def _primary_members(host: Host, gid: str) -> List[str]:
    """Return whose primary group it is: of local users, and of a directory's where it lists them."""
    return [fields[0] for fields in _passwd(host.run("getent", "passwd")[1]) if fields[3] == gid]


def _passwd(text: str) -> List[List[str]]:
    lines = [line.split(":") for line in text.splitlines()]
    return [fields for fields in lines if len(fields) >= 7 and fields[2].isdigit()]


def _subid_source(host: Host) -> str:
    """Return where ranges of ids come from, as nsswitch.conf says: ``files``, or a directory such as ``sss``."""
    found = re.search(r"^\s*subid:\s*([a-z]+)", host.read("/etc/nsswitch.conf") or "", re.MULTILINE)
    return found.group(1) if found else "files"


def _ranges(host: Host, source: str, users: List[str]) -> Dict[str, List[Range]]:
    if source == "files":
        return dict((name, parse_ranges(host.read("/etc/" + name) or "")) for name in ("subuid", "subgid"))
    asked = {"subuid": [], "subgid": []}  # type: Dict[str, List[Range]]
    for user in users:
        for name, option in (("subuid", []), ("subgid", ["-g"])):
            # 0: alice 100000 65536
            found = re.findall(r"^[0-9]+: \S+ ([0-9]+) ([0-9]+)$", host.run("getsubids", *(option + [user]))[1], re.M)
            asked[name] += [(user, int(first), int(count)) for first, count in found]
    return asked


def _at_boot(host: Host) -> Dict[str, Dict[str, Any]]:
    """Return what the kernel's settings become at boot, the file, and whether it comes after Slipway's own."""
    paths = [path for folder in SYSCTL_FOLDERS for path in host.glob(folder + "/*.conf")]
    files = [(path, host.read(path) or "") for path in paths]
    found = dict((name, boot_value(files, name)) for name in NAMESPACES)
    own = os.path.basename(SYSCTL_FILE)
    return dict(
        (name, {"value": value, "file": path, "last": os.path.basename(path) > own})
        for name, (value, path) in found.items()
        if path
    )


def _busy(places: List[str]) -> Dict[str, List[str]]:
    """Return the programs that run from each tree, with their process ids."""
    busy = dict((place, []) for place in places)  # type: Dict[str, List[str]]
    for pid in os.listdir("/proc") if places else []:
        if pid.isdigit():
            try:
                program = os.readlink("/proc/%s/exe" % pid)
            except OSError:
                continue
            for place in places:
                if program.startswith(place + "/"):
                    busy[place].append("%s (process %s)" % (os.path.basename(program.replace(" (deleted)", "")), pid))
    return dict((place, sorted(programs)) for place, programs in busy.items() if programs)


def _nosuid(path: str) -> bool:
    return bool(os.statvfs(existing(path)).f_flag & os.ST_NOSUID)


def _proc(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")
