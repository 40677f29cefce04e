"""The server of the stand-in internet: which file a URL means, and how each broken mirror is broken."""

import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.run import ROOT
from lab.upstream import serve

GOOD = "docker-ce/linux/debian"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, content in {
        f"{GOOD}/gpg": "right key",
        f"{GOOD}/dists/trixie/InRelease": "signed",
        f"{GOOD}/dists/trixie/Release": "bare",
        f"{GOOD}/a~b.deb": "0123456789",
        f"wrong-key/{GOOD}/gpg": "wrong key",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return tmp_path


@pytest.fixture
def url(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(serve.Handler, "root", root)
    monkeypatch.setattr(serve, "SLOW_SECONDS", 0.1)
    with serve.Server(("127.0.0.1", 0), serve.Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def get(url: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize(
    ("asked", "mirror", "served"),
    [
        (f"/{GOOD}/gpg", "", f"{GOOD}/gpg"),
        (f"//{GOOD}/gpg?x=1", "", f"{GOOD}/gpg"),
        (f"/{GOOD}/a%7eb.deb", "", f"{GOOD}/a~b.deb"),
        (f"/mirror/{GOOD}/gpg", "mirror", f"{GOOD}/gpg"),
        (f"/wrong-key/{GOOD}/gpg", "wrong-key", f"wrong-key/{GOOD}/gpg"),
        (f"/wrong-key/{GOOD}/dists/trixie/Release", "wrong-key", f"{GOOD}/dists/trixie/Release"),
        (f"/unsigned/{GOOD}/dists/trixie/Release", "unsigned", f"{GOOD}/dists/trixie/Release"),
        (f"/unsigned/{GOOD}/dists/trixie/InRelease", "unsigned", None),
        (f"/missing/{GOOD}/gpg", "missing", None),
        (f"/{GOOD}/", "", None),
        ("/", "", None),
        ("/mirror", "mirror", None),
        ("/../etc/passwd", "", None),
        ("/%2e%2e/etc/passwd", "", None),
    ],
)
def test_locate(root: Path, asked: str, mirror: str, served: str | None) -> None:
    assert serve.locate(root, asked) == (mirror, root / served if served else None)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=2-", (2, 10)),
        ("bytes=2-3", (2, 4)),
        ("bytes=2-99", (2, 10)),
        ("bytes=-3", None),
        ("bytes=0-1,4-5", None),
        ("nonsense", None),
    ],
)
def test_byte_range(header: str | None, expected: tuple[int, int] | None) -> None:
    assert serve.byte_range(header, 10) == expected


def test_spoiling_is_the_same_whole_and_in_parts() -> None:
    whole = serve.spoil(b"0123456789", 0, 10)
    assert len(whole) == 10 and whole != b"0123456789"
    assert serve.spoil(b"01234", 0, 10) + serve.spoil(b"56789", 5, 10) == whole


def test_a_part_is_served(url: str) -> None:
    assert get(f"{url}/{GOOD}/a~b.deb", Range="bytes=7-") == (206, b"789")
    assert get(f"{url}/{GOOD}/a~b.deb", Range="bytes=10-")[0] == 416
    assert get(f"{url}/{GOOD}/a~b.deb", Range="bytes=7-", If_Range="long ago") == (200, b"0123456789")


def test_what_has_not_changed_is_not_sent(url: str) -> None:
    with urllib.request.urlopen(f"{url}/{GOOD}/gpg") as answer:
        assert get(f"{url}/{GOOD}/gpg", If_Modified_Since=answer.headers["Last-Modified"]) == (304, b"")


def test_corrupted_spoils_packages_only(url: str) -> None:
    assert get(f"{url}/corrupted/{GOOD}/gpg") == (200, b"right key")
    assert get(f"{url}/corrupted/{GOOD}/a~b.deb") == (200, b"01234\xca6789")


def test_slow_is_late_and_right(url: str) -> None:
    start = time.monotonic()
    assert get(f"{url}/slow/{GOOD}/gpg") == (200, b"right key")
    assert time.monotonic() - start >= 0.1


def test_stalled_trickles_and_blocks_nobody(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "TRICKLE_SECONDS", 0.01)
    with urllib.request.urlopen(f"{url}/stalled/{GOOD}/gpg", timeout=10) as answer:
        assert (answer.read(2), answer.status) == (b"\0\0", 200)
        assert get(f"{url}/{GOOD}/gpg") == (200, b"right key")


def test_access_log(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    get(f"{url}/missing/{GOOD}/gpg")
    assert capfd.readouterr().out == f"127.0.0.1 GET /missing/{GOOD}/gpg 404\n"


def test_the_server_ends_with_the_program_it_keeps() -> None:
    program = "import time; from lab.upstream import serve; serve.keep(['sh', '-c', 'exit 3']); time.sleep(30)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "sh ended with status 3\n")
