"""What a host has of Singularity: versions and their files, links, configuration, profile, ranges of ids."""

import grp
import os
import pwd
import re
from typing import Any, Dict, List, Optional, Set, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.trees import (
    COMMAND_FOLDERS,
    disk,
    mount_options,
    running_programs,
)
from ansible_collections.slipway.node.plugins.module_utils.singularity import kernel, tree
from ansible_collections.slipway.node.plugins.module_utils.singularity.build import installed_packages
from ansible_collections.slipway.node.plugins.module_utils.singularity.commands import COMMANDS
from ansible_collections.slipway.node.plugins.module_utils.singularity.configuration import config_values, parse_config
from ansible_collections.slipway.node.plugins.module_utils.singularity.credentials import pbkdf2_sum
from ansible_collections.slipway.node.plugins.module_utils.singularity.modulefiles import MODULE_FOLDERS, MODULE_MARK
from ansible_collections.slipway.node.plugins.module_utils.singularity.subordinate_ids import (
    Range,
    parse_ranges,
    users_without_range,
)

# How sssd maps a domain's ids where it is not told otherwise: by slices, from the first on.
SSSD_FIRST, SSSD_SLICE = 200000, 200000


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`plan` needs. Changes nothing."""
    place = os.path.dirname(want["tree"])
    found = {os.path.dirname(path) for path in host.glob(os.path.join(want["root"], "*", tree.MANIFEST))}
    # A link to a version is no version.
    places = sorted({place for place in found if not os.path.islink(place)} | {want["tree"]})
    trees = dict((place, _tree(host, place, want)) for place in places)
    candidates = [place for place in places if trees[place]["manifest"]]
    source = _subid_source(host)
    accounts, gone = _accounts(host, want)
    observed = {
        "trees": dict((place, one) for place, one in trees.items() if one["exists"]),
        "link": _link(want["link"]) if want["link"] else "",
        "current": _link(want["current"]),
        "commands": _commands(want) if want["link"] else {},
        "config": parse_config(host.read(want["config_file"]) or ""),
        "packages": installed_packages(host, want["manager"], want["packages"]),
        "files": dict((one["path"], _file(host, one)) for one in want["files"]),
        "missing_groups": sorted(
            name
            for name in {one["group"] for one in want["files"]} - {"root"}
            if host.run("getent", "group", name)[0] != 0
        ),
        "unwanted_files": host.glob(*want["unwanted_files"]),
        "modulefiles": _modulefiles(host, want),
        "directories": dict((one["path"], _mode(one["path"])) for one in want["directories"]),
        "accounts": accounts,
        "gone_members": gone,
        "subid_source": source,
        "subid": _ranges(host, source, sorted(accounts)),
        "running_programs": running_programs(candidates),
        "disk": disk(host, place, want["need"]),
        "tmpdir_options": mount_options(want["tmpdir"]) if want["tmpdir"] else [],
        "sysctl": dict((name, (host.read(_proc(name)) or "").strip()) for name in kernel.NAMESPACES),
        "sysctl_at_boot": _at_boot(host),
        "sysctl_file": host.read(kernel.SYSCTL_FILE) or "",
        "apparmor_restricts": (host.read(kernel.APPARMOR_RESTRICTS) or "").strip() == "1",
        "apparmor_file": _file(host, want["apparmor"]),
        "apparmor_loaded": want["apparmor"]["profile"] in (host.read("/sys/kernel/security/apparmor/profiles") or ""),
    }  # type: Dict[str, Any]
    lacking = sorted(users_without_range(observed))
    observed["known_ids"] = _known_ids(host, lacking) if lacking else []
    binds = want["config"].get("bind path", observed["config"].get("bind path", []))
    observed["missing_binds"] = [one for one in config_values(binds) if not host.glob(one.split(":")[0])]
    return observed


def _modulefiles(host: Host, want: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return the modulefiles that are there, and whether an earlier run wrote them for this root."""
    folders = set(MODULE_FOLDERS) | ({want["modulefiles"]["folder"]} - {""})
    names = {commands[0] for commands in COMMANDS.values()}
    files = host.glob(
        *["%s/%s/%s" % (one, name, end) for one in folders for name in names for end in ("*", ".version")]
    )
    found = {}
    for path in files:
        text = host.read(path) or ""
        managed = text.startswith(MODULE_MARK % want["root"])
        found[path] = dict(_about(path), text=text if managed else "", managed=managed)
    return found


def _tree(host: Host, place: str, want: Dict[str, Any]) -> Dict[str, Any]:
    text = host.read(os.path.join(place, tree.MANIFEST))
    manifest, error = tree.parse_manifest(text) if text is not None else (None, "")
    found = {
        "exists": os.path.lexists(place),
        "empty": os.path.isdir(place) and not os.listdir(place),
        "manifest": None,
        "error": error,
        "damage": [],
    }  # type: Dict[str, Any]
    if manifest:
        found["manifest"] = dict((key, value) for key, value in manifest.items() if key != "files")
        if place == want["tree"]:
            paths = [one["path"] for one in manifest["files"]]
            found["damage"] = tree.damage(
                manifest["files"], dict((path, tree.describe(os.path.join(place, path))) for path in paths)
            )
    return found


def _link(path: str) -> str:
    if os.path.islink(path):
        return os.path.join(os.path.dirname(path), os.readlink(path))
    return "not a link" if os.path.exists(path) else ""


