"""What Slipway remembers of a host: JSON with a ``format``, which records of an older Slipway lack."""

import json
from typing import Any, Dict, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine.host import NoAnswer

FORMAT = 1


def load(path: str, text: Optional[str]) -> Any:
    """Return what a record holds, an empty mapping where there is none.

    :raises NoAnswer: a newer Slipway wrote it.
    :raises ValueError: it is no JSON.
    """
    data = json.loads(text or "{}")
    is_ = data.pop("format", FORMAT) if isinstance(data, dict) else FORMAT
    if is_ != FORMAT:
        raise NoAnswer(
            "%s is of a newer Slipway (its format is %s, and this Slipway knows %d). Run that newer Slipway"
            % (path, is_, FORMAT)
        )
    return data


def dump(data: Dict[str, Any]) -> str:
    """Return a record's text."""
    return json.dumps(dict(data, format=FORMAT), indent=2, ensure_ascii=False) + "\n"
