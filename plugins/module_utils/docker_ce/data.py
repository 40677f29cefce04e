"""The folders of images and containers: which these are on a host, and what in them is the engine's."""

import json
import re
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host

CONTAINERD = "/var/lib/containerd"
# What Debian's docker.io leaves when it goes: its purge runs it and wipes all data, by then another engine's.
NUKE_SOURCE = "/usr/share/docker.io/contrib/nuke-graph-directory.sh"
NUKE = "/var/lib/docker/nuke-graph-directory.sh"
# What is nobody else's, unlike a data-root that an admin chose.
OWN_FOLDERS = ("/var/lib/docker", CONTAINERD)
# What dockerd makes in its data-root; its folder tmp is left, whose name others use too.
ENGINE_DATA = [
    *("aufs", "btrfs", "builder", "buildkit", "containerd", "containers", "devicemapper", "engine-id", "image"),
    *("fuse-overlayfs", "network", "overlay", "overlay2", "plugins", "rootfs", "runtimes", "swarm", "trust"),
    *("vfs", "volumes", "zfs"),
]


def data_roots(host: Host, engine: Dict[str, Any]) -> List[str]:
    """Return where images and containers are kept: by the running engine's word, else by its configuration's."""
    try:
        root = engine.get("DockerRootDir") or json.loads(host.read(daemon_json.FILE) or "{}").get("data-root")
    except (ValueError, AttributeError):
        root = ""
    # With userns-remap the engine names a folder of the users' number in its data root.
    root = re.sub(r"/\d{4,}\.\d{4,}/?$", "", root) if isinstance(root, str) else root
    usable = isinstance(root, str) and root.startswith("/") and root.strip("/")
    return [root if usable else "/var/lib/docker", CONTAINERD]


def engine_data(host: Host, root: str) -> List[str]:
    """Return what the engine keeps in a folder: all of its own, of one that others may use what bears its names."""
    if root in OWN_FOLDERS:
        return host.glob(root + "/*")
    remapped = [path for path in host.glob(root + "/[0-9]*.[0-9]*") if re.search(r"/\d{4,}\.\d{4,}$", path)]
    return remapped + host.glob(*("%s/%s" % (root, name) for name in ENGINE_DATA))
