"""What a host has of images: those of its engine, archives, SIF files, and what registries say of those it pushes."""

import json
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, Host, NoAnswer, docker
from ansible_collections.slipway.node.plugins.module_utils.images import archive
from ansible_collections.slipway.node.plugins.module_utils.images.plan import (
    archive_key,
    registries_of,
)
from ansible_collections.slipway.node.plugins.module_utils.images.record import parse_record
from ansible_collections.slipway.node.plugins.module_utils.images.reference import BadReferenceError, parse
from ansible_collections.slipway.node.plugins.module_utils.images.registries import registry_digest, skopeo_inspect
from ansible_collections.slipway.node.plugins.module_utils.images.sif import managed_files, sif
from ansible_collections.slipway.node.plugins.module_utils.images.skopeo import (
    mirror_host,
    plain_http_registries,
)


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`plan` needs, without secrets. Changes nothing."""
    record = parse_record(want["record"], host.read(want["record"]))
    present = want["state"] == "present"
    preload = want["preload"] if present else []
    names = {name for one in preload for name in (one["local"], one["source"]) if name}
    names |= {
        one["location"].partition(":")[2] for one in want["push"] + want["build"] if one["kind"] == "docker-daemon"
    }
    if not present:
        names |= set(record["images"])
    engine = _engine(host) if names else None
    places = registries_of(want["push"] + want["build"], "target", "location")
    places += [mirror_host(mirror) for mirrors in want["mirrors"].values() for mirror in mirrors]
    plain_http = plain_http_registries(want["insecure"], places) if want["skopeo"] else []
    skopeo = want["skopeo"] and bool(host.glob("/usr/bin/skopeo", "/usr/local/bin/skopeo"))
    observed = {
        "engine": engine,
        "dockerd": bool(names) and not engine and host.run("/bin/sh", "-c", "command -v dockerd")[0] == 0,
        "record": record,
        "recorded": host.read(want["record"]) is not None,
        "images": _images(host, sorted(names)) if engine else {},
        "archives": {},
        "registry": {},
        "skopeo": skopeo,
        "registries": host.read(want["registries"]) if want["registries"] else None,
        "plain_http": plain_http,
        "pushed": {},
        "sources": {},
        "sif": {},
        "containers": _containers(host) if engine and record["images"] and not present else {},
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
    paths = (
        {one["path"] for one in want["build"] + want["place"]}
        if present
        else set(managed_files(host, want["sif_path"]))
    )
    for path in sorted(paths):
        observed["sif"][path] = sif(host, path)
    return observed


def _engine(host: Host) -> Optional[Dict[str, str]]:
    rc, out = docker(host, SOCKET, "version", "--format", "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}")
    words = out.split()
    return {"version": words[0], "platform": words[1]} if rc == 0 and len(words) == 2 else None


def _images(host: Host, names: List[str]) -> Dict[str, Any]:
    """Return id and digests of the engine's images by name, ``None`` for one that it has not."""
    found = dict((name, None) for name in names)  # type: Dict[str, Any]
    by_name = dict((parse(name)["name"], name) for name in names)
    # It prints those that there are; its status tells of the others.
    _rc, out = docker(host, SOCKET, "image", "inspect", "--format", "{{json .}}", *names)
    for line in out.splitlines():
        try:
            image = json.loads(line)
        except ValueError:
            continue
        tags, digests = image.get("RepoTags") or [], image.get("RepoDigests") or []
        about = {"id": image["Id"], "digests": digests, "tags": tags}
        for name in tags + digests:
            try:
                key = by_name.get(parse(name)["name"])
            except BadReferenceError:
                continue
            if key:
                found[key] = about
    return found


def _archive(one: Dict[str, Any]) -> Dict[str, Any]:
    """Return what there is to know of an archive of this host, or why it cannot be."""
    try:
        return dict(archive.facts(one["archive"], one["name"], one["archive_image"]), error="")
    except archive.ArchiveError as error:
        return {"ids": [], "pushed_digest": "", "transport": "", "inside": "", "error": str(error)}


def source_ids(host: Host, want: Dict[str, Any], one: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return by what a source's image is known now: ids, or the error of whoever was asked."""
    if one["archive"]:
        about = observed["archives"][archive_key(one)] if one["remote"] else one
        return {"ids": [about["pushed_digest"]] if about["pushed_digest"] else [], "error": about.get("error", "")}
    if one["kind"] == "docker-daemon":
        image = observed["images"].get(one["location"].partition(":")[2])
        ids = [image["id"]] if image else []
        # In containerd's image store an id is not that of the configuration, by which what was pushed is told.
        pushed = observed["record"]["pushed"].get(one["name"], {})
        ids += [pushed["id"]] if pushed.get("from") in ids else []
        return {"ids": ids, "error": "" if image else "the engine has no such image"}
    if one["digest"]:
        return {"ids": [one["digest"]], "error": ""}
    if one["kind"] in ("docker", "oras") and observed["skopeo"]:
        found = skopeo_inspect(host, want, "docker://" + one["location"].partition("://")[2])
        return {"ids": [found["digest"]] if found["digest"] else [], "error": found["error"]}
    return {"ids": [], "error": ""}


def _containers(host: Host) -> Dict[str, List[str]]:
    """Return the names of containers by the image that they are of, those that are stopped too."""
    rc, out = docker(host, SOCKET, "ps", "--all", "--quiet")
    if rc:
        raise NoAnswer("`docker ps --all` fails, so it is not known which images are in use; see why on the host")
    if not out.split():
        return {}
    _rc, out = docker(host, SOCKET, "inspect", "--format", "{{.Image}} {{.Name}}", *out.split())
    users = {}  # type: Dict[str, List[str]]
    for image, name in sorted(line.split() for line in out.splitlines()):
        users.setdefault(image, []).append(name.lstrip("/"))
    return users
