#!/usr/bin/python
"""Write dockerd's configuration, make the daemon load it as gently as possible, and go back where it does not."""

DOCUMENTATION = r"""
---
module: docker_daemon_config
short_description: Merge dockerd's configuration into its files and make the daemon load it
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Reads the inputs of the role C(docker_daemon) from the play's variables and makes a host as they say.
  - Merges wanted keys into C(daemon.json) by three sides, which are what is wanted, what is in the file, and what was
    last applied. Keys of others stay, keys that were set here and are not wanted any more go, and former values come
    back.
  - Writes the drop-ins of the unit for proxies, for the disk of the data, for the socket's group and, where asked, for
    flags that clash with keys of the file.
  - Lets C(dockerd --validate) judge the file before it is written (Docker 23.0 and later).
  - Reloads the daemon where that is enough, and restarts it only when no container is harmed, unless told otherwise.
  - Asks the daemon whether it has the new values. Where it does not, does not start, or anything else goes wrong, all
    files are put back, the daemon is brought back, and the module fails with the daemon's own message.
requirements:
  - On the node, systemd. Without a Docker daemon there, the files are written and nothing is loaded.
extends_documentation_fragment: slipway.node.inputs
options:
  sealed:
    description: The secrets by their seals, which the action plugin adds.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Says what would be changed, after C(dockerd --validate) has judged it.
    support: full
  diff_mode:
    description: Shows the change of each file, without passwords.
    support: full
"""

EXAMPLES = r"""
- name: Use a registry mirror
  slipway.node.docker_daemon_config:
  vars:
    docker_daemon_registry_mirrors: ["https://mirror.example.org"]
"""

RETURN = r"""
apply:
  description: What makes the daemon load the change (V(none), V(reload) or V(restart)); done, unless it is pending.
  type: str
  returned: success
keys:
  description: The keys that decide it; V(proxy), V(command line) and V(socket) stand for the drop-ins.
  type: list
  elements: str
  returned: success
pending:
  description: The keys that wait for a restart; empty where all is loaded.
  type: list
  elements: str
  returned: success
running:
  description: The running containers for which the restart waits.
  type: list
  elements: str
  returned: success
files:
  description: The files that were changed.
  type: list
  elements: str
  returned: success
backups:
  description: The copies of the files as they were.
  type: list
  elements: str
  returned: success
msg:
  description: The same in a sentence.
  type: str
  returned: always
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.observe import survey
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.plan import (
    advice,
    decide,
    pending_text,
    refused,
    unreadable,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.record import RecordError
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.service import ApplyError, Daemon
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.transaction import Executor
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.want import want as make_want
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, NoAnswer


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "inputs": {"type": "dict", "default": {}},
            "platform": {"type": "str", "default": ""},
            "key": {"type": "str", "default": "", "no_log": True},
            "sealed": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    host = Host(key=module.params["key"])
    want = make_want(module.params["inputs"], platforms.find(module.params["platform"]))
    try:
        found = survey(host, want, module.params["sealed"])
    except (daemon_json.DaemonJsonError, RecordError) as error:
        module.fail_json(msg=unreadable(want, error))
    except NoAnswer as error:
        module.fail_json(msg="%s." % error)
    refusals = refused(want, found)
    if refusals:
        module.fail_json(msg="\n".join(refusals))
    decision = decide(want, found)
    for sentence in advice(want, found, decision):
        module.warn(sentence)
    result = describe(found, decision)
    if module.check_mode:
        module.exit_json(backups=[], **result)
    executor = Executor(Daemon(host, module.run_command, want["service"]), found, want)
    try:
        executor.do(decision["steps"])
    except ApplyError as error:
        module.fail_json(
            msg="The daemon did not take the new configuration. It said:\n%s\n%s\nCorrect the docker_daemon_* setting"
            " that it names; `journalctl -u %s` has the rest." % (error, executor.outcome, want["service"])
        )
    except Exception as error:
        module.fail_json(msg="%s. %s Mend that on the host, and run again." % (error, executor.outcome))
    for sentence in executor.warnings:
        module.warn(sentence)
    module.exit_json(backups=executor.backups, **result)


def describe(found: Dict[str, Any], decision: Dict[str, Any]) -> Dict[str, Any]:
    """Return what the module says of the decision."""
    restart, reload, pending = decision["restart"], decision["reload"], decision["pending"]
    how = "restart" if restart or pending or decision["failed"] else "reload" if reload else "none"
    keys = restart or pending or reload
    changed = any(step[0] != "record" for step in decision["steps"])
    if pending:
        message = pending_text(pending, found["running"])
    elif how == "none":
        message = "files changed, nothing to load" if changed else "nothing to do"
    else:
        message = "%s for %s" % (how, ", ".join(keys) or "a failed daemon")
    return {
        "changed": changed,
        "apply": how,
        "keys": keys,
        "pending": pending,
        "running": found["running"] if pending else [],
        "files": [found["paths"][name] for name in decision["names"]],
        "diff": [diff(found, name) for name in decision["names"]],
        "msg": message,
    }


def diff(found: Dict[str, Any], name: str) -> Dict[str, str]:
    """Return the change of a file as text, the environment file's without its content."""
    before, after = found["is"][name], found["to_be"][name]
    if name == "environment":
        before, after = before and "(not shown)\n", after and "(not shown, changed)\n"
    return {
        "before_header": found["paths"][name],
        "after_header": found["paths"][name],
        "before": daemon_json.redact(before or ""),
        "after": daemon_json.redact(after or ""),
    }


if __name__ == "__main__":
    main()
