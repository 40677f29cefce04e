"""The scripts that compile Go and Singularity: what an admin has set for all users' Go does not reach them."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

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


def test_singularity_is_compiled_without_the_users_settings(tmp_path):
    folder = tmp_path / "build"
    (folder / "source/cmd/starter/c/include").mkdir(parents=True)
    for name in ("starter.c", "include/starter.h"):
        (folder / "source/cmd/starter/c" / name).touch()
    mconfig = folder / "source/mconfig"
    mconfig.write_text(
        f"#!/bin/sh\nenv > {tmp_path}/env\nprintf '%s\\n' \"$@\" > {tmp_path}/arguments\n"
        "mkdir builddir\nprintf 'all install:\\n' > builddir/Makefile\n"
    )
    mconfig.chmod(0o755)
    about = {"FOLDER": str(folder), "CACHE": str(tmp_path), "GO": "/opt/go", "TREE": "/opt/x", "NAME": "singularity"}
    about.update(MODE="vendor", PROXY="off")
    env = {**os.environ, **SETTINGS, **{f"SLIPWAY_{name}": value for name, value in about.items()}}
    command = ["sh", str(ROLES / "singularity/files/build.sh"), "-P", "a b"]
    # The second goes on with what the first has configured.
    for _attempt in range(2):
        subprocess.run(command, env=env, check=True)
    assert values(tmp_path / "env") == {"GOTOOLCHAIN": "local"}
    assert (tmp_path / "arguments").read_text().splitlines() == ["-b", f"{folder}/source/builddir", "-P", "a b"]
