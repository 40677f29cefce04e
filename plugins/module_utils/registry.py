"""The section ``registry`` of the probe: registries in containers, their files, certificate and accounts.

``observe`` reads a host and asks each registry over the network, as a client would; ``compare`` is pure. The wanted
state is made on the controller (``plugin_utils/registry.py``), since it comes of files with secrets. Passwords are in
neither: what stands for one is a fingerprint, made there with a secret that never leaves it.
"""

import errno
import fcntl
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import stat
import time
from functools import partial
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils.host import (
    SOCKET,
    Host,
    docker,
    docker_command,
    drift_entry,
    free_bytes,
)
from ansible_collections.slipway.node.plugins.module_utils.platforms import Platform
from ansible_collections.slipway.node.plugins.module_utils.web import ask_registry, tls_context

_entry = partial(drift_entry, "registry")

LOCK = "/run/slipway-registry.lock"
TIMEOUT = 10
# Networks that Docker and its like make on a host: no client comes by them.
OWN_INTERFACES = re.compile(r"(lo|docker\d+|br-[0-9a-f]{12}|veth\w+|virbr\d+|cni\w*|podman\d+|flannel\S*|cali\w+)$")
DAY = 86400
MARK = "# slipway "
# How a file of ours begins; nothing else in the folder of configuration is touched.
WRITTEN = "# Written by Slipway, role registry"
# In each folder of images, so that one whose disk is not mounted is known from one that is new.
DATA_MARK = ".slipway"
# Where packages put the engine.
ENGINES = ("/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd")
# Where a container has its folder of images.
DATA = "/var/lib/registry"
# The image's `test -w` says that root can write anywhere.
TRY = ("sh", "-c", 'touch "$1/.slipway-try" && rm "$1/.slipway-try"', "sh")
# What a registry says goes to either output, and this is worth showing.
BOTH = ("sh", "-c", 'exec "$@" 2>&1', "sh")
TROUBLE = re.compile("level=(error|fatal)|panic|onfigur")


