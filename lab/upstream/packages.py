"""Packages of both kinds, .deb and .rpm, made from one folder of files each."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.upstream.tools import FILES, run

LABEL = "Stand-in for tests, made from Debian's own packages or compiled from source"


@dataclass(frozen=True)
class Package:
    """What one package holds and says; versions may hold {suite}, such as debian.12~bookworm."""

    name: str
    root: Path
    summary: str
    deb_version: str
    deb: Mapping[str, str]
    rpm_version: str
    rpm: tuple[str, ...]
    units: tuple[str, ...] = ()
    group: str = ""
    config: tuple[str, ...] = ()

    def script(self, kind: str) -> str:
        """Return a maintainer script's body."""
        return f"units='{' '.join(self.units)}'\ngroup='{self.group}'\n{(FILES / kind).read_text()}"

    def deb_name(self, suite: str, arch: str) -> str:
        """Name the .deb as Docker does: without the epoch."""
        return f"{self.name}_{self.deb_version.format(suite=suite).rpartition(':')[2]}_{arch}.deb"

    def build_deb(self, suite: str, arch: str, work: Path, target: Path) -> None:
        """Make the .deb for one suite."""
        tree = work / target.name
        shutil.copytree(self.root, tree, symlinks=True, copy_function=os.link)
        control = tree / "DEBIAN"
        control.mkdir()
        fields = {
            "Package": self.name,
            "Version": self.deb_version.format(suite=suite),
            "Architecture": arch,
            "Maintainer": "The lab <lab@localhost>",
            "Section": "admin",
            "Priority": "optional",
            **self.deb,
            "Description": f"{self.summary}\n {LABEL}.",
        }
        (control / "control").write_text("".join(f"{name}: {value}\n" for name, value in fields.items() if value))
        (control / "conffiles").write_text("".join(f"{path}\n" for path in self.config))
        if self.units:
            for kind in ("postinst", "prerm", "postrm"):
                (control / kind).write_text(f"#!/bin/sh\nset -e\n{self.script(f'deb.{kind}')}")
                (control / kind).chmod(0o755)
        run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z3", "--build", tree, target)
        shutil.rmtree(tree)

    def build_rpm(self, arch: str, work: Path, target: Path) -> None:
        """Make the .rpm for Enterprise Linux in the folder `target`."""
        top = work / f"{self.name}-{self.rpm_version}.rpmbuild".replace(":", "-")
        top.mkdir()
        epoch, _, rest = self.rpm_version.rpartition(":")
        version, _, release = rest.partition("-")
        # The Rocky-shaped host's RPM database knows no libraries, so none may be required.
        preamble = [f"Name: {self.name}", f"Epoch: {epoch or 0}", f"Version: {version}", f"Release: {release}"]
        preamble += [f"Summary: {self.summary}", "License: see copyright", "AutoReqProv: no", *self.rpm]
        paths = sorted(path for path in self.root.rglob("*") if not is_folder(path) or not any(path.iterdir()))
        files = [self._rpm_file(path) for path in paths]
        scripts = [f"%{kind}\n{self.script(f'rpm.{kind}')}" for kind in ("post", "preun", "postun") if self.units]
        parts = ["\n".join(preamble), f"%description\n{LABEL}.", f"%install\ncp -al {self.root}/. %{{buildroot}}"]
        spec = top / "package.spec"
        spec.write_text("\n\n".join([*parts, *scripts, "\n".join(["%files", "%defattr(-,root,root)", *files, ""])]))
        macros = {
            "_topdir": top,
            "_rpmdir": target,
            "_rpmfilename": "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
            "_binary_payload": "w3.zstdio",
            "_build_id_links": "none",
            "debug_package": "%{nil}",
            "__os_install_post": "%{nil}",
        }
        defines = [f"--define={name} {value}" for name, value in macros.items()]
        run("rpmbuild", "-bb", f"--target={arch}", *defines, spec)
        shutil.rmtree(top)

    def _rpm_file(self, path: Path) -> str:
        name = f"/{path.relative_to(self.root)}"
        prefix = "%config(noreplace) " if name in self.config else "%dir " if is_folder(path) else ""
        return prefix + name


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder itself, and not a link to one."""
    return path.is_dir() and not path.is_symlink()
