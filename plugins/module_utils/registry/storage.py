"""Where registries keep their images: folders that are there, marked and writable, or an object store that answers."""

import json
import os
import socket
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, Host, docker
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
        "interrupted_restore": os.path.isdir(os.path.join(path, "docker.before-restore")),
        "unwritable": bad[0] if bad else "",
    }


def _root_writes(path: str) -> bool:
    status = os.stat(path)
    needed = 0o300 if status.st_uid == 0 else 0o030 if status.st_gid == 0 else 0o003
    fixed = os.statvfs(path).f_flag & os.ST_RDONLY
    return not fixed and status.st_mode & needed == needed


def unwritable(host: Host, services: List[Dict[str, Any]], found: Dict[str, Any]) -> List[str]:
    """Return where running registries cannot write. Of a disk in the network only a container knows."""
    refused = []
    for one in services:
        place = found[one["data"]]["unwritable"] if one["writes"] else ""
        inside = place.replace(one["data"], DATA, 1)
        if place and docker(host, SOCKET, "exec", one["container"], *(WRITE_TEST + (inside,)))[0] == 1:
            refused.append(
                "%s cannot be written to by the registry, which is root without rights over the files of others: "
                "pushes would end with status 500. Run `chown -R 0:0 %s`, or mount it so that it can be written."
                % (place, one["data"])
            )
    return refused


def emptied(host: Host, want: Dict[str, Any], found: Dict[str, Any]) -> List[str]:
    """Return which folders held images of this host and are empty now, as where a disk is not mounted."""
    table = "%s/instances.json" % want["config_dir"]
    try:
        former = json.loads(host.read(table) or "{}")
        known = (
            [one["path"] for one in former["instances"] if one["driver"] == "filesystem"] if former["data_mark"] else []
        )
    except (ValueError, KeyError, TypeError):
        known = []
    return [
        "%s held a registry's images and is empty or gone. Mount its disk and run again; or where the images are lost, "
        "run `mkdir -p %s && touch %s/%s` for an empty registry." % (path, path, path, DATA_MARK)
        for path in sorted(set(known))
        if path in found and not found[path]["marked"] and found[path]["empty"]
    ]


def unreachable(endpoint: str) -> str:
    name, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((name, int(port)), timeout=TIMEOUT).close()
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", "") or error)
    return ""
