"""Folders of images: which are there, marked and writable."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.registry import storage
from ansible_collections.slipway.node.plugins.module_utils.registry.want import DATA_MARK
from registry_examples import SERVICE, WANT, FakeHost, changed


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
    assert len(storage.unwritable(host, [SERVICE], found)) == refused
    assert asked[0][-1] == "/var/lib/registry/docker"
    assert storage.unwritable(host, [SERVICE], {"/data/main": {"unwritable": ""}}) == []


def test_a_disk_that_is_not_mounted_is_known_by_what_was_written_before(tmp_path):
    table = [{"driver": "filesystem", "path": "/data/main"}, {"driver": "s3", "path": ""}]
    (tmp_path / "instances.json").write_text(json.dumps({"data_mark": ".slipway", "instances": table}))
    want = {**WANT, "config_dir": str(tmp_path)}
    gone = {"/data/main": {"there": True, "marked": False, "empty": True}}
    (message,) = storage.emptied(Host(), want, gone)
    assert "Mount its disk and run again" in message
    assert storage.emptied(Host(), want, changed(gone, ["/data/main", "marked"], True)) == []
    # A folder that is new.
    assert storage.emptied(Host(), want, {"/data/other": gone["/data/main"]}) == []
