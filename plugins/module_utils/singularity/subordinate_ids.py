"""Ranges of subordinate ids in ``/etc/subuid`` and ``/etc/subgid``: who lacks one, where it goes, and giving it."""

import contextlib
import os
import time
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine import files

# A range has as many ids as a container expects of a system.
RANGE = 65536
NO_ROOM = (
    "From singularity_fakeroot_first on there are not enough ranges of %d ids that are free in /etc/subuid and "
    "/etc/subgid and that no user or group has. Set it lower, or remove ranges of users who are gone" % RANGE
)
NAMES = ("subuid", "subgid")
# Seconds to wait for somebody else's lock.
LOCK_TIMEOUT = 30
Range = Tuple[str, int, int]


def parse_ranges(text: str) -> List[Range]:
    """Read ``/etc/subuid`` or ``/etc/subgid``: name or number, first id, count."""
    fields = [line.strip().split(":") for line in text.splitlines()]
    return [
        (one[0], int(one[1]), int(one[2])) for one in fields if len(one) == 3 and one[1].isdigit() and one[2].isdigit()
    ]


def users_without_range(observed: Dict[str, Any]) -> Dict[str, List[str]]:
    """Return the wanted users who lack a range of 65536 ids or more, with the files that lack it."""
    missing = {}
    for user, uid in observed["accounts"].items():
        names = [
            name
            for name, ranges in sorted(observed["subid"].items(), reverse=True)
            if uid is not None and not any(one[0] in (user, str(uid)) and one[2] >= RANGE for one in ranges)
        ]
        if names:
            missing[user] = names
    return missing


def allot(users: Dict[str, int], ranges: Iterable[Tuple[int, int]], first: int, limit: int) -> Optional[Dict[str, int]]:
    """Return the first id of a new range for each user, or ``None`` where there is no room. Pure.

    A user's place follows from the uid alone, so that it is the same on every host; where the place is taken, it is the
    next free one.

    :param users: uid by name.
    :param ranges: first id and count of the ranges that exist.
    :param first: the first id to give; ``limit`` is the one after the last.
    """
    slots = (limit - first) // RANGE
    used: Set[int] = set()
    for start, count in ranges:
        if start < limit and start + count > first and count > 0:
            used.update(range(max(0, (start - first) // RANGE), min(slots, (start + count - 1 - first) // RANGE + 1)))
    first_ids = {}
    for user, uid in sorted(users.items(), key=lambda item: (item[1], item[0])):
        if len(used) >= slots:
            return None
        slot = uid % slots
        while slot in used:
            slot = (slot + 1) % slots
        used.add(slot)
        first_ids[user] = first + slot * RANGE
    return first_ids


def give_ranges(
    users: Dict[str, int], texts: Dict[str, str], first: int, limit: int, known: Sequence[Tuple[int, int]] = ()
) -> Optional[Dict[str, str]]:
    """Return the new texts of files, of those that change; ``None`` where there is no room. Pure.

    :param users: uid by name of all who are to have a range.
    :param texts: what ``subuid`` and ``subgid`` hold.
    :param known: first id and count of those that users and groups have.
    """
    ranges = dict((name, parse_ranges(text)) for name, text in texts.items())
    missing = users_without_range({"accounts": users, "subid": ranges})
    first_ids = allot(dict((user, users[user]) for user in missing), _used_ranges(ranges) + list(known), first, limit)
    if first_ids is None:
        return None
    new = {}
    for name, old in texts.items():
        lines = ["%s:%d:%d\n" % (user, first_ids[user], RANGE) for user in sorted(missing) if name in missing[user]]
        if lines:
            new[name] = old + ("\n" if old and not old.endswith("\n") else "") + "".join(lines)
    return new


def range_refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why users cannot have ranges of ids."""
    missing = [name for name, account in sorted(observed["accounts"].items()) if account is None]
    if missing:
        return [
            "These users or groups do not exist on this host: %s. They come from singularity_fakeroot_users or "
            "singularity_fakeroot_groups. Correct these, or make the host know them (`getent passwd %s` must answer)."
            % (", ".join(missing), missing[0])
        ]
    users = users_without_range(observed)
    if users and observed["subid_source"] != "files":
        return [
            "/etc/nsswitch.conf has `subid: %s`, so ranges in /etc/subuid and /etc/subgid are not read, and there are "
            "none of %d ids for %s. Give them in the directory, or set `subid: files`."
            % (observed["subid_source"], RANGE, ", ".join(sorted(users)))
        ]
    wanted = dict((user, observed["accounts"][user]) for user in users)
    used = _used_ranges(observed["subid"]) + observed["known_ids"]
    if allot(wanted, used, want["fakeroot_first"], want["fakeroot_limit"]) is None:
        return [NO_ROOM + "."]
    return []


def _used_ranges(ranges: Dict[str, List[Range]]) -> List[Tuple[int, int]]:
    return [(one[1], one[2]) for listed in ranges.values() for one in listed]


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


def give(
    users: Dict[str, int], first: int, limit: int, folder: str = "/etc", known: Sequence[Tuple[int, int]] = ()
) -> None:
    """Give users ranges where there is none of that size, under the locks of shadow-utils, so that ``useradd`` waits.

    :param users: uid by name.
    :param first: the first id to give; ``limit`` is the one after the last.
    :raises OSError: a lock cannot be had, or a file not be written.
    :raises ValueError: there is no room.
    """
    paths = dict((name, os.path.join(folder, name)) for name in NAMES)
    with locked(paths["subuid"]), locked(paths["subgid"]):
        new = give_ranges(users, dict((name, files.read(path)) for name, path in paths.items()), first, limit, known)
        if new is None:
            raise ValueError(NO_ROOM)
        for name, text in new.items():
            files.replace(paths[name], text, 0o644)
