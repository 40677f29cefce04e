"""What ``docker_daemon`` does: the rehearsal, the files, reload or restart and the proof of it, or all the way back."""

from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import unit
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.daemon import unit_properties
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.daemon_json import (
    BREAKS_LIVE_RESTORE,
    FILE,
    parse,
    redact,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.observe import command_line
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.plan import REFUSALS, advice, decide
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.rehearse import Cast, rehearse
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.service import (
    ApplyError,
    Daemon,
    StillStarting,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.target import target
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.transaction import Executor
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.want import SERVICE
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# Rules of auditd are for files that are there.
LOOK_AGAIN_AFTER = ("configure",)
# What an engine loads from: where one of them changes, the next start may fail.
LOADED = {"config", "environment", "flags"}


def configure(run: Run, _actions: List[Dict[str, Any]]) -> None:
    want = run.want
    found = target(want, run.observed)
    decision = decide(want, found)
    is_new = bool(decision["restart"] or LOADED & set(decision["names"]))
    if found["runs"] and want["state"] == "present" and want["rehearse"] and is_new:
        _rehearsed(run, *casts(found))
    for sentence in advice(want, found, decision):
        run.note(sentence)
    if decision["restart"]:
        for client in clients(run):
            run.note("The restart of Docker breaks off `%s`." % client)
    executor = Executor(Daemon(run, want["service"], want["restart_timeout"]), found, want)
    try:
        executor.do(decision["steps"])
    except StillStarting as error:
        raise Failed(str(error))
    except ApplyError as error:
        raise Failed(
            "The daemon did not take the new configuration. It said:\n%s\n%s\nCorrect the docker_daemon_* setting that"
            " it names; `journalctl -u %s` has the rest." % (error, executor.outcome, want["service"])
        )
    except Exception as error:
        raise Failed("%s. %s Mend that on the host, and run again." % (error, executor.outcome))
    for sentence in executor.warnings:
        run.note(sentence)
    if run.show_diff:
        run.diffs += [diff(found, name) for name in decision["names"]]


write_configuration = remove_configuration = configure


def casts(found: Dict[str, Any], programs: str = "") -> Tuple[Cast, Cast]:
    """Return what is to be and what is in force, for a rehearsal. Pure.

    :param programs: the folder of an engine that is not installed.
    """
    is_ = Cast(found["dockerd"], found["current"], found["words"], found["environment"])
    proxy = unit.environment("", [found["to_be"]["environment"] or ""])
    return is_._replace(config=found["merged"], environment=dict(is_.environment, **proxy), programs=programs), is_


def alone(run: Run) -> Cast:
    """Return what is in force where no settings are wanted.

    :raises Failed: daemon.json cannot be read.
    """
    properties = unit_properties(run.host, SERVICE)
    text = run.host.run("systemctl", "cat", SERVICE)[1]
    variables = [run.host.read(path) or "" for path in unit.environment_files(text)]
    try:
        config = parse(run.host.read(FILE) or "")
    except ValueError as error:
        raise Failed(REFUSALS["config"] % (FILE, error))
    return Cast(config=config, **command_line(run.host, text, variables, properties.get("MainPID", "0")))


def _rehearsed(run: Run, to_be: Cast, in_force: Cast) -> None:
    said = rehearse(run, to_be, in_force)
    if said:
        raise Failed(REFUSALS["rehearsal"] % (said, FILE))


def write_ahead(run: Run, programs: str) -> Optional[Executor]:
    """Rehearse an engine that is to be installed with the configuration that is to be, and put that in place for it.

    So one restart does for both. Return what takes the files back, ``None`` where nothing was written.

    :param programs: the folder of the engine.
    :raises Failed: the rehearsal went wrong.
    """
    state = run.states.get("docker_daemon")
    if not state:
        # The role docker_ce alone: the configuration stays as it is.
        _rehearsed(run, alone(run)._replace(programs=programs), alone(run))
        return None
    want = state["want"]
    found = target(want, state["observed"])
    if want["rehearse"]:
        _rehearsed(run, *casts(found, programs))
    keeps = found["running"] and found["info"].get("LiveRestoreEnabled")
    if "configure" not in state["plan"] or (keeps and BREAKS_LIVE_RESTORE & set(found["pending"])):
        return None
    executor = Executor(Daemon(run, want["service"], want["restart_timeout"]), found, want)
    executor.do(decide(want, dict(found, pending=[]))["steps"])
    return executor


def clients(run: Run) -> List[str]:
    """Return the command lines of builds, pulls and the like, which a restart of the engine breaks off."""
    lines = run.command(["ps", "-e", "-o", "args="], good=())[1].splitlines()
    verbs = {"build", "buildx", "pull", "push", "load", "save", "compose", "cp", "import", "export"}
    words = [line.split() for line in lines]
    return [
        " ".join(one[:4])
        for one in words
        if one[:1] and one[0].rpartition("/")[2] == "docker" and verbs & set(one[1:3])
    ]


def diff(found: Dict[str, Any], name: str) -> Dict[str, str]:
    """Return the change of a file as text, the environment file's without its content."""
    before, after = found["is"][name], found["to_be"][name]
    if name == "environment":
        before, after = before and "(not shown)\n", after and "(not shown, changed)\n"
    path, before, after = found["paths"][name], redact(before or ""), redact(after or "")
    return {"before_header": path, "after_header": path, "before": before, "after": after}
