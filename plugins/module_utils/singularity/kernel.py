"""What the kernel lets ordinary users' containers do: user namespaces, and AppArmor's word on them."""

import os
from typing import Any, Dict, Iterable, List, Tuple

APPARMOR_RESTRICTS = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
NAMESPACES = {"user.max_user_namespaces": "15000", "kernel.unprivileged_userns_clone": "1"}
# The folders of settings that the kernel gets at boot, the weakest first, and Slipway's own file.
SYSCTL_FOLDERS = ("/usr/lib/sysctl.d", "/usr/local/lib/sysctl.d", "/run/sysctl.d", "/etc/sysctl.d")
SYSCTL_FILE = "/etc/sysctl.d/90-slipway-singularity.conf"


def boot_value(files: Iterable[Tuple[str, str]], key: str) -> Tuple[str, str]:
    """Return the value that a setting of the kernel gets at boot and the file that says so; empty where none does.

    :param files: path and text of each file of sysctl.d, those of the stronger folders last.
    """
    # Of files with one name, that of the stronger folder counts; then they are read by name, whatever the folder.
    by_name = dict((os.path.basename(path), (path, text)) for path, text in files)
    value, source = "", ""
    for _name, (path, text) in sorted(by_name.items()):
        for line in text.splitlines():
            left, equals, right = line.strip().lstrip("-").partition("=")
            if equals and left.strip().replace("/", ".") == key:
                value, source = right.strip(), path
    return value, source


def needs_namespaces(want: Dict[str, Any]) -> bool:
    """Tell whether user namespaces are needed: the setuid program runs containers without, but for --fakeroot."""
    return bool(not want["setuid"] or want["fakeroot_users"] or want["fakeroot_groups"])


def blocking_settings(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the settings of the kernel that forbid user namespaces, now or at the next boot, where they are needed."""
    at_boot = observed["sysctl_at_boot"]
    return [
        name
        for name, value in sorted(observed["sysctl"].items())
        if needs_namespaces(want) and (value == "0" or (value and at_boot.get(name, {}).get("value") == "0"))
    ]


def sysctl_text(text: str, names: List[str]) -> str:
    """Return the text of Slipway's own file with these settings in it; what an earlier run wrote of others stays."""
    kept = [line for line in text.splitlines() if line.partition("=")[0].strip() not in names]
    return "".join("%s\n" % line for line in kept + ["%s = %s" % (name, NAMESPACES[name]) for name in names])
