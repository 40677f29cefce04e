"""Archives are read for what they are, refused with a reason, and handed on with one image under one name."""

import gzip
import hashlib
import io
import json
import re
import tarfile

import pytest
from ansible_collections.slipway.node.plugins.module_utils.images import archive
from ansible_collections.slipway.node.plugins.module_utils.images.archive import ArchiveError

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def write(path, files: dict) -> str:
    """Write a tar archive."""
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return str(path)


def put(files: dict, data) -> str:
    """Add a blob; return its digest."""
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    files[f"blobs/{sha(data).replace(':', '/')}"] = data
    return sha(data)


def manifest(files: dict, architecture: str, layer: bytes = b"layer") -> dict:
    """Add an image for an architecture; return its descriptor."""
    config = put(files, {"os": "linux", "architecture": architecture, "rootfs": {"diff_ids": []}})
    digest = put(files, {"config": {"digest": config}, "layers": [{"digest": put(files, layer)}]})
    return {"mediaType": MANIFEST, "digest": digest, "platform": {"os": "linux", "architecture": architecture}}


@pytest.fixture
def saved(tmp_path):
    """What engines before 25 save: two images, one layer a link."""
    files = {}
    table = []
    for name in ("app", "tool"):
        config = json.dumps({"os": "linux", "architecture": "amd64", "name": name}).encode()
        files[f"{sha(config)[7:]}.json"] = config
        files[f"{name}/layer.tar"] = name.encode() * 100
        table.append({"Config": f"{sha(config)[7:]}.json", "RepoTags": [f"{name}:1"], "Layers": [f"{name}/layer.tar"]})
    return write(tmp_path / "saved.tar", {**files, "repositories": b"{}", "manifest.json": json.dumps(table).encode()})


@pytest.fixture
def multi(tmp_path):
    """An OCI archive with a list of two architectures and an attestation, and a blob of another image."""
    files = {}
    parts = [manifest(files, "amd64", b"A"), manifest(files, "arm64", b"B")]
    attestation = {**manifest(files, "unknown"), "platform": {"os": "unknown", "architecture": "unknown"}}
    listed = put(files, {"manifests": [*parts, attestation]})
    put(files, b"of another image")
    descriptor = {
        "mediaType": INDEX,
        "digest": listed,
        "annotations": {"org.opencontainers.image.ref.name": "1.0"},
    }
    files["index.json"] = json.dumps({"manifests": [descriptor]}).encode()
    return write(tmp_path / "multi.tar", {"oci-layout": b"{}", **files})


def test_an_archive_of_docker_save(saved):
    contents = archive.read(saved)
    assert contents["format"] == "docker"
    assert [image["tags"] for image in contents["images"]] == [["app:1"], ["tool:1"]]
    facts = archive.facts(saved, "somewhere:5000/x:1", "docker.io/library/tool:1")
    (part,) = contents["images"][1]["parts"]
    assert facts == {
        "ids": [part["config"]],
        "pushed_digest": part["config"],
        "transport": "docker-archive",
        "inside": "tool:1",
    }


def test_an_archive_of_a_list(multi):
    facts = archive.facts(multi, "h:5000/multi:1")
    (image,) = archive.read(multi)["images"]
    assert facts["pushed_digest"] == image["digest"]
    assert facts["transport"] == "oci-archive"
    assert [part["platform"] for part in image["parts"]] == ["linux/amd64", "linux/arm64"]
    assert len(facts["ids"]) == 5
    assert archive.part(multi, image, "linux/arm64")["layers"] == [f"blobs/sha256/{sha(b'B')[7:]}"]


def test_a_platform_that_is_not_in_it_is_named(multi):
    (image,) = archive.read(multi)["images"]
    with pytest.raises(ArchiveError, match="no image for linux/s390x, only for linux/amd64, linux/arm64"):
        archive.part(multi, image, "linux/s390x")


def test_compressed_archives_are_read(multi, tmp_path):
    (tmp_path / "multi.tar.gz").write_bytes(gzip.compress((tmp_path / "multi.tar").read_bytes()))
    assert archive.read(str(tmp_path / "multi.tar.gz")) == archive.read(multi)


