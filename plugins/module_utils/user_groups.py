"""The section ``user_groups`` of the probe: groups, their members, and the record of what Slipway gave.

The name service is asked (``getent``), so users and groups of a directory (LDAP, NIS) count like local ones. What can
be changed is ``/etc/group`` alone. ``observe`` reads a host, ``changes`` decides, ``compare`` says it as drift.
"""

import contextlib
import json
import os
import pwd
import re
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Dict, List, Optional, Set, Tuple

from ansible_collections.slipway.node.plugins.module_utils.host import Host, drift_entry
from ansible_collections.slipway.node.plugins.module_utils.platforms import Platform

_entry = partial(drift_entry, "user_groups")

# Who is in one of these may become root by sudo.
ADMIN_GROUPS = ("sudo", "wheel", "admin", "root")
RECORD = "/var/lib/slipway/user_groups.json"


def want(inputs: Dict[str, Any], _platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: the inputs, without members where none are to be, and where the record is kept."""
    return dict(inputs, members=inputs["members"] if inputs["state"] == "present" else {}, record_file=RECORD)


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs. Changes nothing."""
    record, record_error = parse_record(host.read(want["record_file"]))
    kept = record or _empty()
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
        "doors": _doors(host) if names else [],
    }
    # A directory may hide the members of its groups; then only asking for the user tells.
    doubtful = sorted({users[user]["name"] for _group, user in _lacking(members, observed)})
    if doubtful:
        _rc, out = host.run("getent", "initgroups", *doubtful)
        further = dict((line.split()[0], line.split()[1:]) for line in out.splitlines() if line.strip())
        for user in users.values():
            if user is not None:
                user["gids"] += [int(gid) for gid in further.get(user["name"], [])]
    candidates = [name for name in kept["groups"] if name not in members and groups.get(name)]
    if candidates:
        observed["needed"] = _needed(host, dict((name, groups[name]) for name in candidates))
    observed["changes"] = changes(want, observed)
    return observed


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    todo, gids = observed["changes"], want["gids"]
    drift = []
    for name in todo["create"]:
        drift.append(_entry("create_groups", name, "missing", _a_group(gids.get(name))))
    for name, gid in todo["other_gid"]:
        drift.append(_entry("create_groups", name, "gid %d" % gid, "gid %d" % gids[name]))
    for group, user in todo["add"]:
        drift.append(_entry("add_members", "%s %s" % (group, user), "not a member", "member"))
    if want["missing_users"] == "fail":
        for group, user in todo["missing"]:
            drift.append(_entry("add_members", "%s %s" % (group, user), "no such user", "member"))
    for group, user in todo["revoke"]:
        drift.append(_entry("revoke_members", "%s %s" % (group, user), "member", "not a member"))
    for group, user, how in todo["fixed"]:
        drift.append(_entry("revoke_members", "%s %s" % (group, user), "member by %s" % how, "not a member"))
    for name in todo["remove"]:
        drift.append(_entry("remove_groups", name, "present", "absent"))
    if want["state"] == "absent" and (observed["record"] is not None or observed["record_error"]):
        drift.append(_entry("remove_groups", want["record_file"], "present", "absent"))
    return drift


