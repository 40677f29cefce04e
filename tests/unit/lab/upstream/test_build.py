"""Building the stand-in internet: when it is built, and how its packages are named."""

import os
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from lab import upstream
from lab.run import LabError
from lab.upstream.archive import Original
from lab.upstream.packages import Package


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("26.1.5+dfsg1-9+deb13u1", "26.1.5"),
        ("1:1.7.24~ds1-6", "1.7.24"),
        ("2.26.1-4", "2.26.1"),
        ("0.19.0-3+b8", "0.19.0"),
    ],
)
def test_upstream_version(version: str, expected: str) -> None:
    assert Original(Path("x"), version, ()).upstream_version == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("5:26.1.5-1~{suite}", "docker-ce_26.1.5-1~debian.12~bookworm_amd64.deb"),
        ("0.13.1-1~{suite}", "docker-ce_0.13.1-1~debian.12~bookworm_amd64.deb"),
        ("1.7.24-1", "docker-ce_1.7.24-1_amd64.deb"),
    ],
)
def test_deb_name(version: str, expected: str) -> None:
    package = Package("docker-ce", Path("x"), "", version, {}, "", ())
    assert package.deb_name("debian.12~bookworm", "amd64") == expected


def test_scripts_name_their_units() -> None:
    package = Package("docker-ce", Path("x"), "", "1", {}, "", (), units=("a.service", "b.socket"), group="docker")
    for kind in ("deb.postinst", "deb.prerm", "deb.postrm", "rpm.post", "rpm.preun", "rpm.postun"):
        assert package.script(kind).startswith("units='a.service b.socket'\ngroup='docker'\n")


def test_built_once_and_old_builds_go_unless_mounted_or_asked_for_lately(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Path] = []

    def build(builder: str, out: Path, keys: Path, log: Path, docker_29: Path | None) -> None:
        out.mkdir(parents=True)
        built.append(out)

    mounts = ""
    monkeypatch.setattr(upstream, "_build", build)
    monkeypatch.setattr(upstream, "attempt", lambda *command: CompletedProcess(command, 0, mounts, ""))
    first = upstream.ensure(tmp_path, "{}:1".format)
    assert upstream.ensure(tmp_path, "{}:1".format) == first
    second = upstream.ensure(tmp_path, "{}:2".format)
    assert len(built) == 2 and second != first and first.is_dir()
    os.utime(first, (0, 0))
    assert upstream.ensure(tmp_path, "{}:1".format) == first
    for old in (first, second):
        os.utime(old, (0, 0))
    assert upstream.ensure(tmp_path, "{}:2".format) == second
    assert list((tmp_path / "upstream").iterdir()) == [second]
    os.utime(second, (0, 0))
    mounts = f"0123456789ab,{second},/etc/resolv.conf\n"
    third = upstream.ensure(tmp_path, "{}:3".format)
    assert second.is_dir() and third.is_dir()
    mounts = ""
    assert upstream.ensure(tmp_path, "{}:3".format) == third
    assert not second.exists()


def test_an_engine_that_does_not_answer_costs_no_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_build", lambda builder, out, keys, log, docker_29: out.mkdir(parents=True))
    monkeypatch.setattr(upstream, "attempt", lambda *command: CompletedProcess(command, 1, "", "no answer"))
    first, second = (upstream.ensure(tmp_path, f"{{}}:{number}".format) for number in (1, 2))
    assert first.is_dir() and second.is_dir()


def test_failed_build_tells_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho step\necho cause >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(upstream.golang, "fetch", lambda folder: None)
    for section in (upstream.singularity, upstream.hub):
        monkeypatch.setattr(section, "fetch", lambda sources, wheels: None)
    with pytest.raises(LabError, match=r"failed; the end of .*upstream\.log:\ncause"):
        upstream.ensure(tmp_path / "cache", str)
    assert [path.suffix for path in (tmp_path / "cache/upstream").iterdir()] == [".new"]
