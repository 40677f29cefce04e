"""A toolchain on the disk: its manifest, its programs, and how a new one comes into its place.

A toolchain that Slipway made holds a manifest, which says so and how its programs looked when they were made; others
are never deleted.
"""

import contextlib
import os
import stat
from typing import Any, Callable, Dict, List

MANIFEST = ".slipway.json"
# Programs are compared by size, mode and time: a toolchain has fifteen thousand files, and sums of them take seconds.
_PROGRAMS = ("bin", "pkg/tool")


def manifest(tree: str, about: Dict[str, Any]) -> Dict[str, Any]:
    """Return what is written into a new toolchain: what it is, its programs, and the environment that Go ships."""
    environment = ""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(tree, "go.env")) as file:
        environment = file.read()
    return dict(about, programs=programs(tree), environment=read_environment(environment))


def programs(tree: str) -> Dict[str, List[int]]:
    """Return size, mode and time of a toolchain's programs, by path."""
    found = {}
    for top in _PROGRAMS:
        for folder, _folders, names in os.walk(os.path.join(tree, top)):
            for name in names:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                looks = [status.st_size, stat.S_IMODE(status.st_mode), int(status.st_mtime)]
                found[os.path.relpath(path, tree)] = looks
    return found


def damage(recorded: Dict[str, List[int]], found: Dict[str, List[int]]) -> List[str]:
    """Return how programs differ from those of the manifest; one more than there were does no harm."""
    faults = []
    for path in sorted(recorded):
        if path not in found:
            faults.append("%s missing" % path)
        elif found[path][0] != recorded[path][0]:
            faults.append("%s of %d bytes instead of %d" % (path, found[path][0], recorded[path][0]))
        elif found[path][1] != recorded[path][1]:
            faults.append("%s of mode %04o instead of %04o" % (path, found[path][1], recorded[path][1]))
        elif found[path][2] != recorded[path][2]:
            faults.append("%s written to" % path)
    return faults


def read_environment(text: str) -> Dict[str, str]:
    """Read an environment file of Go: NAME=VALUE lines."""
    lines = [line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#")]
    return dict((name.strip(), value.strip()) for name, mark, value in lines if mark)


def replace_tree(new: str, path: str, aside: str, remove: Callable[[str], None]) -> None:
    """Put a finished tree in its place; what was there goes when the new one stands, or is kept under a new name.

    :raises ValueError: what was there is somebody else's, and is not to be set aside.
    """
    old = aside or "%s/.%s.old" % os.path.split(path)
    if not aside:
        remove(old)
        if os.path.lexists(path) and not os.path.isfile(os.path.join(path, MANIFEST)):
            raise ValueError("%s is not Slipway's, and is left as it is" % path)
    if os.path.lexists(path):
        os.rename(path, old)
    os.rename(new, path)
    if not aside:
        remove(old)


def unpacked_size(archive: str) -> int:
    """Return about how much space the content of a gzip file takes, by the length that its end tells."""
    with open(archive, "rb") as file:
        file.seek(-4, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
    # Files take whole blocks.
    return length + length // 8
