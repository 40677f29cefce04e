"""What the program is handed of an archive that holds several images."""

import hashlib
import io
import json
import os
import subprocess
import tarfile

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.images import archive
from ansible_collections.slipway.node.plugins.modules import images_sif


def test_one_image_of_several_is_written_alone(tmp_path):
    machine = os.uname().machine
    architecture = images_sif.ARCHITECTURES.get(machine, machine)
    files, table = {}, []
    for name in ("app", "tool"):
        config = json.dumps({"os": "linux", "architecture": architecture, "name": name}).encode()
        files[f"{hashlib.sha256(config).hexdigest()}.json"] = config
        table.append({"Config": f"{hashlib.sha256(config).hexdigest()}.json", "RepoTags": [f"{name}:1"], "Layers": []})
    with tarfile.open(tmp_path / "saved.tar", "w") as file:
        for path, data in {**files, "manifest.json": json.dumps(table).encode()}.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    written = images_sif.single_image(str(tmp_path / "saved.tar"), "tool:1", str(tmp_path))
    (image,) = archive.read(written)["images"]
    wanted = archive.facts(str(tmp_path / "saved.tar"), "x:1", "tool:1")
    assert image["parts"][0]["config"] == wanted["pushed_digest"]


@pytest.mark.parametrize("old", [None, "old"])
def test_a_file_is_never_without_a_note(tmp_path, monkeypatch, old):
    program, path, note = tmp_path / "program", tmp_path / "app.sif", tmp_path / ".app.sif.slipway.json"
    program.write_text("#!/bin/sh\necho new >$2\n")
    program.chmod(0o755)
    if old:
        path.write_text(old)
        note.write_text(old)
    moved = []

    def broken(source, target):
        moved.append(target)
        raise OSError

    class Module:
        check_mode = False

        def __init__(self, **_):
            given = {"path": str(path), "program": str(program), "location": "docker://app:1", "source": "app:1"}
            self.params = {**given, "archive": None, "authfile": None, "arguments": [], "digest": "", "image": ""}

        def run_command(self, command, environ_update):
            return subprocess.run(command, check=False).returncode, "", ""

    monkeypatch.setattr(images_sif, "AnsibleModule", Module)
    monkeypatch.setattr(images_sif.os, "rename", broken)
    with pytest.raises(OSError):
        images_sif.main()
    assert moved == [str(path if old else note)]


def test_a_file_s_sum(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 3000000)
    assert images_sif.sha256(str(tmp_path / "file")) == hashlib.sha256(b"x" * 3000000).hexdigest()


def test_an_image_of_the_engine_is_saved_by_docker(tmp_path, monkeypatch):
    machine = os.uname().machine
    config = json.dumps({"os": "linux", "architecture": images_sif.ARCHITECTURES.get(machine, machine)}).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"

    class Module:
        def __init__(self):
            self.params = {"archive": None, "location": "docker-daemon:app:1", "path": "/opt/sif/app.sif"}

        def run_command(self, command):
            path = command[-2]
            assert command == docker_command("save", "--output", path, "app:1")
            with tarfile.open(path, "w") as file:
                table = json.dumps([{"Config": name, "RepoTags": ["app:1"], "Layers": []}]).encode()
                for inside, data in ((name, config), ("manifest.json", table)):
                    member = tarfile.TarInfo(inside)
                    member.size = len(data)
                    file.addfile(member, io.BytesIO(data))
            return 0, "", ""

    location = images_sif.source(Module(), str(tmp_path))
    assert location == f"docker-archive:{tmp_path}/image.tar"
    (image,) = archive.read(f"{tmp_path}/image.tar")["images"]
    assert image["parts"][0]["config"] == f"sha256:{hashlib.sha256(config).hexdigest()}"
    # The saved one is not needed beside it.
    assert os.listdir(tmp_path) == ["image.tar"]
