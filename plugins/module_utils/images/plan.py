"""What differs between a host and the wanted images, what is done about it, and what stands in the way. Pure.

An image is told by its id or digest, not by its tag alone.
"""

import os
import re
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action, Plan, action
from ansible_collections.slipway.node.plugins.module_utils.images.reference import parse
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import MISSING
from ansible_collections.slipway.node.plugins.module_utils.images.sif import sif_state_path
from ansible_collections.slipway.node.plugins.module_utils.images.skopeo import registries


def plan(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    """Return what differs; entries that ``act`` needs it finds by the item."""
    if want["state"] == "absent":
        return _removal(want, observed)
    found = {"install_skopeo": [], "write_registries": []}  # type: Plan
    if want["skopeo"] and not observed["skopeo"]:
        found["install_skopeo"].append(action("skopeo", "absent", "present"))
    text = registries(want["mirrors"], observed["plain_http"])
    if want["registries"] and observed["registries"] != text:
        is_ = "absent" if observed["registries"] is None else "other content"
        write = ["write", want["registries"], text]
        found["write_registries"].append(action(want["registries"], is_, "Slipway's content", write))
    for phase, key, compare in (
        ("push_images", "push", _push),
        ("build_sif", "build", _build),
        ("pull_images", "preload", _preload),
        ("load_images", "preload", _preload),
        ("place_sif", "place", _place),
    ):
        entries = [one for one in want[key] if key != "preload" or bool(one["archive"]) == (phase == "load_images")]
        found[phase] = [one for entry in entries for one in compare(entry, observed)]
    found["keep_sif"] = _keep(want, observed)
    return found


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed: useless archives, others' files, images to remove that are used or unseen."""
    refused = sorted({about["error"] for about in observed["archives"].values() if about["error"]})
    for one in want["build"] + want["place"]:
        if observed["sif"][one["path"]]["unmanaged"] not in ("", one.get("sha256")):
            refused.append(
                "%s is there and not Slipway's. Move it away, or give another name in images_sif." % one["path"]
            )
    if want["state"] != "absent":
        return refused
    own = _own_images(observed)
    names = {parse(name)["name"] for name in own}
    for name in own:
        image = observed["images"][name]
        containers = observed["containers"].get(image["id"])
        # With another name the image stays.
        if containers and not {parse(tag)["name"] for tag in image["tags"]} - names:
            refused.append(
                "%s is used by the containers %s. Remove them (`docker rm`), then run again."
                % (name, ", ".join(containers))
            )
    if observed["record"]["images"] and not observed["engine"] and observed["dockerd"]:
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


def facts(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return who publishes, whether this host makes SIF files, and the sums of those that it has, by path."""
    sums = dict((path, one["note"].get("sha256")) for path, one in observed["sif"].items())
    made = dict((path, one) for path, one in sums.items() if one)
    return {"publishers": want["publishers"], "builds": bool(want["build"]), "made": made}


def registries_of(entries: List[Dict[str, Any]], *keys: str) -> List[str]:
    """Return the registries that entries name by keys."""
    places = [one.get(key, "") for one in entries for key in keys]
    return re.findall(r"^(?:docker|oras)://([^/\s]+)/", "\n".join(places), re.M)


def archive_key(one: Dict[str, Any]) -> str:
    """Return by what an archive on the host is told from others; which image is meant may follow from the name."""
    return "%s of %s" % (one["name"], one["archive"])


def _preload(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    found = observed["images"].get(one["local"])
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
        return [action(one["name"], is_, title, **one["copy"])]
    now = observed["registry"].get(one["pull"], "")
    if now and not any(name.endswith("@" + now) for name in found["digests"]):
        here = one["pull"].rpartition(":")[0] + "@"
        had = ", ".join(_short(name[len(here) :]) for name in found["digests"] if name.startswith(here))
        is_ = "digest %s" % had if had else "image %s" % _short(found["id"])
        return [action(one["name"], is_, "digest %s of the registry" % _short(now))]
    return []


def _push(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    found, ids = observed["pushed"].get(one["name"]), observed["sources"][one["location"]]["ids"]
    if found is None:
        is_ = "unknown, skopeo is not installed"
    elif found["error"]:
        is_ = "absent" if MISSING.search(found["error"]) else "not to be seen (%s)" % _last_clause(found["error"])
    # A source that does not answer is no reason to doubt what was pushed.
    elif ids and found["digest"] not in ids and found["config"] not in ids:
        is_ = "digest %s" % _short(found["digest"])
    else:
        return []
    return [action(one["name"], is_, "image of %s" % one["title"], **one["copy"])]


def _build(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    found, source = observed["sif"][one["path"]], observed["sources"][one["location"]]
    note, want = found["note"], "image of %s" % one["title"]
    if found["size"] is None:
        is_ = "absent"
    elif note.get("source") != one["title"]:
        is_ = "made from %s" % note["source"] if note.get("source") else "not Slipway's"
    elif found["size"] != note.get("size"):
        is_ = "of %d bytes instead of %s" % (found["size"], note.get("size"))
    elif source["ids"] and note.get("digest") not in source["ids"]:
        is_ = "made from digest %s" % _short(note.get("digest", ""))
        want = "digest %s of %s" % (_short(source["ids"][0]), one["title"])
    else:
        return _readable(one["path"], found)
    return [action(one["path"], is_, want, **one["copy"])]


def _readable(path: str, found: Dict[str, Any]) -> List[Action]:
    """Compare whose a SIF file is and who may run it; on some file systems of the network root's files are nobody's."""
    if found["owner"] == found["note_owner"] and found["mode"] & 0o555 == 0o555:
        return []
    is_ = "mode %04o of user %d" % (found["mode"], found["owner"])
    give = ["command", ["chown", "%d" % found["note_owner"], path]]
    do = [give] * (found["owner"] != found["note_owner"]) + [["command", ["chmod", "0755", path]]]
    return [action(path, is_, "mode 0755 of user %d" % found["note_owner"], *do)]


def _keep(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    """Compare the SIF files that are as wanted with the controller's copies, which are for the other hosts."""
    sums = dict((one["path"], observed["sif"][one["path"]]["note"].get("sha256")) for one in want["build"])
    fits = [one for one in want["build"] if want["keep"] and all("do" in it for it in _build(one, observed))]
    lacking = [one for one in fits if want["kept"].get(one["path"], {}).get("sha256") != sums[one["path"]]]
    files = dict((one["path"], "%s/%s.sif" % (want["keep"], sums[one["path"]])) for one in lacking)
    stay = set(files.values()) | {copy["file"] for path, copy in want["kept"].items() if path not in files}
    found = []
    for one in lacking:
        copy, path = want["kept"].get(one["path"], {}), one["path"]
        is_ = "another build" if copy else "absent"
        more = {"path": path, "file": files[path], "note": sif_state_path(path)}
        more["kept_note"] = "%s/%s.json" % (want["keep"], one["name"])
        more["replaced"] = copy["file"] if copy and copy["file"] not in stay else ""
        found.append(action("%s on the controller" % path, is_, "the build from %s" % one["title"], **more))
    return found


def _place(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    found = observed["sif"][one["path"]]
    if found["size"] is None:
        is_ = "absent"
    elif found["size"] != one["size"]:
        is_ = "of %d bytes instead of %d" % (found["size"], one["size"])
    elif found["note"].get("sha256") != one["sha256"]:
        is_ = "another build"
    else:
        return _readable(one["path"], found)
    return [action(one["path"], is_, "the build from %s" % one["source"], **one["copy"])]


def _own_images(observed: Dict[str, Any]) -> List[str]:
    """Return the names of the role's images; one that somebody else put under the name stays."""
    images = observed["images"]
    noted = sorted(observed["record"]["images"].items())
    return [name for name, one in noted if (images.get(name) or {}).get("id") == one["id"]]


def _removal(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    # Of a name: layers that no other image needs go with the last one.
    images = [
        action(name, "present", "absent", ["command", docker_command("image", "rm", name)])
        for name in _own_images(observed)
    ]
    files = []
    for path, found in sorted(observed["sif"].items()):
        if found["note"]:
            note = sif_state_path(path)
            # The note last, by which the file is known.
            files.append(action(note, "present", "absent", ["remove", path], ["remove", note]))
            if found["size"] is not None:
                files.append(action(path, "present", "absent"))
    for path, is_there in (
        (want["registries"], observed["registries"] is not None),
        (want["record"], observed["recorded"]),
    ):
        if is_there:
            files.append(action(path, "present", "absent", ["remove", path]))
    return {"remove_images": images, "remove_files": files}


def _short(digest: str) -> str:
    """Return an id or a digest as docker shows it."""
    return digest.partition(":")[2][:12] or digest[:12]


def _last_clause(error: str) -> str:
    """Return an error in few words: the last clause of a chain."""
    return error.rstrip(".").rpartition(": ")[2][:120]
