"""By which sum the sources are taken, and what is said where there is none."""

import io
import json
import tarfile
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.files import sha256
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.singularity_build import source
from ansible_collections.slipway.node.plugins.module_utils.singularity_build.source import release_sum

SUM = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ({"assets": [{"name": "b.tar.gz"}, {"name": "a.tar.gz", "digest": f"sha256:{SUM}"}]}, SUM),
        # Releases before 2025.
        ({"assets": [{"name": "a.tar.gz", "digest": None}]}, ""),
        ({"assets": [{"name": "a.tar.gz", "digest": "sha512:00"}]}, ""),
        ({"assets": None}, ""),
        ({"message": "Not Found"}, ""),
        (["a captive portal"], ""),
        ({"assets": ["a.tar.gz"]}, ""),
    ],
)
def test_what_the_release_api_tells_of_a_sum(release, expected):
    assert release_sum(json.dumps(release), "a.tar.gz") == expected


@pytest.mark.parametrize("answer", ["", "<html>Please log in</html>", '{"assets": [', "1e999"])
def test_what_a_captive_portal_answers_is_no_sum(answer):
    assert release_sum(answer, "a.tar.gz") == ""


@pytest.fixture
def run(tmp_path):
    """A build of sources that a mirror has, of which no sum is known."""
    with tarfile.open(tmp_path / "mirror.tar.gz", "w:gz") as archive:
        for name in ("x-1/VERSION", "x-1/go.mod"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    made = Run(Host(), describe("Debian", "13.1", "trixie", "x86_64"))
    made.want = {
        "stem": "x-1",
        "known_sum": "",
        "release_api": "http://api",
        "sum_file": str(tmp_path / "x-1.sha256"),
        "kept_sum": "/cache/x",
        "mirrors": [f"file://{tmp_path}/mirror.tar.gz"],
        "mirror_timeout": 5,
        "allow_unverified": False,
        "source": str(tmp_path / "x-1.tar.gz"),
        "folder": str(tmp_path / "build"),
    }
    made.observed = {"told_sum": ""}
    return made


def answers(monkeypatch, text):
    monkeypatch.setattr(source, "open_url", lambda *_a, **_n: SimpleNamespace(read=lambda _size: text.encode()))


def test_a_sum_that_is_told_is_kept_and_holds_from_then_on(run, tmp_path, monkeypatch):
    checksum = sha256(str(tmp_path / "mirror.tar.gz"))
    answers(monkeypatch, json.dumps({"assets": [{"name": "x-1.tar.gz", "digest": f"sha256:{checksum}"}]}))
    source.fetch(run)
    assert (tmp_path / "x-1.sha256").read_text() == checksum + "\n"
    assert checksum in run.notes[0] and "/cache/x" in run.notes[0]
    assert (tmp_path / f"build/source/.unpacked-{checksum}").exists()
    run.observed = {"told_sum": "0" * 64}
    with pytest.raises(Failed, match="0" * 64):
        source.fetch(run)


def test_without_a_sum_nothing_is_fetched_unless_that_is_allowed(run, tmp_path, monkeypatch):
    answers(monkeypatch, "<html>log in</html>")
    with pytest.raises(Failed, match=r"no sum of x-1.tar.gz: .* told none .it answers: <html>.*singularity_allow"):
        source.fetch(run)
    run.want["release_api"] = ""
    with pytest.raises(Failed, match="the release API is not asked"):
        source.fetch(run)
    run.want["allow_unverified"] = True
    source.fetch(run)
    assert not (tmp_path / "x-1.sha256").exists() and list((tmp_path / "build/source").glob(".unpacked-*"))


def test_an_archive_that_is_no_release_is_told(run, tmp_path):
    with tarfile.open(tmp_path / "mirror.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x-1/go.mod"), io.BytesIO())
    run.want["known_sum"] = sha256(str(tmp_path / "mirror.tar.gz"))
    with pytest.raises(Failed, match="holds no file VERSION"):
        source.fetch(run)
    assert not list((tmp_path / "build/source").glob(".unpacked-*"))
