"""Which containers a restart of the engine stops, and which of them stay down."""

from typing import Any, List

from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker

# Restart policies by which the engine does not start a container as it starts itself.
STAY_DOWN = ("", "no", "on-failure")
# Names that are listed.
SHOWN = 10


def stay_down(host: Any, endpoint: str, names: List[str]) -> List[str]:
    """Return which containers the engine does not start again; none where it does not answer."""
    if not names:
        return []
    policy = "{{.Name}} {{.HostConfig.RestartPolicy.Name}}"
    pairs = [
        line.partition(" ")[::2]
        for line in docker(host, endpoint, "inspect", "--format", policy, *names)[1].splitlines()
    ]
    return sorted(name.lstrip("/") for name, policy in pairs if policy.strip() in STAY_DOWN)


def sentence(stopped: List[str], down: List[str]) -> str:
    """Return what a restart does to containers: ``This stops the containers db, web. web stays down ...``."""
    told = "This stops the containers %s." % some(stopped)
    if down:
        stays, them = ("stays", "it has") if len(down) == 1 else ("stay", "they have")
        told += " %s %s down, since %s no restart policy: start by `docker start`." % (some(down), stays, them)
    return told


def some(names: List[str]) -> str:
    """Return names, of many the first: ``db, web and 58 more``."""
    more = len(names) - SHOWN
    return ", ".join(names) if more < 2 else "%s and %d more" % (", ".join(names[:SHOWN]), more)
