"""The folder of images and containers: whether it can be taken, and what a change would leave behind."""

import re
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host


def unmounted(host: Host, folder: str) -> str:
    """Return the mount point that a folder is to be on and that is not mounted; empty where all is well."""
    fstab = [line.split() for line in (host.read("/etc/fstab") or "").splitlines()]
    points = [fields[1].replace("\\040", " ") for fields in fstab if len(fields) > 2 and fields[0][:1] != "#"]
    for path in host.glob("/etc/systemd/system/*.mount"):
        points += re.findall(r"(?m)^Where=(.+)$", host.read(path) or "")
    mounted = [line.split(" ")[1].replace("\\040", " ") for line in (host.read("/proc/self/mounts") or "").splitlines()]
    holding = [point for point in points if (folder + "/").startswith(point.rstrip("/") + "/")]
    return next((point for point in holding if point not in mounted), "")


def holds_other_files(host: Host, folder: str) -> bool:
    """Tell whether a folder holds something and is no engine's data root, be it with user namespaces."""
    marks = host.glob(folder + "/engine-id", folder + "/image/*/layerdb", folder + "/[0-9]*.[0-9]*/containers")
    return not marks and host.glob(folder + "/*", folder + "/.*") not in ([], [folder + "/lost+found"])


def moved_keys(found: Dict[str, Any]) -> List[str]:
    """Return the keys of which another value leaves images and containers behind and that get one."""
    info = found["info"]
    moved = []
    for key, default, field in (
        ("data-root", "/var/lib/docker", "DockerRootDir"),
        # Without the key the daemon goes on with the driver whose data it finds.
        ("storage-driver", info.get("Driver", ""), "Driver"),
        ("userns-remap", "", ""),
    ):
        is_, to_be = (str(one.get(key) or default).rstrip("/") for one in (found["current"], found["merged"]))
        # The daemon may have it from its command line.
        if to_be not in (is_, info.get(field)):
            moved.append(key)
    return moved
