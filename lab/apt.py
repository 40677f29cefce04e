"""The machine's own package manager: which Debian mirror it uses, and installing what the lab itself needs."""

import functools
import os
import shutil
from typing import NamedTuple

from lab.run import LabError, attempt, step

FORMAT = "$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(REPO_URI)"


class Mirror(NamedTuple):
    """Roots of the Debian archive and, if the machine knows one, of its security archive."""

    main: str
    security: str


def parse_targets(text: str) -> Mirror:
    """Read `apt-get indextargets`: the first Debian and the first Debian-Security archive."""
    found = {"Debian": "", "Debian-Security": ""}
    for line in text.splitlines():
        created, origin, label, uri = (*line.split("|"), "", "", "")[:4]
        if created == "Packages" and origin == "Debian" and uri.startswith("http") and not found.get(label, "-"):
            found[label] = uri.rstrip("/")
    return Mirror(found["Debian"], found["Debian-Security"])


@functools.cache
def mirror() -> Mirror:
    """SLIPWAY_DEBIAN_MIRROR, or the mirror in this machine's apt configuration."""
    if chosen := os.environ.get("SLIPWAY_DEBIAN_MIRROR"):
        return Mirror(chosen.rstrip("/"), os.environ.get("SLIPWAY_DEBIAN_SECURITY_MIRROR", "").rstrip("/"))
    found = parse_targets(attempt("apt-get", "indextargets", "--format", FORMAT).stdout)
    if not found.main:
        raise LabError(
            "this machine's apt knows no Debian mirror (run `apt-get update` if it should). "
            "Set SLIPWAY_DEBIAN_MIRROR to the root of one, http://HOST/debian"
        )
    return found


def require(program: str, *packages: str) -> None:
    """Install packages (those this release has) unless the program is there."""
    if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
        return
    command = f"apt-get install {' '.join(packages)}"
    if not shutil.which("apt-get"):
        raise LabError(f"`{program}` is missing: install it (on Debian: {command})")
    if os.geteuid() != 0:
        raise LabError(f"`{program}` is missing: run `sudo {command}`, or this as root")
    step("refreshing package lists", "apt-update", ("apt-get", "update", "-q"))
    known = [name for name in packages if attempt("apt-cache", "show", "--no-all-versions", name).stdout]
    install = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy", "--no-install-recommends")
    step(f"installing {' '.join(known)}", f"apt-{program}", (*install, "-o", "Acquire::Retries=3", *known))
