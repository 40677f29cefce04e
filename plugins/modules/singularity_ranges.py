#!/usr/bin/python
"""Give users ranges of ids for fake root, in the files that shadow-utils keep."""

DOCUMENTATION = r"""
---
module: singularity_ranges
short_description: Give users ranges of subordinate ids
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Gives each user a range of 65536 ids in C(/etc/subuid) and C(/etc/subgid), where there is none of that size.
  - Reads and writes under the locks of shadow-utils, so that C(useradd) and its like cannot come between.
  - A user's place follows from the uid; where it is taken, it is the next free one. Ranges that exist stay.
options:
  users:
    description: The uid of each user.
    type: dict
    required: true
  first:
    description: The first id to give.
    type: int
    required: true
  limit:
    description: The id after the last to give.
    type: int
    required: true
  folder:
    description: Where the files are.
    type: path
    default: /etc
attributes:
  check_mode:
    description: Nothing is written.
    support: full
"""

EXAMPLES = r"""
- name: Give alice a range
  slipway.node.singularity_ranges:
    users: {alice: 1000}
    first: 1879048192
    limit: 2147483648
"""

RETURN = r"""
files:
  description: The files that changed.
  type: list
  elements: str
  returned: success
  sample: [/etc/subuid, /etc/subgid]
"""

import contextlib
import os
import time
from typing import Any, Dict, Iterator, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.module_utils.singularity.subordinate_ids import RANGE, give_ranges

NAMES = ("subuid", "subgid")
# Seconds to wait for somebody else's lock.
LOCK_TIMEOUT = 30


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock that shadow-utils take for a file: a hard link ``FILE.lock`` to a file with the process's number.

    :raises OSError: another process keeps it.
    """
    own, lock = "%s.%d" % (path, os.getpid()), path + ".lock"
    with open(own, "w") as file:
        file.write("%d" % os.getpid())
    try:
        end = time.time() + LOCK_TIMEOUT
        while True:
            try:
                os.link(own, lock)
                break
            except FileExistsError:
                holder = _holder(lock)
                if holder and time.time() > end:
                    raise OSError(
                        "process %s holds %s for %d s; see what it does, and end it" % (holder, lock, LOCK_TIMEOUT)
                    )
                if not holder:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(lock)
                else:
                    time.sleep(0.2)
        try:
            yield
        finally:
            os.unlink(lock)
    finally:
        os.unlink(own)


def _holder(lock: str) -> str:
    """Return the number of the process that holds a lock, empty where it has ended."""
    try:
        with open(lock) as file:
            number = file.read().strip().strip("\0")
    except FileNotFoundError:
        return ""
    return number if number.isdigit() and os.path.exists("/proc/" + number) else ""


def give(params: Dict[str, Any], check_mode: bool = False) -> List[str]:
    """Give the ranges; return the files that change.

    :raises ValueError: there is no room.
    """
    paths = dict((name, os.path.join(params["folder"], name)) for name in NAMES)
    with locked(paths["subuid"]), locked(paths["subgid"]):
        texts = dict((name, files.read(path)) for name, path in paths.items())
        users = dict((name, int(uid)) for name, uid in params["users"].items())
        new = give_ranges(users, texts, params["first"], params["limit"])
        if new is None:
            raise ValueError(
                "no room for %d ranges of %d ids from %d on; set singularity_fakeroot_first lower, or remove ranges of "
                "users who are gone" % (len(users), RANGE, params["first"])
            )
        for name in NAMES:
            if name in new and not check_mode:
                files.replace(paths[name], new[name], 0o644)
    return [paths[name] for name in NAMES if name in new]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "users": {"type": "dict", "required": True},
            "first": {"type": "int", "required": True},
            "limit": {"type": "int", "required": True},
            "folder": {"type": "path", "default": "/etc"},
        },
        supports_check_mode=True,
    )
    try:
        files = give(module.params, module.check_mode)
    except (OSError, ValueError) as error:
        module.fail_json(msg="Ranges of ids were not given: %s." % error)
    module.exit_json(changed=bool(files), files=files)


if __name__ == "__main__":
    main()