def want(inputs: Dict[str, Any], _platform: Platform) -> Dict[str, Any]:
    """Return the wanted state, which the controller made."""
    return inputs


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs, without secrets. Changes nothing."""
    containers, silent = _containers(host, want["project"])
    observed = {
        "files": dict((path, _file(host, path, wanted["seal"])) for path, wanted in want["files"].items()),
        "folders": [folder for folder in host.glob(want["config_dir"] + "/*/") if _is_ours(host, folder)],
        "containers": containers,
        "silent": silent,
        "units": [path for path in want["no_units"] if os.path.exists(path)],
        "maintenance": _locked(),
        "purge": [path for path in want["purge"] if os.path.exists(path)],
    }  # type: Dict[str, Any]
    if want["state"] == "absent":
        own = ("compose.yml", "instances.json", "tls")
        observed["own"] = host.glob(*("%s/%s" % (want["config_dir"], name) for name in own))
        observed["changes"] = _removals(want, observed)
        return observed
    observed["image"] = _image(host, want["image"])
    services = want["services"]
    observed["data"] = dict((one["data"], data(one["data"])) for one in services if one["data"])
    observed["accounts"] = dict(
        (one["htpasswd"], accounts(_text(host, one["htpasswd"]), want["accounts"]))
        for one in services
        if one["htpasswd"]
    )
    observed["names"] = names(host, want) if want["tls"] else []
    observed["certificate"] = certificate(want["tls"]) if want["tls"] else {}
    up = [one for one in services if _is_up(containers.get(one["container"]))]
    observed["answers"] = dict((one["service"], answer(one)) for one in up)
    observed["unwritable"] = _unwritable(host, up, observed["data"])
    observed["blocked"] = _blocked(host, want, containers)
    observed["timer"] = host.run("systemctl", "is-active", want["timer"])[1].strip() if want["timer"] else ""
    observed["closed_ports"] = _closed(host, want["open_ports"])
    observed["lost"] = _lost(host, want, observed["data"])
    observed["no_schedule"] = _no_schedule(host, want, observed)
    observed["forwards"] = (host.read("/proc/sys/net/ipv4/ip_forward") or "1").strip() != "0"
    observed["upstreams"] = dict((one["service"], upstream(host, want, one)) for one in services if one["upstream"])
    observed["said"] = _said(host, want, observed)
    observed["changes"] = changes(want, observed)
    return observed


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    if want["state"] == "absent":
        return _leftovers(want, observed)
    drift = []
    for path, found in sorted(observed["data"].items()):
        if not found["marked"]:
            is_ = "without Slipway's mark" if found["there"] else "absent"
            drift.append(_entry("create_folders", path, is_, "a folder with Slipway's mark"))
    if not observed["image"]:
        drift.append(_entry("provide_image", want["image"], "absent", "present"))
    drift += _file_drift(want, observed)
    drift += _certificate_drift(want, observed)
    for path in sorted(observed["accounts"]):
        drift += _account_drift(want, path, observed["accounts"][path])
    for one in want["services"]:
        drift += _service_drift(one, observed)
    wanted = [one["container"] for one in want["services"]]
    for name in sorted(set(observed["containers"]) - set(wanted)):
        drift.append(_entry("start_containers", "container %s" % name, "present", "absent"))
    if want["timer"] and observed["timer"] != "active":
        drift.append(_entry("schedule_collection", want["timer"], observed["timer"] or "absent", "active"))
    drift += _unit_drift(observed)
    for port in observed["closed_ports"]:
        drift.append(_entry("open_firewall", "port %s" % port, "closed by the firewall", "open"))
    return drift


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each with the remedy."""
    drift = compare(want, observed)
    refused = []
    if observed["maintenance"] and drift:
        refused.append(
            "slipway-registry is collecting garbage or copying on this host. Run again when it is done; `systemctl "
            "status slipway-registry-collect` tells of the scheduled collection."
        )
    if want["state"] == "absent":
        if observed["silent"] and drift:
            refused.append(
                "Docker's engine does not answer at %s, so registries may be running on what would be removed. Start "
                "it (`systemctl start docker`; `journalctl -u docker` says what is wrong with it) and run again, or "
                "uninstall it first." % SOCKET
            )
        return refused
    refused += [
        "A restore into %s broke off: docker.before-restore in it is what was there. Remove that, or move it to "
        "%s/docker." % (path, path)
        for path, found in sorted(observed["data"].items())
        if found["broken_off"] and drift
    ]
    refused += observed["blocked"] + observed["lost"] + observed["no_schedule"] + observed["unwritable"]
    error = (observed["certificate"] or {}).get("error", "")
    tls = want["tls"]
    if tls and not tls["given"] and not tls["replace"] and _is_foreign(tls, error):
        refused.append(
            "The certificate here is of an authority that is not in %s on this controller. Copy ca.crt, ca.key and the "
            "rest there from the controller that made them, or set registry_replace_authority: true; every client then "
            "has to trust the new one (tasks_from: client)." % want["secrets_dir"]
        )
    if tls and tls["given"]:
        refused += [
            "registry_certificate: %s. Replace the file." % one["is"]
            for one in drift
            if one["phase"] == "issue_certificate"
        ]
    if observed["answers"] and not observed["forwards"]:
        refused.append(
            "net.ipv4.ip_forward is 0 on this host, so no other host reaches its containers. Set it to 1 in the file "
            "of /etc/sysctl.d that says so, and run `sysctl -w net.ipv4.ip_forward=1`."
        )
    return refused


