"""Rules by which auditd watches the engine's files, as the CIS benchmark for Docker wants them (1.1.3 to 1.1.18)."""

import re
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.unit import HEADER
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.phases import LATER
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Plan, action

RULES = "/etc/audit/rules.d/*.rules"
FILE = "/etc/audit/rules.d/slipway-docker.rules"
# Without containerd's socket (1.1.8), whose folder is watched. That is not there when rules are loaded at boot, and
# auditctl would leave out all rules after one whose folder is missing. The folder's own rule is taken then,
# though it covers what is in it only once the rules are loaded with the folder there; auditctl -l shows no difference.
PATHS = (
    *("/usr/bin/dockerd", "/run/containerd", "/var/lib/docker", "/etc/docker"),
    *("/usr/lib/systemd/system/docker.service", "/usr/lib/systemd/system/docker.socket", "/etc/default/docker"),
    *("/etc/docker/daemon.json", "/etc/containerd/config.toml", "/etc/sysconfig/docker", "/usr/bin/containerd"),
    *("/usr/bin/containerd-shim", "/usr/bin/containerd-shim-runc-v1", "/usr/bin/containerd-shim-runc-v2"),
    "/usr/bin/runc",
)
NO_KERNEL = (
    "docker_daemon_audit is true, and this host's kernel takes no audit rules (`auditctl -s` fails), as in a container."
    " Leave docker_daemon_audit out here."
)
NO_AUDITD = (
    "docker_daemon_audit is true, and auditd is not installed. Install its package (auditd; audit on Enterprise Linux),"
    " or leave docker_daemon_audit out."
)


def observe(host: Host, wanted: bool) -> Dict[str, Any]:
    """Read the rules of a host: Slipway's file, the paths that the site's own rules have, and what the kernel says."""
    # The kernel takes no rule for what is not there; what comes later is drift then.
    watched = [path for path in PATHS if wanted and host.glob(path)]
    has_auditctl = bool(host.glob("/usr/sbin/auditctl", "/sbin/auditctl"))
    _rc, loaded = host.run("auditctl", "-l") if has_auditctl and watched else (0, "")
    # auditctl leaves out all rules after one that it has already: a path of the site's own rules is left to them.
    site_rules = [host.read(path) or "" for path in host.glob(RULES) if wanted and path != FILE]
    site_paths = re.findall(r"(?m)^\s*-w\s+(\S+?)/*(?=\s|$)", "\n".join(site_rules))
    is_ = host.read(FILE)
    rc, status = host.run("auditctl", "-s") if has_auditctl and (wanted or is_ is not None) else (0, "")
    return {
        "is": is_,
        "wanted": wanted,
        "present": watched,
        "site_paths": site_paths,
        "has_auditctl": has_auditctl,
        # In a container it does not.
        "kernel_takes_rules": rc == 0,
        "unwatched": [path for path in watched if "-w %s -p" % path not in loaded],
        # Until the next boot.
        "immutable": "enabled 2" in status,
    }


def rules(observed: Dict[str, Any]) -> Optional[str]:
    """Return what Slipway's file is to hold, ``None`` for no file."""
    own = [path for path in observed["present"] if path not in observed["site_paths"]]
    return HEADER + "".join("-w %s -p rwxa -k docker\n" % path for path in own) if observed["wanted"] else None


def plan(observed: Dict[str, Any]) -> Plan:
    """Return what differs of the rules. Those that the kernel takes at the next boot alone are for later."""
    is_, to_be, paths = observed["is"], rules(observed), observed["unwatched"]
    load = [["command", ["augenrules", "--load"]]] * (observed["has_auditctl"] and not observed["immutable"])
    if is_ == to_be:
        # The first loads all.
        lines = [action(one, "not watched by auditd", "watched", *load * (one == paths[0])) for one in paths]
        return {LATER if observed["immutable"] else "watch_files": lines}
    if to_be is None:
        return {"watch_files": [action(FILE, "present", "absent", ["remove", FILE], *load)]}
    state, wanted = "absent" if is_ is None else "other content", "rules for the engine's files"
    return {"watch_files": [action(FILE, state, wanted, ["write", FILE, to_be, 0o640], *load)]}


def refusals(observed: Dict[str, Any]) -> List[str]:
    """Return what stands in the way, with its remedy."""
    if not observed["wanted"] or (observed["has_auditctl"] and observed["kernel_takes_rules"]):
        return []
    return [NO_KERNEL if observed["has_auditctl"] else NO_AUDITD]
