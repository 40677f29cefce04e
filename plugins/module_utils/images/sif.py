"""SIF files of a host, and the notes beside them, which say what they were made from."""

import contextlib
import json
import os
import stat
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host


def sif_state_path(path: str) -> str:
    """Return the file beside a SIF file that says what it was made from."""
    return "%s/.%s.slipway.json" % (os.path.dirname(path), os.path.basename(path))


def managed_files(host: Host, folder: str) -> List[str]:
    """Return the SIF files of a folder that the role made or placed, by the notes beside them."""
    notes = [os.path.basename(path) for path in host.glob(folder + "/.*.slipway.json")] if folder else []
    return ["%s/%s" % (folder, name[1 : -len(".slipway.json")]) for name in notes]


def sif(host: Host, path: str) -> Dict[str, Any]:
    """Return a SIF file's status, what is noted of it, and the sum of one without a note, which is not Slipway's."""
    about = {"size": None, "mode": 0, "owner": 0, "note_owner": 0}  # type: Dict[str, Any]
    with contextlib.suppress(OSError):
        status = os.stat(path)
        about.update(size=status.st_size, mode=stat.S_IMODE(status.st_mode), owner=status.st_uid)
        about["note_owner"] = os.stat(sif_state_path(path)).st_uid
    text = host.read(sif_state_path(path))
    try:
        note = json.loads(text or "{}")
    except ValueError:
        note = {}
    unmanaged = files.sha256(path) if text is None else ""
    return dict(about, note=note if isinstance(note, dict) else {}, unmanaged=unmanaged)


def put(part: str, path: str, note: Dict[str, Any]) -> None:
    """Put a file that is beside its place there, with its note."""
    os.chmod(part, 0o755)
    if os.path.exists(path):
        # Between the two the note is of another size or sum, so that a run that breaks off here is repeated.
        os.rename(part, path)
        _write(path, note)
    else:
        # No file is without a note, as others' files are.
        _write(path, note)
        os.rename(part, path)


def _write(path: str, note: Dict[str, Any]) -> None:
    files.replace(sif_state_path(path), json.dumps(note, sort_keys=True), 0o644)
