"""The scripts that compile Go and Singularity: what an admin has set for all users' Go does not reach them."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.slipway.node.plugins.module_utils.golang.act import BUILD

ROLES = Path(__file__).parents[3] / "roles"
# As /etc/environment gives them, with which every other Go fails.
SETTINGS = {"GOROOT": "/opt/go1.20", "GOFLAGS": "-mod=wrong", "GOTOOLCHAIN": "go1.20"}


def values(path):
    """Return the settings that a stand-in for the compiler was given."""
    lines = [line.partition("=") for line in path.read_text().splitlines()]
    return {name: value for name, _equals, value in lines if name in SETTINGS}


def test_go_is_compiled_without_the_users_settings(tmp_path):
    with tarfile.open(tmp_path / "go.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("go/src/make.bash")
        member.size = len(script := b"env > ../env\n")
        archive.addfile(member, io.BytesIO(script))
    command = ["sh", "-c", BUILD, "build", "go.tar.gz"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, **SETTINGS}, check=True)
    assert values(tmp_path / "go/env") == {"GOTOOLCHAIN": "local", "GOFLAGS": ""}


@pytest.fixture
def build(tmp_path):
    """The script that compiles Singularity, rendered for a folder with a stand-in for the sources."""
    folder = tmp_path / "build"
    (folder / "source/cmd/starter/c/include").mkdir(parents=True)
    for name in ("starter.c", "include/starter.h"):
        (folder / "source/cmd/starter/c" / name).touch()
    mconfig = folder / "source/mconfig"
    mconfig.write_text(
        f"#!/bin/sh\nenv > {tmp_path}/env\nmkdir builddir\nprintf 'all install:\\n' > builddir/Makefile\n"
    )
    mconfig.chmod(0o755)
    about = {
        "folder": str(folder),
        "dir": str(tmp_path),
        "stem": "x",
        "log": f"{tmp_path}/log",
        "mconfig": ["-P", "a b"],
    }
    variables = {
        "__singularity_build": {**about, "goproxy": "", "tree": "/opt/x", "name": "singularity"},
        "__singularity_go": ["/opt/go"],
        "__singularity_vendored": True,
    }
    text = (ROLES / "singularity/templates/build.sh.j2").read_text()
    # Strings of a playbook may be templates, from ansible-core 2.19 on only where they are marked so.
    try:
        from ansible.template import trust_as_template

        text = trust_as_template(text)
    except ImportError:
        pass
    (folder / "build.sh").write_text(Templar(loader=DataLoader(), variables=variables).template(text))
    return folder


def test_singularity_is_compiled_without_the_users_settings(build, tmp_path):
    subprocess.run(["sh", "build.sh"], cwd=build, env={**os.environ, **SETTINGS}, check=True)
    assert (build / "status").read_text() == "0\n", (tmp_path / "log").read_text()
    assert values(tmp_path / "env") == {"GOTOOLCHAIN": "local"}
