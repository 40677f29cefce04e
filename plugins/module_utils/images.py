"""The section ``images`` of the probe: images that an engine and a registry hold, and SIF files made from them.

An image is told by its id or digest, not by its tag alone. ``observe`` reads a host and asks the registries that the
role pushes to, ``compare`` is pure; the wanted state is ``__images_want`` in the role's ``vars/main.yml``, made by the
filters of plugins/filter/images.py. Credentials are read from the host's own file and are in no result.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import socket
from functools import partial
from typing import Any, Dict, List, Optional
from urllib.parse import quote

from ansible_collections.slipway.node.plugins.module_utils import image_archive
from ansible_collections.slipway.node.plugins.module_utils.host import Host, drift_entry
from ansible_collections.slipway.node.plugins.module_utils.image_reference import HUB, BadReferenceError, parse

_entry = partial(drift_entry, "images")

SOCKET = "/var/run/docker.sock"
_TIMEOUT = 30
# What registries and skopeo say of an image that is not there.
_MISSING = re.compile(r"manifest unknown|name unknown|not ?found|404", re.I)
# What goes wrong between hosts and registries, and what to do; the first that fits counts.
_REMEDIES = (
    (
        r"certificate signed by unknown authority|certificate verify failed|x509:",
        "this host does not trust the registry's certificate: run the role registry with tasks_from: client here",
    ),
    (
        r"server gave HTTP response to HTTPS client",
        "the registry speaks plain HTTP: list it in docker_daemon_insecure_registries and images_insecure_registries",
    ),
    (
        r"no basic auth credentials|unauthorized|authentication required|denied|invalid username/password",
        "the registry asks for an account: log root in with registry_client_logins, or name a file of logins in "
        "images_authfile",
    ),
    (r"no space left on device", "the disk is full: free some (`docker system df`), or move docker's data-root"),
    (
        r"cannot connect to the docker daemon|docker: not found|docker[^a-z]*no such file",
        "no Docker engine answers on this host: install it with the role docker_ce, or see `systemctl status docker`",
    ),
    (r"manifest unknown|name unknown|not found", "there is no such image: correct the reference"),
    (r"no (image|match).*platform|no matching manifest", "the image is not made for this host's platform"),
    (
        r"connection refused|no such host|i/o timeout|timed? ?out|network is unreachable|no route to host",
        "the registry cannot be reached from this host: does it run, does its name resolve, is there a firewall?",
    ),
)


def remedy(text: str) -> str:
    """Return what an error of docker, skopeo or singularity means and what to do; empty where it is not known."""
    for pattern, advice in _REMEDIES:
        if re.search(pattern, text, re.I):
            return advice
    return ""


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs, without secrets. Changes nothing."""
    record = parse_record(host.read(want["record"]))
    present = want["state"] == "present"
    preload = want["preload"] if present else []
    names = {name for one in preload for name in (one["local"], one["source"]) if name}
    names |= {
        one["location"].partition(":")[2] for one in want["push"] + want["build"] if one["kind"] == "docker-daemon"
    }
    if not present:
        names |= set(record["images"])
    engine = _engine(host) if names else None
    skopeo = want["skopeo"] and bool(host.glob("/usr/bin/skopeo", "/usr/local/bin/skopeo"))
    observed = {
        "engine": engine,
        "record": record,
        "recorded": host.read(want["record"]) is not None,
        "images": _images(host, sorted(names)) if engine else {},
        "archives": {},
        "registry": {},
        "skopeo": skopeo,
        "registries": host.read(want["registries"]) if want["registries"] else None,
        "pushed": {},
        "sources": {},
        "sif": {},
    }  # type: Dict[str, Any]
    for one in preload + want["push"] + want["build"]:
        if one["remote"]:
            observed["archives"][archive_key(one)] = _archive(one)
    for one in preload:
        if one["refresh"] and engine:
            observed["registry"][one["pull"]] = registry_digest(one["pull"], want["authfile"])
    for one in want["push"]:
        if skopeo:
            observed["pushed"][one["name"]] = skopeo_inspect(host, want, one["target"])
    for one in want["push"] + want["build"]:
        observed["sources"][one["location"]] = source_ids(host, want, one, observed)
    paths = {one["path"] for one in want["build"] + want["place"]} if present else set(made(host, want["sif_path"]))
    for path in sorted(paths):
        observed["sif"][path] = sif(host, path)
    return observed


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    if want["state"] == "absent":
        return _compare_absent(want, observed)
    drift = []
    if want["skopeo"] and not observed["skopeo"]:
        drift.append(_entry("install_skopeo", "skopeo", "missing", "presence"))
    if want["registries"] and observed["registries"] != want["registries_content"]:
        is_ = "missing" if observed["registries"] is None else "other content"
        drift.append(_entry("write_registries", want["registries"], is_, "Slipway's content"))
    drift += [entry for one in want["push"] for entry in _compare_push(one, observed)]
    drift += [entry for one in want["build"] for entry in _compare_build(one, observed)]
    drift += [entry for one in want["preload"] for entry in _compare_preload(one, observed)]
    drift += [entry for one in want["place"] for entry in _compare_place(one, observed)]
    return drift


