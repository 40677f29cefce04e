"""Logins to registries, written as ``docker login`` writes them, without a daemon and the group docker.

A record has the logins that Slipway wrote: they are taken back when they are wanted no longer, and no others.
"""

import glob
import json
import os
import pwd
from typing import Any, Dict, Iterable, List

from ansible_collections.slipway.node.plugins.module_utils.engine import records
from ansible_collections.slipway.node.plugins.module_utils.engine.files import PRIVATE, read, replace
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.engine.web import ask_registry
from ansible_collections.slipway.node.plugins.module_utils.registry_client.observe import (
    RECORD,
    acting_as,
    auth_of,
    config_path,
    mark,
    parse_record,
)


def set_logins(run: Run, user: str, logins: List[Dict[str, Any]]) -> None:
    """Write a user's logins, mode 0600, once each registry took its password; take back those that are not listed.

    :param logins: with ``password``; none takes back all.
    :raises Failed: a registry refuses, or the user's file cannot be merged with.
    """
    path = config_path(user)
    if not path and logins:
        raise Failed("%s, of registry_client_logins, is no user of this host. Make that user, or name another." % user)
    for one in logins:
        why = refusal(one)
        if why:
            raise Failed("%s does not let %s in as %s: %s." % (one["address"], user, one["account"], why))
    record = parse_record(RECORD, read(RECORD))
    noted = dict((one["address"], mark(one["fingerprint"], auth_of(one["account"], one["password"]))) for one in logins)
    if path:
        try:
            with acting_as(pwd.getpwnam(user)):
                # A link is written through.
                path = os.path.realpath(path)
                text = read(path)
                new = merged(text, logins, set(record.get(user, {})) - set(noted))
                if new != text or logins:
                    replace(path, new, PRIVATE, 0o700)
        except (OSError, ValueError, AttributeError) as error:
            raise Failed("%s cannot be merged with: %s" % (path, error))
    record = dict((name, marks) for name, marks in dict(record, **{user: noted}).items() if marks)
    if record:
        run.write(RECORD, records.dump(record), PRIVATE, secret=True)
    else:
        run.remove(RECORD)


def refusal(one: Dict[str, Any]) -> str:
    """Ask a registry whether it takes a login; return why it does not, empty where it does."""
    url = "%s://%s" % ("https" if one["tls"] else "http", one["address"])
    authorities = glob.glob(glob.escape("/etc/docker/certs.d/%s/ca.crt" % one["address"]))
    # A proxy has no business between a node and its own registry.
    return ask_registry(url, {}, authorities, auth=auth_of(one["account"], one["password"]))


def merged(text: str, logins: List[Dict[str, Any]], former: Iterable[str] = ()) -> str:
    """Return Docker's configuration with the logins in it, and without those to former registries."""
    config = json.loads(text or "{}")
    auths = config.setdefault("auths", {})
    there = [address for address in former if address in auths]
    for address in there:
        del auths[address]
    for one in logins:
        helper = config.get("credHelpers", {}).get(one["address"]) or config.get("credsStore")
        if helper:
            raise ValueError("logins are kept by the credential helper %s: log in with docker login" % helper)
        auth = auth_of(one["account"], one["password"])
        if auths.get(one["address"], {}).get("auth") != auth:
            auths[one["address"]] = {"auth": auth}
    return json.dumps(config, indent="\t") + "\n" if there or logins else text
