"""Installing a toolchain, with a shell script that stands in for Go: what is there stays until the new one is whole."""

import gzip
import json
import os
import tarfile

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.golang import install as installing

PLATFORM = describe("Debian", "13.1", "trixie", "x86_64")


def archive(tmp_path, script="#!/bin/sh\necho go version go1.27.3 linux/amd64", top="go"):
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True, exist_ok=True)
    (source / "bin/go").write_text(script)
    (source / "bin/go").chmod(0o755)
    path = tmp_path / "go.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        packed.add(source / "bin/go", f"{top}/bin/go")
    return path


def install(tmp_path, path="", tree="", aside="", method="archive"):
    (tmp_path / "root").mkdir(exist_ok=True)
    about = {"version": "1.27.3", "method": method, "url": "http://mirror/go.tar.gz", "checksum": "ab"}
    dest = str(tmp_path / "root/go-1.27.3")
    installing.install(Run(Host(), PLATFORM), dest, about, str(path), str(tree), str(aside))


def test_an_archive_becomes_a_toolchain_with_a_manifest(tmp_path):
    install(tmp_path, archive(tmp_path))
    about = json.loads((tmp_path / "root/go-1.27.3/.slipway.json").read_text())
    assert (about["version"], about["method"], about["checksum"]) == ("1.27.3", "archive", "ab")
    assert list(about["programs"]) == ["bin/go"]
    assert os.listdir(tmp_path / "root") == ["go-1.27.3"]


@pytest.mark.parametrize(
    ("script", "top", "reason"),
    [
        (
            "#!/bin/sh\necho go version go1.27.2 linux/amd64",
            "go",
            "Go 1.27.3 was not installed: it is .*go1.27.2 .*, not Go 1.27.3. What was at .*/go-1.27.3 is as it was",
        ),
        ("#!/bin/sh\necho broken >&2; exit 1", "go", "its go does not run: broken"),
        (
            "#!/no/such/interpreter",
            "go",
            r"does not run [(].*No such file.*[)]; is .*/root mounted noexec.* is as it was[.]$",
        ),
        ("", "go/deeper", "the archive holds no go/bin/go"),
    ],
)
def test_what_is_not_that_go_is_not_installed(tmp_path, script, top, reason):
    install(tmp_path, archive(tmp_path))
    with pytest.raises(Failed, match=reason):
        install(tmp_path, archive(tmp_path, script, top))
    assert os.listdir(tmp_path / "root") == ["go-1.27.3"]
    assert "go1.27.3" in (tmp_path / "root/go-1.27.3/bin/go").read_text()


def test_a_broken_archive_and_a_full_disk(tmp_path, monkeypatch):
    path = archive(tmp_path)
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(path.read_bytes()[:60] + b"\0\0\0\0")
    with pytest.raises(Failed, match="unpacking failed: "):
        install(tmp_path, broken)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 1, 1, 1, 0, 0, 0, 0, 255)))
    with pytest.raises(Failed, match=r"no space in .*/root: 1 MiB are needed, 0 MiB are free"):
        install(tmp_path, path)
    assert os.listdir(tmp_path / "root") == []


def test_a_tree_that_was_built_is_moved(tmp_path):
    install(tmp_path, archive(tmp_path))
    tree = tmp_path / "root/built"
    os.rename(tmp_path / "root/go-1.27.3", tree)
    install(tmp_path, tree=tree, method="source")
    assert os.listdir(tmp_path / "root") == ["go-1.27.3"]
    assert json.loads((tmp_path / "root/go-1.27.3/.slipway.json").read_text())["method"] == "source"


def test_what_is_another_s_is_never_deleted(tmp_path):
    precious = tmp_path / "root/go-1.27.3/precious"
    precious.mkdir(parents=True)
    with pytest.raises(Failed, match=r"go-1.27.3 is not Slipway's, and is left as it is"):
        install(tmp_path, archive(tmp_path))
    assert os.listdir(tmp_path / "root") == ["go-1.27.3"] and precious.exists()
    install(tmp_path, archive(tmp_path), aside=tmp_path / "aside")
    assert (tmp_path / "aside/precious").exists() and (tmp_path / "root/go-1.27.3/bin/go").exists()


def test_unpacked_size(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(80000)))
    assert installing.unpacked_size(str(tmp_path / "x.gz")) == 90000
