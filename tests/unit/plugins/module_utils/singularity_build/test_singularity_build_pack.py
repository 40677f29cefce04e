"""The archive that nodes unpack: the same bytes each time, modes kept, everything root's."""

import json
import tarfile

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed
from ansible_collections.slipway.node.plugins.module_utils.singularity_build import pack


@pytest.fixture
def stage(tmp_path):
    tree = tmp_path / "stage/opt/x/1"
    (tree / "bin").mkdir(parents=True)
    (tree / "etc").mkdir()
    (tree / "var/session").mkdir(parents=True)
    (tree / "bin/starter-suid").write_bytes(b"program")
    (tree / "bin/starter-suid").chmod(0o4755)
    (tree / "bin/run").symlink_to("starter-suid")
    (tree / "etc/x.conf").write_text("key = value\n")
    return tmp_path / "stage"


def test_the_manifest_describes_every_file(stage):
    files = {one["path"]: one for one in pack.manifest_entries(str(stage / "opt/x/1"))}
    assert list(files) == ["bin", "bin/run", "bin/starter-suid", "etc", "etc/x.conf", "var", "var/session"]
    assert (files["bin/starter-suid"]["mode"], files["bin/starter-suid"]["size"]) == ("4755", 7)
    assert files["bin/run"]["target"] == "starter-suid"
    assert [path for path, one in files.items() if one["config"]] == ["etc/x.conf"]
    assert files["var/session"]["type"] == "folder"
    assert files["bin/run"]["sha256"] == "" and len(files["bin/starter-suid"]["sha256"]) == 64


def test_the_archive_keeps_modes_and_is_root_s_and_reproducible(stage, tmp_path):
    tree = str(stage / "opt/x/1")
    manifest = {"archive": "x", "files": pack.manifest_entries(tree)}
    for name in ("one", "two"):
        pack.write(tree, manifest, str(tmp_path / name))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as archive:
        entries = {entry.name: entry for entry in archive}
        assert json.load(archive.extractfile(".slipway.json")) == manifest
    assert entries["bin/starter-suid"].mode == 0o4755
    assert {(entry.uid, entry.gid, entry.uname) for entry in entries.values() if entry.name != ".slipway.json"} == {
        (0, 0, "root")
    }
    assert entries["var/session"].isdir()


def test_folders_outside_the_prefix_are_listed_and_files_refused(stage):
    tree = str(stage / "opt/x/1")
    (stage / "var/lib/singularity/mnt").mkdir(parents=True)
    assert pack.outside(str(stage), tree) == ["/var/lib/singularity/mnt"]
    (stage / "etc").mkdir()
    (stage / "etc/stray").touch()
    with pytest.raises(ValueError, match="/etc/stray was installed outside the prefix"):
        pack.outside(str(stage), tree)


def test_the_manifest_beside_the_archive_has_its_sum(stage, tmp_path):
    pack.pack(str(stage), "/opt/x/1", str(tmp_path), "x-1", {"flavor": "x"})
    about = json.loads((tmp_path / "x-1.json").read_text())
    assert (about["archive"], about["flavor"], about["prefix"], about["outside"]) == ("x-1", "x", "/opt/x/1", [])
    assert about["archive_size"] == (tmp_path / "x-1.tar.gz").stat().st_size and len(about["archive_sha256"]) == 64
    assert about["installed_size"] == 7 + 12
    assert not list(tmp_path.glob("*.part"))
    with pytest.raises(Failed, match="Nothing was installed"):
        pack.pack(str(stage), "/opt/y", str(tmp_path), "x-1", {})
