"""What differs between a host and the wanted images, what is done about it, and what stands in the way. Pure.

An image is told by its id or digest, not by its tag alone.
"""

import os
import re
from functools import partial
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.host import drift_entry
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import MISSING
from ansible_collections.slipway.node.plugins.module_utils.images.sif import sif_state_path

_entry = partial(drift_entry, "images")


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    if want["state"] == "absent":
        return _compare_absent(want, observed)
    drift = []
    if want["skopeo"] and not observed["skopeo"]:
        drift.append(_entry("install_skopeo", "skopeo", "absent", "present"))
    if want["registries"] and observed["registries"] != observed["registries_wanted"]:
        is_ = "absent" if observed["registries"] is None else "other content"
        drift.append(_entry("write_registries", want["registries"], is_, "Slipway's content"))
    drift += [entry for one in want["push"] for entry in _compare_push(one, observed)]
    drift += [entry for one in want["build"] for entry in _compare_build(one, observed)]
    drift += [entry for one in want["build"] for entry in _compare_keep(one, want, observed)]
    drift += [entry for one in want["preload"] for entry in _compare_preload(one, observed)]
    drift += [entry for one in want["place"] for entry in _compare_place(one, observed)]
    return drift


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed: useless archives, others' files, images to remove that are used or unseen."""
    refused = sorted({about["error"] for about in observed["archives"].values() if about["error"]})
    for one in want["build"] + want["place"]:
        if observed["sif"][one["path"]]["unmanaged"] not in ("", one.get("sha256")):
            refused.append(
                "%s is there and not Slipway's. Move it away, or give another name in images_sif." % one["path"]
            )
    for name, containers in sorted(observed["in_use"].items()):
        refused.append(
            "%s is used by the containers %s. Remove them (`docker rm`), then run again."
            % (name, ", ".join(containers))
        )
    if want["state"] == "absent" and observed["engine_unreachable"]:
        refused.append(
            "the Docker engine does not answer, so the images that Slipway put there stay: %s. Start it (`systemctl "
            "status docker` says what ails it), then run again; or delete %s, and they are no longer Slipway's."
            % (", ".join(sorted(observed["record"]["images"])), want["record"])
        )
    return refused


