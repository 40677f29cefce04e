"""Folders of programs, a version in each: the disk that they are on, what runs from them, and their removal."""

import os
from typing import Any, Dict, List, Sequence, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, existing, free_bytes
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action, Plan
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Run

NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "glusterfs", "fuse.glusterfs", "afs")
# Folders on everyone's PATH, the first first.
COMMAND_FOLDERS = ("/usr/local/bin", "/usr/bin")
_OPTIONS = {"read-only": os.ST_RDONLY, "nosuid": os.ST_NOSUID, "noexec": os.ST_NOEXEC}


def disk(host: Host, path: str, need: int) -> Dict[str, Any]:
    """Return what the file system of a path is like: its type, what its mount does not allow, and MiB that are free.

    :param need: more than that is not told, so that the answer stays the same.
    """
    there = existing(path)
    return {
        "path": path,
        "type": file_system(host.read("/proc/self/mounts") or "", os.path.realpath(there)),
        "options": mount_options(there),
        "free": min(free_bytes(there) // 2**20, need),
    }


def mount_options(path: str) -> List[str]:
    """Return what the file system of a path does not allow."""
    flags = os.statvfs(existing(path)).f_flag
    return [name for name, flag in _OPTIONS.items() if flags & flag]


def file_system(mounts: str, path: str) -> str:
    """Return the type of the file system that a path is on. Pure.

    :param mounts: the text of ``/proc/self/mounts``.
    """
    found, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        place = fields[1].replace("\\040", " ").rstrip("/") if len(fields) > 2 else None
        # Of mounts at one place the last counts.
        if place is not None and (path + "/").startswith(place + "/") and len(place) >= len(found):
            found, kind = place, fields[2]
    return kind


def disk_refusals(want: Dict[str, Any], disk: Dict[str, Any], role: str, installs: bool) -> List[str]:
    """Return why programs cannot be installed in a folder, or cannot run from there."""
    root, other = disk["path"], "choose another %s_root" % role
    refused = []
    if disk["type"] in NETWORK_FILE_SYSTEMS and not want["tree_host"]:
        refused.append(
            "%s is on a file system of type %s, where other hosts would write the same files. Set %s_tree_host to the "
            "one host that is to write there, or choose a %s_root on a local file system."
            % (root, disk["type"], role, role)
        )
    if "noexec" in disk["options"]:
        refused.append(
            "%s is on a file system that is mounted noexec, from which no program runs. Mount it without noexec, or %s."
            % (root, other)
        )
    if installs and want["writes"] and "read-only" in disk["options"]:
        refused.append("%s is on a file system that is read-only. Mount it writable, or %s." % (root, other))
    elif installs and want["writes"] and disk["free"] < want["need"]:
        refused.append(
            "%s has %d MiB free, and a version needs %d MiB. Make room there, or %s."
            % (root, disk["free"], want["need"], other)
        )
    return refused


def running_programs(places: Sequence[str]) -> Dict[str, List[str]]:
    """Return the programs that run from folders, with their process ids, of folders from which some do."""
    busy = {}  # type: Dict[str, List[str]]
    real = [(place, os.path.realpath(place) + "/") for place in places]
    for pid in os.listdir("/proc") if places else []:
        try:
            program = os.readlink("/proc/%s/exe" % pid)
        except OSError:
            continue
        for place, start in real:
            if program.startswith(start):
                name = os.path.basename(program.replace(" (deleted)", ""))
                busy.setdefault(place, []).append("%s (process %s)" % (name, pid))
    return dict((place, sorted(programs)) for place, programs in busy.items())


def busy_refusals(places: Sequence[str], running: Dict[str, List[str]]) -> List[str]:
    """Return why folders whose removal was asked for cannot go."""
    return [
        "%s cannot be removed, since programs run from it: %s. Wait until they end, or end them."
        % (place, ", ".join(running[place]))
        for place in places
        if running.get(place)
    ]


def foreign_commands(folder: str, paths: Sequence[str]) -> List[str]:
    """Return notes of others' programs that are found before Slipway's where no profile is read.

    :param folder: where Slipway's are; empty for none.
    """
    before = COMMAND_FOLDERS[: COMMAND_FOLDERS.index(folder)] if folder in COMMAND_FOLDERS else COMMAND_FOLDERS
    return [
        "%s is not Slipway's, and what reads no profile (sudo, `ssh NODE COMMAND`, batch jobs) takes it. Remove it, if "
        "Slipway's is meant." % path
        for path in sorted(paths)
        if os.path.dirname(path) in before
    ]


def remove_unused(run: Run, actions: List[Action]) -> None:
    """Do removals, but of a folder from which a program was started since it was looked at: the proof tells of it."""
    for one in actions:
        if not running_programs([one["item"]]):
            run.do([one])


def of_this_host(want: Dict[str, Any], phases: Plan, shared: Tuple[str, ...], tree_phases: Sequence[str]) -> Plan:
    """Return what of a plan is this host's, where another one writes what hosts share.

    :param shared: what paths begin with that are there for all.
    :param tree_phases: those of the writing host alone.
    """
    if want["writes"]:
        return phases
    return {
        phase: [one for one in actions if not one["item"].startswith(shared)]
        for phase, actions in phases.items()
        if phase not in tree_phases
    }
