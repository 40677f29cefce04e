"""The commands of a version, and the links to them on everyone's PATH."""

from typing import Any, Dict, List

COMMANDS = {"singularity-ce": ["singularity"], "apptainer": ["apptainer", "singularity"]}


def command_target(link: str, name: str) -> str:
    """Return where a link to a command leads. The dot marks it as Slipway's: nobody else writes it."""
    return "%s/./bin/%s" % (link, name)


def old_commands(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return links to commands of this root that are no longer wanted."""
    mark = command_target(want["link"], "")
    found = observed["commands"].items()
    return [path for path, target in sorted(found) if target.startswith(mark) and path not in want["commands"]]