def _is_foreign(tls: Dict[str, Any], error: str) -> bool:
    return error == "of another authority" or (not tls["authority_sha256"] and error != "missing")


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know: upstreams that do not answer, and the last words of what does not run."""
    if want["state"] == "absent":
        return []
    told = [
        "The cache %s does not reach its upstream: %s. It serves what it has. Check upstream.url, and upstream.proxy "
        "and upstream.authority where it takes them." % (name, why)
        for name, why in sorted(observed["upstreams"].items())
        if why
    ]
    return told + [
        "%s says: %s" % (name, " | ".join(lines)) for name, lines in sorted(observed["said"].items()) if lines
    ]


def changes(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, List[str]]:
    """Return what the phases act on. Pure.

    ``write``, ``write_secret``: files. ``remove``, ``folders``, ``private_folders``: folders of configuration.
    ``accounts``: files of accounts. ``data``, ``data_marks``: folders of images and their marks that are to be made.
    ``restart``: services that do not answer as they should. ``reread``: those whose configuration or certificate is
    written anew: they may run with the former, though they are made from the right settings.
    """
    drift = compare(want, observed)
    by_phase = dict(
        (phase, [one for one in drift if one["phase"] == phase]) for phase in {one["phase"] for one in drift}
    )
    files = [one["item"] for one in by_phase.get("write_files", [])]
    items = [one["item"] for one in drift]
    restart = [one["item"] for one in by_phase.get("restart_containers", [])]
    certificate = any(path.startswith(want["config_dir"] + "/tls/") for path in files)
    return {
        "write": [path for path in files if path in want["files"] and not want["files"][path]["secret"]],
        "write_secret": [path for path in files if path in want["files"] and want["files"][path]["secret"]],
        "remove": [path for path in files if path not in want["files"]],
        "folders": [want["config_dir"]] + [want["config_dir"] + "/tls"] * bool(want["tls"]),
        "private_folders": ["%s/%s" % (want["config_dir"], one["service"]) for one in want["services"]],
        "accounts": [
            path
            for path, found in sorted(observed["accounts"].items())
            if any(item == path or item.endswith(" in " + path) for item in items)
        ],
        "data": sorted(path for path, found in observed["data"].items() if not found["there"]),
        "data_marks": sorted(
            os.path.join(path, DATA_MARK) for path, found in observed["data"].items() if not found["marked"]
        ),
        "restart": [one["service"] for one in want["services"] if "container " + one["container"] in restart],
        "reread": [
            one["service"]
            for one in want["services"]
            if (certificate or "%s/%s/config.yml" % (want["config_dir"], one["service"]) in files)
            and "container " + one["container"] not in items
        ],
    }


def _file_drift(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    drift = []
    for path, wanted in sorted(want["files"].items()):
        found = observed["files"][path]
        if found is None:
            drift.append(_entry("write_files", path, "absent", "Slipway's content"))
        elif not found["same"]:
            drift.append(_entry("write_files", path, "other content", "Slipway's content"))
        elif (found["mode"], found["owner"]) != (wanted["mode"], "0:0"):
            is_ = "mode %s of %s" % (found["mode"], found["owner"])
            drift.append(_entry("write_files", path, is_, "mode %s of root" % wanted["mode"]))
    for path in sorted(set(observed["folders"]) - set(_folders(want))):
        drift.append(_entry("write_files", path, "present", "absent"))
    return drift


def _differs(observed: Dict[str, Any], path: str) -> bool:
    found = observed["files"][path]
    return found is None or not found["same"]


def _folders(want: Dict[str, Any]) -> List[str]:
    names = [one["service"] for one in want["services"]] + (["tls"] if want["tls"] else [])
    return ["%s/%s/" % (want["config_dir"], name) for name in names]


def _certificate_drift(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    if not want["tls"]:
        return []
    found = observed["certificate"]
    wish = "valid for all names of the host"
    given = [want["tls"][key] for key in ("certificate", "key", "authority")]
    if want["tls"]["given"] and any(_differs(observed, path) for path in given if path in want["files"]):
        # It follows from the files, which are told of above.
        return []
    if found["error"]:
        is_ = found["error"]
    elif found["mode"] != "0600":
        is_, wish = "key has mode %s" % found["mode"], "0600"
    elif found["days"] < want["tls"]["renew_days"]:
        is_, wish = "expires in %d days" % found["days"], "%d days or more" % want["tls"]["renew_days"]
    else:
        lacking = [name for name in observed["names"] if name not in found["names"]]
        if not lacking or want["tls"]["given"]:
            return []
        is_ = "lacks %s" % ", ".join(lacking)
    return [_entry("issue_certificate", "certificate %s" % want["tls"]["certificate"], is_, wish)]


def _account_drift(want: Dict[str, Any], path: str, found: Dict[str, Any]) -> List[Dict[str, str]]:
    drift = []
    for name in sorted(want["accounts"]):
        if found["accounts"].get(name) is not True:
            is_ = "another password" if name in found["accounts"] else "absent"
            drift.append(_entry("set_accounts", "account %s in %s" % (name, path), is_, "the wanted password"))
    for name in sorted(set(found["accounts"]) - set(want["accounts"])):
        drift.append(_entry("set_accounts", "account %s in %s" % (name, path), "present", "absent"))
    if found["mode"] not in ("", "0600"):
        drift.append(_entry("set_accounts", path, "mode %s" % found["mode"], "0600"))
    return drift


def _service_drift(one: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    item, found = "container %s" % one["container"], observed["containers"].get(one["container"])
    if found is None:
        return [_entry("start_containers", item, "absent", "running")]
    if found["digest"] != one["digest"]:
        return [_entry("start_containers", item, "made from other settings", "made anew")]
    if observed["image"] and found["image"] != observed["image"]:
        return [_entry("start_containers", item, "made from another image", "made anew")]
    if found["read_only"]:
        # While garbage is collected or a copy is made it is so on purpose.
        return [] if observed["maintenance"] else [_entry("start_containers", item, "read-only", "writable")]
    if found["status"] != "running":
        return [_entry("start_containers", item, found["status"], "running")]
    # Docker's own check of its health fails on a busy host too; a registry that is ill answers 503.
    answered = observed["answers"].get(one["service"], "no answer")
    if answered == "another certificate" and observed["certificate"]["error"]:
        # It follows from the folder's certificate, which is told of above.
        return []
    if answered == "another certificate":
        return [_entry("restart_containers", item, "serves an older certificate", "serves the one in its folder")]
    if answered != one["answer"]:
        is_ = "answers %s" % answered if isinstance(answered, int) else answered
        return [_entry("restart_containers", item, is_, "answers %d" % one["answer"])]
    return []


def _leftovers(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    items = ["container %s" % name for name in sorted(observed["containers"])]
    items += _removals(want, observed)["remove"]
    return _unit_drift(observed) + [_entry("remove", item, "present", "absent") for item in items]


def _unit_drift(observed: Dict[str, Any]) -> List[Dict[str, str]]:
    return [_entry("unschedule_collection", path, "present", "absent") for path in observed["units"]]


def _removals(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    files = sorted(path for path, found in observed["files"].items() if found)
    folders = sorted({os.path.dirname(path) for path in observed["purge"]})
    return {
        "remove": files + observed["folders"] + observed["own"] + observed["purge"],
        "rmdir": [want["config_dir"]] * bool(observed["folders"] or observed["own"]) + folders,
    }


def _is_ours(host: Host, folder: str) -> bool:
    """Tell whether a folder of configuration was made by this role."""
    return (host.read(folder + "config.yml") or "").startswith(WRITTEN)


def data(path: str) -> Dict[str, Any]:
    """Return what is known of a folder of images.

    ``foreign`` is the first place in it where root without rights over others' files, as in a container, cannot write.
    """
    there = os.path.isdir(path)
    base = os.path.join(path, "docker", "registry", "v2")
    places = [path, base, os.path.join(base, "blobs"), os.path.join(base, "repositories")] if there else []
    bad = [place for place in places if os.path.isdir(place) and not _root_writes(place)]
    return {
        "there": there,
        "marked": os.path.exists(os.path.join(path, DATA_MARK)),
        "empty": not there or not set(os.listdir(path)) - {"lost+found"},
        "broken_off": os.path.isdir(os.path.join(path, "docker.before-restore")),
        "foreign": bad[0] if bad else "",
    }


def _root_writes(path: str) -> bool:
    status = os.stat(path)
    needed = 0o300 if status.st_uid == 0 else 0o030 if status.st_gid == 0 else 0o003
    fixed = os.statvfs(path).f_flag & os.ST_RDONLY
    return not fixed and status.st_mode & needed == needed


def _unwritable(host: Host, services: List[Dict[str, Any]], found: Dict[str, Any]) -> List[str]:
    """Return where running registries cannot write. Of a disk in the network only a container knows."""
    told = []
    for one in services:
        place = found[one["data"]]["foreign"] if one["writes"] else ""
        inside = place.replace(one["data"], DATA, 1)
        if place and docker(host, SOCKET, "exec", one["container"], *(TRY + (inside,)))[0] == 1:
            told.append(
                "%s cannot be written to by the registry, which is root without rights over the files of others: "
                "pushes would end with status 500. Run `chown -R 0:0 %s`, or mount it so that it can be written."
                % (place, one["data"])
            )
    return told


def _lost(host: Host, want: Dict[str, Any], found: Dict[str, Any]) -> List[str]:
    """Return which folders held images of this host and are empty now, as where a disk is not mounted."""
    table = "%s/instances.json" % want["config_dir"]
    try:
        former = json.loads(host.read(table) or "{}")
        known = (
            [one["path"] for one in former["instances"] if one["driver"] == "filesystem"] if former["data_mark"] else []
        )
    except (ValueError, KeyError, TypeError):
        known = []
    return [
        "%s held a registry's images and is empty or gone. Mount its disk and run again; or where the images are lost, "
        "run `mkdir -p %s && touch %s/%s` for an empty registry." % (path, path, path, DATA_MARK)
        for path in sorted(set(known))
        if path in found and not found[path]["marked"] and found[path]["empty"]
    ]


def _no_schedule(host: Host, want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what systemd says of a schedule that it does not take; one that is written already it took."""
    unit = "/etc/systemd/system/%s" % want["timer"]
    if not want["schedule"] or not _differs(observed, unit):
        return []
    if host.run("systemd-analyze", "calendar", want["schedule"])[0] == 0:
        return []
    return [
        'registry_collect_schedule is "%s", which systemd does not take; give it as systemd.time(7) has it, for '
        'example "Sun 03:30" for every Sunday.' % want["schedule"]
    ]


