"""A file from mirrors: which are refused and why, and that what was there stays until the right file is whole."""

import gzip
import hashlib
import http.server
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import download
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed

CONTENT = bytes(range(256)) * 400
SUM = hashlib.sha256(CONTENT).hexdigest()
OTHER = "0" * 64


class Handler(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.asked.append(self.path)
        kind = self.path.split("/")[1]
        body = {
            "good/file.gz": CONTENT,
            "bare/file.gz": CONTENT,
            "gzip/file.gz": gzip.compress(CONTENT),
            "spoiled/file.gz": b"x" + CONTENT[1:],
            "short/file.gz": CONTENT,
            "good/file.gz.sha256": f"{SUM}\n".encode(),
            "spoiled/file.gz.sha256": SUM.encode(),
            "page/file.gz.sha256": b"<html>no such file</html>",
        }.get(self.path[1:])
        if kind == "stalled":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x")
                    time.sleep(0.02)
            except OSError:
                return
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (5 if kind == "short" else 0)))
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def root():
    Handler.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def dest(tmp_path):
    return tmp_path / "file.gz"


def fetch(root, dest, kinds, **more):
    return download.fetch([f"{root}/{kind}/file.gz" for kind in kinds], str(dest), **{"timeout": 1, **more})


def test_the_first_good_mirror_gives_the_file(root, dest):
    answer = fetch(root, dest, ["missing", "spoiled", "good", "bare"], checksum=SUM.upper())
    assert answer == {
        "changed": True,
        "url": f"{root}/good/file.gz",
        "checksum": SUM,
        "checksum_source": "given",
        "refused": [
            {"url": f"{root}/missing/file.gz", "reason": "HTTP 404", "missing": True},
            {
                "url": f"{root}/spoiled/file.gz",
                "reason": f"its sum is sha256 {hashlib.sha256(b'x' + CONTENT[1:]).hexdigest()}, expected {SUM}",
                "missing": False,
            },
        ],
    }
    assert dest.read_bytes() == CONTENT
    assert dest.stat().st_mode & 0o777 == 0o644
    assert Handler.asked == ["/missing/file.gz", "/spoiled/file.gz", "/good/file.gz"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "HTTP 404"),
        ("spoiled", "its sum is sha256 "),
        ("short", f"cut short: {len(CONTENT)} of {len(CONTENT) + 5} bytes"),
        ("stalled", "stalled: "),
    ],
)
def test_a_bad_mirror_leaves_what_was_there_and_nothing_else(root, dest, kind, reason):
    dest.write_text("before")
    answer = fetch(root, dest, [kind], checksum=SUM)
    assert not answer["changed"] and not answer["url"]
    assert answer["refused"][0]["reason"].startswith(reason)
    assert [path.name for path in dest.parent.iterdir()] == ["file.gz"] and dest.read_text() == "before"


def test_a_trickle_is_given_up_in_time(root, dest):
    start = time.monotonic()
    fetch(root, dest, ["stalled"], checksum=SUM)
    assert time.monotonic() - start < 8


def test_what_has_the_sum_is_not_fetched_again(root, dest):
    dest.write_bytes(CONTENT)
    answer = fetch(root, dest, ["good"], checksum=SUM)
    assert (answer["changed"], answer["checksum"]) == (False, SUM)
    assert not Handler.asked


def test_a_mirror_s_own_sum_is_used_where_none_is_given(root, dest):
    answer = fetch(root, dest, ["spoiled", "bare", "page", "good"], suffix=".sha256")
    assert answer["checksum_source"] == f"{root}/good/file.gz.sha256"
    reasons = [refused["reason"] for refused in answer["refused"]]
    assert reasons[0].startswith("its sum is")
    assert reasons[1:] == [
        "HTTP 404 (for file.gz.sha256, where its sum should be)",
        "its file.gz.sha256 holds no SHA-256 sum",
    ]
    again = fetch(root, dest, ["good"], suffix=".sha256")
    assert not again["changed"] and again["checksum"] == SUM


