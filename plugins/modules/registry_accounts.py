#!/usr/bin/python
"""Write a registry's file of accounts."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: registry_accounts
short_description: Write a registry's file of accounts, with bcrypt hashes
version_added: 0.1.0
description:
  - Keeps the accounts of a file in htpasswd's format as wanted, and no others.
  - A hash that was made from the wanted password stays, so that a run with nothing to do changes nothing.
  - Hashes are made by the host's own libcrypt, so no further package is needed.
options:
  paths:
    description: The files. Their folders must exist. They are written with mode 0600.
    type: list
    elements: path
    required: true
  accounts:
    description: One mapping each with C(name), C(password) and C(fingerprint), which stands for the password.
    type: list
    elements: dict
    required: true
  cost:
    description: The cost of a hash, as a power of two.
    type: int
    default: 10
attributes:
  check_mode:
    description: Tells what would change.
    support: full
"""

EXAMPLES = r"""
- name: Set the accounts
  slipway.node.registry_accounts:
    paths: [/etc/slipway/registry/main/htpasswd]
    accounts: "{{ accounts }}"
  no_log: true
"""

RETURN = r"""
changes:
  description: What became of accounts, without their passwords.
  type: list
  elements: str
  returned: always
  sample: ["/etc/slipway/registry/main/htpasswd: alice: added"]
"""

import ctypes
import ctypes.util
import os
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.private_file import write_private
from ansible_collections.slipway.node.plugins.module_utils.registry import MARK, mark, parse_htpasswd

ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def bcrypt(password: str, cost: int) -> str:
    """Return a new bcrypt hash, made by the host's libcrypt; Python has none of its own, and from 3.13 on no crypt."""
    names = [ctypes.util.find_library("crypt"), "libcrypt.so.2", "libcrypt.so.1"]
    for name in [name for name in names if name]:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.crypt.restype = ctypes.c_char_p
        library.crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
        # The last of 22 characters holds but two bits.
        salt = "".join(ALPHABET[byte % 64] for byte in os.urandom(21)) + ALPHABET[(os.urandom(1)[0] % 4) * 16]
        made = library.crypt(password.encode("utf-8"), ("$2b$%02d$%s" % (cost, salt)).encode())
        if made and made.startswith(b"$2b$") and len(made) == 60:
            return made.decode()
    raise RuntimeError("no libcrypt with bcrypt on this host: install libxcrypt (libcrypt1 on Debian)")


def settle(text: str, wanted: List[Dict[str, Any]], cost: int) -> Tuple[str, List[str]]:
    """Return the new text of the file, and what became of accounts."""
    found = dict((name, (hashed, noted)) for name, hashed, noted in parse_htpasswd(text))
    lines, changes = [], []
    for one in wanted:
        name, fingerprint = one["name"], one["fingerprint"]
        hashed, noted = found.pop(name, ("", ""))
        if not hashed or noted != mark(fingerprint, name, hashed):
            changes.append("%s: %s" % (name, "new password" if hashed else "added"))
            hashed = bcrypt(one["password"], cost)
        lines += [MARK + mark(fingerprint, name, hashed), "%s:%s" % (name, hashed)]
    changes += ["%s: removed" % name for name in sorted(found)]
    return "".join(line + "\n" for line in lines), changes


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "required": True},
            "accounts": {"type": "list", "elements": "dict", "required": True, "no_log": True},
            "cost": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    wanted = module.params["accounts"]
    empty = [one["name"] for one in wanted if not one.get("password") or not one.get("fingerprint")]
    if empty or not wanted:
        module.fail_json(
            msg="no password for %s; a registry without accounts makes one up" % (", ".join(empty) or "anyone")
        )
    changed, changes = False, []
    for path in module.params["paths"]:
        text, mode = "", 0
        if os.path.exists(path):
            with open(path) as file:
                text, mode = file.read(), os.stat(path).st_mode & 0o7777
        try:
            new, done = settle(text, wanted, module.params["cost"])
        except RuntimeError as error:
            module.fail_json(msg=str(error))
        changes += ["%s: %s" % (path, one) for one in done]
        if new != text or mode != 0o600:
            changed = True
            if not module.check_mode:
                write_private(path, new)
    module.exit_json(changed=changed, changes=changes)


if __name__ == "__main__":
    main()
