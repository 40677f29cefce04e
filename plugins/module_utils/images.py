"""The section ``images`` of the probe: images that an engine and a registry hold, and SIF files made from them.

An image is told by its id or digest, not by its tag alone. ``observe`` reads a host and asks the registries that the
role pushes to, ``compare`` is pure. Credentials are read from the host's own file and are in no result.
"""

import base64
import hashlib
import http.client
import ipaddress
import json
import os
import re
import socket
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple
from urllib.parse import quote

from ansible_collections.slipway.node.plugins.module_utils import files, image_archive
from ansible_collections.slipway.node.plugins.module_utils.host import (
    SOCKET,
    Host,
    NoAnswer,
    docker,
    docker_command,
    drift_entry,
)
from ansible_collections.slipway.node.plugins.module_utils.image_reference import (
    HUB,
    BadReferenceError,
    parse,
    parse_registry,
)
from ansible_collections.slipway.node.plugins.module_utils.platforms import Platform, manager

_entry = partial(drift_entry, "images")

RECORD = "/var/lib/slipway/images.json"
REGISTRIES = "/etc/slipway/images-registries.conf"
_REGISTRIES_HEADER = "# Written by Slipway, role images: changes here are lost.\n"
_TIMEOUT = 30
# What registries, skopeo and docker say of an image that is not there: a code of the API, or HTTP's status.
_MISSING = re.compile(
    r"\b(manifest|name) unknown\b|\b(artifact|repository|manifest|tag)( for)? \S+ not found\b|"
    r"[^\s:]+:[^\s:]+: not found$|\b(HTTP|HTTP status|status|status ?code):? 404\b",
    re.I,
)
UNREACHABLE = "the registry cannot be reached from this host: does it run, does its name resolve, is there a firewall?"
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
    (
        r"no space left on device",
        "the disk is full: free some (`docker system df`), or move docker's data-root, with containerd's image store "
        "/var/lib/containerd",
    ),
    (
        r"cannot connect to the docker daemon|docker: not found|docker[^a-z]*no such file",
        "no Docker engine answers on this host: install it with the role docker_ce, or see `systemctl status docker`",
    ),
    (_MISSING.pattern + "|reference does not exist|no such image", "there is no such image: correct the reference"),
    (r"no (image|match).*platform|no matching manifest", "the image is not made for this host's platform"),
    (
        r"connection refused|no such host|i/o timeout|timed? ?out|network is unreachable|no route to host",
        UNREACHABLE,
    ),
)


def remedy(text: str) -> str:
    """Return what an error of docker, skopeo or singularity means and what to do; empty where it is not known."""
    for pattern, advice in _REMEDIES:
        if re.search(pattern, text, re.I):
            return advice
    return ""


def told(text: str) -> str:
    """Return an error of docker, skopeo or singularity with what it means and what to do."""
    said = last_words(text)
    advice = remedy(said)
    return "%s -- %s%s." % (said, advice[0].upper(), advice[1:]) if advice else said


def want(inputs: Dict[str, Any], platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: the role's inputs, made whole on the controller, with places and skopeo's settings."""
    copies = bool(inputs["push"] or inputs["build"])
    settings = copies and (inputs["insecure"] or any(inputs["mirrors"].values()))
    return dict(
        inputs,
        record=RECORD,
        registries=REGISTRIES if settings or inputs["state"] == "absent" else "",
        skopeo=copies,
        manager=manager(platform),
        docker=docker_command(),
    )


def plain_registries(insecure: List[str], places: Iterable[str]) -> List[str]:
    """Return the registries over plain HTTP: those that are listed, and of ``places`` those of the networks listed."""
    plain = {parse_registry(name) for name in insecure if not network(name)}
    networks = [network(name) for name in insecure if network(name)]
    for place in set(places) - {HUB} if networks else ():
        if any(address in one for address in _addresses(place) for one in networks):
            plain.add(place)
    return sorted(plain)


def registries(mirrors: Dict[str, List[str]], plain: List[str]) -> str:
    """Return skopeo's registries.conf: mirrors by registry, and registries over plain HTTP. It knows no networks."""
    by_registry = dict((parse_registry(name), places) for name, places in mirrors.items() if places)
    tables = []
    for registry in sorted(set(by_registry) | set(plain)):
        lines = ["[[registry]]"] + _location(registry, registry in plain)
        for mirror in by_registry.get(registry, []):
            insecurely = mirror.startswith("http://") or _place(mirror) in plain
            lines += ["[[registry.mirror]]"] + _location(_place(mirror), insecurely)
        tables.append("\n".join(lines) + "\n")
    return _REGISTRIES_HEADER + "\n".join(tables)


def network(text: str) -> Any:
    """Return a network such as ``10.0.0.0/8``, or ``None`` for what is none."""
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _addresses(registry: str) -> List[Any]:
    """Return the addresses of a registry as this host resolves its name, as dockerd does; none where it does not."""
    try:
        found = socket.getaddrinfo(re.sub(r":[0-9]+$", "", registry).strip("[]"), None)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]


