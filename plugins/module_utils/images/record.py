"""The record of the images that the role put on a host or pushed."""

from typing import Any, Dict, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine import files, records
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host


def parse_record(path: str, text: Optional[str]) -> Dict[str, Any]:
    """Read the record: ``images`` that the role put on a host, and those of its engine that it ``pushed``.

    By name each has an id and where it came from; of one that was pushed that is the engine's id.
    """
    try:
        tables = records.load(path, text)
        return dict(
            (key, dict((name, {"id": one["id"], "from": one["from"]}) for name, one in tables.get(key, {}).items()))
            for key in ("images", "pushed")
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"images": {}, "pushed": {}}


def record(path: str, table: str, name: str, identity: str, origin: str) -> None:
    """Note in the record what the role just put here or pushed, so that a run that breaks off forgets nothing."""
    noted = parse_record(path, Host().read(path))
    noted[table][name] = {"id": identity, "from": origin}
    files.replace(path, records.dump(noted), files.PRIVATE)
