"""A file of this host: read, summed, or replaced at once.

Text is UTF-8, and bytes that are none survive from :func:`read` to :func:`replace`.
"""

import errno
import glob
import hashlib
import os
import shutil
import tempfile
import time
from typing import Optional, Tuple

# What an error of the system means for an admin, and what to do.
MEANINGS = {
    errno.ENOSPC: "The disk is full. Free space there, and run again.",
    errno.EDQUOT: "The quota is used up. Free space there, and run again.",
    errno.EROFS: "The file system is read-only. Mount it for writing, and run again.",
    errno.EACCES: "Root may not read or write there. Look for a network file system that maps root, or for SELinux.",
    errno.EPERM: "Root may not change that. Look whether it is immutable (lsattr), or its mount forbids it.",
    errno.ESTALE: "The network file system is gone. Mount it again, and run again.",
    errno.EIO: "The disk does not answer as it should. See dmesg on the host.",
}

# The mode of a file with passwords in it.
PRIVATE = 0o600
# Where copies of others' files are kept before they are changed, and how many of each.
COPIES = "/var/backups/slipway"
KEPT = 5


def read(path: str) -> str:
    """Return a file's text; empty where there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def why(error: OSError) -> str:
    """Return an error of the system as sentences for people, with its path."""
    path = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    text = MEANINGS.get(error.errno or 0, "%s." % str(error.strerror or error).rstrip(".?"))
    return "%s: %s" % (path, text) if path else text


def sha256(path: str) -> str:
    """Return a file's sum; empty where there is no file."""
    total = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for part in iter(lambda: file.read(1 << 18), b""):
                total.update(part)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return total.hexdigest()


def replace(path: str, text: str, mode: int, folder_mode: int = 0o755, owner: Optional[Tuple[int, int]] = None) -> None:
    """Put a file in place whole, safe from a power cut; make its folder where it is missing.

    A file that is there keeps mode and owner, unless an owner is given. A ``PRIVATE`` one is never open to others.

    :param owner: numbers of user and group.
    :raises OSError: the folder or the file cannot be written; then the file is as it was.
    """
    try:
        _replace(path, text, mode, folder_mode, owner)
    except OSError as error:
        # A full disk names none, others one that nobody knows.
        error.filename = path
        raise


def _replace(path: str, text: str, mode: int, folder_mode: int, owner: Optional[Tuple[int, int]]) -> None:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, folder_mode)
    handle, part = tempfile.mkstemp(dir=folder, prefix=".slipway-")
    try:
        with os.fdopen(handle, "wb") as file:
            is_there = os.path.exists(path)
            if is_there:
                status = os.stat(path)
                if mode != PRIVATE and owner is None:
                    os.chown(part, status.st_uid, status.st_gid)
                # Extended attributes too, such as SELinux's label.
                shutil.copystat(path, part)
            if owner is not None:
                os.chown(part, *owner)
            if mode == PRIVATE or not is_there or owner is not None:
                os.chmod(part, mode)
            # Last, so that nobody reads it meanwhile.
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        os.rename(part, path)
    except BaseException:
        os.unlink(part)
        raise


def keep_copy(path: str) -> str:
    """Copy a file as it is, with its mode, and forget the oldest copies; return where it is, empty without a file."""
    if not os.path.isfile(path):
        return ""
    if not os.path.isdir(COPIES):
        os.makedirs(COPIES, 0o700)
    stem = os.path.join(COPIES, path.strip("/").replace("/", "%"))
    copy = "%s.%s" % (stem, time.strftime("%Y%m%dT%H%M%S"))
    # Never open for a moment to whom the file is not, and whole before the file goes.
    with open(path, "rb") as file, open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as kept:
        shutil.copyfileobj(file, kept)
        kept.flush()
        os.fsync(kept.fileno())
    shutil.copystat(path, copy)
    for old in sorted(glob.glob(glob.escape(stem) + ".[0-9]*T[0-9]*"))[:-KEPT]:
        os.unlink(old)
    return copy
