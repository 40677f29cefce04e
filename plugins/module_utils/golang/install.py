"""How a toolchain comes into its place: unpacked or built beside it, tried, and renamed."""

import json
import os
from typing import Dict

from ansible_collections.slipway.node.plugins.module_utils.engine.download import HostError, check_space
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, last_lines
from ansible_collections.slipway.node.plugins.module_utils.golang.toolchain import MANIFEST, manifest


def install(run: Run, path: str, about: Dict[str, str], archive: str = "", tree: str = "", aside: str = "") -> None:
    """Put a toolchain in its place; what is there works until then.

    :param about: for the manifest: version, method, url and checksum.
    :param archive: in the layout of Go's own, with all files below ``go``.
    :param tree: one that was built, on the file system of ``path``. It is moved.
    :param aside: a name to keep under what is there and is not Slipway's; without one, that is an error.
    :raises Failed: it cannot be; then what was there is as it was.
    """
    folder, name = os.path.split(path)
    new = tree or "%s/.%s.new" % (folder, name)
    try:
        if archive:
            run.remove(new)
            check_space(folder, unpacked_size(archive))
            os.mkdir(new)
            tar = ["tar", "--extract", "--gzip", "--strip-components=1", "--no-same-owner", "--directory", new]
            code, _out, err = run.command(tar + ["--file", archive], good=())
            if code:
                raise HostError("unpacking failed: %s" % last_lines(err, 3).replace("\n", " / "))
        _try(run, new, folder, about["version"])
        with open(os.path.join(new, MANIFEST), "w") as file:
            json.dump(manifest(new, about), file, indent=1, sort_keys=True)
        _replace(run, new, path, aside)
    except (HostError, OSError) as error:
        raise Failed("Go %s was not installed: %s. What was at %s is as it was." % (about["version"], error, path))
    finally:
        if archive:
            run.remove(new)


def unpacked_size(archive: str) -> int:
    """Return about how much space the content of a gzip file takes, by the length that its end tells."""
    with open(archive, "rb") as file:
        file.seek(-4, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
    # Files take whole blocks.
    return length + length // 8


def _try(run: Run, tree: str, folder: str, version: str) -> None:
    """See that a toolchain runs, and is the wanted version."""
    go = os.path.join(tree, "bin/go")
    if not os.path.isfile(go):
        raise HostError("the archive holds no go/bin/go, so it is not one of Go's")
    # Without a home, Go keeps no telemetry there.
    env = {"GOTOOLCHAIN": "local", "GOROOT": "", "GOFLAGS": "", "HOME": "", "XDG_CONFIG_HOME": ""}
    try:
        code, out, err = run.command([go, "version"], good=(), env=env)
    except (OSError, Failed) as error:
        raise HostError(
            "its go does not run (%s); is %s mounted noexec, or the archive another platform's?"
            # The program's interpreter may be what is missing.
            % (error.__context__ or error, folder)
        )
    if code:
        raise HostError("its go does not run: %s" % (err or out).strip())
    if (out.split() + ["", "", ""])[2] != "go" + version:
        raise HostError("it is %s, not Go %s" % (out.strip(), version))


def _replace(run: Run, new: str, path: str, aside: str) -> None:
    """Put a finished tree in its place; what was there goes when the new one stands, or is kept under a new name."""
    old = aside or "%s/.%s.old" % os.path.split(path)
    if not aside:
        run.remove(old)
        if os.path.lexists(path) and not os.path.isfile(os.path.join(path, MANIFEST)):
            raise HostError("%s is not Slipway's, and is left as it is" % path)
    if os.path.lexists(path):
        os.rename(path, old)
    os.rename(new, path)
    if not aside:
        run.remove(old)
