"""Which platform a host is, found on the host itself, so that no facts need be gathered."""

import os
import re
from typing import Dict, List, NamedTuple, Optional

from ansible.module_utils.common.sys_info import (
    get_distribution,
    get_distribution_codename,
    get_distribution_version,
)

# The codename of each release that Slipway knows; Enterprise Linux has none.
RELEASES = {
    "debian 12": "bookworm",
    "debian 13": "trixie",
    "ubuntu 22.04": "jammy",
    "ubuntu 24.04": "noble",
    "ubuntu 26.04": "resolute",
    "el 8": "",
    "el 9": "",
    "el 10": "",
}
# Enterprise Linux by the names of sys_info; RHEL itself is Redhat there.
ENTERPRISE = ("Redhat", "Rocky", "Almalinux", "Centos")

# What a machine's architecture (``uname -m``) is called by Debian, and by Go.
DEBIAN_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "ppc64le": "ppc64el",
    "s390x": "s390x",
    "armv7l": "armhf",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
}
GO_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "armv7l": "armv6l",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
}

Platform = NamedTuple(
    "Platform",
    [
        # As the host says of itself: Debian, Ubuntu, Redhat, Rocky, Almalinux, Centos, Linuxmint, ...
        ("distribution", str),
        # Whole: 12.15, 24.04, 9.6.
        ("version", str),
        # What it is or is like: debian, ubuntu or el; empty where that is not known.
        ("like", str),
        # What decides: 12, 24.04, 9; empty where it is not known.
        ("release", str),
        # bookworm, noble; empty for Enterprise Linux.
        ("codename", str),
        # As `uname -m` says.
        ("architecture", str),
    ],
)


class InputProblem(Exception):
    """Inputs that cannot be met on this platform; each argument is a sentence with its remedy."""


def find(like: str = "") -> Platform:
    """Return the platform of this host.

    :param like: the setting ``slipway_platform``: a key of ``RELEASES``, or empty.
    """
    return describe(
        get_distribution() or "",
        get_distribution_version() or "",
        get_distribution_codename() or "",
        os.uname().machine,
        like,
    )


def describe(distribution: str, version: str, codename: str, architecture: str, like: str = "") -> Platform:
    """Return the platform that a host's own words, or the admin's, make it. Pure."""
    if like:
        name, release = like.split()
        return Platform(distribution, version, name, release, RELEASES[like], architecture)
    name = "el" if distribution in ENTERPRISE else distribution.lower()
    numbers = (re.findall("[0-9]+", version) + ["", ""])[:2]
    release = ".".join(numbers) if name == "ubuntu" else numbers[0]
    known = "%s %s" % (name, release) in RELEASES
    family = name if name in ("debian", "ubuntu", "el") else ""
    return Platform(distribution, version, family, release, codename if known and name != "el" else "", architecture)


def manager(platform: Platform) -> str:
    """Return the package manager: apt or dnf."""
    return "dnf" if platform.like == "el" else "apt"


def unsupported(platform: Platform, role: str, architectures: Optional[List[str]] = None) -> List[str]:
    """Return why a role cannot serve a platform, as sentences; none where it can."""
    problems = []
    if "%s %s" % (platform.like, platform.release) not in RELEASES:
        problems.append(
            "%s %s is not a platform of %s; there are: %s. If it is like one of them, set slipway_platform for this "
            'host, as in slipway_platform: "ubuntu 24.04"; else take %s out of its slipway_roles.'
            % (platform.distribution, platform.version, role, ", ".join(sorted(RELEASES)), role)
        )
    if architectures is not None and platform.architecture not in architectures:
        problems.append(
            "%s has nothing for the architecture %s; there are: %s. Take %s out of this host's slipway_roles."
            % (role, platform.architecture, ", ".join(architectures), role)
        )
    return problems


def as_dict(platform: Platform) -> Dict[str, str]:
    """Return a platform as a mapping, for results."""
    return dict(platform._asdict())
