"""What a host has of groups and users.

The name service is asked (``getent``), so users and groups of a directory (LDAP, NIS) count like local ones.
"""

import contextlib
import os
import pwd
import re
from typing import Any, Dict, List, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.user_groups.plan import (
    ADMIN_GROUPS,
    ENGINE_NEEDS,
    lacking_members,
)
from ansible_collections.slipway.node.plugins.module_utils.user_groups.record import empty_record, parse_record


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`plan` needs. Changes nothing."""
    record, record_error = parse_record(host.read(want["record_file"]))
    kept = record or empty_record()
    members = want["members"]
    names = sorted(set(members) | set(kept["groups"]) | set(kept["members"]))
    groups, others = _groups(host, names, [gid for name, gid in want["gids"].items() if name in members])
    users = _users(host, sorted({user for listed in members.values() for user in listed}))
    observed = {
        "groups": groups,
        "users": users,
        "gid_owners": others,
        "record": record,
        "record_error": record_error,
        "record_folder": bool(host.glob(os.path.dirname(want["record_file"]))),
        "needed": {},
        "logins": _logins(host) if names else [],
        "login_groups": _login_groups(host) if names else [],
    }
    # A directory may hide the members of its groups; then only asking for the user tells.
    unconfirmed = sorted({users[user]["name"] for _group, user in lacking_members(members, observed)})
    if unconfirmed:
        _rc, out = host.run("getent", "initgroups", *unconfirmed)
        further = dict((line.split()[0], line.split()[1:]) for line in out.splitlines() if line.strip())
        for user in users.values():
            if user is not None:
                user["gids"] += [int(gid) for gid in further.get(user["name"], [])]
    candidates = [name for name in kept["groups"] if name not in members and groups.get(name)]
    if candidates:
        observed["needed"] = _needed(host, dict((name, groups[name]) for name in candidates))
    return observed


def parse_group(text: str) -> Dict[str, Dict[str, Any]]:
    """Read lines of a group database: gid and members by name. The marks of NIS (+, -) are no groups."""
    groups = {}  # type: Dict[str, Dict[str, Any]]
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) == 4 and fields[2].isdigit() and fields[0][:1] not in ("+", "-", "#"):
            members = [name.strip() for name in fields[3].split(",") if name.strip()]
            groups.setdefault(fields[0], {"gid": int(fields[2]), "members": members})
    return groups


def parse_passwd(text: str) -> List[Tuple[str, int]]:
    """Read lines of a user database: name and primary gid."""
    lines = [line.split(":") for line in text.splitlines()]
    return [(fields[0], int(fields[3])) for fields in lines if len(fields) >= 7 and fields[3].isdigit()]


def _groups(host: Host, names: List[str], gids: List[int]) -> Tuple[Dict[str, Any], Dict[str, str]]:
    """Return the groups by name, ``None`` for one that is missing, and the names that have the wanted gids."""
    if not names:
        return {}, {}
    # A number as a key is a gid: who has it is asked along.
    _rc, out = host.run("getent", "group", *(names + [str(gid) for gid in gids]))
    known, local = parse_group(out), parse_group(host.read("/etc/group") or "")
    passwd = parse_passwd(host.read("/etc/passwd") or "")
    groups = {}  # type: Dict[str, Any]
    for name in names:
        if name in known:
            groups[name] = dict(known[name])
            groups[name]["is_local"] = name in local
            groups[name]["local"] = local.get(name, {"members": []})["members"]
            groups[name]["primary"] = [user for user, gid in passwd if gid == known[name]["gid"]]
        else:
            groups[name] = None
    owners = dict((str(group["gid"]), name) for name, group in known.items() if group["gid"] in gids)
    return groups, owners


def _users(host: Host, names: List[str]) -> Dict[str, Any]:
    """Return each user's name in the name service and gids, ``None`` for one that does not exist.

    A directory may answer with another name than was asked: ``alice`` for ``alice@example.org``.
    """
    users = dict((name, None) for name in names)  # type: Dict[str, Any]
    # getent takes a name of digits alone, such as a student's number, for a uid.
    asked = [name for name in names if not name.isdigit()]
    found = parse_passwd(host.run("getent", "passwd", *asked)[1]) if asked else []
    by_name = dict(found)
    for index, name in enumerate(asked):
        if name in by_name:
            answer = (name, by_name[name])
        elif len(found) == len(asked):
            answer = found[index]
        else:
            answer = next(iter(parse_passwd(host.run("getent", "passwd", name)[1])), ("", 0))
        if answer[0]:
            users[name] = {"name": answer[0], "gids": [answer[1]]}
    for name in sorted(set(names) - set(asked)):
        if host.run("id", "-un", name)[1].strip() == name:
            users[name] = {"name": name, "gids": [int(host.run("id", "-g", name)[1])]}
    return users


def _needed(host: Host, groups: Dict[str, Any]) -> Dict[str, str]:
    """Return why groups cannot be removed."""
    _rc, out = host.run("ps", "-e", "-o", "egid=", "-o", "rgid=")
    running = set(out.split())
    needed = {}
    for name, group in groups.items():
        if group["primary"]:
            needed[name] = "is the primary group of %s" % ", ".join(group["primary"])
        elif str(group["gid"]) in running:
            needed[name] = "is the group of a running process"
        elif name == "docker" and host.glob("/usr/bin/dockerd"):
            needed[name] = ENGINE_NEEDS
    return needed


def _login_groups(host: Host) -> List[str]:
    """Return the groups that let somebody log in or use sudo, of which those of sshd may be patterns."""

    def read(*patterns: str) -> str:
        return re.sub("#.*", "", "\n".join(host.read(path) or "" for path in host.glob(*patterns)))

    sshd = re.findall(r"(?im)^\s*AllowGroups\b(.*)", read("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*.conf"))
    groups = set(ADMIN_GROUPS) | set(" ".join(sshd).replace('"', " ").split())
    groups |= set(re.findall(r"%([^\s,:=]+)", read("/etc/sudoers", "/etc/sudoers.d/*")))
    groups |= set(re.findall(r"\(([^\s()]+)\)", read("/etc/security/access.conf")))
    # That everybody may log in is nothing to lose.
    return sorted(groups - {"*"})


def _logins(host: Host) -> List[str]:
    """Return whom the connection may have logged in as: sudo's and doas's word for it, and the audit's."""
    names = {os.environ.get("SUDO_USER", ""), os.environ.get("DOAS_USER", "")}
    # Without an audit's login uid it is -1, which nobody has.
    with contextlib.suppress(ValueError, KeyError, OverflowError):
        names.add(pwd.getpwuid(int(host.read("/proc/self/loginuid") or "")).pw_name)
    return sorted(names - {""})
