"""Serve the stand-in internet over plain HTTP: `serve.py [PORT [ROOT]]`, by default 80 and /srv/upstream.

Besides the good tree there are mirrors of it, named by the first part of the path: "mirror" is a second good one, and
the others are broken as their names say. A mirror's own files, where it has any, hide the good ones.

Where the tree has images, the distribution's docker-registry serves them on port 5000, as a registry mirror. Docker 20
wants no path in a mirror's URL, so the broken ones are ports: 5001 refuses, 5002 takes connections and never answers.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote

MIRRORS = frozenset(
    ["corrupted", "expired", "mirror", "missing", "slow", "stalled", "unsigned", "wrong-key", "wrong-signature"],
)
SIGNATURES = frozenset({"InRelease", "Release.gpg", "repomd.xml.asc"})
# What the mirror "corrupted" spoils.
PACKAGES = (".deb", ".rpm", ".tar.gz")
SLOW_SECONDS = 1.0
# Often enough to defeat a time limit on each read: only one on the whole transfer, or on its speed, helps.
TRICKLE_SECONDS = 1.0
SILENT_PORT = 5002
REGISTRY = ("docker-registry", "serve", "/etc/docker/registry/hub.yml")


def locate(root: Path, url: str) -> tuple[str, Path | None]:
    """Return the mirror that a URL names, "" for the good tree, and the file that it serves."""
    parts = PurePosixPath(unquote(url.partition("?")[0]).lstrip("/")).parts
    if not parts or ".." in parts:
        return "", None
    mirror = parts[0] if parts[0] in MIRRORS else ""
    if mirror == "missing" or (mirror == "unsigned" and parts[-1] in SIGNATURES):
        return mirror, None
    path = root.joinpath(*parts)
    if mirror and not path.is_file():
        path = root.joinpath(*parts[1:])
    return mirror, path if path.is_file() else None


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return start and end of the one range asked for, or nothing where the whole file is the answer."""
    first, dash, last = (header or "").removeprefix("bytes=").partition("-")
    if not dash or not first.isdigit() or not (last or "0").isdigit():
        return None
    return int(first), min(int(last) + 1 if last else size, size)


def spoil(content: bytes, start: int, size: int) -> bytes:
    """Change the byte in the middle of a file of which `content` is a part."""
    middle = size // 2 - start
    if not 0 <= middle < len(content):
        return content
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    root = Path("/srv/upstream")

    def do_GET(self) -> None:
        """Answer with a file, as the mirror that is asked does."""
        mirror, path = locate(self.root, self.path)
        if mirror == "slow":
            time.sleep(SLOW_SECONDS)
        if mirror == "stalled":
            self.trickle()
        elif path is None:
            self.start(404, 10)
            self.write(b"not found\n")
        else:
            with path.open("rb") as file:
                self.send(file, mirror == "corrupted" and path.name.endswith(PACKAGES))

    do_HEAD = do_GET

    def start(self, status: int, length: int, *headers: tuple[str, str]) -> None:
        """Send the status and the headers."""
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(length))):
            self.send_header(name, value)
        self.end_headers()

    def write(self, content: bytes) -> None:
        """Send content where it is wanted."""
        if self.command != "HEAD":
            self.wfile.write(content)

    def send(self, file: IO[bytes], spoiled: bool) -> None:
        """Send a file, or the part that is wanted, or word that it has not changed."""
        status = os.fstat(file.fileno())
        size, modified = status.st_size, formatdate(status.st_mtime, usegmt=True)
        headers = (("Last-Modified", modified), ("Accept-Ranges", "bytes"))
        wanted = byte_range(self.headers["Range"], size) if self.headers.get("If-Range", modified) == modified else None
        start, end = wanted or (0, size)
        if self.headers["If-Modified-Since"] == modified:
            self.start(304, 0, *headers)
        elif wanted and start >= end:
            self.start(416, 0, ("Content-Range", f"bytes */{size}"))
        else:
            part = (("Content-Range", f"bytes {start}-{end - 1}/{size}"),) if wanted else ()
            self.start(206 if wanted else 200, end - start, *headers, *part)
            file.seek(start)
            if spoiled:
                self.write(spoil(file.read(end - start), start, size))
            elif self.command != "HEAD" and end > start:
                self.connection.sendfile(file, start, end - start)

    def trickle(self) -> None:
        """Promise a file, and send a byte now and then for as long as anybody listens."""
        self.close_connection = True
        # a megabyte is not so much that a client would refuse it at once
        self.start(200, 2**20)
        while self.command != "HEAD":
            self.wfile.write(b"\0")
            time.sleep(TRICKLE_SECONDS)

    def handle(self) -> None:
        """Take a client's leaving for what it is: no error."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print client, method, path and status."""
        print(self.client_address[0], self.command, self.path, int(code), flush=True)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing else."""


class Server(ThreadingHTTPServer):
    """Takes a thousand nodes that come at once."""

    request_queue_size = 1024


def keep(command: Sequence[str]) -> None:
    """Run a program for as long as this one lives; its end, which nobody asked for, is the end of this one too."""
    process = subprocess.Popen(command)

    def watch() -> None:
        print(f"{command[0]} ended with status {process.wait()}", flush=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(port: str = "80", root: str = "/srv/upstream") -> None:
    """Serve until told to stop."""
    Handler.root = Path(root)
    # A container's first process gets no default action for this signal; when it goes, so do all others there.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if (Handler.root / "hub").is_dir():
        keep(REGISTRY)
    # The kernel takes connections that wait here, and nobody ever fetches them.
    with socket.create_server(("", SILENT_PORT), backlog=1024):
        Server(("", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
