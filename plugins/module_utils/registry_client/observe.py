"""What a client of registries has: whose authority it trusts, and who is logged in where.

A password is in no result: what stands for one is a fingerprint, see the section ``registry``.
"""

import base64
import hashlib
import json
import os
import pwd
import stat
from typing import Any, Dict, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine import records
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host

RECORD = "/var/lib/slipway/registry_logins.json"


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`plan` needs, without secrets. Changes nothing."""
    marks = parse_record(host.read(RECORD))
    return {
        "files": dict((path, _digest(host.read_bytes(path))) for path in want["files"]),
        # Writable by nobody, as docker-bench-security wants it (CIS 3.8).
        "writable": sorted(path for path in want["files"] if os.path.exists(path) and os.stat(path).st_mode & 0o222),
        "trusted": not want["bundle"] or in_bundle(host.read(want["bundle"]) or "", host.read(want["anchor"]) or ""),
        "logins": [_login(host, one, marks) for one in want["logins"]],
        "recorded": dict((user, sorted(logins)) for user, logins in marks.items()),
    }


def in_bundle(bundle: str, certificate: str) -> bool:
    """Tell whether a bundle holds a certificate, however its lines are broken."""
    body = "".join(line.strip() for line in certificate.splitlines() if not line.startswith("-----"))
    return bool(body) and body in "".join(bundle.split())


def parse_record(text: Optional[str]) -> Dict[str, Any]:
    """Read the record of logins: by user and address, what stands for the password that was written."""
    try:
        record = records.load(RECORD, text)
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
