"""The record of what Slipway gave: the groups that it made, and the members that it added."""

from typing import Any, Dict, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine import records

RECORD = "/var/lib/slipway/user_groups.json"


def parse_record(text: Optional[str]) -> Tuple[Optional[Dict[str, Any]], str]:
    """Read the record; return it, or ``None`` where there is none, and why it cannot be read."""
    if text is None:
        return None, ""
    try:
        data = records.load(RECORD, text)
        groups, members = data["groups"], data["members"]
        names = groups + [name for group, users in members.items() for name in [group] + users]
        if not all(isinstance(name, str) for name in names):
            raise ValueError("a name is not a string")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return None, "%s: %s" % (type(error).__name__, error)
    return {"groups": groups, "members": members}, ""


def empty_record() -> Dict[str, Any]:
    return {"groups": [], "members": {}}
