"""What a client of registries has: whose authority it trusts, and who is logged in where.

A password is in no result: what stands for one is a fingerprint, see the section ``registry``.
"""

import base64
import contextlib
import hashlib
import json
import os
import pwd
import re
import stat
from typing import Any, Dict, Iterator, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine import files, records
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host

CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----(.*?)-----END", re.DOTALL)
RECORD = "/var/lib/slipway/registry_logins.json"
# The files of certs.d that hold the authority, with their sums.
TRUSTED = "/var/lib/slipway/registry_trust.json"
# What a host of registries has.
SERVES = "/etc/slipway/registry/instances.json"
# How a login reads that cannot be written.
CANNOT = "cannot: "


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`plan` needs, without secrets. Changes nothing."""
    marks = parse_record(RECORD, host.read(RECORD))
    trusted = parse_record(TRUSTED, host.read(TRUSTED)).get("files", {})
    return {
        "files": dict((path, _digest(host.read_bytes(path))) for path in list(want["files"]) + list(trusted)),
        # By this role, with what was in them.
        "made": trusted,
        # Writable by nobody, as docker-bench-security wants it (CIS 3.8).
        "writable": sorted(path for path in want["files"] if os.path.exists(path) and os.stat(path).st_mode & 0o222),
        "trusted": not want["bundle"] or in_bundle(host.read(want["bundle"]) or "", host.read(want["anchor"]) or ""),
        "logins": [_login(one, marks) for one in want["logins"]],
        "unknown": [name for name in want["hostnames"] if host.run("getent", "ahosts", name)[0] == 2],
        "recorded": dict((user, sorted(logins)) for user, logins in marks.items()),
        "serves": bool(host.glob(SERVES)),
    }


def in_bundle(bundle: str, certificate: str) -> bool:
    """Tell whether a bundle holds all certificates of a file, however their lines are broken."""
    bodies, held = ["".join(one.split()) for one in CERTIFICATE.findall(certificate)], "".join(bundle.split())
    return bool(bodies) and all(body in held for body in bodies)


def parse_record(path: str, text: Optional[str]) -> Dict[str, Any]:
    """Read a record: of logins by user and address what stands for the password, of ``files`` by path their sums."""
    try:
        record = records.load(path, text)
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


@contextlib.contextmanager
def acting_as(account: Any) -> Iterator[None]:
    """Act as a user, who may have put anything in place of the file, and whose home may be closed to root."""
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def _login(one: Dict[str, Any], marks: Dict[str, Any]) -> str:
    """Return whether a user is logged in, or as ``cannot: ...`` why that is not to be had."""
    path = config_path(one["user"])
    if not path:
        return CANNOT + "there is no such user. Make that user, or name another"
    try:
        with acting_as(pwd.getpwnam(one["user"])):
            return _login_in(path, one, marks)
    except (ValueError, AttributeError):
        return CANNOT + "%s is no JSON that Docker reads. Correct or remove it" % path
    except OSError as error:
        return CANNOT + "%s: %s. Give the user that file and its folder" % (
            path,
            (error.strerror or str(error)).lower(),
        )


def _login_in(path: str, one: Dict[str, Any], marks: Dict[str, Any]) -> str:
    config = json.loads(files.read(path) or "{}")
    auth = config.get("auths", {}).get(one["address"], {}).get("auth", "")
    helper = config.get("credHelpers", {}).get(one["address"]) or config.get("credsStore")
    if helper:
        said = "%s leaves logins to the credential helper %s. Log in by `docker login`, or take it out" % (path, helper)
        return "logged in" if auth else CANNOT + said
    # Its folder is made for the user where there is none.
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(folder) and not os.access(folder, os.W_OK, effective_ids=True):
        return CANNOT + "%s is not the user's own folder. Run `chown -R %s %s`" % (folder, one["user"], folder)
    if not auth:
        return "missing"
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        return "readable by others"
    noted = (marks.get(one["user"]) or {}).get(one["address"], "")
    return "logged in" if one["fingerprint"] and noted == mark(one["fingerprint"], auth) else "another password"


def _digest(content: Optional[bytes]) -> str:
    return hashlib.sha256(content).hexdigest() if content is not None else ""
