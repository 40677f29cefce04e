"""Debian root filesystems, made by mmdebstrap and imported as the images that all others are built on."""

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

from lab import apt
from lab.run import CACHE, step

SUITES = ("bookworm", "trixie")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Raise it when what follows changes what a root filesystem holds.
RECIPE = "1"


def digest(suite: str) -> str:
    return hashlib.sha256("\n".join((RECIPE, suite, *apt.mirror())).encode()).hexdigest()[:12]


def sources(suite: str, mirror: apt.Mirror, security: bool) -> list[str]:
    """The lines of a node's own sources.list."""
    lines = [f"deb {mirror.main} {suite} main", f"deb {mirror.main} {suite}-updates main"]
    return [*lines, f"deb {mirror.security} {suite}-security main"] if security else lines


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20):
            return True
    except (urllib.error.URLError, TimeoutError):
        return False


def ensure(suite: str, tag: str) -> None:
    """Make the archive of the root filesystem unless it is cached, and import it under this tag."""
    archive = CACHE / "rootfs" / f"{suite}-{digest(suite)}.tar"
    if not archive.exists():
        build(suite, archive)
    step(f"importing {suite}", f"import-{suite}", ("docker", "import", str(archive), tag), tries=1)


def build(suite: str, archive: Path) -> None:
    apt.require("mmdebstrap", "mmdebstrap", "debian-archive-keyring")
    archive.parent.mkdir(parents=True, exist_ok=True)
    mirror = apt.mirror()
    security = bool(mirror.security) and answers(f"{mirror.security}/dists/{suite}-security/InRelease")
    part = archive.with_suffix(".part")
    options = ("--mode=auto", "--variant=minbase", "--format=tar", f"--keyring={KEYRING}")
    make = ("mmdebstrap", *options, suite, str(part), *sources(suite, mirror, security))
    step(f"making root filesystem {suite}", f"rootfs-{suite}", make, about="30 s")
    part.rename(archive)
