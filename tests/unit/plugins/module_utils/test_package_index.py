"""Mirrors: which are accepted, and the reason given for each that is not."""

import gzip
import http.server
import threading
from pathlib import Path

import pytest
from ansible_collections.slipway.node.plugins.module_utils.openpgp import fingerprints
from ansible_collections.slipway.node.plugins.module_utils.package_index import (
    Downloader,
    MirrorError,
    MissingFile,
    fetch,
)

DATA = Path(__file__).parent / "data"
ROOT = "http://mirror/docker-ce"
APT = {
    "manager": "apt",
    "path": "linux/debian",
    "release": "bookworm",
    "channel": "stable",
    "architecture": "amd64",
    "fingerprints": fingerprints((DATA / "expected.asc").read_bytes()),
    "require_signed_index": True,
}
DNF = {**APT, "manager": "dnf", "path": "linux/centos", "release": "9", "architecture": "x86_64"}
APT_FILES = {
    "linux/debian/gpg": "expected.asc",
    "linux/debian/dists/bookworm/InRelease": "InRelease",
    "linux/debian/dists/bookworm/stable/binary-amd64/Packages": "Packages",
}
DNF_FILES = {
    "linux/centos/gpg": "expected.asc",
    "linux/centos/9/x86_64/stable/repodata/repomd.xml": "repomd.xml",
    "linux/centos/9/x86_64/stable/repodata/repomd.xml.asc": "repomd.xml.asc",
    "linux/centos/9/x86_64/stable/repodata/primary.xml.gz": "primary.xml.gz",
}


def mirror(files):
    """Return a download function for a mirror that holds these files of the data folder."""

    def download(url):
        name = files.get(url[len(ROOT) + 1 :])
        if name is None:
            raise MissingFile("HTTP 404 for %s" % url.rsplit("/", 1)[-1])
        return (DATA / name).read_bytes()

    return download


def test_reads_a_signed_apt_index():
    index = fetch(ROOT, APT, mirror(APT_FILES))
    assert index.versions == {
        "docker-ce": ["5:26.1.5-1~debian.12~bookworm", "5:20.10.24-1~debian.12~bookworm"],
        "containerd.io": ["1.7.24-1"],
    }
    assert index.signed and fingerprints(index.key) == APT["fingerprints"]


def test_reads_a_signed_dnf_index():
    index = fetch(ROOT, DNF, mirror(DNF_FILES))
    assert index.versions == {"docker-ce": ["3:26.1.5-1.el9"], "containerd.io": ["1.7.24-3.1.el9"]}
    assert index.signed


@pytest.mark.parametrize(
    ("want", "change", "reason"),
    [
        (APT, {"linux/debian/gpg": None}, "HTTP 404 for gpg"),
        (
            APT,
            {"linux/debian/gpg": "other.asc"},
            "its signing key is 75840F22771A16010BA25C696BAAA724D8349D4A, expected 3DAF",
        ),
        (APT, {"linux/debian/gpg": "Packages"}, "its signing key is not usable: it holds no OpenPGP public key"),
        (APT, {"linux/debian/dists/bookworm/InRelease": None}, "the release is not there, or not signed"),
        (
            APT,
            {"linux/debian/dists/bookworm/InRelease": "InRelease.other"},
            "InRelease is refused: its signature is not by",
        ),
        (
            APT,
            {"linux/debian/dists/bookworm/InRelease": "Packages"},
            "InRelease is refused: it is not a cleartext-signed",
        ),
        (
            APT,
            {"linux/debian/dists/bookworm/stable/binary-amd64/Packages": "primary.xml.gz"},
            "does not match the signed index",
        ),
        ({**APT, "architecture": "s390x"}, {}, "it has no channel stable for s390x"),
        (DNF, {"linux/centos/9/x86_64/stable/repodata/repomd.xml.asc": None}, "the index is not signed"),
        (
            DNF,
            {"linux/centos/9/x86_64/stable/repodata/repomd.xml": "primary.xml.gz"},
            "repomd.xml is refused: its signature",
        ),
        (DNF, {"linux/centos/9/x86_64/stable/repodata/primary.xml.gz": "Packages"}, "does not match the signed index"),
    ],
)
def test_says_why_a_mirror_is_refused(want, change, reason):
    files = {**(APT_FILES if want["manager"] == "apt" else DNF_FILES), **change}
    with pytest.raises(MirrorError) as refusal:
        fetch(ROOT, want, mirror(files))
    assert reason in str(refusal.value)


class Server(http.server.BaseHTTPRequestHandler):
    """Answers well, with 404, or with a trickle that never ends."""

    def do_GET(self):
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()
        if self.path == "/gz":
            self.wfile.write(gzip.compress(b"well"))
        while self.path == "/trickle" and not self.server.stopping.wait(0.05):
            try:
                self.wfile.write(b".")
            except OSError:
                return

    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as httpd:
        httpd.stopping = threading.Event()
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d" % httpd.server_address[1]
        httpd.stopping.set()
        httpd.shutdown()


def test_downloads(server):
    assert gzip.decompress(Downloader(5, 5)(server + "/gz")) == b"well"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("{server}/missing", "HTTP 404 for missing"),
        ("{server}/trickle", "too slow: not done within 0.3 s"),
        ("http://127.0.0.1:1/x", "connection refused"),
        ("nonsense", "not a usable URL: unknown url type: 'nonsense'"),
    ],
)
def test_gives_up_in_time_and_says_why(server, url, reason):
    with pytest.raises(MirrorError) as refusal:
        Downloader(0.2, 0.3)(url.format(server=server))
    assert str(refusal.value) == reason
