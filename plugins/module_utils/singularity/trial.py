"""A container of an ordinary user, before a version becomes the default."""

import os
import pwd
from typing import Any, Dict, List, Mapping

from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# Phases that change what containers run by, and those that wait for the trial.
CHANGES = ("install_packages", "allow_namespaces", "install_tree", "set_config", "switch_version")
WAIT = ("switch_version", "write_modulefiles", "remove_versions")


def is_due(plan: Mapping[str, Any], phase: str) -> bool:
    """Tell whether a container is to be run now: before the first phase that waits for it, or at the end."""
    first = next((one for one in WAIT if one in plan), "")
    return phase == first and any(one in plan for one in CHANGES)


def as_user(environment: Mapping[str, str]) -> List[str]:
    """Return by which command a program runs as the connecting user, or as nobody where that is root."""
    try:
        user = pwd.getpwuid(int(environment.get("SUDO_UID", "0")))
    except (KeyError, ValueError):
        user = pwd.getpwuid(0)
    if user.pw_uid:
        return ["setpriv", "--reuid=%d" % user.pw_uid, "--regid=%d" % user.pw_gid, "--init-groups"]
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def run_container(run: Run, want: Dict[str, Any]) -> None:
    """Make a SIF file of the host's own shell and run it.

    :raises Failed: it does not run.
    """
    command = as_user(os.environ) + ["/bin/sh", "-s", want["program"]]
    _code, out, err = run.command(command, good=(), stdin=run.secrets["singularity_trial"])
    if out.splitlines()[-1:] != ["container works"]:
        said = " ".join(line for line in err.splitlines() if not line.startswith("INFO:")) or "no answer"
        raise Failed(
            "%s is installed, and no container of an ordinary user runs: %s. Mend what it names; which of the host's "
            "files a container gets is in its configuration, which singularity_config sets." % (want["program"], said)
        )
