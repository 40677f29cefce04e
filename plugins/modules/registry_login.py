#!/usr/bin/python
"""Log a user in to registries."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: registry_login
short_description: Log a user in to registries, as docker login does
version_added: 0.1.0
description:
  - Asks each registry whether it takes the password, then writes it to C(~/.docker/config.json) of the user, mode 0600.
  - Needs no daemon and no membership of the group docker. What else is in that file stays.
options:
  user:
    description: The user of this host.
    type: str
    required: true
  logins:
    description: One mapping each with C(address), C(account), C(password), C(fingerprint) and C(tls).
    type: list
    elements: dict
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
  description: The registries whose entry was written.
  type: list
  elements: str
  returned: always
"""

import json
import os
import pwd
import ssl
import urllib.error
import urllib.request
from typing import Any, Dict, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.private_file import write_private
from ansible_collections.slipway.node.plugins.module_utils.registry_client import (
    RECORD,
    auth_of,
    config_path,
    mark,
    parse_record,
)

TIMEOUT = 20


def refusal(one: Dict[str, Any]) -> str:
    """Ask a registry whether it takes a login; return why it does not, empty where it does."""
    context = None
    if one["tls"]:
        authority = "/etc/docker/certs.d/%s/ca.crt" % one["address"]
        context = ssl.create_default_context(cafile=authority if os.path.exists(authority) else None)
    url = "%s://%s/v2/" % ("https" if one["tls"] else "http", one["address"])
    request = urllib.request.Request(
        url, headers={"Authorization": "Basic " + auth_of(one["account"], one["password"])}
    )
    # A proxy has no business between a node and its own registry.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        opener.open(request, timeout=TIMEOUT).close()
    except urllib.error.HTTPError as error:
        return "it answers %d%s" % (error.code, ", so it does not take the password" if error.code == 401 else "")
    except OSError as error:
        return str(getattr(error, "reason", error))
    return ""


def merged(text: str, logins: Any) -> Tuple[str, Any]:
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


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            "logins": {"type": "list", "elements": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    user, logins = module.params["user"], module.params["logins"]
    path = config_path(user)
    if not path:
        module.fail_json(msg="no such user: %s" % user)
    for one in logins:
        why = refusal(one)
        if why:
            module.fail_json(msg="%s does not let %s in as %s: %s" % (one["address"], user, one["account"], why))
    account = pwd.getpwnam(user)
    # As the user, who may have put anything in place of the file.
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        text = ""
        if os.path.exists(path):
            with open(path) as file:
                text = file.read()
        new, addresses = merged(text, logins)
        private = os.path.exists(path) and not os.stat(path).st_mode & 0o077
        if (addresses or not private) and not module.check_mode:
            write_private(path, new)
    except (OSError, ValueError, AttributeError) as error:
        os.seteuid(0)
        os.setegid(0)
        module.fail_json(msg="%s cannot be merged with: %s" % (path, error))
    os.seteuid(0)
    os.setegid(0)
    record_text = ""
    if os.path.exists(RECORD):
        with open(RECORD) as file:
            record_text = file.read()
    record = parse_record(record_text)
    noted = dict((one["address"], mark(one["fingerprint"], auth_of(one["account"], one["password"]))) for one in logins)
    unknown = any(record.get(user, {}).get(address) != what for address, what in noted.items())
    if unknown and not module.check_mode:
        record.setdefault(user, {}).update(noted)
        if not os.path.isdir(os.path.dirname(RECORD)):
            os.makedirs(os.path.dirname(RECORD), 0o755)
        write_private(RECORD, json.dumps(record, indent=2) + "\n")
    module.exit_json(changed=bool(addresses) or not private or unknown, addresses=addresses)


if __name__ == "__main__":
    main()