def test_nothing_is_taken_unverified_unless_told(root, dest):
    answer = fetch(root, dest, ["good"])
    assert answer["refused"][0]["reason"].startswith("no SHA-256 sum is known for file.gz")
    assert not dest.exists()
    answer = fetch(root, dest, ["bare"], allow_unverified=True, suffix=".sha256")
    assert (answer["changed"], answer["checksum_source"]) == (True, "")


def test_unverified_does_not_mean_wrong(root, dest):
    answer = fetch(root, dest, ["spoiled"], allow_unverified=True, suffix=".sha256")
    assert answer["refused"][0]["reason"].startswith("its sum is")


def test_an_archive_stays_compressed_whatever_the_server_says(root, dest):
    fetch(root, dest, ["gzip"], checksum=hashlib.sha256(gzip.compress(CONTENT)).hexdigest())
    fetch(root, dest, ["gzip"], allow_unverified=True)
    assert dest.stat().st_size < len(CONTENT)


def test_a_full_disk_is_this_host_s_fault(root, dest, monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 9, 9, 9, 0, 0, 0, 0, 255)))
    with pytest.raises(download.HostError, match=r"no space in .*: 1 MiB are needed, 0 MiB are free"):
        fetch(root, dest, ["good"], checksum=SUM)
    assert list(dest.parent.iterdir()) == []


def test_old_parts_go_and_young_ones_stay(root, dest):
    old, young = (dest.parent / f".file.gz.{name}.part" for name in ("old", "young"))
    for path in (old, young):
        path.touch()
    os.utime(old, (1, 1))
    fetch(root, dest, ["good"], checksum=SUM)
    assert not old.exists() and young.exists()


def test_a_refused_connection_and_a_useless_url(dest):
    answer = download.fetch(["http://127.0.0.1:1/x", "nonsense"], str(dest), checksum=SUM)
    assert "connection refused" in answer["refused"][0]["reason"].lower()
    assert "nonsense" in answer["refused"][1]["url"] and answer["refused"][1]["reason"]


def test_a_local_folder_can_be_a_mirror(tmp_path: Path, dest):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/file.gz").write_bytes(CONTENT)
    url = f"file://{tmp_path}/mirror/file.gz"
    assert download.fetch([url], str(dest), checksum=SUM)["changed"]
    assert not download.fetch([url], str(dest), suffix=".sha256")["url"]
    assert download.fetch([url], str(dest), suffix=".sha256", allow_unverified=True)["url"] == url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SUM, SUM),
        (f"{SUM.upper()}\n", SUM),
        (f"{OTHER}  other.gz\n{SUM} *file.gz\n", SUM),
        (f"{OTHER}\n{SUM}\n", ""),
        (f"{OTHER}  other.gz\n", ""),
        (SUM[:-1], ""),
        ("", ""),
    ],
)
def test_read_sum(text, expected):
    assert download.read_sum(text, "file.gz") == expected


def test_a_file_that_no_mirror_has_is_told_once(root, dest):
    urls = [f"{root}/{kind}/file.gz" for kind in ("missing", "absent")]
    run = SimpleNamespace(note=None)
    for more in ({"checksum": SUM}, {"suffix": ".sha256"}):
        with pytest.raises(Failed) as failed:
            download.fetch_for(run, urls, str(dest), "Remedy.", "Is it 1.2?", **more)
        told = f"No mirror has file.gz ({root}/missing, {root}/absent). Is it 1.2? What was there is as it was."
        assert str(failed.value) == told
    # A sum alone that is missing, and a mirror that does not answer, are said by mirror.
    for asked in ([f"{root}/bare/file.gz"], [*urls, "http://127.0.0.1:1/file.gz"]):
        with pytest.raises(Failed, match=r"file.gz cannot be fetched; .*\n  http") as failed:
            download.fetch_for(run, asked, str(dest), "Remedy.", "Is it 1.2?", suffix=".sha256")
        assert str(failed.value).endswith("\nRemedy.")


def test_a_password_is_not_told():
    assert download.public("https://user:secret@mirror/x@y") == "https://mirror/x@y"