def parse_record(text: Optional[str]) -> Dict[str, Any]:
    """Read the record of the images that the role put on a host: by name, the id and where it came from."""
    try:
        images = json.loads(text or "{}")["images"]
        return {"images": dict((name, {"id": one["id"], "from": one["from"]}) for name, one in images.items())}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"images": {}}


def sif_state_path(path: str) -> str:
    """Return the file beside a SIF file that says what it was made from."""
    return "%s/.%s.slipway.json" % (os.path.dirname(path), os.path.basename(path))


def made(host: Host, folder: str) -> List[str]:
    """Return the SIF files of a folder that the role made or placed, by the notes beside them."""
    notes = [os.path.basename(path) for path in host.glob(folder + "/.*.slipway.json")] if folder else []
    return ["%s/%s" % (folder, name[1 : -len(".slipway.json")]) for name in notes]


def sif(host: Host, path: str) -> Dict[str, Any]:
    """Return a SIF file's size and what is noted of it, empty where there is no such note."""
    try:
        size = os.stat(path).st_size  # type: Optional[int]
    except OSError:
        size = None
    try:
        note = json.loads(host.read(sif_state_path(path)) or "{}")
    except ValueError:
        note = {}
    return {"size": size, "note": note if isinstance(note, dict) else {}}


def source_ids(host: Host, want: Dict[str, Any], one: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return by what a source's image is known now: ids, or the error of whoever was asked."""
    if one["archive"]:
        about = observed["archives"][archive_key(one)] if one["remote"] else one
        return {"ids": [about["whole"]] if about["whole"] else [], "error": about.get("error", "")}
    if one["kind"] == "docker-daemon":
        image = observed["images"].get(one["location"].partition(":")[2])
        return {"ids": [image["id"]] if image else [], "error": "" if image else "the engine has no such image"}
    if one["digest"]:
        return {"ids": [one["digest"]], "error": ""}
    if one["kind"] in ("docker", "oras") and observed["skopeo"]:
        found = skopeo_inspect(host, want, "docker://" + one["location"].partition("://")[2])
        return {"ids": [found["digest"]] if found["digest"] else [], "error": found["error"]}
    return {"ids": [], "error": ""}


def skopeo_inspect(host: Host, want: Dict[str, Any], location: str) -> Dict[str, str]:
    """Ask a registry for an image's digest, that of a list where it is one, and its configuration's."""
    command = skopeo(want) + ["inspect"] + authfile(want) + ["--raw", location]
    rc, out = host.run(*command)
    if rc:
        # Once more for what it says, since a warning may not be mixed into a manifest.
        _rc, said = host.run("/bin/sh", "-c", 'exec "$@" 2>&1', "sh", *command)
        return {"digest": "", "config": "", "error": last_words(said)}
    try:
        config = json.loads(out).get("config", {}).get("digest", "")
    except (ValueError, AttributeError):
        config = ""
    return {"digest": digest_of(out), "config": config, "error": ""}


def digest_of(manifest: str) -> str:
    """Return by what a registry knows a manifest."""
    return "sha256:" + hashlib.sha256(manifest.encode("utf-8", "surrogateescape")).hexdigest()


def skopeo(want: Dict[str, Any]) -> List[str]:
    """Return skopeo's command with the role's registries; a registry that never answers ends it."""
    command = ["skopeo", "--command-timeout=%ds" % _TIMEOUT]
    return command + (["--registries-conf", want["registries"]] if os.path.exists(want["registries"]) else [])


def authfile(want: Dict[str, Any]) -> List[str]:
    """Return the argument that names the file of logins; skopeo refuses one that does not exist."""
    return ["--authfile", want["authfile"]] if os.path.exists(want["authfile"]) else []


def last_words(text: str) -> str:
    """Return the error in what a command said, without the decoration of a log."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    match = re.search(r'msg="(.*)"', lines[-1]) if lines else None
    return (match.group(1).replace('\\"', '"') if match else lines[-1] if lines else "no answer")[:500]


def registry_digest(reference: str, logins: str) -> str:
    """Ask the engine for the digest that a tag has in its registry now; empty where it cannot tell."""
    headers = {}
    auth = _login(logins, parse(reference)["registry"])
    if auth:
        headers["X-Registry-Auth"] = base64.urlsafe_b64encode(json.dumps(auth).encode("utf-8")).decode("ascii")
    connection = _Socket("localhost", timeout=_TIMEOUT)
    try:
        connection.request("GET", "/distribution/%s/json" % quote(reference, safe="/:@"), headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8")
        return json.loads(text)["Descriptor"]["digest"] if answer.status == 200 else ""
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ""
    finally:
        connection.close()


class _Socket(http.client.HTTPConnection):
    """HTTP to the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(SOCKET)


def _login(path: str, registry: str) -> Dict[str, str]:
    """Return the login to a registry from a file of logins, empty where it has none."""
    try:
        with open(path) as file:
            auths = json.load(file).get("auths", {})
        entry = auths.get("https://index.docker.io/v1/" if registry == HUB else registry, {})
        user, _colon, password = base64.b64decode(entry.get("auth", "")).decode("utf-8").partition(":")
    except (OSError, ValueError, AttributeError):
        return {}
    return {"username": user, "password": password, "serveraddress": registry} if user else {}


def _engine(host: Host) -> Optional[Dict[str, str]]:
    rc, out = host.run("env", "docker", "version", "--format", "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}")
    words = out.split()
    return {"version": words[0], "platform": words[1]} if rc == 0 and len(words) == 2 else None


def _images(host: Host, names: List[str]) -> Dict[str, Any]:
    """Return id and digests of the engine's images by name, ``None`` for one that it has not."""
    found = dict((name, None) for name in names)  # type: Dict[str, Any]
    by_name = dict((parse(name)["name"], name) for name in names)
    # It prints those that there are; its status tells of the others.
    _rc, out = host.run("docker", "image", "inspect", "--format", "{{json .}}", *names)
    for line in out.splitlines():
        try:
            image = json.loads(line)
        except ValueError:
            continue
        about = {"id": image["Id"], "digests": image.get("RepoDigests") or []}
        for name in (image.get("RepoTags") or []) + about["digests"]:
            try:
                key = by_name.get(parse(name)["name"])
            except BadReferenceError:
                continue
            if key:
                found[key] = about
    return found


def archive_key(one: Dict[str, Any]) -> str:
    """Return by what an archive on the host is told from others; which image is meant may follow from the name."""
    return "%s of %s" % (one["name"], one["archive"])


def _archive(one: Dict[str, Any]) -> Dict[str, Any]:
    """Return what there is to know of an archive of this host, or why it cannot be."""
    try:
        return dict(image_archive.facts(one["archive"], one["name"], one["archive_image"]), error="")
    except image_archive.ArchiveError as error:
        return {"ids": [], "whole": "", "transport": "", "inside": "", "error": str(error)}


def _short(digest: str) -> str:
    """Return an id or a digest as docker shows it."""
    return digest.partition(":")[2][:12] or digest[:12]


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
        title, fits = "presence", bool(found)
    if not fits:
        is_ = "image %s" % _short(found["id"]) if found else "missing"
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
        return [_entry("push_images", one["name"], "not to be seen without skopeo", want)]
    if found["error"]:
        is_ = "missing" if _MISSING.search(found["error"]) else "not to be seen (%s)" % _why(found["error"])
        return [_entry("push_images", one["name"], is_, want)]
    # A source that does not answer is no reason to doubt what was pushed.
    if ids and found["digest"] not in ids and found["config"] not in ids:
        return [_entry("push_images", one["name"], "digest %s" % _short(found["digest"]), want)]
    return []


def _compare_build(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    found, source = observed["sif"][one["path"]], observed["sources"][one["location"]]
    note, is_ = found["note"], ""
    if found["size"] is None:
        is_ = "missing"
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


def _compare_place(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    found = observed["sif"][one["path"]]
    if found["size"] is None:
        is_ = "missing"
    elif found["size"] != one["size"]:
        is_ = "of %d bytes instead of %d" % (found["size"], one["size"])
    elif found["note"].get("sha256") != one["sha256"]:
        is_ = "another build"
    else:
        return []
    return [_entry("place_sif", one["path"], is_, "the build from %s" % one["source"])]


def _compare_absent(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    drift = []
    for name, one in sorted(observed["record"]["images"].items()):
        # An image that somebody else put under the name stays.
        if (observed["images"].get(name) or {}).get("id") == one["id"]:
            drift.append(_entry("remove_images", name, "present", "absence"))
    for path, found in sorted(observed["sif"].items()):
        if found["note"]:
            drift.append(_entry("remove_files", sif_state_path(path), "present", "absence"))
            if found["size"] is not None:
                drift.append(_entry("remove_files", path, "present", "absence"))
    if observed["registries"] is not None:
        drift.append(_entry("remove_files", want["registries"], "present", "absence"))
    if observed["recorded"]:
        drift.append(_entry("remove_files", want["record"], "present", "absence"))
    return drift


def _why(error: str) -> str:
    """Return an error in few words: the last clause of a chain."""
    return error.rstrip(".").rpartition(": ")[2][:120]
