"""The wanted state of ``user_groups``: groups and their members."""

from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import Platform
from ansible_collections.slipway.node.plugins.module_utils.user_groups.record import RECORD


def want(inputs: Dict[str, Any], _platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: the inputs, without members where none are to be, and where the record is kept."""
    return dict(inputs, members=inputs["members"] if inputs["state"] == "present" else {}, record_file=RECORD)
