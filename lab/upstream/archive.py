"""Debian packages of a named suite, from the mirror that this very container's apt is set to."""

import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.upstream.tools import run


@dataclass(frozen=True)
class Original:
    """An unpacked Debian package."""

    root: Path
    version: str
    libraries: tuple[str, ...]

    @property
    def upstream_version(self) -> str:
        """The version without epoch and Debian's additions: 20.10.24 for 20.10.24+dfsg1-1."""
        return re.sub(r"^(?:\d+:)?([\d.]+).*$", r"\1", self.version)


class Archive:
    """One suite: apt with a settings folder of its own, which names that suite in place of the container's."""

    def __init__(self, codename: str, work: Path) -> None:
        self.work = work
        shutil.copytree("/etc/apt", work / "etc")
        own = platform.freedesktop_os_release()["VERSION_CODENAME"]
        for source in (*(work / "etc").rglob("*.list"), *(work / "etc").rglob("*.sources")):
            source.write_text(source.read_text().replace(own, codename))
        settings = {
            "Dir::Etc": work / "etc",
            "Dir::State::Lists": work / "lists",
            # What is installed here, of another suite, is of no concern.
            "Dir::State::Status": "/dev/null",
            "Dir::Cache": work / "cache",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": 3,
            # A mirror that stands still serves testing's index long after its date; it is signed all the same.
            "Acquire::Check-Valid-Until": "false",
        }
        # apt makes only the default folder of lists itself
        (work / "lists" / "partial").mkdir(parents=True)
        self.apt_get = ("apt-get", *(f"-o{name}={value}" for name, value in settings.items()))
        run(*self.apt_get, "--error-on=any", "update")

    def unpack(self, package: str) -> Original:
        """Download and unpack one package."""
        root = self.work / package
        (deb,) = self._download(root, [package])
        run("dpkg-deb", "--extract", deb, root)
        version, depends = (run("dpkg-deb", "--field", deb, field).strip() for field in ("Version", "Depends"))
        deb.unlink()
        return Original(root, version, tuple(name for name in depends.split(", ") if name.startswith("lib")))

    def unpack_into(self, root: Path, packages: Sequence[str]) -> str:
        """Download several packages and unpack them into one folder; return the upstream version of the first."""
        for deb in self._download(root, packages):
            run("dpkg-deb", "--extract", deb, root)
            if deb.name.startswith(f"{packages[0]}_"):
                version = run("dpkg-deb", "--field", deb, "Version").strip()
            deb.unlink()
        return Original(root, version, ()).upstream_version

    def _download(self, root: Path, packages: Sequence[str]) -> list[Path]:
        root.mkdir()
        run(*self.apt_get, "download", *packages, cwd=root)
        return list(root.glob("*.deb"))
