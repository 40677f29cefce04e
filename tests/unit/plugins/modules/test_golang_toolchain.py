"""Installing a toolchain, with a shell script that stands in for Go: what is there stays until the new one is whole."""

import json
import os
import subprocess
import tarfile

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import download
from ansible_collections.slipway.node.plugins.modules import golang_toolchain


def run(command, environ_update=None, handle_exceptions=True):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environ_update or {})})
    return done.returncode, done.stdout, done.stderr


def archive(tmp_path, script="#!/bin/sh\necho go version go1.27.3 linux/amd64", top="go"):
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True, exist_ok=True)
    (source / "bin/go").write_text(script)
    (source / "bin/go").chmod(0o755)
    path = tmp_path / "go.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        packed.add(source / "bin/go", f"{top}/bin/go")
    return path


def install(tmp_path, path, **more):
    params = {
        "archive": path and str(path),
        "tree": None,
        "dest": str(tmp_path / "root/go-1.27.3"),
        "version": "1.27.3",
        "method": "archive",
        "url": "http://mirror/go.tar.gz",
        "checksum": "ab",
        "aside": None,
        **more,
    }
    (tmp_path / "root").mkdir(exist_ok=True)
    return golang_toolchain.install(params, run)


def test_an_archive_becomes_a_toolchain_with_a_manifest(tmp_path):
    assert install(tmp_path, archive(tmp_path)) == "go version go1.27.3 linux/amd64"
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
            "it is .*go1.27.2 .*, not Go 1.27.3",
        ),
        ("#!/bin/sh\necho broken >&2; exit 1", "go", "its go does not run: broken"),
        ("#!/no/such/interpreter", "go", "its go does not run .*; is .*/root mounted noexec"),
        ("", "go/deeper", "the archive holds no go/bin/go"),
    ],
)
def test_what_is_not_that_go_is_not_installed(tmp_path, script, top, reason):
    install(tmp_path, archive(tmp_path))
    with pytest.raises(download.HostError, match=reason):
        install(tmp_path, archive(tmp_path, script, top))
    assert os.listdir(tmp_path / "root") == ["go-1.27.3"]
    assert "go1.27.3" in (tmp_path / "root/go-1.27.3/bin/go").read_text()


def test_a_broken_archive_and_a_full_disk(tmp_path, monkeypatch):
    path = archive(tmp_path)
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(path.read_bytes()[:60] + b"\0\0\0\0")
    with pytest.raises(download.HostError, match="unpacking failed: "):
        install(tmp_path, broken)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 1, 1, 1, 0, 0, 0, 0, 255)))
    with pytest.raises(download.HostError, match=r"no space in .*/root: 1 MiB are needed, 0 MiB are free"):
        install(tmp_path, path)
    assert os.listdir(tmp_path / "root") == []


def test_a_tree_that_was_built_is_moved(tmp_path):
    install(tmp_path, archive(tmp_path))
    tree = tmp_path / "root/built"
    os.rename(tmp_path / "root/go-1.27.3", tree)
    install(tmp_path, None, tree=str(tree), method="source")
    assert os.listdir(tmp_path / "root") == ["go-1.27.3"]
    assert json.loads((tmp_path / "root/go-1.27.3/.slipway.json").read_text())["method"] == "source"
