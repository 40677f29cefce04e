"""What differs of groups and members from what is wanted, what stands in the way, and what is to be done.

What can be changed is ``/etc/group`` alone. ``changes`` decides, ``plan`` says how.
"""

from fnmatch import fnmatchcase
from typing import Any, Dict, List, Set, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Plan, action
from ansible_collections.slipway.node.plugins.module_utils.user_groups.record import empty_record

# Who is in one of these may become root by sudo.
ADMIN_GROUPS = ("sudo", "wheel", "admin", "root")
ENGINE_NEEDS = "owns the socket of the Docker engine"


def plan(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    """Return what differs, and by which commands it is mended."""
    todo, gids = changes(want, observed), want["gids"]
    create, add, revoke = [], [], []
    for name in todo["create"]:
        options = ["--gid", str(gids[name])] if name in gids else []
        # 9: a group of that name exists by now; the proof looks at it.
        command = ["command", ["groupadd", "--system"] + options + [name], (0, 9)]
        create.append(action(name, "missing", "a group with gid %d" % gids[name] if options else "a group", command))
    for name, gid in todo["other_gid"]:
        create.append(action(name, "gid %d" % gid, "gid %d" % gids[name]))
    for group, user in todo["add"]:
        # It leaves the other members, and takes users of any source.
        command = ["command", ["gpasswd", "-a", user, group]]
        add.append(_membership(observed, group, user, "not a member", "member", command))
    if want["missing_users"] == "fail":
        add += [action("%s %s" % pair, "no such user", "member") for pair in todo["missing"]]
    for group, user in todo["revoke"]:
        command = ["command", ["gpasswd", "-d", user, group]]
        revoke.append(_membership(observed, group, user, "member", "not a member", command))
    for group, user, how in todo["not_local"]:
        revoke.append(action("%s %s" % (group, user), "member by %s" % how, "not a member"))
    remove = [action(name, "present", "absent", ["command", ["groupdel", name]]) for name in todo["remove"]]
    if want["state"] == "absent" and (observed["record"] is not None or observed["record_error"]):
        remove.append(action(want["record_file"], "present", "absent"))
    return {"create_groups": create, "add_members": add, "revoke_members": revoke, "remove_groups": remove}


def _membership(
    observed: Dict[str, Any], group: str, user: str, is_: str, wanted: str, command: List[Any]
) -> Dict[str, Any]:
    # Where it is not known as whom the run logged in, any change may be its own.
    own = {"of_login": group} if user in (observed["logins"] or [user]) else {}
    return action("%s %s" % (group, user), is_, wanted, command, **own)


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed."""
    return list(changes(want, observed)["refused"])


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of the changes."""
    return list(changes(want, observed)["notes"])


def changes(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what the role has to do, what stands in its way, and what it records. Pure.

    ``create``, ``remove``: groups. ``add``, ``revoke``: pairs of group and user. ``other_gid``, ``missing``,
    ``not_local``: what only an admin can mend. ``refused``, ``notes``: sentences that stop the role, and that it shows.
    ``before``, ``after``: the record to write before anything is added and after everything is done, ``None`` where it
    is right.
    """
    members, gids, groups = want["members"], want["gids"], observed["groups"]
    todo = {
        "create": [name for name in sorted(members) if groups.get(name) is None],
        "other_gid": [
            (name, groups[name]["gid"])
            for name in sorted(members)
            if groups.get(name) and name in gids and groups[name]["gid"] != gids[name]
        ],
        "add": [(group, observed["users"][user]["name"]) for group, user in lacking_members(members, observed)],
    }  # type: Dict[str, Any]
    unknown = [(group, user) for group in sorted(members) for user in members[group] if not observed["users"].get(user)]
    # Who is in the group, as the host knew the account once.
    gone = {user for group, user in unknown if user in (groups.get(group) or {"local": []})["local"]}
    todo["missing"] = [pair for pair in unknown if pair[1] not in gone]
    todo["revoke"], todo["not_local"] = _unwanted(want, members, observed)
    blockers = _removal_blockers(members, observed, todo)
    todo["remove"] = sorted(name for name, why in blockers.items() if not why)
    before, after = _records(want, observed, todo)
    old = observed["record"] or empty_record()
    todo["before"] = before if (todo["create"] or todo["add"]) and before != old else None
    current = old if todo["before"] is None else before
    emptied = observed["record"] is not None and after == empty_record()
    todo["after"] = after if after != current or emptied else None
    todo["refused"] = _refused(want, observed, todo)
    todo["notes"] = [
        "The group %s, which Slipway made, stays, since it %s" % (name, why)
        for name, why in sorted(blockers.items())
        # On removal the engine may go before it.
        if why and not (why == ENGINE_NEEDS and want["state"] == "absent")
    ]
    skipped = sorted({user for _group, user in todo["missing"]})
    if skipped and want["missing_users"] == "skip":
        todo["notes"].insert(0, "skipped, no such user: %s" % ", ".join(skipped))
    if gone:
        todo["notes"].append(
            "These members are no users of the host any more: %s. Take them out of user_groups_members, or see whether "
            "the directory's client runs." % ", ".join(sorted(gone))
        )
    docker_users = [user for group, user in todo["add"] if group == "docker"]
    if docker_users:
        todo["notes"].append(
            "Members of the group docker can start a container that mounts the whole host, so they are root in effect. "
            "Being added: %s." % ", ".join(docker_users)
        )
    return todo


def lacking_members(members: Dict[str, List[str]], observed: Dict[str, Any]) -> List[Tuple[str, str]]:
    """Return the wanted memberships, as group and user, that are not there though the user is."""
    missing = []
    for group in sorted(members):
        for user in members[group]:
            account, found = observed["users"].get(user), observed["groups"].get(group)
            if account is None:
                continue
            if found is None or not (account["name"] in found["members"] or found["gid"] in account["gids"]):
                missing.append((group, user))
    return missing


def _unwanted(
    want: Dict[str, Any], members: Dict[str, List[str]], observed: Dict[str, Any]
) -> Tuple[List[Tuple[str, str]], List[Tuple[str, str, str]]]:
    """Return the memberships to revoke, and those that ``/etc/group`` does not hold, with what does."""
    revoke, not_local = [], []
    given = (observed["record"] or empty_record())["members"]
    for group in sorted(set(members) | set(given)):
        found = observed["groups"].get(group)
        if found is None:
            continue
        listed = _listed(group, members, observed)
        surplus = {user for user in given.get(group, []) if user in found["local"]}
        if group in members and group in want["exclusive"]:
            surplus |= set(found["members"]) | set(found["local"])
            not_local += [(group, user, "primary group") for user in found["primary"] if user not in listed]
        for user in sorted(surplus - listed):
            if user in found["local"]:
                revoke.append((group, user))
            else:
                not_local.append((group, user, "directory"))
    return revoke, not_local


def _listed(group: str, members: Dict[str, List[str]], observed: Dict[str, Any]) -> Set[str]:
    """Return the names of the users that are wanted in a group, as listed and as the name service has them."""
    accounts = [observed["users"].get(user) for user in members.get(group, [])]
    return set(members.get(group, [])) | {account["name"] for account in accounts if account}


def _records(want: Dict[str, Any], observed: Dict[str, Any], todo: Dict[str, Any]) -> Tuple[Any, Any]:
    """Return what Slipway will have given before anything is taken back, and once all is done.

    What it gave and somebody else took back is forgotten.
    """
    groups, old = observed["groups"], observed["record"] or empty_record()
    before, after = empty_record(), empty_record()
    before["groups"] = sorted({name for name in old["groups"] if groups.get(name)} | set(todo["create"]))
    for group in sorted(set(old["members"]) | {group for group, _user in todo["add"]}):
        local = (groups.get(group) or {"local": []})["local"]
        users = {user for user in old["members"].get(group, []) if user in local} | _users_of(group, todo["add"])
        remaining = users - _users_of(group, todo["revoke"])
        if users:
            before["members"][group] = sorted(users)
        if remaining:
            after["members"][group] = sorted(remaining)
    after["groups"] = [name for name in before["groups"] if name not in todo["remove"]]
    return before, after if want["state"] == "present" else empty_record()


def _removal_blockers(members: Dict[str, List[str]], observed: Dict[str, Any], todo: Dict[str, Any]) -> Dict[str, str]:
    """Return why groups that Slipway made and that are no longer wanted cannot go; empty for one that can."""
    reasons = {}
    for name in (observed["record"] or empty_record())["groups"]:
        group = observed["groups"].get(name)
        if group and name not in members:
            left = set(group["members"]) - _users_of(name, todo["revoke"])
            why = "has members: %s" % ", ".join(sorted(left)) if left else observed["needed"].get(name, "")
            reasons[name] = why
    return reasons


def _users_of(group: str, pairs: List[Tuple[str, str]]) -> Set[str]:
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
    for group, user, how in todo["not_local"]:
        remedy = "Give them another with `usermod --gid`" if how == "primary group" else "Take them out there"
        refused.append(
            "%s is a member of %s by %s, which this role does not change. %s, or list them in user_groups_members."
            % (user, group, how, remedy)
        )
    for group, user in todo["revoke"]:
        if user in observed["logins"] and any(fnmatchcase(group, pattern) for pattern in observed["login_groups"]):
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
                "user_groups_members." % (group, ", ".join(sorted(_users_of(group, todo["revoke"]))), ", ".join(listed))
            )
    return refused
