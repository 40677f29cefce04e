"""Write a file with passwords in it."""

import os
import tempfile


def write_private(path: str, text: str) -> None:
    """Replace a file at once, readable by its owner alone whatever it was before; make its folder where it is missing.

    The owner is the effective user, so that a file in a home is written as that user.

    :raises OSError: the folder or the file cannot be written.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, 0o700)
    handle, part = tempfile.mkstemp(dir=folder, prefix=".slipway")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.rename(part, path)
