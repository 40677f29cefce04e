"""Inputs of the role ``user_groups``: what a specification cannot say."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import Site

REMOVAL_INPUTS = ("state",)

# Names that the role hands to commands. None begins with a dash or holds a colon, comma, space or quote.
_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_.@\\-]*\$?")
# Users of a directory may have digits first, a domain before a backslash or after an @.
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\+-]*\$?")


def prepare(inputs: dict[str, Any], _site: Site) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs that the node needs, and what is wrong with them."""
    problems = []
    members, gids = inputs["members"], inputs["gids"]
    if not all(_matches(_GROUP, group) and isinstance(users, list) for group, users in members.items()):
        problems.append(
            f"user_groups_members is {json.dumps(members)}; give a list of users for each group, as in "
            "{docker: [alice, bob]}, and [] for a group without members of its own."
        )
    else:
        bad = [user for users in members.values() for user in users if not _matches(_USER, user)]
        if bad:
            problems.append(
                f"user_groups_members names users that cannot be: {json.dumps(bad)}; write each as `getent passwd` "
                'prints it, without spaces, colons or commas, and quote one of digits alone, as in "20210001".'
            )
    unlisted = [group for group in inputs["exclusive"] if group not in members]
    if unlisted:
        problems.append(
            f"user_groups_exclusive has groups that user_groups_members has not: {', '.join(unlisted)}; list the "
            "members of each in user_groups_members, where [] revokes everyone."
        )
    numbers = [int(gid) if re.fullmatch("[0-9]+", str(gid)) else 0 for gid in gids.values()]
    usable = all(0 < number < 4294967294 and number not in (65534, 65535) for number in numbers)
    if set(gids) - set(members) or not usable or len(set(numbers)) < len(numbers):
        problems.append(
            f"user_groups_gids is {json.dumps(gids)}; give groups of user_groups_members a number each, as in "
            "{hpc: 2990}: from 1 to 4294967293, not 65534 or 65535, each for one group alone."
        )
    return {**inputs, "gids": dict(zip(gids, numbers, strict=True))}, problems


def _matches(pattern: re.Pattern[str], name: Any) -> bool:
    return isinstance(name, str) and bool(pattern.fullmatch(name))
