"""The file singularity.conf: its keys read, compared and set."""

from typing import Any, Dict, List, Optional


def parse_config(text: str) -> Dict[str, List[str]]:
    """Read singularity.conf: the values of each key, in their order."""
    config = {}  # type: Dict[str, List[str]]
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith("#"):
            config.setdefault(key.strip(), []).append(value.strip())
    return config


def config_values(value: Any) -> List[str]:
    """Return the values that a key of singularity.conf is to have."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def config_text(text: str, wanted: Dict[str, Any]) -> str:
    """Return the text of singularity.conf with keys as wanted, at the place where the key was, and all else as it is.

    :param wanted: a value or a list of values for each key; no line is left of a key with an empty list.
    """
    lines = text.splitlines()
    for key, value in wanted.items():
        places = [index for index, line in enumerate(lines) if _key_of(line) == key]
        comments = [index for index, line in enumerate(lines) if _key_of(line.lstrip("# ")) == key]
        place = places[0] if places else comments[-1] + 1 if comments else len(lines)
        changed = ["%s = %s" % (key, one) for one in config_values(value)]
        rest = [line for index, line in enumerate(lines[place:], place) if index not in places]
        lines = lines[:place] + changed + rest
    return "".join("%s\n" % line for line in lines)


def values_text(values: Optional[List[str]]) -> str:
    return "missing" if values is None else ", ".join(values) if values else "unset"


def _key_of(line: str) -> str:
    key, equals, _ = line.partition("=")
    return key.strip() if equals else ""
