"""Inputs of the role ``images``: made whole and judged, with what the controller knows of archives, files and hosts."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.images import archive
from ansible_collections.slipway.node.plugins.module_utils.images.reference import parse, parse_registry, parse_source
from ansible_collections.slipway.node.plugins.module_utils.images.skopeo import network
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import Site, cast
from ansible_collections.slipway.node.plugins.plugin_utils.registry.endpoints import for_engine

REMOVAL_INPUTS = ("state", "push_host", "sif_host", "sif_path", "sif_distribute")

SIF_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


def prepare(inputs: dict[str, Any], site: Site) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs that the node needs, and what is wrong with them.

    The node gets only what it has to do itself: ``push`` and ``build`` are empty but on the hosts that do that.
    """
    problems: list[str] = []
    hosts = [host for group in ("registry_hosts", "container_hosts") for host in site.groups.get(group, [])]
    push_host = inputs["push_host"] or [*hosts, *(site.variable("ansible_play_hosts_all") or []), site.host][0]
    by_singularity = site.groups.get("singularity_hosts") or [push_host]
    sif_host = inputs["sif_host"] or (push_host if push_host in by_singularity else by_singularity[0])
    folder = inputs["sif_path"]
    if not re.fullmatch(r"(/[^/\s]+)+", folder):
        problems.append(f"images_sif_path is {folder!r}; give an absolute path without a slash at its end.")
    if inputs["state"] == "absent":
        # Removal has no use for them, nor for the engine's.
        inputs = {**inputs, "mirrors": {}, "insecure_registries": []}
    mirrors = _mirrors(inputs, site, problems)
    insecure = _or_engine(inputs["insecure_registries"], "docker_daemon_insecure_registries", site, problems)
    if inputs["insecure_registries"] is None:
        # The engine knows those of the inventory without being told.
        insecure = list(dict.fromkeys([*insecure, *for_engine(site)[0]]))
    wrong = [one for one in insecure if not network(one) and not _is_registry(one)]
    # What the engine alone is told is the engine's to judge.
    if wrong and (inputs["push"] or inputs["sif"] or inputs["insecure_registries"]):
        problems.append(
            f"images_insecure_registries (null follows docker_daemon_insecure_registries) has {', '.join(wrong)}; give "
            "hosts such as registry.example.org:5000 and networks such as 10.0.0.0/8, without http:// and path."
        )
    wrong = [one for one in mirrors if not _is_registry(one)]
    if wrong:
        problems.append(f"images_mirrors has {', '.join(wrong)}; give registries such as docker.io as its keys.")
    for name, mirror in [(name, mirror) for name, places in mirrors.items() for mirror in places]:
        if not re.fullmatch(r"(https?://)?[^/\s\"@]+/?", str(mirror)):
            problems.append(
                f"images_mirrors has {mirror!r} for {name}; give the root of a registry, as in "
                "https://mirror.example.org."
            )
    # What a host's groups leave out is of no use there.
    given = {
        name: [] if role in site.left_out else inputs[name]
        for name, role in (("preload", "docker_ce"), ("sif", "singularity"))
    }
    preload = _complete("images_preload", given["preload"], lambda one: _preload(one, inputs["refresh"]), problems)
    # The archives of what is pushed are read for the one host that pushes.
    push = _complete("images_push", inputs["push"] if push_host == site.host else [], _push, problems)
    sif = _complete("images_sif", given["sif"], lambda one: _sif(one, folder), problems)
    if inputs["push"]:
        problems += _wrong_host("images_push_host", push_host, site)
    if sif:
        problems += _wrong_host("images_sif_host", sif_host, site)
    keep = _folder(site, sif_host) if sif and inputs["sif_distribute"] else ""
    builds = sif_host == site.host
    return {
        "state": inputs["state"],
        "authfile": inputs["authfile"],
        "mirrors": mirrors,
        "insecure": insecure,
        "sif_command": inputs["sif_command"],
        "sif_arguments": inputs["sif_arguments"],
        "publishers": list(dict.fromkeys((push_host, sif_host))),
        "preload": preload,
        "push": push,
        "build": sif if builds else [],
        "keep": keep,
        "kept": {one["path"]: one for one in kept(sif, keep)} if builds and keep else {},
        "place": kept(sif, keep, _built(site, sif_host)) if keep and not builds else [],
        # Whose SIF files go with `absent`.
        "sif_path": folder if inputs["sif_distribute"] or builds else "",
    }, problems