def notes(_want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know: tags whose registry does not tell what they mean by now."""
    unanswered = sorted(name for name, digest in observed["registry"].items() if not digest)
    if not unanswered:
        return []
    return [
        "It is not known whether %s, which are to be refreshed, mean other images by now: the engine cannot ask their "
        "registry (`docker manifest inspect %s` says why)." % (", ".join(unanswered), unanswered[0])
    ]


def todo(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, List[Dict[str, Any]]]:
    """Return the wanted entries that are to be acted on, by what is done with them. Pure."""
    preload = [one for one in want["preload"] if _compare_preload(one, observed)]
    return {
        "push": [one for one in want["push"] if _compare_push(one, observed)],
        "build": [
            dict(
                one,
                no_https=one["no_https"] or bool(set(registries_of([one], "location")) & set(observed["plain_http"])),
            )
            for one in want["build"]
            if _compare_build(one, observed)
        ],
        "keep": [one for one in want["build"] if _compare_keep(one, want, observed)],
        "pull": [dict((key, one[key]) for key in ("pull", "local", "source")) for one in preload if one["pull"]],
        "load": [one for one in preload if one["archive"]],
        "place": [one for one in want["place"] if _compare_place(one, observed)],
    }


def registries_of(entries: List[Dict[str, Any]], *keys: str) -> List[str]:
    """Return the registries that entries name by keys."""
    places = [one.get(key, "") for one in entries for key in keys]
    return re.findall(r"^(?:docker|oras)://([^/\s]+)/", "\n".join(places), re.M)


def archive_key(one: Dict[str, Any]) -> str:
    """Return by what an archive on the host is told from others; which image is meant may follow from the name."""
    return "%s of %s" % (one["name"], one["archive"])


def _compare_preload(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    found, phase = observed["images"].get(one["local"]), "load_images" if one["archive"] else "pull_images"
    noted = observed["record"]["images"].get(one["local"], {})
    recorded = bool(found) and noted.get("id") == (found or {}).get("id")
    if one["archive"]:
        ids = observed["archives"][archive_key(one)]["ids"] if one["remote"] else one["ids"]
        title = "image of archive %s" % os.path.basename(one["archive"])
        # containerd's image store has ids of its own for what was loaded.
        fits = found and (found["id"] in ids or (recorded and noted["from"] in ids))
    elif one["digest"]:
        title = "digest %s" % _short(one["digest"])
        fits = found and any(name.endswith("@" + one["digest"]) for name in found["digests"])
    elif one["source"]:
        source = observed["images"].get(one["source"])
        title = "image of %s" % one["source"]
        fits = found and (found["id"] == source["id"] if source else recorded and noted["from"] == one["source"])
    else:
        title, fits = "present", bool(found)
    if not fits:
        is_ = "image %s" % _short(found["id"]) if found else "absent"
        return [_entry(phase, one["name"], is_, title)]
    now = observed["registry"].get(one["pull"], "")
    if now and not any(name.endswith("@" + now) for name in found["digests"]):
        here = one["pull"].rpartition(":")[0] + "@"
        had = ", ".join(_short(name[len(here) :]) for name in found["digests"] if name.startswith(here))
        is_ = "digest %s" % had if had else "image %s" % _short(found["id"])
        return [_entry(phase, one["name"], is_, "digest %s of the registry" % _short(now))]
    return []


def _compare_push(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    found, ids = observed["pushed"].get(one["name"]), observed["sources"][one["location"]]["ids"]
    want = "image of %s" % one["title"]
    if found is None:
        return [_entry("push_images", one["name"], "unknown, skopeo is not installed", want)]
    if found["error"]:
        is_ = "absent" if MISSING.search(found["error"]) else "not to be seen (%s)" % _last_clause(found["error"])
        return [_entry("push_images", one["name"], is_, want)]
    # A source that does not answer is no reason to doubt what was pushed.
    if ids and found["digest"] not in ids and found["config"] not in ids:
        return [_entry("push_images", one["name"], "digest %s" % _short(found["digest"]), want)]
    return []


def _compare_build(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    found, source = observed["sif"][one["path"]], observed["sources"][one["location"]]
    note, is_ = found["note"], ""
    if found["size"] is None:
        is_ = "absent"
    elif note.get("source") != one["title"]:
        is_ = "made from %s" % note["source"] if note.get("source") else "not Slipway's"
    elif found["size"] != note.get("size"):
        is_ = "of %d bytes instead of %s" % (found["size"], note.get("size"))
    elif source["ids"] and note.get("digest") not in source["ids"]:
        is_ = "made from digest %s" % _short(note.get("digest", ""))
    want = "image of %s" % one["title"]
    if is_.startswith("made from digest"):
        want = "digest %s of %s" % (_short(source["ids"][0]), one["title"])
    return [_entry("build_sif", one["path"], is_, want)] if is_ else []


def _compare_keep(one: Dict[str, Any], want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Compare a SIF file that is as wanted with the controller's copy, which is for the other hosts."""
    note, copy = observed["sif"][one["path"]]["note"], want["kept"].get(one["path"], {})
    if not want["keep"] or _compare_build(one, observed) or copy.get("sha256") == note.get("sha256"):
        return []
    is_ = "another build" if copy else "absent"
    return [_entry("keep_sif", "%s on the controller" % one["path"], is_, "the build from %s" % one["title"])]


def _compare_place(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    found = observed["sif"][one["path"]]
    if found["size"] is None:
        is_ = "absent"
    elif found["size"] != one["size"]:
        is_ = "of %d bytes instead of %d" % (found["size"], one["size"])
    elif found["note"].get("sha256") != one["sha256"]:
        is_ = "another build"
    else:
        return []
    return [_entry("place_sif", one["path"], is_, "the build from %s" % one["source"])]


def compare_images(observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Compare the role's images with none; one that somebody else put under the name stays."""
    return [
        _entry("remove_images", name, "present", "absent")
        for name, one in sorted(observed["record"]["images"].items())
        if (observed["images"].get(name) or {}).get("id") == one["id"]
    ]


def _compare_absent(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    drift = compare_images(observed)
    for path, found in sorted(observed["sif"].items()):
        if found["note"]:
            drift.append(_entry("remove_files", sif_state_path(path), "present", "absent"))
            if found["size"] is not None:
                drift.append(_entry("remove_files", path, "present", "absent"))
    if observed["registries"] is not None:
        drift.append(_entry("remove_files", want["registries"], "present", "absent"))
    if observed["recorded"]:
        drift.append(_entry("remove_files", want["record"], "present", "absent"))
    return drift


def _short(digest: str) -> str:
    """Return an id or a digest as docker shows it."""
    return digest.partition(":")[2][:12] or digest[:12]


def _last_clause(error: str) -> str:
    """Return an error in few words: the last clause of a chain."""
    return error.rstrip(".").rpartition(": ")[2][:120]
