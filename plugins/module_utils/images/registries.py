"""Asking registries for the digests of images: by skopeo, or by the engine, with logins from the host's own file.

Credentials are in no result.
"""

import base64
import hashlib
import http.client
import json
import socket
from typing import Any, Dict
from urllib.parse import quote

from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, Host
from ansible_collections.slipway.node.plugins.module_utils.images.reference import HUB, parse
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import last_error
from ansible_collections.slipway.node.plugins.module_utils.images.skopeo import TIMEOUT, authfile, skopeo


def skopeo_inspect(host: Host, want: Dict[str, Any], location: str) -> Dict[str, str]:
    """Ask a registry for an image's digest, that of a list where it is one, and its configuration's."""
    command = skopeo(want) + ["inspect"] + authfile(want) + ["--raw", location]
    rc, out = host.run(*command)
    if rc:
        # Once more for what it says, since a warning may not be mixed into a manifest.
        _rc, message = host.run("/bin/sh", "-c", 'exec "$@" 2>&1', "sh", *command)
        return {"digest": "", "config": "", "error": last_error(message)}
    try:
        config = json.loads(out).get("config", {}).get("digest", "")
    except (ValueError, AttributeError):
        config = ""
    return {"digest": digest_of(out), "config": config, "error": ""}


def digest_of(manifest: str) -> str:
    """Return by what a registry knows a manifest."""
    return "sha256:" + hashlib.sha256(manifest.encode("utf-8", "surrogateescape")).hexdigest()


def registry_digest(reference: str, logins: str) -> str:
    """Ask the engine for the digest that a tag has in its registry now; empty where it cannot tell."""
    headers = {}
    auth = _login(logins, parse(reference)["registry"])
    if auth:
        headers["X-Registry-Auth"] = base64.urlsafe_b64encode(json.dumps(auth).encode("utf-8")).decode("ascii")
    connection = _Socket("localhost", timeout=TIMEOUT)
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
        self.sock.settimeout(TIMEOUT)
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
