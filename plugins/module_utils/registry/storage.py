"""Where registries keep their images: folders that are there, marked and writable, or an object store that answers."""

import json
import os
import socket
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, Host, docker, free_bytes
from ansible_collections.slipway.node.plugins.module_utils.registry.want import DATA, DATA_MARK

TIMEOUT = 10
# The image's `test -w` says that root can write anywhere.
WRITE_TEST = ("sh", "-c", 'touch "$1/.slipway-try" && rm "$1/.slipway-try"', "sh")


def data(path: str) -> Dict[str, Any]:
    """Return what is known of a folder of images.

    ``unwritable`` is the first place in it where root without rights over others' files, as in a container, cannot
    write.
    """
    there = os.path.isdir(path)
    base = os.path.join(path, "docker", "registry", "v2")
    places = [path, base, os.path.join(base, "blobs"), os.path.join(base, "repositories")] if there else []
    bad = [place for place in places if os.path.isdir(place) and not _root_writes(place)]
    return {
        "there": there,
        "marked": os.path.exists(os.path.join(path, DATA_MARK)),
        "empty": not there or not set(os.listdir(path)) - {"lost+found"},
        # What was there before a restore that broke off, and whether it is the only copy.
        "before_restore": os.path.isdir(os.path.join(path, "docker.before-restore")),
        "moved_away": there and not os.path.isdir(os.path.join(path, "docker")),
        "unwritable": bad[0] if bad else "",
        "free": free_bytes(path),
    }


def _root_writes(path: str) -> bool:
    status = os.stat(path)
    needed = 0o300 if status.st_uid == 0 else 0o030 if status.st_gid == 0 else 0o003
    fixed = os.statvfs(path).f_flag & os.ST_RDONLY
    return not fixed and status.st_mode & needed == needed


def unwritable(host: Host, services: List[Dict[str, Any]], found: Dict[str, Any]) -> List[List[str]]:
    """Return where running registries cannot write, and in which folder of images that is.

    Of a disk in the network only a container knows.
    """
    places = []
    for one in services:
        place = found[one["data"]]["unwritable"] if one["writes"] else ""
        inside = place.replace(one["data"], DATA, 1)
        if place and docker(host, SOCKET, "exec", one["container"], *(WRITE_TEST + (inside,)))[0] == 1:
            places.append([place, one["data"]])
    return places


def former_data(host: Host, want: Dict[str, Any]) -> List[str]:
    """Return the folders that held images of this host when its files were written last."""
    try:
        former = json.loads(host.read("%s/instances.json" % want["config_dir"]) or "{}")
        found = {one["path"] for one in former["instances"] if one["driver"] == "filesystem" and former["data_mark"]}
    except (ValueError, KeyError, TypeError):
        return []
    return sorted(found)


def unreachable(endpoint: str) -> str:
    name, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((name, int(port)), timeout=TIMEOUT).close()
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", "") or error)
    return ""
