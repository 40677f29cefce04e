#!/usr/bin/python
"""Fetch a file from the first of several mirrors that gives the right one."""

DOCUMENTATION = r"""
---
module: fetch_archive
short_description: Fetch a verified file from the first good mirror
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Asks mirrors in order, from the host. One that does not answer, stalls, has no such file, or gives one with another
    SHA-256 sum is refused with the reason, and the next is asked.
  - The file is moved into place whole and verified, or what was there before stays as it was; parts are removed.
  - Nothing is fetched where O(dest) has the wanted sum already.
  - A proxy is taken from the environment (C(http_proxy), C(https_proxy), C(no_proxy)).
options:
  urls:
    description: The file's URL on each mirror, the preferred one first.
    type: list
    elements: str
    required: true
  dest:
    description: Where the file goes; its folder must be there.
    type: path
    required: true
  checksum:
    description: The SHA-256 sum that the file must have, in hexadecimal digits; empty where it is not known.
    type: str
    default: ''
  checksum_url_suffix:
    description:
      - Where O(checksum) is empty, the sum is read from the mirror itself, at the file's URL with this added, such as
        V(.sha256). It holds the sum alone, or lines of sum and file name.
      - Such a sum guards against damage, not against a mirror that lies.
    type: str
    default: ''
  allow_unverified:
    description: Take a file for which there is no sum. One that differs from its sum is refused all the same.
    type: bool
    default: false
  timeout:
    description: Seconds without an answer, or without 16 KiB of progress, after which a mirror is given up.
    type: float
    default: 20
  total_timeout:
    description: Seconds that a mirror may take for the whole file; 0 for any.
    type: float
    default: 0
  remedy:
    description: A sentence for the end of the error that names all refused mirrors.
    type: str
    default: ''
attributes:
  check_mode:
    description: Fetches nothing; says V(changed) where O(dest) has not the sum of O(checksum).
    support: full
"""

EXAMPLES = r"""
- name: Fetch Go
  slipway.node.fetch_archive:
    urls: [https://dl.google.com/go/go1.26.7.linux-amd64.tar.gz, https://mirrors.aliyun.com/golang/go1.26.7.linux-amd64.tar.gz]
    dest: /var/tmp/go1.26.7.linux-amd64.tar.gz
    checksum: ffb5f8de10c62550dfddab66b36b57030721e0a44a3218e9e1181d7b59f121ca
    remedy: Set golang_mirrors to one that this host reaches.
  register: archive
"""

RETURN = r"""
url:
  description: Where the file came from; empty where it was there already. A user and password are left out.
  type: str
  returned: success
checksum:
  description: The file's SHA-256 sum; empty in check mode where it is not known.
  type: str
  returned: success
checksum_source:
  description: Where the expected sum came from, V(given), the URL that was asked, or empty for an unverified file.
  type: str
  returned: success
verified:
  description: Whether the file was compared with a sum.
  type: bool
  returned: success
size:
  description: The file's size in bytes.
  type: int
  returned: success
refused:
  description: The mirrors that were asked before and were not good.
  type: list
  elements: dict
  returned: always
  contains:
    url:
      description: The file's URL there.
      type: str
    reason:
      description: Why it was refused.
      type: str
      sample: HTTP 404
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine.download import HostError, fetch, notes, refusal
from ansible_collections.slipway.node.plugins.module_utils.engine.files import sha256


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "urls": {"type": "list", "elements": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "checksum": {"type": "str", "default": ""},
            "checksum_url_suffix": {"type": "str", "default": ""},
            "allow_unverified": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 20},
            "total_timeout": {"type": "float", "default": 0},
            "remedy": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    dest, wanted = params["dest"], params["checksum"].strip().lower()
    if wanted and not re.match(r"[0-9a-f]{64}\Z", wanted):
        module.fail_json(msg="checksum is %r, which is no SHA-256 sum of 64 hexadecimal digits" % params["checksum"])
    if not os.path.isdir(os.path.dirname(dest)):
        module.fail_json(msg="there is no folder %s to fetch into" % os.path.dirname(dest))
    if module.check_mode:
        found = sha256(dest)
        module.exit_json(
            changed=not found or found != wanted,
            url="",
            checksum=wanted,
            checksum_source="given" if wanted else "",
            verified=bool(wanted) and found == wanted,
            size=os.path.getsize(dest) if found else 0,
            refused=[],
            notes=[],
        )
    try:
        answer = fetch(
            params["urls"],
            dest,
            wanted,
            params["checksum_url_suffix"],
            params["allow_unverified"],
            params["timeout"],
            params["total_timeout"],
        )
    except HostError as error:
        module.fail_json(msg="%s cannot be fetched: %s. What was there is as it was." % (dest, error), refused=[])
    if not answer["checksum"]:
        module.fail_json(msg=refusal(os.path.basename(dest), answer, params["remedy"]), refused=answer["refused"])
    module.exit_json(notes=notes(os.path.basename(dest), answer), **answer)


if __name__ == "__main__":
    main()
