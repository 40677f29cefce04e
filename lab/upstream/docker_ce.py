"""Docker's package repositories: real engines of three versions, repackaged from Debian's own under Docker's names.

runc and docker-init are bookworm's in all of them: trixie's runc needs glibc 2.38, and bookworm has 2.36. A fourth
engine, Docker 29, is compiled (docker_29.py) and is there where a lab asks for it.
"""

import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from lab.upstream import docker_29, repositories
from lab.upstream.archive import Original
from lab.upstream.packages import Package
from lab.upstream.section import Site
from lab.upstream.tools import FILES, parallel

# (distribution, codename, how versions spell it)
SUITES = (
    ("debian", "bookworm", "debian.12~bookworm"),
    ("debian", "trixie", "debian.13~trixie"),
    ("ubuntu", "noble", "ubuntu.24.04~noble"),
)
# Where Debian has the engines, and what Docker's packages of those versions want of containerd.io.
ENGINES = {"bookworm": "1.4.1", "trixie": "1.6.24", "forky": "1.7.27"}
# And its parts that bookworm has in one package or in none.
PARTS = [(codename, name) for codename in ("trixie", "forky") for name in ("cli", "buildx", "compose")]
ORIGINALS = (
    *((codename, name) for codename in ENGINES for name in ("docker.io", "containerd")),
    *((codename, f"docker-{name}") for codename, name in PARTS),
    *(("bookworm", name) for name in ("runc", "tini")),
)
# Version 2 of containerd has only the last of the shims.
RUNTIME = [f"usr/bin/{name}" for name in ("containerd", "ctr")]
RUNTIME += [f"usr/bin/containerd-shim{suffix}" for suffix in ("", "-runc-v1", "-runc-v2")]
BY_SUITE = "{version}-1~{{suite}}"
Originals = Mapping[tuple[str, str], Original]


def build(site: Site) -> None:
    """Write docker-ce, and what the broken mirrors have of their own."""
    print("unpacking Debian's packages", flush=True)
    unpacked = parallel(partial(site.archives[codename].unpack, name) for codename, name in ORIGINALS)
    originals = dict(zip(ORIGINALS, unpacked, strict=True))
    engines = dict(ENGINES)
    if site.docker_29:
        engines["compiled"] = ENGINES["forky"]
        originals |= {("compiled", name): one for name, one in docker_29.originals(site.docker_29).items()}
    trees = site.work / "trees"
    packages = [plugin(trees, codename, name, originals) for codename, name in PARTS if name != "cli"]
    for codename, containerd in engines.items():
        packages += [engine(trees, codename, containerd, originals), client(trees, codename, originals)]
        packages.append(runtime(trees, codename, originals))
    print(f"packing {len(packages)} packages for {len(SUITES)} suites and for Enterprise Linux 9", flush=True)
    pack(site, packages)
    print("indexing and signing", flush=True)
    sign(site)


def pack(site: Site, packages: list[Package]) -> None:
    """Build every package for every suite; one that is the same in several suites is built once, and linked."""
    yum = yum_root(site)
    work = site.work / "packing"
    work.mkdir()
    first: dict[str, Path] = {}
    links: list[tuple[Path, Path]] = []
    jobs = [partial(package.build_rpm, site.rpm_arch, work, yum / "Packages") for package in packages]
    for distribution, codename, suite in SUITES:
        pool = site.out / f"docker-ce/linux/{distribution}/dists/{codename}/pool/stable/{site.deb_arch}"
        pool.mkdir(parents=True)
        for package in packages:
            target = pool / package.deb_name(suite, site.deb_arch)
            if target.name in first:
                links.append((first[target.name], target))
            else:
                first[target.name] = target
                jobs.append(partial(package.build_deb, suite, site.deb_arch, work, target))
    parallel(jobs)
    for source, target in links:
        os.link(source, target)


def sign(site: Site) -> None:
    """Index and sign the good repositories, and sign other indexes for the mirrors that are to be refused."""
    good, yum = site.out / "docker-ce/linux", yum_root(site)
    jobs = [partial(repositories.index_yum, yum, site.keys, "yum")]
    jobs += [partial(repositories.index_apt, good / name, codename, site.deb_arch) for name, codename, _ in SUITES]
    parallel(jobs)
    repositories.sign_yum(yum, site.keys, "yum")
    for mirror in ("wrong-key", "wrong-signature"):
        repositories.sign_yum(yum, site.keys, "wrong", site.out / mirror / yum.relative_to(site.out))
    for name, codename, _ in SUITES:
        suite = good / name / "dists" / codename
        place = suite.relative_to(site.out)
        repositories.sign_apt(suite, site.keys, "apt")
        repositories.expire_apt(suite, site.keys, "apt", site.out / "expired" / place)
        for mirror in ("wrong-key", "wrong-signature"):
            repositories.sign_apt(suite, site.keys, "wrong", site.out / mirror / place)
    for name, key in {"debian": "apt", "ubuntu": "apt", "centos": "yum"}.items():
        for linux, chosen in ((good, key), (site.out / "wrong-key/docker-ce/linux", "wrong")):
            (linux / name / "gpg").write_text(site.keys.public(chosen))


def yum_root(site: Site) -> Path:
    """Return the folder of Docker's repository for Enterprise Linux 9."""
    return site.out / f"docker-ce/linux/centos/9/{site.rpm_arch}/stable"


