"""What differs between a host and the wanted registries, what is done about it, and what stands in the way. Pure."""

import os
from functools import partial
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, drift_entry
from ansible_collections.slipway.node.plugins.module_utils.registry.want import DATA_MARK

_entry = partial(drift_entry, "registry")


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
        if observed["engine_unreachable"] and drift:
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
        if found["interrupted_restore"] and drift
    ]
    refused += observed["blocked"] + observed["emptied"] + observed["bad_schedule"] + observed["unwritable"]
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
    if observed["answers"] and not observed["ip_forward"]:
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
    unreached = [
        "The cache %s does not reach its upstream: %s. It serves what it has. Check upstream.url, and upstream.proxy "
        "and upstream.authority where it takes them." % (name, why)
        for name, why in sorted(observed["upstreams"].items())
        if why
    ]
    return unreached + [
        "%s says: %s" % (name, " | ".join(lines))
        for name, lines in sorted(observed["container_errors"].items())
        if lines
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


def differs(observed: Dict[str, Any], path: str) -> bool:
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
    if want["tls"]["given"] and any(differs(observed, path) for path in given if path in want["files"]):
        # It follows from the files, which are told of above.
        return []
    if found["error"]:
        is_ = found["error"]
    elif found["mode"] != "0600":
        is_, wish = "key has mode %s" % found["mode"], "0600"
    elif found["days"] < want["tls"]["renew_days"]:
        is_, wish = "expires in %d days" % found["days"], "%d days or more" % want["tls"]["renew_days"]
    else:
        missing = [name for name in observed["names"] if name not in found["names"]]
        if not missing or want["tls"]["given"]:
            return []
        is_ = "lacks %s" % ", ".join(missing)
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
    items += removals(want, observed)["remove"]
    return _unit_drift(observed) + [_entry("remove", item, "present", "absent") for item in items]


def _unit_drift(observed: Dict[str, Any]) -> List[Dict[str, str]]:
    return [_entry("unschedule_collection", path, "present", "absent") for path in observed["units"]]


def removals(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    files = sorted(path for path, found in observed["files"].items() if found)
    folders = sorted({os.path.dirname(path) for path in observed["purge"]})
    return {
        "remove": files + observed["folders"] + observed["own"] + observed["purge"],
        "rmdir": [want["config_dir"]] * bool(observed["folders"] or observed["own"]) + folders,
    }


def facts(_want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, str]:
    """Return what reports show: the registries that answer."""
    answers = observed.get("answers", {}).items()
    return {"registry": " ".join(name for name, answer in answers if isinstance(answer, int))}
