"""What ``user_groups`` does besides the commands of its plan: the record, and who holds the files of accounts.

Additions are recorded before they are made and revocations after, so that a run that breaks off forgets nothing.
"""

import glob
import os
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine import records
from ansible_collections.slipway.node.plugins.module_utils.engine.files import PRIVATE
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.user_groups.plan import changes
from ansible_collections.slipway.node.plugins.module_utils.user_groups.record import empty_record

# Of /etc/group and its like.
LOCKS = "/etc/*g*.lock"


def begin(run: Run) -> None:
    _write(run, changes(run.want, run.observed)["before"])


def finish(run: Run) -> None:
    _write(run, changes(run.want, run.observed)["after"])


def create_groups(run: Run, actions: List[Dict[str, Any]]) -> None:
    try:
        run.do(actions)
    except Failed as failed:
        raise Failed("\n".join([str(failed)] + [_remedy(run, path) for path in sorted(glob.glob(LOCKS))]))


add_members = revoke_members = remove_groups = create_groups


def _remedy(run: Run, lock: str) -> str:
    """Return what to do about a lock of shadow-utils, which remove one by themselves where they know it is dead."""
    number = (run.host.read(lock) or "").strip("\0\n ")
    if number.isdigit() and os.path.exists("/proc/" + number):
        name = (run.host.read("/proc/%s/comm" % number) or "a program").strip()
        return "%s (process %s) holds %s. Wait until it ends, or end it; then run again." % (name, number, lock)
    return "%s was left by a program that has ended. Remove it, and run again." % lock


def _write(run: Run, record: Optional[Dict[str, Any]]) -> None:
    if record == empty_record():
        run.remove(run.want["record_file"])
    elif record is not None:
        run.write(run.want["record_file"], records.dump(record), PRIVATE)
