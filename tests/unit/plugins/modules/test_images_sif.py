"""What the program is handed of an archive that holds several images."""

import hashlib
import io
import json
import os
import tarfile

from ansible_collections.slipway.node.plugins.module_utils import image_archive
from ansible_collections.slipway.node.plugins.module_utils.host import docker_command
from ansible_collections.slipway.node.plugins.modules import images_sif


def test_one_image_of_several_is_written_alone(tmp_path):
    machine = os.uname().machine
    architecture = images_sif.ARCHITECTURES.get(machine, machine)
    files, table = {}, []
    for name in ("app", "tool"):
        config = json.dumps({"os": "linux", "architecture": architecture, "name": name}).encode()
        files[f"{hashlib.sha256(config).hexdigest()}.json"] = config
        table.append({"Config": f"{hashlib.sha256(config).hexdigest()}.json", "RepoTags": [f"{name}:1"], "Layers": []})
    with tarfile.open(tmp_path / "saved.tar", "w") as archive:
        for path, data in {**files, "manifest.json": json.dumps(table).encode()}.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    written = images_sif.alone(str(tmp_path / "saved.tar"), "tool:1", str(tmp_path))
    (image,) = image_archive.read(written)["images"]
    wanted = image_archive.facts(str(tmp_path / "saved.tar"), "x:1", "tool:1")
    assert image["parts"][0]["config"] == wanted["whole"]


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
            with tarfile.open(path, "w") as archive:
                table = json.dumps([{"Config": name, "RepoTags": ["app:1"], "Layers": []}]).encode()
                for inside, data in ((name, config), ("manifest.json", table)):
                    member = tarfile.TarInfo(inside)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
            return 0, "", ""

    location = images_sif.source(Module(), str(tmp_path))
    assert location == f"docker-archive:{tmp_path}/image.tar"
    (image,) = image_archive.read(f"{tmp_path}/image.tar")["images"]
    assert image["parts"][0]["config"] == f"sha256:{hashlib.sha256(config).hexdigest()}"
    # The saved one is not needed beside it.
    assert os.listdir(tmp_path) == ["image.tar"]
