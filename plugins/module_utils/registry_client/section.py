"""The section ``registry_client`` of the probe: whose authority a client trusts, and who is logged in where.

``observe`` reads a host, ``compare`` is pure. A password is in neither, see registry.py.
"""

import base64
import hashlib
import json
import os
import pwd
import stat
from functools import partial
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, drift_entry
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import Platform, manager

_entry = partial(drift_entry, "registry_client")

RECORD = "/var/lib/slipway/registry_logins.json"
# The system's store: our file in it, all authorities in one file, and the command that makes that.
STORES = {
    "apt": (
        "/usr/local/share/ca-certificates/slipway-registry.crt",
        "/etc/ssl/certs/ca-certificates.crt",
        "update-ca-certificates",
    ),
    "dnf": (
        "/etc/pki/ca-trust/source/anchors/slipway-registry.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "update-ca-trust",
    ),
}


def want(inputs: Dict[str, Any], platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: which files hold the authority, and who is logged in where. Pure."""
    anchor, bundle, renew = STORES[manager(platform)]
    absent = inputs["state"] == "absent"
    system = absent or bool(inputs["system_trust"] and inputs["addresses"])
    paths = ["/etc/docker/certs.d/%s/ca.crt" % address for address in inputs["addresses"]] + [anchor] * system
    return {
        "state": inputs["state"],
        "files": dict((path, inputs["authority_sha256"]) for path in paths),
        "authority_file": inputs["authority_file"],
        "anchor": anchor if system else "",
        "bundle": bundle if system else "",
        "renew": renew,
        "logins": inputs["logins"],
        "registries": inputs["registries"],
    }


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs, without secrets. Changes nothing."""
    marks = parse_record(host.read(RECORD))
    observed = {
        "files": dict((path, _digest(host.read_bytes(path))) for path in want["files"]),
        # Writable by nobody, as docker-bench-security wants it (CIS 3.8).
        "writable": sorted(path for path in want["files"] if os.path.exists(path) and os.stat(path).st_mode & 0o222),
        "trusted": not want["bundle"] or in_bundle(host.read(want["bundle"]) or "", host.read(want["anchor"]) or ""),
        "logins": [_login(host, one, marks) for one in want["logins"]],
        "recorded": dict((user, sorted(logins)) for user, logins in marks.items()),
    }  # type: Dict[str, Any]
    observed["changes"] = changes(want, observed)
    return observed


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted."""
    wanted = {one["user"] for one in want["logins"]}
    # Of a user who has others, logging in takes back what is not among them.
    drift = [
        _entry("log_in" if user in wanted else "log_out", "login of %s to %s" % (user, address), "present", "absent")
        for user, address in _surplus(want, observed)
    ]
    if want["state"] == "absent":
        return drift + [_entry("distrust_authority", path, "present", "absent") for path in _leftovers(want, observed)]
    for path, digest in sorted(want["files"].items()):
        found = observed["files"][path]
        if found != digest:
            is_ = "of another authority" if found else "absent"
            drift.append(_entry("trust_authority", path, is_, "the registries' authority"))
        elif path in observed["writable"]:
            drift.append(_entry("trust_authority", path, "writable", "mode 0444"))
    if not observed["trusted"] and observed["files"].get(want["anchor"]) == want["files"].get(want["anchor"]):
        drift.append(_entry("trust_authority", want["bundle"], "without the registries' authority", "with it"))
    for one, found in zip(want["logins"], observed["logins"]):
        if found != "logged in":
            item = "login of %s to %s" % (one["user"], one["address"])
            drift.append(_entry("log_in", item, found, "%s's password" % one["account"]))
    return drift


def changes(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, List[str]]:
    """Return what the phases act on: files, and users. Pure."""
    wanted, surplus = {one["user"] for one in want["logins"]}, {user for user, _address in _surplus(want, observed)}
    drifted = {one["user"] for one, found in zip(want["logins"], observed["logins"]) if found != "logged in"}
    return {
        "write": sorted(want["files"]),
        "log_in": sorted(drifted | wanted & surplus),
        "log_out": sorted(surplus - wanted),
        "remove": _leftovers(want, observed),
    }


def _surplus(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Tuple[str, str]]:
    """Return the logins that were written, by user and address, and are wanted no longer."""
    recorded = {(user, address) for user, addresses in observed["recorded"].items() for address in addresses}
    return sorted(recorded - {(one["user"], one["address"]) for one in want["logins"]})


def _leftovers(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the files to remove: the system's by its name, Docker's where they hold the registries' authority."""
    ours = {want["files"].get(want["anchor"]), observed["files"].get(want["anchor"])} - {"", None}
    return sorted(
        path for path, found in observed["files"].items() if found and (path == want["anchor"] or found in ours)
    )


def in_bundle(bundle: str, certificate: str) -> bool:
    """Tell whether a bundle holds a certificate, however its lines are broken."""
    body = "".join(line.strip() for line in certificate.splitlines() if not line.startswith("-----"))
    return bool(body) and body in "".join(bundle.split())


def parse_record(text: Optional[str]) -> Dict[str, Any]:
    """Read the record of logins: by user and address, what stands for the password that was written."""
    try:
        record = json.loads(text or "{}")
    except ValueError:
        return {}
    sound = isinstance(record, dict) and all(isinstance(logins, dict) for logins in record.values())
    return record if sound else {}


def mark(fingerprint: str, auth: str) -> str:
    """Return what the record holds: that this entry was made from the password of this fingerprint."""
    return hashlib.sha256(("%s\0%s" % (fingerprint, auth)).encode("utf-8")).hexdigest()


def auth_of(account: str, password: str) -> str:
    """Return a login as Docker's configuration has it."""
    return base64.b64encode(("%s:%s" % (account, password)).encode("utf-8")).decode("ascii")


def config_path(user: str) -> str:
    """Return where Docker keeps a user's logins, empty where there is no such user."""
    try:
        return os.path.join(pwd.getpwnam(user).pw_dir, ".docker", "config.json")
    except KeyError:
        return ""


def _login(host: Host, one: Dict[str, Any], marks: Dict[str, Any]) -> str:
    path = config_path(one["user"])
    if not path:
        return "no such user"
    try:
        auth = json.loads(host.read(path) or "{}").get("auths", {}).get(one["address"], {}).get("auth", "")
    except (ValueError, AttributeError):
        return "unreadable"
    if not auth:
        return "missing"
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        return "readable by others"
    noted = (marks.get(one["user"]) or {}).get(one["address"], "")
    return "logged in" if one["fingerprint"] and noted == mark(one["fingerprint"], auth) else "another password"


def _digest(content: Optional[bytes]) -> str:
    return hashlib.sha256(content).hexdigest() if content is not None else ""
