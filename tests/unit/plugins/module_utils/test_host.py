"""What a section asks of a host."""

import socket
import socketserver
import subprocess
import sys
import threading

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import host


def test_who_holds_the_lock_of_the_packages_is_named(monkeypatch, tmp_path):
    path = tmp_path / "lock"
    monkeypatch.setattr(host, "LOCKS", (str(path), str(tmp_path / "absent")))
    take = f"import fcntl; f = open({str(path)!r}, 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", take], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as other:
        other.stdout.readline()
        told = host.lock_holder(host.Host())
        other.stdin.close()
    assert told.startswith("python") and told.endswith(f" (process {other.pid})")
    assert host.lock_holder(host.Host()) == ""


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers each question with the bytes it is made with, or not at all."""

    def __init__(self, path, answer):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                assert self.rfile.readline() == b"GET /info HTTP/1.1\r\n"
                self.wfile.write(answer) if answer else self.rfile.read()

        super().__init__(str(path), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.mark.parametrize(
    ("answer", "info"),
    [
        (b'HTTP/1.0 200 OK\r\n\r\n{"ServerVersion": "28.5.2"}', {"ServerVersion": "28.5.2"}),
        # An engine that starts, another service, and one that ends in the middle.
        (b'HTTP/1.0 503 Service Unavailable\r\n\r\n{"message": "starting"}', {}),
        (b"HTTP/1.0 200 OK\r\n\r\n<html>", {}),
        (b"HTTP/1.0 200 OK\r\n\r\n[]", {}),
        (b"SSH-2.0-OpenSSH_9.2\r\n", {}),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 90\r\n\r\n{", {}),
    ],
)
def test_an_engine_is_asked_by_its_socket(tmp_path, answer, info):
    path = tmp_path / "docker.sock"
    assert host.Host().engine(f"unix://{path}") == {}
    with Engine(path, answer) as server:
        assert host.Host().engine(f"unix://{path}") == info
        server.shutdown()


def test_an_engine_that_hangs_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "LIMIT", 0.1)
    path = tmp_path / "docker.sock"
    with Engine(path, b"") as server:
        with pytest.raises(host.NoAnswer, match=f"the engine at unix://{path} does not answer within"):
            host.Host().engine(f"unix://{path}")
        server.shutdown()


@pytest.mark.parametrize("place", [":%d", "127.0.0.1:%d/", "0.0.0.0:%d", "localhost:%d"])
def test_an_engine_is_asked_at_a_port(place):
    answer = b'HTTP/1.0 200 OK\r\n\r\n{"ServerVersion": "28.5.2"}'
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with server.accept()[0] as one:
                one.recv(999)
                one.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        endpoint = "tcp://" + place % server.getsockname()[1]
        assert host.Host().engine(endpoint) == {"ServerVersion": "28.5.2"}


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:no", "tcp://[::1"])
def test_a_place_that_is_none_has_no_engine(endpoint):
    assert host.Host().engine(endpoint) == {}


def test_an_engine_for_which_too_many_wait_does_not_answer(tmp_path):
    path = str(tmp_path / "docker.sock")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(path)
        server.listen(0)
        first.connect(path)
        with pytest.raises(host.NoAnswer, match="does not answer"):
            host.Host().engine("unix://" + path)
