"""The script that puts an unpacked version in its place: where it breaks off, the old version is there."""

import subprocess
import tarfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles/singularity/files/install_tree.sh"


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


def install(place, path="/usr/bin:/bin"):
    command = ["/bin/sh", "-s", str(place / ".new-4.5.1"), str(place / "4.5.1")]
    return subprocess.run(command, stdin=SCRIPT.open(), env={"PATH": path}, capture_output=True, check=False)


def content(place):
    return [(place / "4.5.1" / name).read_text() for name in ("program", "etc/conf")]


def test_a_version_is_replaced_and_its_configuration_stays(place):
    assert install(place).returncode == 0
    assert content(place) == ["new", "old"]
    assert not list(place.glob(".new*"))


def test_the_old_version_comes_back_where_the_second_rename_fails(place):
    broken = place / "bin/mv"
    broken.parent.mkdir()
    broken.write_text('#!/bin/sh\ncase "$2" in *.new-4.5.1) echo no >&2; exit 1;; esac\nexec /bin/mv "$@"\n')
    broken.chmod(0o755)
    assert install(place, f"{broken.parent}:/usr/bin:/bin").returncode == 1
    assert content(place) == ["old", "old"]


def test_an_attempt_that_was_killed_between_the_renames_is_mended(place):
    (place / "4.5.1").rename(place / ".new-4.5.1.old")
    assert install(place).returncode == 0
    assert content(place) == ["new", "old"]


def test_a_first_version_is_installed(place):
    (place / "4.5.1").rename(place / "elsewhere")
    assert install(place).returncode == 0
    assert content(place) == ["new", "new"]
