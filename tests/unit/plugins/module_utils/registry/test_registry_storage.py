"""Folders of images: which are there, marked and writable."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.registry import storage
from ansible_collections.slipway.node.plugins.module_utils.registry.want import DATA_MARK
from registry_examples import SERVICE, FakeHost


def test_a_folder_of_images_is_judged(tmp_path):
    path = tmp_path / "main"
    assert storage.data(str(path))["there"] is False
    (path / "docker").mkdir(parents=True)
    (path / "lost+found").mkdir()
    found = storage.data(str(path))
    assert (found["there"], found["marked"], found["empty"]) == (True, False, False)
    (path / "docker").rmdir()
    assert storage.data(str(path))["empty"] is True
    (path / DATA_MARK).touch()
    assert storage.data(str(path))["marked"] is True
    (path / "docker/registry/v2/blobs").mkdir(parents=True)
    # As root's in the container, which has no right over the files of others.
    (path / "docker/registry/v2/blobs").chmod(0o555)
    assert storage.data(str(path))["unwritable"].endswith("/blobs")


@pytest.mark.parametrize(("status", "refused"), [(1, 1), (0, 0), (124, 0)])
def test_the_container_is_asked_whether_it_can_write(status, refused):
    host, asked = FakeHost({}), []
    host.run = lambda *command: asked.append(command) or (status, "")
    found = {"/data/main": {"unwritable": "/data/main/docker"}}
    assert storage.unwritable(host, [SERVICE], found) == [["/data/main/docker", "/data/main"]] * refused
    assert asked[0][-1] == "/var/lib/registry/docker"
    assert storage.unwritable(host, [SERVICE], {"/data/main": {"unwritable": ""}}) == []


def test_which_folders_held_images_is_read_from_what_was_written_before(tmp_path):
    table = [{"driver": "filesystem", "path": "/data/main"}, {"driver": "s3", "path": ""}]
    want = {"config_dir": str(tmp_path)}
    assert storage.former_data(Host(), want) == []
    for mark, former in ((".slipway", ["/data/main"]), ("", [])):
        (tmp_path / "instances.json").write_text(json.dumps({"data_mark": mark, "instances": table}))
        assert storage.former_data(Host(), want) == former
    (tmp_path / "instances.json").write_text("{")
    assert storage.former_data(Host(), want) == []
