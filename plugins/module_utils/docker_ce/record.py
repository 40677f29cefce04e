"""The record of what Slipway held: a hold of an admin's own stays."""

from typing import List, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine import records

RECORD = "/var/lib/slipway/docker_ce.json"


def held_by_record(text: Optional[str]) -> List[str]:
    """Return the packages that Slipway held; none where there is no record that can be read."""
    try:
        return [str(name) for name in records.load(RECORD, text)["held"]]
    except (ValueError, KeyError, TypeError):
        return []


def record(held: List[str]) -> str:
    return records.dump({"held": sorted(held)})
