"""The environment that `make` makes: which Python it takes, and what it says where none fits."""

from pathlib import Path

import pytest
import yaml

import environment

ROOT = Path(__file__).parents[2]
MINORS = (13, 12, 11)


def command(folder, name, minor, has_venv=True):
    """Put a Python of that version into a folder, which only answers whether it fits."""
    python = folder / name
    oldest = "${2##*(3, }"
    python.write_text(
        f"#!/bin/sh\ncase $2 in *ensurepip*) {str(has_venv).lower()} || exit 1;; esac\n"
        f'oldest="{oldest}"\n[ {minor} -ge "${{oldest%))}}" ]\n'
    )
    python.chmod(0o755)
    return str(python)


@pytest.fixture
def find(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return lambda given="", **more: environment.find_python(MINORS, given, str(tmp_path), **more)


def test_the_newest_that_ansible_is_made_for_is_taken(tmp_path, find):
    command(tmp_path, "python3", 14)
    command(tmp_path, "python3.11", 11)
    best = command(tmp_path, "python3.12", 12)
    command(tmp_path, "python3.13", 13, has_venv=False)
    assert find() == best
    assert find("python3.11") == str(tmp_path / "python3.11")
    assert find("python3.13") == ""


def test_the_system_s_own_is_taken_where_there_is_no_other(tmp_path, find):
    own = command(tmp_path, "python3", 14)
    assert find() == own


def test_pyenv_s_own_come_last(tmp_path, find):
    folder = tmp_path / "home/.pyenv/versions/3.13.0/bin"
    folder.mkdir(parents=True)
    hidden = command(folder, "python3.13", 13)
    assert find() == hidden
    shown = command(tmp_path, "python3", 11)
    assert find() == shown


def test_one_that_is_too_old_or_lacks_venv_is_not_taken(tmp_path, find):
    own = command(tmp_path, "python3", 10)
    assert find() == "" and find(modules="os") == ""
    command(tmp_path, "python3", 11, has_venv=False)
    assert find() == "" and find(modules="os") == own


DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'


@pytest.mark.parametrize(
    ("system", "release", "has_python", "told"),
    [
        ("Linux", DEBIAN, True, "apt-get install python3-venv"),
        ("Linux", "ID=linuxmint\nID_LIKE='ubuntu debian'\n", False, "apt-get install python3.11-venv"),
        ("Linux", 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', False, "dnf install python3.12"),
        ("Linux", "ID=arch\n# A comment\n", False, "install Python 3.11 or newer"),
        ("Darwin", "", False, "brew install python@3.12"),
    ],
)
def test_the_remedy_is_the_system_s_own_command(system, release, has_python, told):
    assert environment.remedy(11, has_python, system, release) == told


def test_where_no_python_fits_that_is_said(find, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["environment.py", "--python", "python3.9"])
    assert environment.main() == 1
    assert capsys.readouterr().out.startswith("python3.9 is no Python 3.11 or newer with the module venv: ")


def test_the_collections_are_those_of_galaxy_yml():
    needed = yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"]
    assert set(needed) == set(environment.COLLECTIONS)
