"""A file of this host: read, summed, or replaced at once.

Text is UTF-8, and bytes that are none survive from :func:`read` to :func:`replace`.
"""

import hashlib
import os
import shutil
import tempfile

# The mode of a file with passwords in it.
PRIVATE = 0o600


def read(path: str) -> str:
    """Return a file's text; empty where there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return ""


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


def replace(path: str, text: str, mode: int, folder_mode: int = 0o755) -> None:
    """Put a file in place whole; make its folder where it is missing. A file that is there keeps mode and owner.

    A ``PRIVATE`` one is the effective user's alone, whatever was there.

    :raises OSError: the folder or the file cannot be written; then the file is as it was.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, folder_mode)
    handle, part = tempfile.mkstemp(dir=folder, prefix=".slipway-")
    try:
        with os.fdopen(handle, "wb") as file:
            is_there = os.path.exists(path)
            if is_there:
                status = os.stat(path)
                if mode != PRIVATE:
                    os.chown(part, status.st_uid, status.st_gid)
                # Extended attributes too, such as SELinux's label.
                shutil.copystat(path, part)
            if mode == PRIVATE or not is_there:
                os.chmod(part, mode)
            # Last, so that nobody reads it meanwhile.
            file.write(text.encode("utf-8", "surrogateescape"))
        os.rename(part, path)
    except BaseException:
        os.unlink(part)
        raise
