"""The wanted state of ``images``: the role's inputs, with places on the host and what skopeo is to be told."""

import hashlib
import os
from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import Platform, manager

FOLDER = "/var/lib/slipway"
RECORD = FOLDER + "/images.json"
REGISTRIES = "/etc/slipway/images-registries.conf"


def want(inputs: Dict[str, Any], platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: the role's inputs, made whole on the controller, with places and skopeo's settings.

    Each entry has as ``read`` where the host reads its file, and as ``copy`` where the controller copies it before.
    """
    copies = bool(inputs["push"] or inputs["build"])
    settings = copies and (inputs["insecure"] or any(inputs["mirrors"].values()))
    entries = dict((key, [_archived(one) for one in inputs[key]]) for key in ("preload", "push", "build"))
    # On the file system where it is to be, so that it is put in place at once. Each its own: equal ones are one file.
    folder = inputs["sif_path"] + "/.slipway-%s/"
    place = [dict(one, **_copied(one["file"], folder % os.path.basename(one["path"]))) for one in inputs["place"]]
    return dict(
        inputs,
        record=RECORD,
        registries=REGISTRIES if settings or inputs["state"] == "absent" else "",
        skopeo=copies,
        manager=manager(platform),
        place=place,
        **entries,
    )


def _archived(one: Dict[str, Any]) -> Dict[str, Any]:
    if one["remote"] or not one["archive"]:
        return dict(one, read=one["archive"], copy={})
    # Not in /tmp, which may be memory, and where nobody else may write. One archive may hold several images.
    mark = hashlib.sha256(one["archive"].encode("utf-8")).hexdigest()[:12]
    return dict(one, **_copied(one["archive"], "%s/image-%s/" % (FOLDER, mark)))


def _copied(file: str, folder: str) -> Dict[str, Any]:
    return {"read": folder + os.path.basename(file), "copy": {"src": file, "dest": folder}}