def test_the_image_that_is_called_like_the_wanted_name_is_meant(saved):
    contents = archive.read(saved)
    assert archive.choose(saved, contents, "docker.io/library/app:1")["tags"] == ["app:1"]


@pytest.mark.parametrize(("wanted", "said"), [("", "none is other:2"), ("ap:1", "none is ap:1")])
def test_which_image_is_meant_must_be_clear(saved, wanted, said):
    with pytest.raises(ArchiveError, match=f"holds app:1; tool:1, of which {said}. Name one of them in archive_image"):
        archive.choose(saved, archive.read(saved), "other:2", wanted)


def test_a_tag_alone_names_an_image_of_an_oci_archive(multi):
    contents = archive.read(multi)
    assert archive.choose(multi, contents, "h:5000/x:1", "1.0")["tags"] == ["1.0"]


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"etc/passwd": b"root"}, "without manifest.json or index.json"),
        ({"manifest.json": b"[{}]"}, "damaged or incomplete (KeyError: 'Config')"),
        ({"manifest.json": b"[1"}, "damaged or incomplete"),
        ({"index.json": b'{"manifests": [{"digest": "sha256:00"}]}'}, "damaged or incomplete"),
        (
            {"manifest.json": b'[{"Config": "00.json", "Layers": []}]', "00.json": b"{}"},
            "00.json is not what its name says",
        ),
    ],
)
def test_other_archives_are_refused_with_a_reason(tmp_path, files, error):
    with pytest.raises(ArchiveError, match=re.escape(error)):
        archive.read(write(tmp_path / "other.tar", files))


def test_a_file_that_is_no_archive_and_one_that_is_not_there(tmp_path):
    (tmp_path / "text").write_text("text")
    with pytest.raises(ArchiveError, match="cannot be read as a tar archive"):
        archive.read(str(tmp_path / "text"))
    with pytest.raises(ArchiveError, match=r"does not exist\. Correct the path"):
        archive.read(str(tmp_path / "none.tar"))


def test_a_truncated_archive_is_refused(multi, tmp_path):
    data = gzip.compress((tmp_path / "multi.tar").read_bytes())
    (tmp_path / "cut.tar.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(ArchiveError, match="cannot be read as a tar archive"):
        archive.read(str(tmp_path / "cut.tar.gz"))


def streamed(path: str, name: str, platform: str, wanted: str = "") -> dict:
    out = io.BytesIO()
    contents = archive.read(path)
    image = archive.choose(path, contents, name, wanted)
    archive.stream(path, contents, archive.part(path, image, platform), name, out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as read:
        return {member.name: read.extractfile(member).read() for member in read if member.isfile()}


def test_one_part_of_a_list_is_handed_to_the_engine_alone(multi):
    files = streamed(multi, "team/multi:1", "linux/amd64")
    (table,) = json.loads(files.pop("manifest.json"))
    assert table["RepoTags"] == ["team/multi:1"]
    assert set(files) == {table["Config"], *table["Layers"]}
    assert json.loads(files[table["Config"]])["architecture"] == "amd64"
    assert files[table["Layers"][0]] == b"A"


def test_one_image_of_several_is_named_and_the_others_are_not(saved):
    files = streamed(saved, "team/tool:9", "linux/amd64", "tool:1")
    (table,) = json.loads(files["manifest.json"])
    assert table["RepoTags"] == ["team/tool:9"]
    assert table["Layers"] == ["tool/layer.tar"]
    assert "repositories" not in files


def test_an_archive_that_is_packed_by_zstd_is_told(tmp_path):
    (tmp_path / "a.tar.zst").write_bytes(archive.ZSTANDARD + b"\0" * 100)
    with pytest.raises(
        ArchiveError, match=r"a\.tar\.zst is packed by zstd, which nodes do not read\. Unpack it: zstd -d /"
    ):
        archive.read(str(tmp_path / "a.tar.zst"))
