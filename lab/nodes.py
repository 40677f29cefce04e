"""What the containers of a lab are called and how they are started: pure functions over plain data."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.run import LabError

PLATFORMS = ("debian12", "debian13", "ubuntu2404", "rocky9")
SERVICES = ("dns", "upstream")
# Debian 13's systemd refuses version 1 cgroups unless told twice.
LEGACY_CGROUPS = ("SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "systemd.unified_cgroup_hierarchy=0")
NODE_OPTIONS = (
    # All that --privileged gives and these machines have; SYS_RESOURCE is not always to be had.
    *("--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--security-opt=seccomp=unconfined"),
    *("--security-opt=apparmor=unconfined", "--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw"),
    # Nested engines and user namespaces need /proc without read-only and hidden parts.
    "--security-opt=systempaths=unconfined",
    *("--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp:exec"),
    # Nested engines need a real filesystem below them, not another overlay.
    *("--volume=/var/lib/docker", "--volume=/var/lib/containerd"),
    # Loop devices and FUSE, for SingularityCE.
    *("--device-cgroup-rule=b 7:* rwm", "--device-cgroup-rule=c 10:* rwm"),
    *("--publish=127.0.0.1::22", "--env=container=docker"),
)


@dataclass(frozen=True)
class Container:
    """One container of a lab. Its digest tells whether a running one is still what is wanted."""

    node: str
    platform: str
    image: str
    options: Sequence[str] = ()
    command: Sequence[str] = ()

    @property
    def digest(self) -> str:
        parts = (self.node, self.platform, self.image, *self.options, "", *self.command)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def parse(words: Iterable[str]) -> dict[str, str]:
    """Node names to platforms, from `debian12` and `second=debian12`; all platforms when nothing is named."""
    wanted: dict[str, str] = {}
    for word in list(words) or PLATFORMS:
        node, _, platform = word.partition("=")
        platform = platform or node
        if word in SERVICES:
            continue
        if platform not in PLATFORMS:
            raise LabError(f"no platform {platform!r}: choose from {', '.join(PLATFORMS)}")
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", node) or node in SERVICES:
            raise LabError(f"{node!r} cannot name a node: use lower-case letters, digits and dashes")
        wanted[node] = platform
    return wanted


def ssh_config(ports: dict[str, int], key: Path) -> str:
    """An ssh client configuration with one stanza a node."""
    stanza = """Host {node}
  HostName 127.0.0.1
  Port {port}
  User admin
  IdentityFile "{key}"
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""
    return "\n".join(stanza.format(node=node, port=port, key=key) for node, port in sorted(ports.items()))


def inventory(ssh_config: str) -> dict[str, object]:
    """Ansible's groups of the nodes that an ssh configuration names, or of all platforms where it names none."""
    up = re.findall(r"^Host (\S+)$", ssh_config, re.MULTILINE) or list(PLATFORMS)
    return {
        **{group: {"hosts": up} for group in ("container_hosts", "singularity_hosts", "golang_hosts")},
        "registry_hosts": {"hosts": [node for node in up if node == "debian13"]},
        # So that Ansible does not ask for each host's variables, of which there are none here.
        "_meta": {"hostvars": {}},
    }


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in aligned columns; the first is the heading."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
