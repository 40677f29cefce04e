"""A version is unpacked beside its folder and renamed into place; what runs goes on with the files that it has open."""

import contextlib
import glob
import os
import shutil

from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Run
from ansible_collections.slipway.node.plugins.module_utils.singularity.tree import MANIFEST, parse_manifest


def install(run: Run, place: str, tree: str) -> None:
    """Unpack ``place.tar.gz`` and put it in the place of a version, whose configuration and plugins stay.

    Where it fails, what was there is there again.

    :raises Failed: the archive cannot be unpacked.
    :raises OSError: no space, no right.
    """
    old, archive = place + ".old", place + ".tar.gz"
    # An earlier attempt may have ended between the two renames.
    if os.path.isdir(old) and not os.path.isdir(tree):
        os.rename(old, tree)
    try:
        for path in (place, old):
            shutil.rmtree(path, ignore_errors=True)
        os.mkdir(place, 0o755)
        options = ["--gzip", "--numeric-owner", "--same-owner", "--same-permissions"]
        run.command(["tar", "--extract"] + options + ["--file", archive, "--directory", place])
        manifest = parse_manifest(files.read(os.path.join(place, MANIFEST)))[0] or {}
        for path in manifest.get("outside", []):
            run.folder(path)
        if os.path.isdir(tree):
            _keep(tree, place)
            os.rename(tree, old)
        try:
            os.rename(place, tree)
        except OSError:
            if os.path.isdir(old):
                os.rename(old, tree)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(archive)


def _keep(tree: str, new: str) -> None:
    """Copy what an admin may have edited or added; owner and mode are as the archive has them."""
    for top in [os.path.join(tree, "etc")] + glob.glob(os.path.join(glob.escape(tree), "libexec/*/plugin")):
        for folder, _folders, names in os.walk(top):
            target = os.path.join(new, os.path.relpath(folder, tree))
            os.makedirs(target, 0o755, exist_ok=True)
            for name in names:
                source = os.path.join(folder, name)
                if os.path.isfile(source) and not os.path.islink(source):
                    shutil.copyfile(source, os.path.join(target, name))
