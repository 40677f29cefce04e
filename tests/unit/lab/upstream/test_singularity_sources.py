"""The release archives of Apptainer that the lab serves."""

import hashlib
import json
import tarfile

import pytest

from lab.run import LabError
from lab.upstream import singularity


@pytest.fixture
def vendored(tmp_path):
    source = tmp_path / "source"
    (source / "vendor").mkdir(parents=True)
    (source / "vendor/modules.txt").write_text("# modules\n")
    (source / "mconfig").write_text("#!/bin/sh\n")
    (source / "mconfig").chmod(0o700)
    (source / "link").symlink_to("mconfig")
    singularity.pack(source, tmp_path / "vendored.tar")
    return tmp_path / "vendored.tar"


def test_a_release_is_in_a_folder_of_its_name_and_says_its_version(vendored, tmp_path):
    singularity.release(vendored, tmp_path / "release.tar.gz", "1.4.5-lab2")
    with tarfile.open(tmp_path / "release.tar.gz") as archive:
        entries = {entry.name: entry for entry in archive}
        assert archive.extractfile("apptainer-1.4.5-lab2/VERSION").read() == b"1.4.5-lab2\n"
        assert archive.extractfile("apptainer-1.4.5-lab2/vendor/modules.txt").read() == b"# modules\n"
    assert entries["apptainer-1.4.5-lab2/mconfig"].mode == 0o755
    assert entries["apptainer-1.4.5-lab2/link"].linkname == "mconfig"


def test_the_same_source_makes_the_same_release(vendored, tmp_path):
    for name in ("one", "two"):
        singularity.release(vendored, tmp_path / name, "1.4.5")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_sum_and_api_tell_the_same(vendored, tmp_path):
    singularity.publish(tmp_path, "apptainer/apptainer", "1.4.5", vendored)
    total = hashlib.sha256(vendored.read_bytes()).hexdigest()
    assert (tmp_path / "vendored.tar.sha256").read_text().strip() == total
    (asset,) = json.loads((tmp_path / "repos/apptainer/apptainer/releases/tags/v1.4.5").read_text())["assets"]
    assert (asset["name"], asset["digest"]) == ("vendored.tar", f"sha256:{total}")


def test_a_release_of_the_site_is_named_as_upstream_names_it(monkeypatch, tmp_path):
    monkeypatch.delenv("SINGULARITY_SOURCE", raising=False)
    assert singularity.own_release() is None and singularity.digest() == ""
    path = tmp_path / "singularity-ce-4.5.1.tar.gz"
    path.write_bytes(b"x")
    monkeypatch.setenv("SINGULARITY_SOURCE", str(path))
    assert singularity.own_release() == path and len(singularity.digest()) == 64
    monkeypatch.setenv("SINGULARITY_SOURCE", str(tmp_path / "other.tar.gz"))
    with pytest.raises(LabError, match="no file named singularity-ce-VERSION"):
        singularity.own_release()
