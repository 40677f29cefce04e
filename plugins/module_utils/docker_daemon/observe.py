"""What ``docker_daemon`` reads from a host, and what its files are to hold.

``survey`` holds secrets and is for the module ``docker_daemon_config``; ``observe`` shows of it what the probe may.
"""

import json
import os
import tempfile
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import (
    audit,
    daemon,
    daemon_json,
    mirrors,
    unit,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.data_root import (
    holds_other_files,
    moved_keys,
    unmounted,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.networks import overlap
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.plan import (
    SECRET,
    advice,
    decide,
    file_changes,
    refused,
    unreadable,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.record import RecordError, former, parse_record
from ansible_collections.slipway.node.plugins.module_utils.engine.host import SEAL, Host


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs, without secrets. Changes nothing."""
    rules = audit.observe(host, want["audit"])
    try:
        found = survey(host, want)
    except (daemon_json.DaemonJsonError, RecordError) as error:
        return {
            "error": str(error),
            "audit": rules,
            "refused": [unreadable(want, error)],
            "state_left": host.read(want["state_file"]) is not None,
        }
    decision = decide(want, found)
    return {
        "error": "",
        "audit": rules,
        "keys": daemon_json.changes(found["current"], found["merged"]),
        "files": file_changes(found),
        "restart": decision["restart"],
        "reload": decision["reload"],
        "pending": decision["pending"],
        "running": found["running"],
        "exposed_files": found["exposed_files"],
        "state_left": want["state"] == "absent" and found["has_state"],
        "refused": refused(want, found) + audit.refusals(rules),
        "notes": advice(want, found, decision),
    }


def survey(host: Host, want: Dict[str, Any], sealed: Optional[Dict[str, str]] = None) -> Dict[str, Any]:
    """Read a host and work out its files. The result may hold secrets: it is not for output.

    :param sealed: the secrets by their seals; without them those are known that the files or the record hold already.
    :raises DaemonJsonError: daemon.json is not what dockerd can read.
    :raises RecordError: the state file is not what Slipway keeps.
    """
    files, known = paths(want), sealed or {}
    is_ = dict((name, host.read(path)) for name, path in files.items())
    if "\ufffd" in (is_["config"] or ""):
        daemon_json.check_encoding(host.read_bytes(files["config"]) or b"")
    record = host.read(want["state_file"])
    state = parse_record(record, want["state_file"])
    current = daemon_json.parse(is_["config"] or "")
    present = want["state"] == "present"
    config = _unseal(host, want["config"], current, known) if present else {}
    properties = daemon.unit_properties(host, want["service"])
    text = host.run("systemctl", "cat", want["service"])[1] if properties else ""
    variables = [host.read(path) or "" for path in unit.environment_files(text)]
    words = unit.command(text, files["flags"], variables) if text else []

    environment = _environment(host, want, is_["environment"], state, known) if present and want["proxy"] else None
    reasons = {}  # type: Dict[str, str]
    if present and want["probe_mirrors"] != "off" and environment != "":
        # As the daemon will ask: through its proxies, whoever set them.
        proxies = unit.environment(text, variables + [environment or ""])
        reasons = mirrors.ask(host, config, dict(proxies, **_proxies(current)), want["mirror_timeout"])
    wanted = mirrors.without_dead_mirrors(want, config, reasons)
    merged, entries = daemon_json.merge(current, wanted, state["entries"])
    conflicts = unit.conflicts(words, list(wanted) + (["proxies"] if environment is not None else []))

    to_be = dict((name, former(state, path, is_[name])) for name, path in files.items())
    to_be["config"] = _config_text(
        current, merged, is_["config"], to_be["config"] if files["config"] in state["files"] else ""
    )
    if environment is not None:
        to_be["environment"] = environment
        to_be["proxy"] = unit.proxy_drop_in(files["environment"])
    if present and conflicts and want["take_over_flags"]:
        to_be["flags"] = unit.drop_in(words, list(conflicts))
    if wanted.get("data-root"):
        to_be["mounts"] = unit.mounts_drop_in(wanted["data-root"])
    listeners = unit.values(words, "hosts") + list(wanted.get("hosts") or [])
    if wanted.get("group") and any(str(one).startswith("fd:") for one in listeners):
        to_be["socket"] = unit.group_drop_in(wanted["group"])
    secrets = [want["state_file"]]
    if (to_be["environment"] or "").startswith(unit.HEADER):
        secrets.append(files["environment"])
    if SEAL in json.dumps(want["config"]):
        secrets.append(files["config"])
    found = {
        "paths": files,
        "is": is_,
        "to_be": to_be,
        "state": state,
        "has_state": record is not None,
        "current": current,
        "wanted": wanted,
        "merged": merged,
        "entries": entries,
        "mirrors": reasons,
        "unit": properties,
        "endpoints": {
            "is": unit.endpoint(words, current),
            "to_be": unit.endpoint(words, merged),
        },
        "conflicting_flags": {} if want["take_over_flags"] else conflicts,
        "secrets": secrets,
        "exposed_files": _exposed_files(host, secrets),
    }
    found["daemon"] = daemon.observe(host, found)
    restart, _reload = daemon_json.split(found["daemon"]["pending"])
    found["running"] = daemon.containers(host, found["endpoints"]["is"]) if restart else []
    found["validation_error"] = _validation_error(host, words, found)
    found["in_swarm"] = _in_swarm(host, found)
    found["unmounted"] = unmounted(host, wanted["data-root"]) if wanted.get("data-root") else ""
    found["moved_keys"] = moved_keys(found)
    new_root = wanted.get("data-root") if "data-root" in found["moved_keys"] else None
    found["data_root_in_use"] = holds_other_files(host, str(new_root)) if new_root else False
    # One that is there already has done its harm, or none.
    new_bip = wanted.get("bip") if wanted.get("bip") != current.get("bip") else None
    found["bip_overlap"] = overlap(host, str(new_bip)) if new_bip else ""
    found["tlsverify"] = bool(merged.get("tlsverify") or unit.conflicts(words, ["tlsverify"]))
    found["group_missing"] = bool(wanted.get("group")) and host.run("getent", "group", str(wanted["group"]))[0] != 0
    return found


def paths(want: Dict[str, Any]) -> Dict[str, str]:
    """Return the files that may be written, by their purpose."""
    folder = "/etc/systemd/system/%s.d" % want["service"]
    return {
        "config": want["config_file"],
        "environment": os.path.dirname(want["config_file"]) + "/http-proxy.env",
        "proxy": folder + "/http-proxy.conf",
        "flags": folder + "/slipway-flags.conf",
        "mounts": folder + "/slipway-mounts.conf",
        "socket": "/etc/systemd/system/%s.d/slipway-group.conf" % want["service"].replace(".service", ".socket"),
    }


def _unseal(host: Host, wanted: Any, current: Any, known: Dict[str, str]) -> Any:
    """Return the wanted content with secrets in the place of their seals, as far as they are known."""
    if isinstance(wanted, dict):
        is_ = current if isinstance(current, dict) else {}
        return dict((key, _unseal(host, value, is_.get(key), known)) for key, value in wanted.items())
    if isinstance(wanted, str) and wanted.startswith(SEAL):
        is_sealed = isinstance(current, str) and host.is_sealed(wanted, current)
        return known.get(wanted, current if is_sealed else wanted)
    return wanted


def _environment(
    host: Host, want: Dict[str, Any], is_: Optional[str], state: Dict[str, Any], known: Dict[str, str]
) -> str:
    """Return the text of the proxies' environment file; empty where it is not known."""
    texts = [known.get(want["proxy"]), is_, state["environment"]]
    return next((text for text in texts if text and host.is_sealed(want["proxy"], text)), "")


def _validation_error(host: Host, words: List[str], found: Dict[str, Any]) -> str:
    """Return why dockerd would refuse the new content, judged by itself where it can (23.0 and later); else empty."""
    problems = daemon_json.check(found["wanted"], False)
    dockerd = (host.glob(*words[:1]) + host.glob("/usr/bin/dockerd", "/usr/local/bin/dockerd") + [""])[0]
    if not problems and dockerd and found["to_be"]["config"] != found["is"]["config"] and found["merged"]:
        # Readable by root alone.
        with tempfile.NamedTemporaryFile("w", prefix="slipway-", encoding="utf-8") as file:
            file.write(daemon_json.render(found["merged"]))
            file.flush()
            script = 'exec "$0" --validate --config-file "$1" 2>&1'
            rc, out = host.run("sh", "-c", script, dockerd, file.name)
        if rc != 0 and "unknown flag" in out:
            problems = daemon_json.check(found["wanted"], True)
        elif rc != 0:
            problems = [out.strip().replace(file.name, found["paths"]["config"])]
    if not problems:
        return ""
    return (
        "dockerd would refuse this configuration: %s. Correct the docker_daemon_* setting that it names, or the key in"
        " %s if it is not yours." % (daemon_json.redact("; ".join(problems)), found["paths"]["config"])
    )


def _in_swarm(host: Host, found: Dict[str, Any]) -> bool:
    swarm = found["daemon"]["info"].get("Swarm")
    if swarm:
        return swarm.get("LocalNodeState") not in ("", "inactive")
    return bool(host.glob((found["merged"].get("data-root") or "/var/lib/docker") + "/swarm/docker-state.json"))


def _exposed_files(host: Host, paths: List[str]) -> Dict[str, str]:
    """Return the files that somebody else than root can read, with their mode and owner."""
    _rc, out = host.run("stat", "--dereference", "--format", "mode %a of %U %n", *paths)
    found = dict(reversed(line.rsplit(" ", 1)) for line in out.splitlines())
    return dict((path, mode) for path, mode in found.items() if mode != SECRET)


def _config_text(
    current: Dict[str, Any], merged: Dict[str, Any], is_: Optional[str], former: Optional[str]
) -> Optional[str]:
    """Return the text of daemon.json, or ``None`` for no file.

    :param former: the text before Slipway's first change, ``None`` where there was no file, empty before that change.
    """
    if daemon_json.same(current, merged) and (merged or former is not None):
        return is_
    if former is None and not merged:
        return None
    if former and daemon_json.same(daemon_json.parse(former), merged):
        return former
    return daemon_json.render(merged, is_ or "")


def _proxies(config: Dict[str, Any]) -> Dict[str, str]:
    """Return the proxies of daemon.json, which win over the environment's, by the environment's names."""
    listed = config.get("proxies")
    return (
        dict((key.replace("-", "_").upper(), str(value)) for key, value in listed.items())
        if isinstance(listed, dict)
        else {}
    )
