"""An unpacked version is put in its place: where it breaks off, the old version is there."""

import os
import tarfile

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.singularity.install import install as put


@pytest.fixture
def place(tmp_path):
    """A version that is installed, and the archive of what is to replace it."""
    for folder, text in (("4.5.1", "old"), ("fresh", "new")):
        (tmp_path / folder / "etc").mkdir(parents=True)
        (tmp_path / folder / "program").write_text(text)
        (tmp_path / folder / "etc/conf").write_text(text)
    with tarfile.open(tmp_path / ".new-4.5.1.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "fresh", ".")
    return tmp_path


def install(place):
    run = Run(Host(), describe("Debian", "13.1", "trixie", "x86_64"))
    put(run, str(place / ".new-4.5.1"), str(place / "4.5.1"))


def content(place):
    return [(place / "4.5.1" / name).read_text() for name in ("program", "etc/conf")]


def test_a_version_is_replaced_and_its_configuration_stays(place):
    install(place)
    assert content(place) == ["new", "old"]
    assert not list(place.glob(".new*"))


def test_the_old_version_comes_back_where_the_second_rename_fails(place, monkeypatch):
    rename = os.rename

    def fails(source, target):
        if source.endswith(".new-4.5.1"):
            raise OSError(28, "No space left on device", source)
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(OSError, match="No space"):
        install(place)
    assert content(place) == ["old", "old"]
    assert not list(place.glob(".new*"))


def test_a_damaged_archive_leaves_the_old_version(place):
    (place / ".new-4.5.1.tar.gz").write_text("no archive")
    with pytest.raises(Failed, match="tar --extract"):
        install(place)
    assert content(place) == ["old", "old"]
    assert not list(place.glob(".new*"))


def test_an_attempt_that_was_killed_between_the_renames_is_mended(place):
    (place / "4.5.1").rename(place / ".new-4.5.1.old")
    install(place)
    assert content(place) == ["new", "old"]


def test_a_first_version_is_installed(place):
    (place / "4.5.1").rename(place / "elsewhere")
    install(place)
    assert content(place) == ["new", "new"]
