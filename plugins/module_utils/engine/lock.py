"""One run acts on a host at a time: a lock that ends with the module that holds it, however that ends."""

import contextlib
import fcntl
import json
import os
import time
from typing import Dict, Iterator

FILE = "/run/slipway.lock"
# Seconds after which the run is told that it waits.
TELL_AFTER = 10


class Held(Exception):
    """Another run holds the host; the message says whose."""


@contextlib.contextmanager
def hold(owner: Dict[str, str], seconds: float = TELL_AFTER, path: str = FILE) -> Iterator[None]:
    """Hold the host's lock.

    :param owner: who is to be named to others: ``person``, ``controller`` and ``since``.
    :raises Held: another run holds it for so many seconds.
    """
    # Not for writing only, which would empty it.
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise Held(_named(path))
                time.sleep(0.2)
        file.truncate(0)
        json.dump(owner, file)
        file.flush()
        yield


def _named(path: str) -> str:
    try:
        with open(path) as file:
            # What `slipway-registry` does it says.
            owner = dict({"does": "Slipway"}, **json.load(file))
        return "%(person)s on %(controller)s runs %(does)s on this host, since %(since)s" % owner
    except (OSError, ValueError, KeyError, TypeError):
        return "another run of Slipway acts on this host"


def is_held_by(program: str, path: str = FILE) -> bool:
    """Tell whether a program of this host holds the lock, and not a run."""
    try:
        with open(path) as file:
            does = json.load(file).get("does", "")
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return bool(does.startswith(program))
    except (OSError, ValueError, AttributeError):
        pass
    return False