def upstream(host: Host, want: Dict[str, Any], one: Dict[str, Any]) -> str:
    """Ask a cache's upstream as the cache does; return why it does not answer, empty where it does."""
    folder = "%s/%s" % (want["config_dir"], one["service"])
    pairs = [line.partition("=") for line in (host.read(folder + "/environment") or "").splitlines()]
    proxies = dict((name.partition("_")[0].lower(), value) for name, _, value in pairs)
    authority = folder + "/upstream.crt"
    why = ask_registry(one["upstream"], proxies, [authority] if os.path.exists(authority) else [], timeout=TIMEOUT)
    return "%s: %s" % (one["upstream"], why) if why else ""


def _said(host: Host, want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, List[str]]:
    """Return the last words of containers that are there and do not answer as they should."""
    said = {}
    for one in want["services"]:
        if one["container"] in observed["containers"] and observed["answers"].get(one["service"]) != one["answer"]:
            out = host.run(*BOTH, *docker_command("logs", "--tail", "50", one["container"]))[1]
            said[one["container"]] = [line[:300] for line in out.splitlines() if TROUBLE.search(line)][-3:]
    return said


def certificate(tls: Dict[str, Any]) -> Dict[str, Any]:
    """Return what a client that trusts the authority makes of certificate and key, tried without a network.

    The standard library reads a certificate only from a peer that it verified, so a handshake is made in memory.
    """
    result = {"error": "", "names": [], "days": 0, "mode": ""}  # type: Dict[str, Any]
    missing = [path for path in (tls["certificate"], tls["key"]) if not os.path.exists(path)]
    if missing or not (tls["system_trust"] or os.path.exists(tls["authority"])):
        result["error"] = "missing"
        return result
    if not tls["system_trust"]:
        with open(tls["authority"], "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != tls["authority_sha256"]:
                result["error"] = "of another authority"
                return result
    try:
        peer = _handshake(tls["certificate"], tls["key"], "" if tls["system_trust"] else tls["authority"])
    except (ssl.SSLError, OSError) as error:
        result["error"] = "not valid: %s" % (
            getattr(error, "verify_message", "") or getattr(error, "reason", "") or error
        )
        return result
    result["names"] = [value for kind, value in peer.get("subjectAltName", ())]
    result["days"] = int((ssl.cert_time_to_seconds(peer["notAfter"]) - time.time()) // DAY)
    result["mode"] = "%04o" % stat.S_IMODE(os.stat(tls["key"]).st_mode)
    return result


def _handshake(path: str, key: str, authority: str) -> Dict[str, Any]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Without a password OpenSSL would ask for one at the terminal.
    server.load_cert_chain(path, key, "")
    client = tls_context(authority or None)
    client.check_hostname = False
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [here, there]
    for _round in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
        if here not in waiting:
            return here.getpeercert() or {}
    raise OSError("the handshake does not end")


def names(host: Host, want: Dict[str, Any]) -> List[str]:
    """Return the names and addresses that clients may use: the wanted ones and the host's own."""
    found = list(want["tls"]["names"]) + ["localhost", "127.0.0.1"]
    found += [host.run("hostname")[1].strip(), host.run("hostname", "--fqdn")[1].strip()]
    for line in host.run("ip", "-o", "addr", "show", "scope", "global")[1].splitlines():
        fields = line.split()
        if len(fields) > 3 and not OWN_INTERFACES.match(fields[1].split("@")[0]) and "temporary" not in fields:
            found.append(normal(fields[3].split("/")[0]))
    return sorted({normal(name) for name in found if name})


def normal(name: str) -> str:
    """Return a name as certificates have it: an address of version 6 in full capitals, as OpenSSL prints it."""
    try:
        packed = socket.inet_pton(socket.AF_INET6, name)
    except (OSError, ValueError):
        return name.lower()
    return ":".join("%X" % (packed[index] * 256 + packed[index + 1]) for index in range(0, 16, 2))


def answer(one: Dict[str, Any]) -> Any:
    """Ask a registry for /v2/ without an account; return the HTTP status, or why there is none."""
    address = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(one["address"], one["address"])
    try:
        if one["tls"]:
            # The folder's certificate was judged by itself; here it matters that this is the one that is served.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(address, one["port"], timeout=TIMEOUT, context=context)  # type: http.client.HTTPConnection
        else:
            connection = http.client.HTTPConnection(address, one["port"], timeout=TIMEOUT)
        connection.connect()
        if one["tls"] and _first_certificate(one["certificate"]) != connection.sock.getpeercert(True):  # type: ignore
            return "another certificate"
        connection.request("GET", "/v2/")
        response = connection.getresponse()
        status = response.status
        registry = response.getheader("Docker-Distribution-Api-Version", "")
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return "does not answer: %s" % (getattr(error, "strerror", "") or error)
    # One that is ill says 503 and not what it is.
    return status if registry.startswith("registry/2") or status == 503 else "something that is no registry answers"


def _first_certificate(path: str) -> bytes:
    try:
        with open(path) as file:
            found = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", file.read(), re.DOTALL)
    except OSError:
        return b""
    return ssl.PEM_cert_to_DER_cert(found.group(0)) if found else b""


def parse_htpasswd(text: str) -> List[Tuple[str, str, str]]:
    """Return the accounts of a file of accounts: name, hash, and Slipway's mark that stands before it."""
    entries, mark = [], ""
    for line in text.splitlines():
        if line.startswith(MARK):
            mark = line[len(MARK) :].strip()
        elif ":" in line and not line.startswith("#"):
            name, _, hashed = line.strip().partition(":")
            entries.append((name, hashed, mark))
            mark = ""
    return entries


def mark(fingerprint: str, name: str, hashed: str) -> str:
    """Return what stands before an account: that this hash was made from the password of this fingerprint."""
    return hashlib.sha256("\0".join((fingerprint, name, hashed)).encode("utf-8")).hexdigest()


def accounts(found: Tuple[Optional[str], str], wanted: Dict[str, str]) -> Dict[str, Any]:
    """Return each account in a file of accounts with whether it has the wanted password, and the file's mode."""
    text, mode = found
    return {
        "accounts": dict(
            (name, bool(wanted.get(name)) and noted == mark(wanted[name], name, hashed))
            for name, hashed, noted in parse_htpasswd(text or "")
        ),
        "mode": mode,
    }


def _text(host: Host, path: str) -> Tuple[Optional[str], str]:
    found = _file(host, path)
    return (host.read(path), found["mode"]) if found else (None, "")


def _file(host: Host, path: str, seal: str = "") -> Optional[Dict[str, Any]]:
    content = host.read(path)
    if content is None:
        return None
    status = os.stat(path)
    return {
        "same": host.is_sealed(seal, content),
        "mode": "%04o" % stat.S_IMODE(status.st_mode),
        "owner": "%d:%d" % (status.st_uid, status.st_gid),
    }


def _containers(host: Host, project: str) -> Tuple[Dict[str, Any], bool]:
    """Return the containers of the compose project by name, and whether there is an engine that does not answer."""
    chosen = "label=com.docker.compose.project=%s" % project
    rc, out = docker(host, SOCKET, "ps", "--all", "--quiet", "--filter", chosen)
    if rc != 0 or not out.split():
        return {}, rc != 0 and bool(host.glob(*ENGINES))
    _rc, out = docker(host, SOCKET, "inspect", *out.split())
    found = {}
    for one in json.loads(out or "[]"):
        # `docker compose run` makes containers of the project that come and go.
        if one["Config"]["Labels"].get("com.docker.compose.oneoff") == "True":
            continue
        found[one["Name"].lstrip("/")] = {
            "status": one["State"]["Status"],
            "image": one["Image"],
            "digest": one["Config"]["Labels"].get("slipway.digest", ""),
            "ports": [
                place["HostPort"]
                for places in (one["HostConfig"].get("PortBindings") or {}).values()
                for place in places or []
            ],
            "read_only": any(
                word.startswith("REGISTRY_STORAGE_MAINTENANCE_READONLY=") for word in one["Config"].get("Env") or []
            ),
        }
    return found, False


def _is_up(container: Optional[Dict[str, Any]]) -> bool:
    return container is not None and container["status"] == "running"


def _image(host: Host, name: str) -> str:
    rc, out = docker(host, SOCKET, "image", "inspect", "--format", "{{.Id}}", name)
    return out.strip() if rc == 0 else ""


def _locked() -> bool:
    """Tell whether garbage is being collected or a copy being made."""
    try:
        with open(LOCK) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (IOError, OSError) as error:
        return error.errno in (errno.EAGAIN, errno.EACCES)
    return False


def _blocked(host: Host, want: Dict[str, Any], containers: Dict[str, Any]) -> List[str]:
    """Return why registries cannot be started, or started anew at other ports, each with the remedy."""
    refused = []
    published = {port for one in containers.values() if _is_up(one) for port in one["ports"]}
    for one in want["services"]:
        for address, port in one["ports"]:
            user = "" if str(port) in published else _listener(host, address, port)
            if user:
                refused.append(
                    "Port %d, wanted for %s, is taken by %s. Stop that, or set another port in registry_instances."
                    % (port, one["service"], user)
                )
        if _is_up(containers.get(one["container"])):
            continue
        free = free_bytes(one["data"]) if one["data"] else None
        if free is not None and free < want["minimum_free"]:
            refused.append(
                "%s, where %s keeps its images, has %d GiB free; registry_minimum_free is %d. Free some, choose "
                "another storage path, or lower registry_minimum_free."
                % (one["data"], one["service"], free // 2**30, want["minimum_free"] // 2**30)
            )
        problem = _unreachable(one["endpoint"]) if one["endpoint"] else ""
        if problem:
            refused.append(
                "%s, the object store of %s, cannot be reached from this host: %s. Check regionendpoint, name service, "
                "routes and firewalls." % (one["endpoint"], one["service"], problem)
            )
    return refused


def _listener(host: Host, address: str, port: int) -> str:
    """Return who listens on a port, empty where nobody does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port))
            return ""
        except socket.error as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return "nobody, but this host has no address %s" % address
    out = host.run("ss", "-Hltnp", "sport = :%d" % port)[1]
    found = re.search(r'users:\(\("([^"]+)",pid=(\d+)', out)
    return "%s (pid %s)" % found.groups() if found else "another program"


def _unreachable(endpoint: str) -> str:
    name, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((name, int(port)), timeout=TIMEOUT).close()
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", "") or error)
    return ""


def _closed(host: Host, ports: List[int]) -> List[str]:
    """Return the ports that a firewall which is active does not let through."""
    if not ports:
        return []
    if host.glob("/usr/bin/firewall-cmd") and host.run("firewall-cmd", "--state")[0] == 0:
        listed = host.run("firewall-cmd", "--list-ports")[1].split()
    elif host.glob("/usr/sbin/ufw"):
        out = host.run("ufw", "status")[1]
        if not out.startswith("Status: active"):
            return []
        listed = [line.split()[0] for line in out.splitlines() if "ALLOW" in line]
    else:
        return []
    return ["%d/tcp" % port for port in ports if "%d/tcp" % port not in listed]
