"""The state file, which remembers what was set and what the running daemon has loaded. Pure.

``{entries, files, environment, loaded}``; it may hold secrets and is 0600.
"""

from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import unit
from ansible_collections.slipway.node.plugins.module_utils.engine import records


def parse_record(path: str, text: Optional[str]) -> Dict[str, Any]:
    """Read the state file. Without it the role takes all that it finds for somebody else's, and leaves it.

    :raises ValueError: it is not what Slipway keeps.
    """
    state = {"entries": [], "files": {}, "environment": None, "loaded": {}}  # type: Dict[str, Any]
    try:
        given = records.load(path, text)
        state.update((name, given[name]) for name in state if name in given)
        sound = all(isinstance(entry["path"], list) and "value" in entry for entry in state["entries"])
        if not sound or not isinstance(state["files"], dict) or not isinstance(state["loaded"], dict):
            raise ValueError("it holds something else")
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(error)
    return state


def former(state: Dict[str, Any], path: str, is_: Optional[str]) -> Optional[str]:
    """Return the text of a file before Slipway's first change. A file with Slipway's heading is its own in any case."""
    own = is_ is not None and is_.startswith(unit.HEADER)
    text = state["files"].get(path, None if own else is_)  # type: Optional[str]
    return text


def new_state(found: Dict[str, Any], loaded: Dict[str, Any], pending: List[str]) -> Dict[str, Any]:
    """Return what is remembered: what was set, the former texts, and what the daemon has loaded."""
    files = {}
    for name, path in found["paths"].items():
        was = former(found["state"], path, found["is"][name])
        # A file that is as it was before Slipway is not ours any more.
        if found["to_be"][name] != was or (name == "config" and found["entries"]):
            files[path] = was
    environment = found["to_be"]["environment"] if found["paths"]["environment"] in files else None
    return {
        "entries": found["entries"],
        "files": files,
        "environment": environment,
        "loaded": {"values": loaded, "pending": pending},
    }
