#!/usr/bin/python
"""Log a user in to registries."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
---
module: registry_login
short_description: Log a user in to registries, as docker login does, and out of those that are not listed any more
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Asks each registry whether it takes the password, then writes it to C(~/.docker/config.json) of the user, mode 0600.
  - Needs no daemon and no membership of the group docker. What else is in that file stays.
  - Keeps a record of the logins that it wrote, and takes back those of them that are not listed, and no others.
options:
  user:
    description: The user of this host.
    type: str
    required: true
  logins:
    description: The logins; none takes back all that were written for the user.
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description: As O(user).
        type: str
      address:
        description: Host and port of the registry.
        type: str
        required: true
      account:
        description: The account there.
        type: str
        required: true
      password:
        description: Its password.
        type: str
        required: true
      fingerprint:
        description: What stands for the password where it may be seen.
        type: str
        required: true
      tls:
        description: Whether the registry speaks TLS.
        type: bool
        required: true
attributes:
  check_mode:
    description: Tells what would change, and asks the registries too.
    support: full
"""

EXAMPLES = r"""
- name: Log root in
  slipway.node.registry_login:
    user: root
    logins: "{{ logins }}"
  no_log: true
"""

RETURN = r"""
addresses:
  description: The registries whose entry was written, or taken back.
  type: list
  elements: str
  returned: always
"""

import contextlib
import glob
import json
import os
import pwd
from typing import Any, Dict, Iterator, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine.files import PRIVATE, read, replace
from ansible_collections.slipway.node.plugins.module_utils.engine.web import ask_registry
from ansible_collections.slipway.node.plugins.module_utils.registry_client.observe import (
    RECORD,
    auth_of,
    config_path,
    mark,
    parse_record,
)

# Nothing but the password is a secret, so that an error may show the rest.
LOGIN_KEYS = {
    "user": {"type": "str"},
    "address": {"type": "str", "required": True},
    "account": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "fingerprint": {"type": "str", "required": True, "no_log": False},
    "tls": {"type": "bool", "required": True},
}  # type: Dict[str, Dict[str, Any]]


def refusal(one: Dict[str, Any]) -> str:
    """Ask a registry whether it takes a login; return why it does not, empty where it does."""
    url = "%s://%s" % ("https" if one["tls"] else "http", one["address"])
    authorities = glob.glob(glob.escape("/etc/docker/certs.d/%s/ca.crt" % one["address"]))
    # A proxy has no business between a node and its own registry.
    return ask_registry(url, {}, authorities, auth=auth_of(one["account"], one["password"]))


def merged(text: str, logins: List[Dict[str, Any]]) -> Tuple[str, List[str]]:
    """Return Docker's configuration with the logins in it, and the addresses whose entry changed."""
    config = json.loads(text or "{}")
    auths, changed = config.setdefault("auths", {}), []
    for one in logins:
        helper = config.get("credHelpers", {}).get(one["address"]) or config.get("credsStore")
        if helper:
            raise ValueError("logins are kept by the credential helper %s: log in with docker login" % helper)
        auth = auth_of(one["account"], one["password"])
        if auths.get(one["address"], {}).get("auth") != auth:
            auths[one["address"]] = {"auth": auth}
            changed.append(one["address"])
    return json.dumps(config, indent="\t") + "\n", changed


def without(text: str, addresses: Any) -> Tuple[str, Any]:
    """Return Docker's configuration without the logins to some registries, and the addresses that it had."""
    config = json.loads(text or "{}")
    auths = config.get("auths", {})
    there = [address for address in addresses if address in auths]
    for address in there:
        del auths[address]
    return json.dumps(config, indent="\t") + "\n", there


@contextlib.contextmanager
def acting_as(account: Any) -> Iterator[None]:
    """Act as a user, who may have put anything in place of the file."""
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            "logins": {"type": "list", "elements": "dict", "default": [], "options": LOGIN_KEYS},
        },
        supports_check_mode=True,
    )
    user, logins = module.params["user"], module.params["logins"]
    path = config_path(user)
    if not path and logins:
        module.fail_json(msg="no such user: %s" % user)
    for one in logins:
        why = refusal(one)
        if why:
            module.fail_json(msg="%s does not let %s in as %s: %s." % (one["address"], user, one["account"], why))
    record = parse_record(read(RECORD))
    noted = dict((one["address"], mark(one["fingerprint"], auth_of(one["account"], one["password"]))) for one in logins)
    former = sorted(set(record.get(user, {})) - set(noted))
    addresses, private = [], True  # type: List[str], bool
    if path:
        try:
            with acting_as(pwd.getpwnam(user)):
                text = read(path)
                left, addresses = without(text, former)
                new, written = merged(left, logins)
                addresses += written
                private = not logins or (bool(text) and not os.stat(path).st_mode & 0o077)
                if (addresses or not private) and not module.check_mode:
                    replace(path, new, PRIVATE, 0o700)
        except (OSError, ValueError, AttributeError) as error:
            module.fail_json(msg="%s cannot be merged with: %s" % (path, error))
    was = json.dumps(record)
    record[user] = noted
    record = dict((name, marks) for name, marks in record.items() if marks)
    if json.dumps(record) != was and not module.check_mode:
        if not record:
            os.remove(RECORD)
        else:
            replace(RECORD, json.dumps(record, indent=2) + "\n", PRIVATE)
    changed = bool(addresses) or not private or json.dumps(record) != was
    module.exit_json(changed=changed, addresses=addresses)


if __name__ == "__main__":
    main()
