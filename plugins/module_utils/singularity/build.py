"""A build of Singularity: the packages that it and the result need, and the arguments of mconfig."""

import hashlib
import json
import re
from typing import Any, Dict, List, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host

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
    # Enterprise Linux has none.
    ("apptainer", "1.3", "", {"apt": ("gocryptfs", ""), "dnf": ("", "")}),
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


def described(inputs: Dict[str, Any], platform: platforms.Platform) -> Dict[str, Any]:
    """Return how a version is built on a platform, and what the archive is called that serves all hosts of it."""
    if inputs["libsubid"] is None:
        inputs = dict(inputs, libsubid=has_libsubid(inputs["flavor"], inputs["version"], platform))
    run, build = packages(inputs, platform)
    arguments = mconfig(inputs)
    digest = hashlib.sha256(json.dumps([inputs["archive_checksum"]] + arguments).encode()).hexdigest()[:12]
    name = re.sub("[^a-z0-9]", "", platform.distribution.lower()) + platform.version.split(".")[0]
    place = "%s-%s" % (name, platform.architecture)
    stem, end = "%(flavor)s-%(version)s" % inputs, "-%s-%s" % (place, digest)
    go_version = re.escape(inputs["go_version"]) or "[0-9.]+"
    return {
        "packages": run if inputs["packages"] is None else inputs["packages"],
        "build_packages": build,
        "mconfig": arguments,
        "platform": place,
        "stem": stem,
        "end": end,
        "archive_pattern": "^%s-go%s%s$" % (re.escape(stem), go_version, re.escape(end)),
        "archive_glob": "%s-go%s%s.json" % (stem, inputs["go_version"] or "*", end),
    }


def installed_packages(host: Host, manager: str, names: List[str]) -> Dict[str, bool]:
    """Return which packages a host has."""
    if not names:
        return {}
    if manager == "apt":
        # Of all packages, since another may provide one, as fuse3 does fuse, which cannot be beside it.
        _rc, out = host.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package}, ${Provides}\\n")
        lines = [line for line in out.splitlines() if line[1:2] == "i"]
        found = {one.split()[0] for line in lines for one in line[3:].split(",") if one.strip()}
        return dict((name, name in found) for name in names)
    return dict((name, host.run("rpm", "-q", "--whatprovides", name)[0] == 0) for name in names)


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


def _knows_libsubid(flavor: str, version: str) -> bool:
    return numbers(version) >= ((1, 3) if flavor == "apptainer" else (4, 3))