def _place(mirror: str) -> str:
    return re.sub(r"^https?://", "", mirror).rstrip("/")


def _location(place: str, plain: bool) -> List[str]:
    return ['location = "%s"' % place, "insecure = %s" % str(plain).lower()]


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
    silent = bool(names) and not present and not engine and host.run("/bin/sh", "-c", "command -v dockerd")[0] == 0
    places = _registries_of(want["push"] + want["build"], "target", "location")
    places += [_place(mirror) for mirrors in want["mirrors"].values() for mirror in mirrors]
    plain = plain_registries(want["insecure"], places) if want["skopeo"] else []
    skopeo = want["skopeo"] and bool(host.glob("/usr/bin/skopeo", "/usr/local/bin/skopeo"))
    observed = {
        "engine": engine,
        "silent": silent,
        "record": record,
        "recorded": host.read(want["record"]) is not None,
        "images": _images(host, sorted(names)) if engine else {},
        "archives": {},
        "registry": {},
        "skopeo": skopeo,
        "registries": host.read(want["registries"]) if want["registries"] else None,
        "registries_wanted": registries(want["mirrors"], plain) if want["registries"] else "",
        "plain": plain,
        "pushed": {},
        "sources": {},
        "sif": {},
        "used": {},
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
    observed["todo"] = todo(want, observed) if present else {}
    if engine and not present:
        observed["used"] = _used(host, observed)
    return observed


def _registries_of(entries: List[Dict[str, Any]], *keys: str) -> List[str]:
    """Return the registries that entries name by keys."""
    places = [one.get(key, "") for one in entries for key in keys]
    return re.findall(r"^(?:docker|oras)://([^/\s]+)/", "\n".join(places), re.M)


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed: useless archives, others' files, images to remove that are used or unseen."""
    refused = sorted({about["error"] for about in observed["archives"].values() if about["error"]})
    for one in want["build"] + want["place"]:
        if observed["sif"][one["path"]]["unknown"] not in ("", one.get("sha256")):
            refused.append(
                "%s is there and not Slipway's. Move it away, or give another name in images_sif." % one["path"]
            )
    for name, containers in sorted(observed["used"].items()):
        refused.append(
            "%s is used by the containers %s. Remove them (`docker rm`), then run again."
            % (name, ", ".join(containers))
        )
    if want["state"] == "absent" and observed["silent"]:
        refused.append(
            "the Docker engine does not answer, so the images that Slipway put there stay: %s. Start it (`systemctl "
            "status docker` says what ails it), then run again; or delete %s, and they are no longer Slipway's."
            % (", ".join(sorted(observed["record"]["images"])), want["record"])
        )
    return refused


def notes(_want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know: tags whose registry does not tell what they mean by now."""
    silent = sorted(name for name, digest in observed["registry"].items() if not digest)
    if not silent:
        return []
    return [
        "It is not known whether %s, which are to be refreshed, mean other images by now: the engine cannot ask their "
        "registry (`docker manifest inspect %s` says why)." % (", ".join(silent), silent[0])
    ]


def todo(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, List[Dict[str, Any]]]:
    """Return the wanted entries that are to be acted on, by what is done with them. Pure."""
    preload = [one for one in want["preload"] if _compare_preload(one, observed)]
    return {
        "push": [one for one in want["push"] if _compare_push(one, observed)],
        "build": [
            dict(one, no_https=one["no_https"] or bool(set(_registries_of([one], "location")) & set(observed["plain"])))
            for one in want["build"]
            if _compare_build(one, observed)
        ],
        "keep": [one for one in want["build"] if _compare_keep(one, want, observed)],
        "pull": [dict((key, one[key]) for key in ("pull", "local", "source")) for one in preload if one["pull"]],
        "load": [one for one in preload if one["archive"]],
        "place": [one for one in want["place"] if _compare_place(one, observed)],
    }


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


def parse_record(text: Optional[str]) -> Dict[str, Any]:
    """Read the record: ``images`` that the role put on a host, and those of its engine that it ``pushed``.

    By name each has an id and where it came from; of one that was pushed that is the engine's id.
    """
    try:
        tables = json.loads(text or "{}")
        return dict(
            (key, dict((name, {"id": one["id"], "from": one["from"]}) for name, one in tables.get(key, {}).items()))
            for key in ("images", "pushed")
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"images": {}, "pushed": {}}


def record(path: str, table: str, name: str, identity: str, origin: str) -> None:
    """Note in the record what the role just put here or pushed, so that a run that breaks off forgets nothing."""
    noted = parse_record(Host().read(path))
    noted[table][name] = {"id": identity, "from": origin}
    files.replace(path, json.dumps(noted, indent=4, sort_keys=True) + "\n", files.PRIVATE)


def sif_state_path(path: str) -> str:
    """Return the file beside a SIF file that says what it was made from."""
    return "%s/.%s.slipway.json" % (os.path.dirname(path), os.path.basename(path))


def made(host: Host, folder: str) -> List[str]:
    """Return the SIF files of a folder that the role made or placed, by the notes beside them."""
    notes = [os.path.basename(path) for path in host.glob(folder + "/.*.slipway.json")] if folder else []
    return ["%s/%s" % (folder, name[1 : -len(".slipway.json")]) for name in notes]


def sif(host: Host, path: str) -> Dict[str, Any]:
    """Return a SIF file's size, what is noted of it, and the sum of one without a note, which is not Slipway's."""
    try:
        size = os.stat(path).st_size  # type: Optional[int]
    except OSError:
        size = None
    text = host.read(sif_state_path(path))
    try:
        note = json.loads(text or "{}")
    except ValueError:
        note = {}
    unknown = files.sha256(path) if text is None else ""
    return {"size": size, "note": note if isinstance(note, dict) else {}, "unknown": unknown}


def source_ids(host: Host, want: Dict[str, Any], one: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return by what a source's image is known now: ids, or the error of whoever was asked."""
    if one["archive"]:
        about = observed["archives"][archive_key(one)] if one["remote"] else one
        return {"ids": [about["whole"]] if about["whole"] else [], "error": about.get("error", "")}
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


def copy_command(want: Dict[str, Any], version: str, keep: bool) -> List[str]:
    """Return skopeo's command to copy an image whole, but for source and target.

    :param version: what ``skopeo --version`` says.
    :param keep: digests must stay; skopeo before 1.5 cannot promise that, and then the proof tells.
    """
    numbers = [int(number) for number in re.findall("[0-9]+", version)[:2]]
    conf = ["--registries-conf", want["registries"]] if os.path.exists(want["registries"]) else []
    return (
        ["skopeo"]
        + conf
        + ["copy", "--all", "--quiet", "--retry-times", "2"]
        + (["--preserve-digests"] if keep and numbers >= [1, 5] else [])
        + authfile(want)
    )


def save(run: Callable[..., Tuple[int, str, str]], name: str, folder: str) -> Tuple[str, str]:
    """Save an image of the engine in a folder; return the archive's path, or an error.

    By the ``docker`` command, which talks to any engine: what skopeo and Singularity speak is too old for new ones.
    """
    path = os.path.join(folder, "saved.tar")
    rc, out, err = run(docker_command("save", "--output", path, name))
    return path, told(out + err) if rc else ""


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
        self.sock.connect(SOCKET[len("unix://") :])


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
        about = {"id": image["Id"], "digests": image.get("RepoDigests") or []}
        for name in (image.get("RepoTags") or []) + about["digests"]:
            try:
                key = by_name.get(parse(name)["name"])
            except BadReferenceError:
                continue
            if key:
                found[key] = about
    return found


def _used(host: Host, observed: Dict[str, Any]) -> Dict[str, List[str]]:
    """Return the containers of the role's images by name, those that are stopped too."""
    names = [one["item"] for one in _compare_images(observed)]
    rc, out = docker(host, SOCKET, "ps", "--all", "--quiet") if names else (0, "")
    if rc:
        raise NoAnswer("`docker ps --all` fails, so it is not known which images are in use; see why on the host")
    containers = out.split()
    if not containers:
        return {}
    _rc, out = docker(host, SOCKET, "inspect", "--format", "{{.Image}} {{.Name}}", *containers)
    users = [line.split() for line in out.splitlines()]
    used = {}
    for name in names:
        found = sorted(user[1].lstrip("/") for user in users if user[0] == observed["images"][name]["id"])
        if found:
            used[name] = found
    return used


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
        is_ = "absent" if _MISSING.search(found["error"]) else "not to be seen (%s)" % _why(found["error"])
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


def _compare_images(observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Compare the role's images with none; one that somebody else put under the name stays."""
    return [
        _entry("remove_images", name, "present", "absent")
        for name, one in sorted(observed["record"]["images"].items())
        if (observed["images"].get(name) or {}).get("id") == one["id"]
    ]


def _compare_absent(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    drift = _compare_images(observed)
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


def _why(error: str) -> str:
    """Return an error in few words: the last clause of a chain."""
    return error.rstrip(".").rpartition(": ")[2][:120]