def refusals(_want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed."""
    return list(observed["changes"]["refused"])


def notes(_want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of the changes."""
    return list(observed["changes"]["notes"])


def changes(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what the role has to do, what stands in its way, and what it records. Pure.

    ``create``, ``remove``: groups; ``new_groups``: those to create, with groupadd's options. ``add``, ``revoke``: pairs
    of group and user. ``other_gid``, ``missing``, ``fixed``: what only an admin can mend. ``refused``, ``notes``:
    sentences that stop the role, and that it shows. ``before``, ``after``: the record to write before anything is added
    and after everything is done, ``None`` where it is right. ``reconnect``: the groups of the run's own login change.
    """
    members, gids, groups = want["members"], want["gids"], observed["groups"]
    todo = {
        "create": [name for name in sorted(members) if groups.get(name) is None],
        "other_gid": [
            (name, groups[name]["gid"])
            for name in sorted(members)
            if groups.get(name) and name in gids and groups[name]["gid"] != gids[name]
        ],
        "add": [(group, observed["users"][user]["name"]) for group, user in _lacking(members, observed)],
        "missing": [
            (group, user) for group in sorted(members) for user in members[group] if observed["users"].get(user) is None
        ],
    }  # type: Dict[str, Any]
    todo["revoke"], todo["fixed"] = _unwanted(want, members, observed)
    leave = _leave(members, observed, todo)
    todo["remove"] = sorted(name for name, why in leave.items() if not why)
    before, after = _given(want, observed, todo)
    old = observed["record"] or _empty()
    todo["before"] = before if (todo["create"] or todo["add"]) and before != old else None
    stands = old if todo["before"] is None else before
    emptied = observed["record"] is not None and after == _empty()
    todo["after"] = after if after != stands or emptied else None
    todo["refused"] = _refused(want, observed, todo)
    todo["notes"] = [
        "The group %s, which Slipway made, stays, since it %s" % (name, why)
        for name, why in sorted(leave.items())
        if why
    ]
    skipped = sorted({user for _group, user in todo["missing"]})
    if skipped and want["missing_users"] == "skip":
        todo["notes"].insert(0, "skipped, no such user: %s" % ", ".join(skipped))
    rooted = [user for group, user in todo["add"] if group == "docker"]
    if rooted:
        todo["notes"].append(
            "Members of the group docker can start a container that mounts the whole host, so they are root in effect. "
            "Being added: %s." % ", ".join(rooted)
        )
    todo["new_groups"] = [
        {"name": name, "options": ["--gid", str(gids[name])] if name in gids else []} for name in todo["create"]
    ]
    touched = {user for _group, user in todo["add"] + todo["revoke"]}
    # Where it is not known as whom the run logged in, any change may be its own.
    todo["reconnect"] = bool(touched and (not observed["logins"] or touched & set(observed["logins"])))
    return todo


def parse_record(text: Optional[str]) -> Tuple[Optional[Dict[str, Any]], str]:
    """Read the record; return it, or ``None`` where there is none, and why it cannot be read."""
    if text is None:
        return None, ""
    try:
        data = json.loads(text)
        groups, members = data["groups"], data["members"]
        names = groups + [name for group, users in members.items() for name in [group] + users]
        if not all(isinstance(name, str) for name in names):
            raise ValueError("a name is not a string")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return None, "%s: %s" % (type(error).__name__, error)
    return {"groups": groups, "members": members}, ""


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


def _a_group(gid: Optional[int]) -> str:
    return "a group" if gid is None else "a group with gid %d" % gid


def _empty() -> Dict[str, Any]:
    return {"groups": [], "members": {}}


def _lacking(members: Dict[str, List[str]], observed: Dict[str, Any]) -> List[Tuple[str, str]]:
    """Return the wanted memberships, as group and user, that are not there though the user is."""
    lacking = []
    for group in sorted(members):
        for user in members[group]:
            account, found = observed["users"].get(user), observed["groups"].get(group)
            if account is None:
                continue
            if found is None or not (account["name"] in found["members"] or found["gid"] in account["gids"]):
                lacking.append((group, user))
    return lacking


def _unwanted(
    want: Dict[str, Any], members: Dict[str, List[str]], observed: Dict[str, Any]
) -> Tuple[List[Tuple[str, str]], List[Tuple[str, str, str]]]:
    """Return the memberships to revoke, and those that ``/etc/group`` does not hold, with what does."""
    revoke, fixed = [], []
    given = (observed["record"] or _empty())["members"]
    for group in sorted(set(members) | set(given)):
        found = observed["groups"].get(group)
        if found is None:
            continue
        listed = _listed(group, members, observed)
        strays = {user for user in given.get(group, []) if user in found["local"]}
        if group in members and group in want["exclusive"]:
            strays |= set(found["members"]) | set(found["local"])
            fixed += [(group, user, "primary group") for user in found["primary"] if user not in listed]
        for user in sorted(strays - listed):
            if user in found["local"]:
                revoke.append((group, user))
            else:
                fixed.append((group, user, "directory"))
    return revoke, fixed


def _listed(group: str, members: Dict[str, List[str]], observed: Dict[str, Any]) -> Set[str]:
    """Return the names of the users that are wanted in a group, as listed and as the name service has them."""
    accounts = [observed["users"].get(user) for user in members.get(group, [])]
    return set(members.get(group, [])) | {account["name"] for account in accounts if account}


def _given(want: Dict[str, Any], observed: Dict[str, Any], todo: Dict[str, Any]) -> Tuple[Any, Any]:
    """Return what Slipway will have given before anything is taken back, and once all is done.

    What it gave and somebody else took back is forgotten.
    """
    groups, old = observed["groups"], observed["record"] or _empty()
    before, after = _empty(), _empty()
    before["groups"] = sorted({name for name in old["groups"] if groups.get(name)} | set(todo["create"]))
    for group in sorted(set(old["members"]) | {group for group, _user in todo["add"]}):
        local = (groups.get(group) or {"local": []})["local"]
        held = {user for user in old["members"].get(group, []) if user in local} | _of(group, todo["add"])
        stay = held - _of(group, todo["revoke"])
        if held:
            before["members"][group] = sorted(held)
        if stay:
            after["members"][group] = sorted(stay)
    after["groups"] = [name for name in before["groups"] if name not in todo["remove"]]
    return before, after if want["state"] == "present" else _empty()


def _leave(members: Dict[str, List[str]], observed: Dict[str, Any], todo: Dict[str, Any]) -> Dict[str, str]:
    """Return why groups that Slipway made and that are no longer wanted cannot go; empty for one that can."""
    reasons = {}
    for name in (observed["record"] or _empty())["groups"]:
        group = observed["groups"].get(name)
        if group and name not in members:
            left = set(group["members"]) - _of(name, todo["revoke"])
            why = "has members: %s" % ", ".join(sorted(left)) if left else observed["needed"].get(name, "")
            reasons[name] = why
    return reasons


def _of(group: str, pairs: List[Tuple[str, str]]) -> Set[str]:
    return {user for name, user in pairs if name == group}


def _refused(want: Dict[str, Any], observed: Dict[str, Any], todo: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each sentence with the remedy."""
    gids, groups, refused = want["gids"], observed["groups"], []
    if observed["record_error"]:
        refused.append(
            "%s is not the record that Slipway keeps (%s). Move it away, then run again; what Slipway gave before then "
            "counts as the host's own." % (want["record_file"], observed["record_error"])
        )
    missing = sorted({user for _group, user in todo["missing"]})
    if missing and want["missing_users"] == "fail":
        refused.append(
            "no such user: %s. Correct user_groups_members, make the host know them (`getent passwd %s` must answer; "
            "does the directory's client run?), or set user_groups_missing_users: skip."
            % (", ".join(missing), missing[0])
        )
    for name, gid in todo["other_gid"]:
        refused.append(
            "%s has gid %d, and user_groups_gids wants %d. A group's files keep the old number, so change it by hand "
            "(`groupmod --gid %d %s`, then chgrp what gid %d owned), or take it out of user_groups_gids."
            % (name, gid, gids[name], gids[name], name, gid)
        )
    for name in todo["create"]:
        owner = observed["gid_owners"].get(str(gids.get(name)))
        if owner is not None:
            refused.append(
                "gid %d, wanted for %s, is that of %s. Choose another in user_groups_gids." % (gids[name], name, owner)
            )
    for name in sorted({group for group, _user in todo["add"] if groups.get(group) and not groups[group]["is_local"]}):
        refused.append(
            "%s is a group of a directory (LDAP, NIS), and this role changes /etc/group alone. Add %s there, or name a "
            "local group." % (name, ", ".join(user for group, user in todo["add"] if group == name))
        )
    for group, user, how in todo["fixed"]:
        remedy = "Give them another with `usermod --gid`" if how == "primary group" else "Take them out there"
        refused.append(
            "%s is a member of %s by %s, which this role does not change. %s, or list them in user_groups_members."
            % (user, group, how, remedy)
        )
    for group, user in todo["revoke"]:
        if user in observed["logins"] and any(fnmatchcase(group, door) for door in observed["doors"]):
            refused.append(
                "This run logs in as %s. Removing %s from %s would end that login's right to log in or to use sudo. "
                "List %s in user_groups_members; if there is another way in, run `gpasswd -d %s %s`, then this again."
                % (user, user, group, user, user, group)
            )
    for group in sorted({group for group, _user in todo["revoke"]} & set(ADMIN_GROUPS) & set(want["exclusive"])):
        listed = want["members"][group]
        # An empty list says that nobody is to be in it.
        if listed and not any(observed["users"].get(user) for user in listed):
            refused.append(
                "%s would lose its members (%s), and of those listed there is none (%s). List one who exists in "
                "user_groups_members." % (group, ", ".join(sorted(_of(group, todo["revoke"]))), ", ".join(listed))
            )
    return refused


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
            needed[name] = "owns the socket of the Docker engine"
    return needed


def _doors(host: Host) -> List[str]:
    """Return the groups that let somebody log in or use sudo, of which those of sshd may be patterns."""

    def read(*patterns: str) -> str:
        return re.sub("#.*", "", "\n".join(host.read(path) or "" for path in host.glob(*patterns)))

    sshd = re.findall(r"(?im)^\s*AllowGroups\b(.*)", read("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*.conf"))
    doors = set(ADMIN_GROUPS) | set(" ".join(sshd).replace('"', " ").split())
    doors |= set(re.findall(r"%([^\s,:=]+)", read("/etc/sudoers", "/etc/sudoers.d/*")))
    doors |= set(re.findall(r"\(([^\s()]+)\)", read("/etc/security/access.conf")))
    # That everybody may log in is nothing to lose.
    return sorted(doors - {"*"})


def _logins(host: Host) -> List[str]:
    """Return whom the connection may have logged in as: sudo's and doas's word for it, and the audit's."""
    names = {os.environ.get("SUDO_USER", ""), os.environ.get("DOAS_USER", "")}
    # Without an audit's login uid it is -1, which nobody has.
    with contextlib.suppress(ValueError, KeyError, OverflowError):
        names.add(pwd.getpwuid(int(host.read("/proc/self/loginuid") or "")).pw_name)
    return sorted(names - {""})
