"""What a plan asks mirrors: which version exactly would be installed, and from where."""

import re
from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.mirror import choose
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import changes
from ansible_collections.slipway.node.plugins.module_utils.engine import versions
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# Seconds that a mirror may keep a plan waiting, by `docker_ce_mirror_timeout`, which an installation waits for in full.
PATIENCE = 3


def ask(run: Run, state: Dict[str, Any]) -> None:
    """Complete a state, whose packages would change, by what the mirrors say: versions, or why it would be refused."""
    want, observed = state["want"], state["observed"]
    names = changes(want, observed)["install"]
    if want["state"] != "present" or want["source"] != "mirrors" or not names:
        return
    run.want, run.observed = dict(want, mirror_timeout=min(PATIENCE, want["mirror_timeout"])), observed
    try:
        choice = choose(run, names)
    except Failed as failed:
        # A mirror that answers and lacks what is wanted is no better tomorrow; one that does not answer may be.
        is_known = re.search(": it has no ", str(failed))
        (state["refused"] if is_known else state["notes"]).append(str(failed))
        return
    resolved = dict(zip(choice["packages"], choice["specs"]))
    for one in state["plan"].get("install_packages", []):
        version = re.sub("^%s[=-]" % re.escape(one["item"]), "", resolved[one["item"]])
        one["want"] = "%s from %s" % (versions.upstream(version), choice["mirror"])
