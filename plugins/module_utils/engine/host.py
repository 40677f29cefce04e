"""What a section of the probe may ask of a host: files read and commands run, nothing changed.

A section has ``want(inputs, platform)`` and ``plan(want, observed)``, which are pure, and ``observe(host, want)``,
which asks the host through this class.
"""

import contextlib
import glob
import hmac
import http.client
import json
import os
import shutil
import socket
import subprocess
import urllib.parse
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible.module_utils.common.text.converters import to_text

# Seconds within which a program must answer.
LIMIT = 60


# Where Docker's engine listens.
SOCKET = "unix:///var/run/docker.sock"
# Whoever changes packages holds the first two, whoever fetches lists the last.
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock")
# What a secret's seal begins with.
SEAL = "sealed:"


def seal(key: str, text: str) -> str:
    """Return what stands for a secret in a module's arguments, which the host's journal keeps: nobody without the key
    can try guesses on it."""
    return SEAL + hmac.new(key.encode("utf-8"), text.encode("utf-8"), "sha256").hexdigest()


class NoAnswer(Exception):
    """A program of the host that is missing or does not answer in time."""


def run_limited(command: List[str], environ_update: Dict[str, str]) -> Tuple[int, str, str]:
    """Run a command; return its exit status, standard output and error.

    :raises NoAnswer: it is not there, or does not end within ``LIMIT`` seconds.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, **environ_update),
            timeout=LIMIT,
        )
    except FileNotFoundError:
        raise NoAnswer("the command %s is missing; install the package that has it" % command[0])
    except subprocess.TimeoutExpired:
        raise NoAnswer(
            "`%s` does not answer within %d s; see why on the host, and end what hangs" % (" ".join(command), LIMIT)
        )
    return done.returncode, to_text(done.stdout, errors="replace"), to_text(done.stderr, errors="replace")


class Host:
    """The host that the module runs on.

    :param run_command: :func:`run_limited` or a function like it.
    :param key: that of the run's seals.
    :param secrets: what they stand for, which is told for acting alone.
    """

    def __init__(
        self,
        run_command: Callable[..., Tuple[int, str, str]] = run_limited,
        key: str = "",
        secrets: Optional[Dict[str, Any]] = None,
    ) -> None:
        self._run_command = run_command
        self._key, self._secrets = key, secrets or {}

    def is_sealed(self, mark: str, text: Optional[str]) -> bool:
        """Tell whether a seal is that of a text."""
        return text is not None and hmac.compare_digest(mark, seal(self._key, text))

    def opened(self, mark: str, texts: List[str]) -> Optional[str]:
        """Return what a seal stands for, told or one of these texts; ``None`` where it is not known."""
        return self._secrets.get(mark) or next((text for text in texts if self.is_sealed(mark, text)), None)

    def run(self, *command: str) -> Tuple[int, str]:
        """Run a read-only command in the C locale; return its exit status and standard output."""
        rc, out, _err = self._run_command(list(command), environ_update={"LC_ALL": "C", "LANGUAGE": "C"})
        return rc, out

    def read(self, path: str) -> Optional[str]:
        """Return the text of a file, or ``None`` where there is none."""
        data = self.read_bytes(path)
        return None if data is None else to_text(data, errors="replace")

    def read_bytes(self, path: str) -> Optional[bytes]:
        """Return the bytes of a file, or ``None`` where there is none."""
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def is_binary(self, path: str) -> bool:
        """Tell whether a file is a compiled program, not a script in its place."""
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"

    def glob(self, *patterns: str) -> List[str]:
        """Return the sorted paths that match any of the shell patterns."""
        return sorted(path for pattern in patterns for path in glob.glob(pattern))

    def engine(self, endpoint: str = SOCKET) -> Dict[str, Any]:
        """Return what an engine of this host says of itself, as `docker info` does; empty where none answers.

        By its API, ``GET /info``: the command runs all its plugins first.

        :raises NoAnswer: it does not answer in time.
        """
        kind, _, path = endpoint.partition("://")
        try:
            # As dockerd reads it: without a host it is this one, without a port 2375.
            place = urllib.parse.urlsplit(endpoint)
            connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port or 2375, timeout=LIMIT)
            with contextlib.closing(connection):
                if kind == "unix":
                    connection.sock = socket.socket(socket.AF_UNIX)
                    connection.sock.settimeout(LIMIT)
                    connection.sock.connect(path)
                connection.request("GET", "/info")
                info = json.loads(to_text(connection.getresponse().read()))
        # The second: so many wait for it already that no more may.
        except (socket.timeout, BlockingIOError):
            raise NoAnswer("the engine at %s does not answer within %d s; see why on the host" % (endpoint, LIMIT))
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        return info if isinstance(info, dict) and info.get("ServerVersion") else {}


def docker_command(*arguments: str, endpoint: str = SOCKET) -> List[str]:
    """Return a command of docker to an engine of this host, whatever root's context and environment say."""
    return ["env", "--unset=DOCKER_TLS", "--unset=DOCKER_TLS_VERIFY", "docker", "--host", endpoint] + list(arguments)


def docker(host: Any, endpoint: str, *arguments: str) -> Any:
    """Ask an engine of this host; return exit status and answer."""
    return host.run(*docker_command(*arguments, endpoint=endpoint))


def lock_holder(host: Host) -> str:
    """Return what holds a lock of dpkg or apt, as ``apt-get (process 812)``; empty where nothing does.

    dnf names the holder by itself.
    """
    nodes = [os.stat(path).st_ino for path in LOCKS if os.path.exists(path)]
    for line in (host.read("/proc/locks") or "").splitlines():
        # 1: POSIX  ADVISORY  WRITE 812 fd:00:1234 0 EOF
        fields = line.split()
        if len(fields) == 8 and int(fields[5].rpartition(":")[2]) in nodes:
            return "%s (process %s)" % ((host.read("/proc/%s/comm" % fields[4]) or "a program").strip(), fields[4])
    return ""


def existing(path: str) -> str:
    """Return the path, or the nearest folder above it that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "/"
    return path


def free_bytes(path: str) -> int:
    """Return the space that is free to all where a path is or would be."""
    return shutil.disk_usage(existing(path)).free
