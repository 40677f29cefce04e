"""The commands of a version, and the links to them on everyone's PATH."""

import os
from typing import Any, Dict, List

COMMANDS = {"singularity-ce": ["singularity"], "apptainer": ["apptainer", "singularity"]}
# Folders on everyone's PATH that an earlier run may have put links to commands into.
COMMAND_FOLDERS = ("/usr/local/bin", "/usr/bin")


def command_target(link: str, name: str) -> str:
    """Return where a link to a command leads. The dot marks it as Slipway's: nobody else writes it."""
    return "%s/./bin/%s" % (link, name)


def old_commands(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return links to commands of this root that are no longer wanted."""
    mark = command_target(want["link"], "")
    found = observed["commands"].items()
    return [path for path, target in sorted(found) if target.startswith(mark) and path not in want["commands"]]


def foreign_commands(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return programs of others that are found before those of Slipway where no profile is read."""
    folder = want["commands_dir"]
    before = COMMAND_FOLDERS[: COMMAND_FOLDERS.index(folder)] if folder in COMMAND_FOLDERS else COMMAND_FOLDERS
    found = observed["commands"].items()
    return [path for path, target in sorted(found) if os.path.dirname(path) in before and "/./bin/" not in target]
