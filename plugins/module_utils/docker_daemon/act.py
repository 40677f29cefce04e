"""What ``docker_daemon`` does: the files, reload or restart and the proof of it, or all the way back."""

from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.daemon_json import redact
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.plan import advice, decide
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.service import ApplyError, Daemon
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.target import target
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.transaction import Executor
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# Rules of auditd are for files that are there.
LOOK_AGAIN_AFTER = ("configure",)


def configure(run: Run, _actions: List[Dict[str, Any]]) -> None:
    want = run.want
    found = target(want, run.observed)
    decision = decide(want, found)
    for sentence in advice(want, found, decision):
        run.note(sentence)
    executor = Executor(Daemon(run), found, want)
    try:
        executor.do(decision["steps"])
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


def diff(found: Dict[str, Any], name: str) -> Dict[str, str]:
    """Return the change of a file as text, the environment file's without its content."""
    before, after = found["is"][name], found["to_be"][name]
    if name == "environment":
        before, after = before and "(not shown)\n", after and "(not shown, changed)\n"
    path, before, after = found["paths"][name], redact(before or ""), redact(after or "")
    return {"before_header": path, "after_header": path, "before": before, "after": after}