def _commands(want: Dict[str, Any]) -> Dict[str, str]:
    """Return where links to commands lead, of those that are wanted and those that an earlier run may have made."""
    names = sorted({name for commands in COMMANDS.values() for name in commands})
    folders = set(COMMAND_FOLDERS) | ({want["commands_dir"]} if want["commands_dir"] else set())
    paths = set(want["commands"]) | {"%s/%s" % (folder, name) for folder in folders for name in names}
    return dict((path, _link(path)) for path in sorted(paths) if os.path.lexists(path))


def _file(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    data = host.read_bytes(want["path"])
    if data is None:
        same = False
    elif "sum" in want:
        same = pbkdf2_sum(data, want["salt"]) == want["sum"]
    else:
        same = data == want["content"].encode("utf-8")
    wanted = not want.get("only_with") or bool(host.glob(want["only_with"]))
    return dict(_about(want["path"]), exists=data is not None, same=same, wanted=wanted)


def _about(path: str) -> Dict[str, Any]:
    return {"exists": os.path.lexists(path), "mode": _mode(path), "owner": _owner(path)}


def _owner(path: str) -> str:
    """Return owner and group of a file, by name where they have one."""
    found = tree.describe(path)
    if not found:
        return ""
    names = []
    for number, known in zip(found["owner"].split(":"), (pwd.getpwuid, grp.getgrgid)):
        try:
            names.append(str(known(int(number))[0]))
        except KeyError:
            names.append(number)
    return ":".join(names)


def _mode(path: str) -> str:
    found = tree.describe(path)
    return found["mode"] if found else ""


def _accounts(host: Host, want: Dict[str, Any]) -> Tuple[Dict[str, Optional[int]], List[str]]:
    """Return whose ranges are wanted, with the uid, ``None`` for one who does not exist, and members who are gone."""
    if want["state"] == "absent":
        return {}, []
    names = set(want["fakeroot_users"])
    members: Set[str] = set()
    missing = []  # type: List[str]
    for group in want["fakeroot_groups"]:
        rc, out = host.run("getent", "group", group)
        if rc == 0:
            members.update(name for name in out.strip().split(":")[3].split(",") if name)
            members.update(_primary_members(host, out.split(":")[2]))
        elif group not in want["made_groups"]:
            missing.append("group %s" % group)
    asked = sorted(names | members)
    passwd = _parse_passwd(host.run("getent", "passwd", *asked)[1]) if asked else []
    found = dict((fields[0], int(fields[2])) for fields in passwd)
    gone = members - names - set(found)
    return dict((name, found.get(name)) for name in asked + missing if name not in gone), sorted(gone)


def _known_ids(host: Host, users: List[str]) -> List[Tuple[int, int]]:
    """Return the ids that users and groups have, as first and count; with sssd those that it may give to others too."""
    slices = re.search(r"^\s*passwd:.*\bsss\b", host.read("/etc/nsswitch.conf") or "", re.MULTILINE)
    known: Set[Tuple[int, int]] = set()
    # A directory may list nobody, but answers for those who are asked for.
    for command in (["passwd"], ["group"], ["passwd"] + users):
        for line in host.run("getent", *command)[1].splitlines():
            for number in [int(one) for one in line.split(":")[2:4] if one.isdigit()]:
                start = number - (number - SSSD_FIRST) % SSSD_SLICE
                known.add((start, SSSD_SLICE) if slices and number >= SSSD_FIRST else (number, 1))
    return sorted(known)


def _primary_members(host: Host, gid: str) -> List[str]:
    """Return whose primary group it is: of local users, and of a directory's where it lists them."""
    return [fields[0] for fields in _parse_passwd(host.run("getent", "passwd")[1]) if fields[3] == gid]


def _parse_passwd(text: str) -> List[List[str]]:
    lines = [line.split(":") for line in text.splitlines()]
    return [fields for fields in lines if len(fields) >= 7 and fields[2].isdigit()]


def _subid_source(host: Host) -> str:
    """Return where ranges of ids come from, as nsswitch.conf says: ``files``, or a directory such as ``sss``."""
    found = re.search(r"^\s*subid:\s*([a-z]+)", host.read("/etc/nsswitch.conf") or "", re.MULTILINE)
    return found.group(1) if found else "files"


def _ranges(host: Host, source: str, users: List[str]) -> Dict[str, List[Range]]:
    if source == "files":
        return dict((name, parse_ranges(host.read("/etc/" + name) or "")) for name in ("subuid", "subgid"))
    asked = {"subuid": [], "subgid": []}  # type: Dict[str, List[Range]]
    for user in users:
        for name, option in (("subuid", []), ("subgid", ["-g"])):
            # 0: alice 100000 65536
            found = re.findall(r"^[0-9]+: \S+ ([0-9]+) ([0-9]+)$", host.run("getsubids", *(option + [user]))[1], re.M)
            asked[name] += [(user, int(first), int(count)) for first, count in found]
    return asked


def _at_boot(host: Host) -> Dict[str, Dict[str, Any]]:
    """Return what the kernel's settings become at boot, the file, and whether it comes after Slipway's own."""
    paths = [path for folder in kernel.SYSCTL_FOLDERS for path in host.glob(folder + "/*.conf")]
    files = [(path, host.read(path) or "") for path in paths]
    found = dict((name, kernel.boot_value(files, name)) for name in kernel.NAMESPACES)
    own = os.path.basename(kernel.SYSCTL_FILE)
    return dict(
        (name, {"value": value, "file": path, "last": os.path.basename(path) > own})
        for name, (value, path) in found.items()
        if path
    )


def _proc(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")
