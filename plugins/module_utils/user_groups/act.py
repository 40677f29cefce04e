"""What ``user_groups`` does besides the commands of its plan: the record.

Additions are recorded before they are made and revocations after, so that a run that breaks off forgets nothing.
"""

from typing import Any, Dict, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine import records
from ansible_collections.slipway.node.plugins.module_utils.engine.files import PRIVATE
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Run
from ansible_collections.slipway.node.plugins.module_utils.user_groups.plan import changes
from ansible_collections.slipway.node.plugins.module_utils.user_groups.record import empty_record


def begin(run: Run) -> None:
    _write(run, changes(run.want, run.observed)["before"])


def finish(run: Run) -> None:
    _write(run, changes(run.want, run.observed)["after"])


def _write(run: Run, record: Optional[Dict[str, Any]]) -> None:
    if record == empty_record():
        run.remove(run.want["record_file"])
    elif record is not None:
        run.write(run.want["record_file"], records.dump(record), PRIVATE)
