"""What stands in for Enterprise Linux' own repositories: its names, with the programs of Debian's packages in them.

A Rocky-shaped node is Debian 12 underneath, so bookworm's programs and libraries run on it.
"""

import platform
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from lab.upstream import repositories
from lab.upstream.packages import Package
from lab.upstream.section import Site
from lab.upstream.tools import parallel

BINUTILS = f"binutils-{platform.machine().replace('_', '-')}-linux-gnu"
# Which packages of bookworm are in one of Enterprise Linux, with what they need and the node's image lacks.
CONTENT: Mapping[str, str] = {
    "cryptsetup": "cryptsetup-bin",
    "fuse-overlayfs": "fuse-overlayfs fuse3 libfuse3-3",
    "gcc": f"gcc gcc-12 cpp cpp-12 libgcc-12-dev binutils binutils-common {BINUTILS} libbinutils libcc1-0"
    " libctf-nobfd0 libctf0 libgprofng0 libisl23 libjansson4 libmpc3 libmpfr6 libquadmath0"
    " libasan8 libatomic1 libitm1 liblsan0 libtsan2 libubsan1",
    "gcc-c++": "g++ g++-12 libstdc++-12-dev",
    "glibc-devel": "libc6-dev libc-dev-bin libcrypt-dev linux-libc-dev",
    "libseccomp-devel": "libseccomp-dev",
    "make": "make",
    "pkgconf-pkg-config": "pkgconf pkgconf-bin pkg-config libpkgconf3",
    "shadow-utils": "uidmap",
    "shadow-utils-subid": "libsubid4",
    "shadow-utils-subid-devel": "libsubid-dev",
    "squashfs-tools": "squashfs-tools liblzo2-2",
}
REQUIRES: Mapping[str, tuple[str, ...]] = {
    "gcc": ("glibc-devel",),
    "gcc-c++": ("gcc",),
    "shadow-utils": ("shadow-utils-subid",),
    "shadow-utils-subid-devel": ("shadow-utils-subid",),
    # With podman there, Docker cannot simply be installed: containerd.io replaces runc, but has no oci-runtime.
    "podman": ("runc", "oci-runtime"),
}
PROVIDES: Mapping[str, tuple[str, ...]] = {"runc": ("oci-runtime = 2",)}
# Empty: either the node has it from Debian, or it is wanted for its name's sake, which Docker's packages quarrel with.
EMPTY: Mapping[str, str] = {
    "diffutils": "3.7-12.el9",
    "gzip": "1.12-1.el9",
    "libseccomp": "2.5.2-2.el9",
    "podman": "4:4.9.4-1.el9",
    "runc": "4:1.1.12-1.el9",
    "tar": "2:1.34-7.el9",
}
# What Debian's packages leave to their scripts: the names by which programs are called, and a mode.
SETUID = Path("usr/bin/fusermount3")
LINKS: Mapping[str, Mapping[str, str]] = {"gcc": {"usr/bin/cc": "gcc"}, "gcc-c++": {"usr/bin/c++": "g++"}}


def build(site: Site) -> None:
    """Write extras/rocky/9."""
    print(f"packing {len(CONTENT)} packages for the Rocky-shaped node", flush=True)
    root, work = site.out / "extras/rocky/9", site.work / "rocky"
    for folder in (root / "Packages", work / "empty"):
        folder.mkdir(parents=True)
    packages = [*parallel(partial(filled, site, name, work / name) for name in CONTENT)]
    packages += [package(name, work / "empty", "Empty stand-in for", version) for name, version in EMPTY.items()]
    parallel(partial(each.build_rpm, site.rpm_arch, work, root / "Packages") for each in packages)
    repositories.index_yum(root, site.keys, "yum")
    repositories.sign_yum(root, site.keys, "yum")


def filled(site: Site, name: str, root: Path) -> Package:
    """Make one package of Debian's."""
    version = site.archives["bookworm"].unpack_into(root, CONTENT[name].split())
    for folder in ("info", "locale", "lintian", "man"):
        shutil.rmtree(root / "usr/share" / folder, ignore_errors=True)
    for link, target in LINKS.get(name, {}).items():
        (root / link).symlink_to(target)
    if (root / SETUID).exists():
        (root / SETUID).chmod(0o4755)
    return package(name, root, "Debian's programs by the name of", f"{version}-1.el9")


def package(name: str, root: Path, kind: str, version: str) -> Package:
    """Describe one package."""
    lines = [f"Requires: {other}" for other in REQUIRES.get(name, ())]
    lines += [f"Provides: {other}" for other in PROVIDES.get(name, ())]
    return Package(name, root, f"{kind} the distribution's own {name}", "", {}, version, tuple(lines))
