"""Digests and lineage of lab/images.py, and what lab/apt.py and lab/rootfs.py make of a mirror."""

from pathlib import Path

import pytest

from lab import apt, images, rootfs
from lab.run import LabError

MIRROR = apt.Mirror("http://a.example/debian", "http://b.example/debian-security")


def test_folder_digest_follows_names_contents_and_parent(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = images.folder_digest(tmp_path, "parent:1")
    assert first == images.folder_digest(tmp_path, "parent:1")
    seen = {first, images.folder_digest(tmp_path, "parent:2")}
    (tmp_path / "a").write_text("2")
    seen.add(images.folder_digest(tmp_path, "parent:1"))
    (tmp_path / "a").rename(tmp_path / "b")
    seen.add(images.folder_digest(tmp_path, "parent:1"))
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("name", "suite"),
    [("debian12", "bookworm"), ("rocky9", "bookworm"), ("ubuntu2404", "trixie"), ("trixie", "trixie")],
)
def test_suite_is_the_root_of_the_lineage(name: str, suite: str) -> None:
    assert images.suite(name) == suite


def test_an_image_must_name_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "FOLDER", tmp_path)
    with pytest.raises(LabError, match="there is no image 'x'"):
        images.recipe("x")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(LabError, match="must name the image it is built on"):
        images.recipe("x")


@pytest.mark.parametrize(
    ("text", "mirror"),
    [
        (
            "DEP-11|Debian|Debian|http://c.example/debian/\n"
            "Packages|Other|Other|https://c.example/apt/\n"
            "Packages|Debian|Debian|http://a.example/debian/\n"
            "Packages|Debian|Debian|http://c.example/debian/\n"
            "Packages|Debian|Debian-Security|http://b.example/debian-security/\n",
            MIRROR,
        ),
        ("Packages|Ubuntu|Ubuntu|http://a.example/ubuntu/\n", apt.Mirror("", "")),
        ("Packages|Debian|Debian Backports|http://a.example/debian/\n", apt.Mirror("", "")),
        ("", apt.Mirror("", "")),
    ],
)
def test_parse_targets(text: str, mirror: apt.Mirror) -> None:
    assert apt.parse_targets(text) == mirror


def test_mirror_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_DEBIAN_MIRROR", "http://d.example/debian/")
    monkeypatch.delenv("SLIPWAY_DEBIAN_SECURITY_MIRROR", raising=False)
    apt.mirror.cache_clear()
    try:
        assert apt.mirror() == apt.Mirror("http://d.example/debian", "")
    finally:
        apt.mirror.cache_clear()


def test_sources() -> None:
    lines = ["deb http://a.example/debian trixie main", "deb http://a.example/debian trixie-updates main"]
    assert rootfs.sources("trixie", MIRROR, security=False) == lines
    security = "deb http://b.example/debian-security trixie-security main"
    assert rootfs.sources("trixie", MIRROR, security=True) == [*lines, security]
