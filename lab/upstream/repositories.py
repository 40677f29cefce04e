"""Package repositories, in download.docker.com's layout: their indexes and signatures, and deliberately wrong ones."""

import gzip
from pathlib import Path

from lab.upstream.tools import Keys, run


def index_apt(root: Path, codename: str, arch: str) -> None:
    """Index the pool of one suite; `root` is the folder that holds dists."""
    suite = root / "dists" / codename
    binary = suite / "stable" / f"binary-{arch}"
    binary.mkdir(parents=True)
    sums = [f"-oAPT::FTPArchive::{name}=false" for name in ("MD5", "SHA1", "SHA512")]
    packages = run("apt-ftparchive", *sums, "packages", f"dists/{codename}/pool", cwd=root)
    (binary / "Packages").write_text(packages)
    (binary / "Packages.gz").write_bytes(gzip.compress(packages.encode(), mtime=0))
    fields = {
        "Origin": "Docker",
        "Label": "Docker CE",
        "Suite": codename,
        "Codename": codename,
        "Architectures": arch,
        "Components": "stable",
    }
    options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in fields.items()]
    release = run("apt-ftparchive", *sums[:2], *options, "release", ".", cwd=suite)
    (suite / "Release").write_text(release)


def sign_apt(suite: Path, keys: Keys, key: str, target: Path | None = None) -> None:
    """Sign a suite's Release, into another folder if one is named."""
    target = target or suite
    target.mkdir(parents=True, exist_ok=True)
    (target / "InRelease").write_text(keys.sign(key, "--clearsign", suite / "Release"))
    (target / "Release.gpg").write_text(keys.sign(key, "--detach-sign", suite / "Release"))


def expire_apt(suite: Path, keys: Keys, key: str, target: Path) -> None:
    """Sign a copy of a suite's Release that was valid until long ago."""
    target.mkdir(parents=True)
    release = (suite / "Release").read_text()
    past = "Valid-Until: Wed, 01 Jan 2020 00:00:00 UTC\n"
    (target / "Release").write_text(release.replace("Date:", f"{past}Date:", 1))
    sign_apt(target, keys, key)


def index_yum(root: Path, keys: Keys, key: str) -> None:
    """Sign the packages of a yum repository, then index it."""
    packages = sorted((root / "Packages").glob("*.rpm"))
    run("rpmsign", f"--define=_gpg_name {keys.fingerprint[key]}", "--addsign", *packages)
    gz = ("--compress-type=gz", "--general-compress-type=gz")
    run("createrepo_c", "--quiet", "--simple-md-filenames", "--no-database", *gz, root)


def sign_yum(root: Path, keys: Keys, key: str, target: Path | None = None) -> None:
    """Sign a yum repository's index, into another folder if one is named."""
    repodata = (target or root) / "repodata"
    repodata.mkdir(parents=True, exist_ok=True)
    signature = keys.sign(key, "--detach-sign", root / "repodata" / "repomd.xml")
    (repodata / "repomd.xml.asc").write_text(signature)
