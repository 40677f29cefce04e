"""What differs between a host and the wanted registries, how it is mended, and what stands in the way. Pure."""

import os
import re
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action, Plan, action
from ansible_collections.slipway.node.plugins.module_utils.registry.ports import NO_ADDRESS
from ansible_collections.slipway.node.plugins.module_utils.registry.want import DATA_MARK

# Bytes that a disk which is full may have free.
FULL = 1 << 20


def plan(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    """Return what differs, by phase; ``act.py`` has those that need more than a command."""
    unschedule = [_unscheduled(path) for path in observed["units"]]
    if want["state"] == "absent":
        items = ["container %s" % name for name in sorted(observed["containers"])] + _leftovers(observed)
        return {"unschedule_collection": unschedule, "remove": [action(item, "present", "absent") for item in items]}
    image, accounts = want["image"], sorted(observed["accounts"].items())
    return {
        "create_folders": [
            _created(path, found["there"]) for path, found in sorted(observed["data"].items()) if not found["marked"]
        ],
        "provide_image": [action(image, "absent", "present", archive=want["image_archive"])] * (not observed["image"]),
        "write_files": _files(want, observed),
        "issue_certificate": _certificate(want, observed),
        "set_accounts": [one for path, found in accounts for one in _accounts(want, path, found)],
        **_services(want, observed),
        "schedule_collection": _schedule(want, observed),
        "unschedule_collection": unschedule,
        "open_firewall": [
            action("port %s" % port, "closed by the firewall", "open", *_opened(observed["firewall"], port))
            for port in observed["closed_ports"]
        ],
    }


def _created(path: str, there: bool) -> Action:
    # One that is there keeps its mode: a site may have set it up for its backup. By the mark the next run knows a
    # folder whose disk is not mounted. By commands, since a file system of the network may refuse a change of owner.
    make = [] if there else [["command", ["install", "--directory", "--mode=0700", path]]]
    is_ = "without Slipway's mark" if there else "absent"
    mark = ["command", ["touch", os.path.join(path, DATA_MARK)]]
    return action(path, is_, "a folder with Slipway's mark", *make, mark)


def _schedule(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    actions, reload = [], ["command", ["systemctl", "daemon-reload"]]
    if want["timer"] and observed["timer"] != "active":
        start = ["command", ["systemctl", "enable", "--now", want["timer"]]]
        actions.append(action(want["timer"], observed["timer"] or "absent", "active", reload, start))
    if observed["at_boot"] != "enabled":
        enable = ["command", ["systemctl", "enable", want["at_boot"]]]
        actions.append(action(want["at_boot"], observed["at_boot"] or "absent", "enabled", reload, enable))
    return actions


def _unscheduled(path: str) -> Action:
    stop = ["command", ["systemctl", "disable", "--now", os.path.basename(path)]]
    return action(path, "present", "absent", stop, ["remove", path], ["command", ["systemctl", "daemon-reload"]])


def _opened(firewall: str, port: str) -> List[List[Any]]:
    if firewall == "ufw":
        return [["command", ["ufw", "allow", port]]]
    return [["command", ["firewall-cmd"] + kind + ["--add-port=" + port]] for kind in (["--permanent"], [])]


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each with the remedy."""
    actions, refused = plan(want, observed), []  # type: Plan, List[str]
    if want["state"] == "absent":
        if observed["engine_unreachable"] and any(actions.values()):
            refused.append(
                "Docker's engine does not answer at %s, so registries may be running on what would be removed. Start "
                "it (`systemctl start docker`; `journalctl -u docker` says what is wrong with it) and run again, or "
                "uninstall it first." % SOCKET
            )
        return refused
    refused += [
        "The store of %s is at %s/docker.before-restore, since a restore broke off: move it back to %s/docker, or run "
        "`slipway-registry settle`." % (one["service"], one["data"], one["data"])
        for one in want["services"]
        if one["writes"] and not observed["maintenance"]
        if observed["data"][one["data"]]["before_restore"] and observed["data"][one["data"]]["moved_away"]
    ]
    refused += [reason for one in want["services"] for reason in _blocked(want, one, observed)]
    refused += [
        "%s held a registry's images and is empty or gone. Mount its disk and run again; or where the images are lost, "
        "run `mkdir -p %s && touch %s/%s` for an empty registry." % (path, path, path, DATA_MARK)
        for path in observed["former_data"]
        if path in observed["data"] and not observed["data"][path]["marked"] and observed["data"][path]["empty"]
    ]
    unit = "/etc/systemd/system/%s" % want["timer"]
    # One that is written already systemd took.
    if want["schedule"] and not observed["schedule_accepted"] and differs(observed, unit):
        refused.append(
            'registry_collect_schedule is "%s", which systemd does not take; give it as systemd.time(7) has it, for '
            'example "Sun 03:30" for every Sunday.' % want["schedule"]
        )
    refused += [
        "%s cannot be written to by the registry, which is root without rights over the files of others: "
        "pushes would end with status 500. Run `chown -R 0:0 %s`, or mount it so that it can be written."
        % (place, path)
        for place, path in observed["unwritable"]
    ]
    error = (observed["certificate"] or {}).get("error", "")
    tls = want["tls"]
    if tls and not tls["given"] and not tls["replace"] and _is_foreign(tls, error):
        refused.append(
            "The certificate here is of an authority that is not in %s on this controller. Copy ca.crt, ca.key and the "
            "rest there from the controller that made them, or set registry_replace_authority: true; every client then "
            "has to trust the new one (tasks_from: client)." % want["facts"]["secrets_dir"]
        )
    lost = {name.partition("/")[2] for name in want["facts"]["missing_secrets"] if name.startswith("passwords/")}
    lost &= {name for found in observed["accounts"].values() for name in found["accounts"]}
    if lost and not want["replace_secrets"]:
        refused.append(
            "The passwords of %s were made on another controller: %s on this one lacks them. Copy that folder from "
            "there, or set registry_replace_authority: true, which gives them new ones."
            % (", ".join(sorted(lost)), want["facts"]["secrets_dir"])
        )
    if tls and tls["given"]:
        refused += ["registry_certificate: %s. Replace the file." % one["is"] for one in actions["issue_certificate"]]
    if observed["answers"] and not observed["ip_forward"]:
        refused.append(
            "net.ipv4.ip_forward is 0 on this host, so no other host reaches its containers. Set it to 1 in the file "
            "of /etc/sysctl.d that says so, and run `sysctl -w net.ipv4.ip_forward=1`."
        )
    return refused


def _blocked(want: Dict[str, Any], one: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why a registry cannot be started, or started anew at other ports, each with the remedy."""
    name, refused = one["service"], []
    for port, user in observed["taken"].get(name, []):
        if user == NO_ADDRESS:
            refused.append(
                "This host has no address %s, at which %s is to answer. Correct address or metrics_address in "
                "registry_instances, or give the host that address."
                % (" or ".join(sorted({place for place, number in one["ports"] if number == port})), name)
            )
            continue
        refused.append(
            "Port %d, wanted for %s, is taken by %s. Stop that, or set another port in registry_instances."
            % (port, name, user)
        )
    if is_up(observed["containers"].get(one["container"])):
        return refused
    free = observed["data"][one["data"]]["free"] if one["data"] else want["minimum_free"]
    if free < want["minimum_free"]:
        refused.append(
            "%s, where %s keeps its images, has %d GiB free; registry_minimum_free is %d. Free some, choose "
            "another storage path, or lower registry_minimum_free."
            % (one["data"], name, free // 2**30, want["minimum_free"] // 2**30)
        )
    if observed["unreachable"].get(name):
        refused.append(
            "%s, the object store of %s, cannot be reached from this host: %s. Check regionendpoint, name service, "
            "routes and firewalls." % (one["endpoint"], name, observed["unreachable"][name])
        )
    return refused


def is_up(container: Optional[Dict[str, Any]]) -> bool:
    return container is not None and container["status"] == "running"


def _is_foreign(tls: Dict[str, Any], error: str) -> bool:
    return error == "of another authority" or (not tls["authority_sha256"] and error != "missing")


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know: upstreams that do not answer, and the last words of what does not run."""
    if want["state"] == "absent":
        return []
    unreached = [
        "The cache %s does not reach its upstream: %s. It serves what it has. Check its upstream (url, account, proxy, "
        "authority), and whether other containers of the host reach it." % (name, why)
        for name, why in sorted(observed["upstreams"].items())
        if why
    ]
    days = (observed["certificate"] or {}).get("days", 0)
    if (
        want["tls"]
        and want["tls"]["given"]
        and not observed["certificate"]["error"]
        and days < want["tls"]["renew_days"]
    ):
        unreached.append("registry_certificate expires in %d days. Replace the file soon." % days)
    unreached += [
        "The disk of %s, where %s keeps its images, is full: pushes fail. Free some (`slipway-registry collect`)."
        % (one["data"], one["service"])
        for one in want["services"]
        if one["writes"] and observed["data"][one["data"]]["free"] < FULL
    ]
    unreached += [
        "%s/docker.before-restore is what was there before a restore that broke off, and %s/docker is what is served. "
        "Compare them, and remove the one that you do not want." % (path, path)
        for path, found in sorted(observed["data"].items())
        if found["before_restore"] and not found["moved_away"] and not observed["maintenance"]
    ]
    return unreached + [
        "%s says: %s" % (name, " | ".join(lines))
        for name, lines in sorted(observed["container_errors"].items())
        if lines
    ]


def _files(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    actions = []
    for path, wanted in sorted(want["files"].items()):
        found = observed["files"][path]
        if found is None:
            actions.append(action(path, "absent", "Slipway's content"))
        elif not found["same"]:
            actions.append(action(path, "other content", "Slipway's content"))
        elif (found["mode"], found["owner"]) != (wanted["mode"], "0:0"):
            is_ = "mode %s of %s" % (found["mode"], found["owner"])
            actions.append(action(path, is_, "mode %s of root" % wanted["mode"]))
    names = [one["service"] for one in want["services"]] + (["tls"] if want["tls"] else [])
    wanted_folders = {"%s/%s/" % (want["config_dir"], name) for name in names}
    return actions + [action(path, "present", "absent") for path in sorted(set(observed["folders"]) - wanted_folders)]


def differs(observed: Dict[str, Any], path: str) -> bool:
    found = observed["files"][path]
    return found is None or not found["same"]


def _certificate(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
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
    elif found["days"] < want["tls"]["renew_days"] and not want["tls"]["given"]:
        is_, wish = "expires in %d days" % found["days"], "%d days or more" % want["tls"]["renew_days"]
    else:
        missing = [name for name in observed["names"] if name not in found["names"]]
        if not missing or want["tls"]["given"]:
            return []
        is_ = "lacks %s" % ", ".join(missing)
    # What the controller needs to sign it, names as OpenSSL has them.
    names = [("IP:" if re.match("[0-9.]+$|.*:", name) else "DNS:") + name for name in observed["names"]]
    more = dict(names=names, hostname=want["tls"]["hostname"], days=want["tls"]["days"])
    return [action("certificate %s" % want["tls"]["certificate"], is_, wish, **more)]


def _accounts(want: Dict[str, Any], path: str, found: Dict[str, Any]) -> List[Action]:
    actions = []
    for name in sorted(want["accounts"]):
        if found["accounts"].get(name) is not True:
            is_ = "another password" if name in found["accounts"] else "absent"
            actions.append(action("account %s in %s" % (name, path), is_, "the wanted password", path=path))
    for name in sorted(set(found["accounts"]) - set(want["accounts"])):
        actions.append(action("account %s in %s" % (name, path), "present", "absent", path=path))
    if found["mode"] not in ("", "0600"):
        actions.append(action(path, "mode %s" % found["mode"], "0600", path=path))
    return actions


def _services(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, List[Action]]:
    """Return which containers are to be made or started, and which to be started anew."""
    actions = {"start_containers": [], "restart_containers": []}  # type: Dict[str, List[Action]]
    for one in want["services"]:
        phase, is_, wish = _service(one, observed)
        if phase:
            actions[phase].append(action("container %s" % one["container"], is_, wish, service=one["service"]))
    wanted = [one["container"] for one in want["services"]]
    for name in sorted(set(observed["containers"]) - set(wanted)):
        actions["start_containers"].append(action("container %s" % name, "present", "absent"))
    return actions


def _service(one: Dict[str, Any], observed: Dict[str, Any]) -> Tuple[str, str, str]:
    """Return which phase mends a container, what it is and what it should be; empty where it is as it should be."""
    start, restart, nothing = "start_containers", "restart_containers", ("", "", "")
    found = observed["containers"].get(one["container"])
    if found is None:
        return start, "absent", "running"
    if found["digest"] != one["digest"]:
        return start, "made from other settings", "made anew"
    if observed["image"] and found["image"] != observed["image"]:
        return start, "made from another image", "made anew"
    if found["read_only"]:
        # While garbage is collected or a copy is made it is so on purpose.
        return nothing if observed["maintenance"] else (start, "read-only", "writable")
    if not is_up(found):
        return start, found["status"], "running"
    # Docker's own check of its health fails on a busy host too; a registry that is ill answers 503.
    answered = observed["answers"].get(one["service"], "no answer")
    if answered == "another certificate" and observed["certificate"]["error"]:
        # It follows from the folder's certificate, which is told of above.
        return nothing
    if answered == "another certificate":
        return restart, "serves an older certificate", "serves the one in its folder"
    if answered != one["answer"]:
        return restart, "answers %s" % answered if isinstance(answered, int) else answered, "answers %d" % one["answer"]
    if one["service"] in observed["unread"]:
        return restart, "has an older configuration", "has the one in its folder"
    return nothing


def _leftovers(observed: Dict[str, Any]) -> List[str]:
    files = sorted(path for path, found in observed["files"].items() if found)
    return files + list(observed["folders"]) + list(observed["own"]) + list(observed["purge"])


def facts(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what playbooks read, and what reports show: the registries that answer."""
    answers = observed.get("answers", {}).items()
    return dict(want.get("facts", {}), registry=" ".join(name for name, answer in answers if isinstance(answer, int)))
