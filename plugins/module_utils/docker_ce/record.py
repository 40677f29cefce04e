"""The record of what Slipway held: a hold of an admin's own stays."""

import json
from typing import List, Optional

RECORD = "/var/lib/slipway/docker_ce.json"


def held_by_record(text: Optional[str]) -> List[str]:
    """Return the packages that Slipway held; none where there is no record that can be read."""
    try:
        return [str(name) for name in json.loads(text or "")["held"]]
    except (ValueError, KeyError, TypeError):
        return []


def record(held: List[str]) -> str:
    return json.dumps({"format": 1, "held": sorted(held)}) + "\n"
