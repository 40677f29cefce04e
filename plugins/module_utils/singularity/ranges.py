"""Ranges of ids are given in the files of shadow-utils, under their locks, so that ``useradd`` comes not between.

A user's place follows from the uid; where it is taken, it is the next free one. Ranges that exist stay.
"""

import contextlib
import os
import time
from typing import Dict, Iterator

from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.module_utils.singularity.subordinate_ids import RANGE, give_ranges

NAMES = ("subuid", "subgid")
# Seconds to wait for somebody else's lock.
LOCK_TIMEOUT = 30


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock that shadow-utils take for a file: a hard link ``FILE.lock`` to a file with the process's number.

    :raises OSError: another process keeps it.
    """
    own, lock = "%s.%d" % (path, os.getpid()), path + ".lock"
    with open(own, "w") as file:
        file.write("%d" % os.getpid())
    try:
        end = time.time() + LOCK_TIMEOUT
        while True:
            try:
                os.link(own, lock)
                break
            except FileExistsError:
                holder = _holder(lock)
                if holder and time.time() > end:
                    raise OSError(
                        "process %s holds %s for %d s; see what it does, and end it" % (holder, lock, LOCK_TIMEOUT)
                    )
                if not holder:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(lock)
                else:
                    time.sleep(0.2)
        try:
            yield
        finally:
            os.unlink(lock)
    finally:
        os.unlink(own)


def _holder(lock: str) -> str:
    """Return the number of the process that holds a lock, empty where it has ended."""
    try:
        with open(lock) as file:
            number = file.read().strip().strip("\0")
    except FileNotFoundError:
        return ""
    return number if number.isdigit() and os.path.exists("/proc/" + number) else ""


def give(users: Dict[str, int], first: int, limit: int, folder: str = "/etc") -> None:
    """Give users ranges where there is none of that size.

    :param users: uid by name.
    :param first: the first id to give; ``limit`` is the one after the last.
    :raises OSError: a lock cannot be had, or a file not be written.
    :raises ValueError: there is no room.
    """
    paths = dict((name, os.path.join(folder, name)) for name in NAMES)
    with locked(paths["subuid"]), locked(paths["subgid"]):
        new = give_ranges(users, dict((name, files.read(path)) for name, path in paths.items()), first, limit)
        if new is None:
            raise ValueError(
                "no room for %d ranges of %d ids from %d on; set singularity_fakeroot_first lower, or remove ranges of "
                "users who are gone" % (len(users), RANGE, first)
            )
        for name, text in new.items():
            files.replace(paths[name], text, 0o644)
