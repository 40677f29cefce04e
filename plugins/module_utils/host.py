"""What a section of the probe may ask of a host: files read and commands run, nothing changed.

A section (``docker_ce.py`` and its sisters) has two functions: ``observe(host, want)``, which asks
the host through this class, and ``compare(want, observed)``, which is pure.
"""

import glob
import os
import shutil
from typing import Callable, Dict, List, Optional, Tuple

from ansible.module_utils.common.text.converters import to_text


class Host:
    """The host that the module runs on.

    :param run_command: ``AnsibleModule.run_command`` or a function like it: takes a list of
        arguments, returns ``(rc, stdout, stderr)``.
    """

    def __init__(self, run_command: Callable[..., Tuple[int, str, str]]) -> None:
        self._run_command = run_command

    def run(self, *command: str) -> Tuple[int, str]:
        """Run a read-only command in the C locale; return its exit status and standard output."""
        rc, out, _err = self._run_command(list(command), environ_update={"LC_ALL": "C", "LANGUAGE": "C"})
        return rc, out

    def read(self, path: str) -> Optional[str]:
        """Return the text of a file, or ``None`` where there is none."""
        data = self.read_bytes(path)
        return None if data is None else to_text(data, errors="replace")

    def read_bytes(self, path: str) -> Optional[bytes]:
        """Return the bytes of a file, or ``None`` where there is none."""
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def glob(self, *patterns: str) -> List[str]:
        """Return the sorted paths that match any of the shell patterns."""
        return sorted(path for pattern in patterns for path in glob.glob(pattern))


def drift_entry(role: str, phase: str, item: str, is_: str, want: str) -> Dict[str, str]:
    """Return one difference between a host and its wanted state, and the phase of the role that mends it."""
    return {"role": role, "phase": phase, "item": item, "is": is_, "want": want}


def existing(path: str) -> str:
    """Return the path, or the nearest folder above it that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "/"
    return path


def free_bytes(path: str) -> int:
    """Return the space that is free to all where a path is or would be."""
    return shutil.disk_usage(existing(path)).free