def kept(wanted: list[dict[str, Any]], folder: str, built: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the SIF files that the controller keeps for nodes, by the notes beside them.

    :param built: the sums by path of what the host that makes them has now, where that is known.
    """
    files = []
    for one in wanted:
        note = Path(folder) / f"{one['name']}.json"
        about = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
        file = Path(folder) / f"{about.get('sha256')}.sif"
        now = (built or {}).get(one["path"], about.get("sha256"))
        if about.get("source") == one["title"] and about["sha256"] == now and file.is_file():
            files.append({"path": one["path"], "file": str(file), **about})
    return files


def _folder(site: Site, sif_host: str) -> str:
    """Return where the controller keeps the SIF files of this site and of no other, however many share its cache."""
    about = [site.variable("ansible_inventory_sources"), sif_host]
    about += [site.variable(name, sif_host) for name in ("ansible_host", "ansible_port", "ansible_ssh_common_args")]
    name = hashlib.sha256(json.dumps(about, default=str).encode()).hexdigest()[:16]
    return os.path.expanduser(f"{site.settings['cache_dir']}/images/{name}")


def _built(site: Site, sif_host: str) -> dict[str, str]:
    """Return the sums of SIF files by path on the host that makes them, as far as this run looked."""
    state = (site.variable("slipway_state", sif_host) or {}).get("images") or {}
    made: dict[str, str] = state.get("facts", {}).get("made", {})
    return made


def _wrong_host(name: str, host: str, site: Site) -> list[str]:
    if host == site.host:
        return []
    if host not in site.groups.get("all", []):
        return [f"{name} is {host}, which the inventory has not; give a host of the inventory."]
    roles = site.variable("slipway_roles", host)
    if roles is not None and "images" not in roles:
        return [f"{name} is {host}, whose slipway_roles lacks images; add it there, or give another host."]
    return []


def _mirrors(inputs: dict[str, Any], site: Site, problems: list[str]) -> dict[str, list[str]]:
    """Return the mirrors by registry, where the input is null those of the engine."""
    if inputs["mirrors"] is None:
        return {"docker.io": _or_engine(None, "docker_daemon_registry_mirrors", site, problems)}
    option = {"type": "list", "elements": "str"}
    return {
        str(name): cast(f"images_mirrors.{name}", option, one, problems) or []
        for name, one in inputs["mirrors"].items()
    }


def _or_engine(given: list[str] | None, name: str, site: Site, problems: list[str]) -> list[str]:
    """Return an input, or where it is null what the engine has."""
    value = site.variable(name) if given is None else given
    return [] if value is None else cast(name, {"type": "list", "elements": "str"}, value, problems) or []


def _is_registry(text: str) -> bool:
    try:
        return bool(parse_registry(text))
    except ValueError:
        return False


def _complete(
    key: str, entries: list[dict[str, Any]], maker: Callable[[dict[str, Any]], dict[str, Any]], problems: list[str]
) -> list[dict[str, Any]]:
    done, taken = [], set()
    for one in entries:
        try:
            entry = maker(one)
        except ValueError as error:
            problems.append(f"{key}: {error}")
            continue
        name = entry.get("local") or entry.get("path") or entry["name"]
        if name in taken:
            problems.append(f"{key}: {name} is listed twice. Leave one of them.")
        taken.add(name)
        done.append(entry)
    return done


def _preload(one: dict[str, Any], refresh: bool) -> dict[str, Any]:
    name, given = parse(one.get("name")), _given(one)
    base = f"{name['registry']}/{name['repository']}"
    local = parse(f"{base}:{name['tag']}" if name["tag"] else f"{base}@{name['digest']}")["familiar"]
    entry = {
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
        return entry
    if given["source"] and not name["tag"]:
        raise ValueError(f"{name['familiar']} comes from {given['source']}: give it a tag instead of a digest.")
    source = _registry_source(given["source"]) if given["source"] else name
    pulled = f"{source['registry']}/{source['repository']}"
    pulled = parse(f"{pulled}@{source['digest']}" if source["digest"] else f"{pulled}:{source['tag']}")["familiar"]
    entry.update(pull=pulled, digest=source["digest"], source=pulled if pulled != local else "")
    asked = one.get("refresh")
    entry["refresh"] = bool(refresh if asked is None else asked) and not source["digest"]
    return entry


def _push(one: dict[str, Any]) -> dict[str, Any]:
    name, given = parse(one.get("name")), _given(one)
    if name["digest"]:
        raise ValueError(f"{name['familiar']} has a digest; an image is pushed under a tag. Leave @sha256:... out.")
    if not given["archive"] and not given["source"]:
        raise ValueError(f"{name['familiar']} needs a source or an archive.")
    return {"name": name["familiar"], "target": f"docker://{name['name']}", **_source(given, name["familiar"])}


def _sif(one: dict[str, Any], folder: str) -> dict[str, Any]:
    name, given = str(one.get("name") or ""), _given(one)
    if not SIF_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a SIF file. Write a file name without a folder, as in tool.sif.")
    if not given["archive"] and not given["source"]:
        raise ValueError(f"{name} needs a source or an archive.")
    entry = _source(given, name, transports=("docker", "docker-daemon", "library", "oras", "shub"))
    return {"path": f"{folder}/{name}", "name": name, "no_https": bool(one.get("no_https", False)), **entry}


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
    about: dict[str, Any] = {"ids": [], "pushed_digest": "", "transport": "", "inside": ""}
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
    return archive.facts(path, name, wanted)
