"""Filters of the role images: its inputs made whole and judged, and what they say of archives on the controller."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.node.plugins.module_utils import image_archive
from ansible_collections.slipway.node.plugins.module_utils.image_reference import parse, parse_source
from ansible_collections.slipway.node.plugins.module_utils.images import archive_key, last_words, remedy

SIF_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
REGISTRIES_HEADER = "# Written by Slipway, role images: changes here are lost.\n"


def images_preload(entries: list[dict[str, Any]], refresh: bool = False) -> list[dict[str, Any]]:
    """Return the images that an engine is to hold, whole, as the section images of the probe takes them."""
    return _made("images_preload", entries, lambda one: _preload(one, refresh))


def images_push(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the images that a registry is to hold, whole."""
    return _made("images_push", entries, _push)


def images_sif(entries: list[dict[str, Any]], folder: str) -> list[dict[str, Any]]:
    """Return the SIF files to make, whole."""
    return _made("images_sif", entries, lambda one: _sif(one, folder))


def images_problems(inputs: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """Return what cannot be in the inputs, each as a sentence with its remedy."""
    problems, makers = [], {"images_preload": _preload, "images_push": _push, "images_sif": _sif}
    for key, maker in makers.items():
        taken = set()
        for one in inputs[key]:
            more = [settings["sif_path"]] if key == "images_sif" else [False] if key == "images_preload" else []
            try:
                whole = maker(one, *more)  # type: ignore[operator]
            except ValueError as error:
                problems.append(f"{key}: {error}")
                continue
            name = whole.get("local") or whole.get("path") or whole["name"]
            if name in taken:
                problems.append(f"{key}: {name} is listed twice. Leave one of them.")
            taken.add(name)
    if not re.fullmatch(r"(/[^/\s]+)+", settings["sif_path"]):
        problems.append(
            f"images_sif_path is {settings['sif_path']!r}. Give an absolute path without a slash at its end."
        )
    for registry, mirrors in settings["mirrors"].items():
        for mirror in mirrors:
            if not re.fullmatch(r"(https?://)?[^/\s\"@]+/?", mirror):
                problems.append(
                    f"images_mirrors has {mirror!r} for {registry}. Give the root of a registry, as in https://mirror.example.org."
                )
    return problems


def images_registries(mirrors: dict[str, list[str]], insecure: list[str]) -> str:
    """Return skopeo's registries.conf: mirrors by registry, and registries over plain HTTP; empty without any."""
    tables = []
    for registry in sorted({name for name, places in mirrors.items() if places} | set(insecure)):
        location = parse(f"{registry}/x")["registry"]
        lines = [
            "[[registry]]",
            f'location = "{location}"',
            f"insecure = {'true' if registry in insecure else 'false'}",
        ]
        for mirror in mirrors.get(registry, []):
            plain = mirror.startswith("http://")
            place = re.sub(r"^https?://", "", mirror).rstrip("/")
            lines += ["[[registry.mirror]]", f'location = "{place}"', f"insecure = {'true' if plain else 'false'}"]
        tables.append("\n".join(lines) + "\n")
    return REGISTRIES_HEADER + "\n".join(tables) if tables else ""


def images_record(observed: dict[str, Any], wanted: list[dict[str, Any]], acted: list[str]) -> dict[str, Any]:
    """Return the record of what the role put on a host, with what it acted on now.

    :param observed: the section of a probe after acting.
    :param acted: the names of images that drifted.
    """
    images = dict(observed["record"]["images"])
    for one in wanted:
        found = observed["images"].get(one["local"])
        if one["name"] in acted and found:
            ids = observed["archives"][archive_key(one)]["ids"] if one["remote"] else one["ids"]
            images[one["local"]] = {"id": found["id"], "from": ids[0] if ids else one["source"]}
    return {"images": images}


def images_place(wanted: list[dict[str, Any]], folder: str) -> list[dict[str, Any]]:
    """Return the SIF files that the controller keeps for nodes, by the notes beside them."""
    kept = []
    for one in wanted:
        note = Path(folder) / f"{os.path.basename(one['path'])}.json"
        file = note.with_suffix("")
        if note.is_file() and file.is_file():
            about = json.loads(note.read_text(encoding="utf-8"))
            if about["source"] == one["title"]:
                kept.append({"path": one["path"], "file": str(file), **about})
    return kept


def images_remedy(text: str) -> str:
    """Return an error of docker or skopeo with what it means and what to do."""
    said = last_words(str(text))
    advice = remedy(said)
    return f"{said} -- {advice[0].upper()}{advice[1:]}." if advice else said


def _made(key: str, entries: list[dict[str, Any]], maker: Any) -> list[dict[str, Any]]:
    try:
        return [maker(one) for one in entries]
    except ValueError as error:
        raise AnsibleFilterError(f"{key}: {error}") from error


def _preload(one: dict[str, Any], refresh: bool) -> dict[str, Any]:
    name, given = parse(one.get("name")), _given(one)
    base = f"{name['registry']}/{name['repository']}"
    local = parse(f"{base}:{name['tag']}" if name["tag"] else f"{base}@{name['digest']}")["familiar"]
    whole = {
        "name": name["familiar"],
        "local": local,
        "pull": "",
        "source": "",
        "digest": "",
        "refresh": False,
        **_archive(given, name["familiar"]),
    }
    if given["archive"]:
        if name["digest"]:
            raise ValueError(
                f"{name['familiar']} has a digest, which an archive cannot be pulled by. Leave @sha256:... out."
            )
        return whole
    if given["source"] and not name["tag"]:
        raise ValueError(f"{name['familiar']} comes from {given['source']}: give it a tag instead of a digest.")
    source = _registry_source(given["source"]) if given["source"] else name
    pulled = f"{source['registry']}/{source['repository']}"
    pulled = parse(f"{pulled}@{source['digest']}" if source["digest"] else f"{pulled}:{source['tag']}")["familiar"]
    whole.update(pull=pulled, digest=source["digest"], source=pulled if pulled != local else "")
    whole["refresh"] = bool(one.get("refresh", refresh)) and not source["digest"]
    return whole


def _push(one: dict[str, Any]) -> dict[str, Any]:
    name, given = parse(one.get("name")), _given(one)
    if name["digest"]:
        raise ValueError(f"{name['familiar']} has a digest; an image is pushed under a tag. Leave @sha256:... out.")
    if not given["archive"] and not given["source"]:
        raise ValueError(f"{name['familiar']} comes from nowhere. Give it a source or an archive.")
    return {"name": name["familiar"], "target": f"docker://{name['name']}", **_source(given, name["familiar"])}


def _sif(one: dict[str, Any], folder: str) -> dict[str, Any]:
    name, given = str(one.get("name") or ""), _given(one)
    if not SIF_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a SIF file. Write a file name without a folder, as in tool.sif.")
    if not given["archive"] and not given["source"]:
        raise ValueError(f"{name} comes from nowhere. Give it a source or an archive.")
    whole = _source(given, name, transports=("docker", "docker-daemon", "library", "oras", "shub"))
    return {"path": f"{folder}/{name}", "name": name, "no_https": bool(one.get("no_https", False)), **whole}


def _given(one: dict[str, Any]) -> dict[str, Any]:
    """Return where an entry comes from, with docker-archive: and oci-archive: read as archives of the host."""
    archive, source = str(one.get("archive") or ""), str(one.get("source") or "")
    image, remote = str(one.get("archive_image") or ""), bool(one.get("remote", False))
    given = {"archive": archive, "source": source, "remote": remote, "archive_image": image}
    if archive and source:
        raise ValueError(f"{one.get('name')} has both a source and an archive. Leave one of them.")
    if source.startswith(("docker-archive:", "oci-archive:")):
        path, _colon, image = source.partition(":")[2].partition(":")
        parse_source(source)
        given.update(archive=path, source="", remote=True, archive_image=image)
    if archive and not archive.startswith(("/", "~")):
        raise ValueError(
            f"the archive {archive} of {one.get('name')} has no absolute path. Write one such as "
            "{{ playbook_dir }}/files/app.tar."
        )
    return given


def _registry_source(text: str) -> dict[str, str]:
    source = parse_source(text)
    if source["transport"] != "docker":
        raise ValueError(f"an engine cannot pull from {text}. Give a reference, or an archive.")
    return source


def _archive(given: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what is known of an entry's archive; of one that is on the controller, all."""
    path, remote = given["archive"], given["remote"] and bool(given["archive"])
    about: dict[str, Any] = {"ids": [], "whole": "", "transport": "", "inside": ""}
    if path and not remote:
        path = os.path.expanduser(path)
        about = _facts(path, name, given["archive_image"])
    return {"archive": path, "remote": remote, "archive_image": given["archive_image"], **about}


def _source(
    given: dict[str, Any], name: str, transports: tuple[str, ...] = ("docker", "docker-daemon")
) -> dict[str, Any]:
    archive = _archive(given, name)
    if archive["archive"]:
        title = f"archive {os.path.basename(archive['archive'])}"
        location = f"archive:{archive['archive']}:{archive['archive_image'] or name}"
        return {"kind": "archive", "location": location, "digest": "", "title": title, **archive}
    source = parse_source(given["source"])
    if source["transport"] not in transports:
        raise ValueError(
            f"{name} cannot come from {given['source']}. Give a reference, docker-daemon:... or an archive."
        )
    title = source["familiar"] if source["transport"] == "docker" else source["location"]
    digest = source.get("digest", "")
    return {"kind": source["transport"], "location": source["location"], "digest": digest, "title": title, **archive}


def _facts(path: str, name: str, wanted: str) -> dict[str, Any]:
    """Read an archive on the controller, again only when it changed."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise ValueError(
            f"the archive {path} cannot be read on the controller ({error.strerror}). Correct the path, or say remote: "
            "true where it is on the node."
        ) from error
    return _facts_once(path, name, wanted, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _facts_once(path: str, name: str, wanted: str, _time: int, _size: int) -> dict[str, Any]:
    return image_archive.facts(path, name, wanted)


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "images_preload": images_preload,
            "images_push": images_push,
            "images_sif": images_sif,
            "images_problems": images_problems,
            "images_registries": images_registries,
            "images_record": images_record,
            "images_place": images_place,
            "images_remedy": images_remedy,
        }
