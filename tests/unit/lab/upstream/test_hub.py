"""The Docker Hub stand-in: what a registry finds in the files that are written for it."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from lab.upstream.hub import CONFIG, OMITTED, Layer, Store, service, tags


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "root/bin").mkdir(parents=True)
    (tmp_path / "root/bin/tool").write_text("a program")
    (tmp_path / "root/bin/tool").chmod(0o755)
    (tmp_path / "root/bin/sh").symlink_to("tool")
    (tmp_path / "root/tmp").mkdir()
    (tmp_path / "root/tmp").chmod(0o1777)
    return tmp_path / "root"


def test_tags() -> None:
    assert tags("2.8.3") == ["latest", "2", "2.8", "2.8.3"]


def test_version_3_is_compiled_without_the_drivers_that_no_test_asks() -> None:
    drivers = ["azure", "filesystem", "gcs", "inmemory", "middleware/cloudfront", "middleware/redirect", "s3-aws"]
    imports = [f'\t_ "github.com/distribution/distribution/v3/registry/storage/driver/{name}"\n' for name in drivers]
    assert OMITTED.sub("", "".join(imports)).splitlines() == [imports[index].rstrip() for index in (1, 3, 5, 6)]


@pytest.mark.parametrize("config", CONFIG.values())
def test_a_registry_is_where_the_official_image_has_it(tmp_path: Path, config: str) -> None:
    for name in ("program", "lib.so"):
        (tmp_path / name).write_text(name)
    root = tmp_path / "root"
    service(root, tmp_path / "program", [str(tmp_path / "lib.so")], config)
    assert (root / "bin/registry").read_text() == "program"
    assert os.access(root / "bin/registry", os.X_OK) and os.access(root / "entrypoint.sh", os.X_OK)
    assert (root / str(tmp_path / "lib.so").lstrip("/")).exists()
    assert "rootdirectory: /var/lib/registry" in (root / config).read_text()
    assert (root / "var/lib/registry").is_dir()


def test_a_layer_keeps_modes_and_links_and_no_owner(folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(Layer.of(folder).content)) as archive:
        entries = {entry.name: entry for entry in archive}
    assert list(entries) == ["bin", "bin/sh", "bin/tool", "tmp"]
    assert (entries["bin/tool"].mode, entries["tmp"].mode) == (0o755, 0o1777)
    assert entries["bin/sh"].linkname == "tool"
    assert {(entry.uid, entry.gid, entry.uname, entry.mtime) for entry in entries.values()} == {(0, 0, "root", 0)}


def test_a_layer_is_the_same_at_any_time(folder: Path) -> None:
    first = Layer.of(folder)
    os.utime(folder / "bin/tool", (1, 1))
    assert Layer.of(folder) == first


def test_an_image_is_whole(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "v2")
    layer = Layer.of(folder)
    store.add("first", ["latest"], "amd64", [layer], {"Cmd": ["sh"]})
    name = store.add("second", ["latest", "1"], "amd64", [layer, layer], {"Cmd": ["tool"]})

    def blob(digest: str) -> bytes:
        algorithm, _, number = digest.partition(":")
        content = (store.root / "blobs" / algorithm / number[:2] / number / "data").read_bytes()
        assert hashlib.new(algorithm, content).hexdigest() == number
        return content

    repository = store.root / "repositories/library/second"
    for tag in ("latest", "1"):
        assert (repository / "_manifests/tags" / tag / "current/link").read_text() == name
        assert (repository / "_manifests/tags" / tag / "index" / name.replace(":", "/") / "link").read_text() == name
    assert (repository / "_manifests/revisions" / name.replace(":", "/") / "link").read_text() == name
    manifest = json.loads(blob(name))
    parts = [manifest["config"], *manifest["layers"]]
    for part in parts:
        assert (repository / "_layers" / part["digest"].replace(":", "/") / "link").read_text() == part["digest"]
        assert len(blob(part["digest"])) == part["size"]
    config = json.loads(blob(manifest["config"]["digest"]))
    unpacked = [gzip.decompress(blob(part["digest"])) for part in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in unpacked]
    assert (config["architecture"], config["config"]["Cmd"]) == ("amd64", ["tool"])
