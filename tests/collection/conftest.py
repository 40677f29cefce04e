"""The collection as users have it: built, and installed into a folder far from this checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Those that it needs.
OTHERS = Path(sys.prefix) / "collections"


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """The archive that ansible-galaxy builds of this checkout."""
    folder = tmp_path_factory.mktemp("build")
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", folder, ROOT], cwd=folder, check=True, timeout=120
    )
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="session")
def files(archive):
    """The paths of the files in it."""
    with tarfile.open(archive) as tar:
        return sorted(member.name for member in tar if member.isfile())


@pytest.fixture(scope="session")
def site(archive, tmp_path_factory):
    """A folder in which the collection is installed, with the collections that it needs and without this checkout.

    It returns how a command is run there.
    """
    folder = tmp_path_factory.mktemp("site")
    empty = folder / "work"
    empty.mkdir()
    (folder / "ansible.cfg").touch()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
    environment = {
        **kept,
        "HOME": str(folder / "home"),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": f"{folder / 'installed'}:{OTHERS}",
    }

    def run(*command, cwd=empty, **more):
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    run("ansible-galaxy", "collection", "install", "--no-deps", "-p", str(folder / "installed"), str(archive))
    run.installed = folder / "installed/ansible_collections/slipway/node"
    run.work = empty
    yield run
    shutil.rmtree(folder)