def engine(trees: Path, codename: str, containerd: str, originals: Originals) -> Package:
    """docker-ce: the daemon, its proxy and its init."""
    docker, tini = originals[codename, "docker.io"], originals["bookworm", "tini"]
    version = docker.upstream_version
    root = trees / version / "docker-ce"
    units = ("docker.service", "docker.socket")
    libraries = lay_out(
        root,
        {
            docker: {f"usr/sbin/{name}": f"usr/bin/{name}" for name in ("dockerd", "docker-proxy")},
            tini: {"usr/bin/tini-static": "usr/bin/docker-init"},
        },
        {name: f"usr/lib/systemd/system/{name}" for name in units},
    )
    (root / "etc/docker").mkdir(parents=True)
    return Package(
        name="docker-ce",
        root=root,
        summary="Docker: the open-source application container engine",
        deb_version=f"5:{BY_SUITE.format(version=version)}",
        deb={
            "Pre-Depends": "init-system-helpers (>= 1.54~)",
            "Depends": ", ".join([f"containerd.io (>= {containerd})", "docker-ce-cli", "iptables", *libraries]),
            "Conflicts": "docker (<< 1.5~), docker-engine, docker.io",
            "Replaces": "docker-engine",
        },
        rpm_version=f"3:{version}-1.el9",
        rpm=(
            "Requires: docker-ce-cli",
            f"Requires: containerd.io >= {containerd}",
            *(
                f"Conflicts: {name}"
                for name in ("docker", "docker-io", "docker-engine", "docker-engine-cs", "docker-ee")
            ),
            *(f"Obsoletes: {name}" for name in ("docker-ce-selinux", "docker-engine-selinux")),
        ),
        units=units,
        group="docker",
    )


def client(trees: Path, codename: str, originals: Originals) -> Package:
    """docker-ce-cli: the command line, which bookworm has in the engine's own package."""
    docker = originals.get((codename, "docker-cli"), originals[codename, "docker.io"])
    version = docker.upstream_version
    root = trees / version / "docker-ce-cli"
    libraries = lay_out(root, {docker: {"usr/bin/docker": "usr/bin/docker"}})
    plugins = ("docker-buildx-plugin", "docker-compose-plugin")
    return Package(
        name="docker-ce-cli",
        root=root,
        summary="Docker CLI: the open-source application container engine",
        deb_version=f"5:{BY_SUITE.format(version=version)}",
        deb={
            "Depends": ", ".join(name for name in libraries if name.startswith("libc6")),
            "Recommends": ", ".join(plugins),
            "Conflicts": "docker (<< 1.5~), docker-engine, docker.io",
        },
        rpm_version=f"1:{version}-1.el9",
        rpm=(*(f"Recommends: {name}" for name in plugins), "Conflicts: docker", "Conflicts: docker-engine"),
    )


def runtime(trees: Path, codename: str, originals: Originals) -> Package:
    """containerd.io: containerd and runc."""
    containerd, runc = originals[codename, "containerd"], originals["bookworm", "runc"]
    runc = originals.get((codename, "runc"), runc)
    version = containerd.upstream_version
    root = trees / version / "containerd.io"
    libraries = lay_out(
        root,
        {
            containerd: {path: path for path in RUNTIME if (containerd.root / path).exists()},
            runc: {"usr/sbin/runc": "usr/bin/runc"},
        },
        {
            "containerd.service": "usr/lib/systemd/system/containerd.service",
            "config.toml": "etc/containerd/config.toml",
        },
    )
    return Package(
        name="containerd.io",
        root=root,
        summary="An open and reliable container runtime",
        deb_version=f"{version}-1",
        deb={
            "Depends": ", ".join(libraries),
            "Provides": "containerd, runc",
            "Conflicts": "containerd, runc",
            "Replaces": "containerd, runc",
        },
        rpm_version=f"{version}-3.1.el9",
        rpm=tuple(
            f"{tag}: {name}" for tag in ("Provides", "Conflicts", "Obsoletes") for name in ("containerd", "runc")
        ),
        units=("containerd.service",),
        config=("/etc/containerd/config.toml",),
    )


def plugin(trees: Path, codename: str, name: str, originals: Originals) -> Package:
    """docker-buildx-plugin or docker-compose-plugin."""
    original = originals[codename, f"docker-{name}"]
    path = f"usr/libexec/docker/cli-plugins/docker-{name}"
    root = trees / codename / f"docker-{name}-plugin"
    libraries = lay_out(root, {original: {path: path}})
    rivals = {field: "docker-compose" for field in ("Conflicts", "Replaces") if name == "compose"}
    return Package(
        name=root.name,
        root=root,
        summary=f"Docker {name.capitalize()} plugin for the Docker CLI",
        deb_version=BY_SUITE.format(version=original.upstream_version),
        deb={"Depends": ", ".join(libraries), "Enhances": "docker-ce-cli", **rivals},
        rpm_version=f"{original.upstream_version}-1.el9",
        rpm=("Enhances: docker-ce-cli",),
    )


def lay_out(
    root: Path, parts: Mapping[Original, Mapping[str, str]], own: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Fill a package's folder from files of Debian's packages and of ours; return the libraries the former need."""
    pairs = [(FILES / source, target) for source, target in (own or {}).items()]
    for original, files in parts.items():
        name = original.root.name
        pairs += [(original.root / source, target) for source, target in files.items()]
        pairs.append((original.root / f"usr/share/doc/{name}/copyright", f"usr/share/doc/{root.name}/copyright.{name}"))
    for source, target in pairs:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, root / target)
    return tuple(sorted({library for original in parts for library in original.libraries}))
