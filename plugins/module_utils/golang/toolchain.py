"""A toolchain on the disk: its manifest, its programs, and its environment.

A toolchain that Slipway made holds a manifest, which says so and how its programs looked when they were made; others
are never deleted.
"""

import contextlib
import os
import stat
from typing import Any, Dict, List

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


def with_environment(text: str, values: Dict[str, str]) -> str:
    """Return an environment file of Go with these values; its other lines stay."""
    lines = [(line.partition("=")[0].strip(), line) for line in text.splitlines()]
    there = [name for name, _line in lines]
    lines += [(name, "") for name in sorted(values) if name not in there]
    return "".join(("%s=%s" % (name, values[name]) if name in values else line) + "\n" for name, line in lines)
