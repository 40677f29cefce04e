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

import json
import os
import re
import shutil
import time
from typing import Any, Callable, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import section as docker_daemon
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import unit as docker_daemon_unit
from ansible_collections.slipway.node.plugins.module_utils.engine import files, platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, NoAnswer

RESTART_SECONDS = "120"
RELOAD_SECONDS = 15
# What the daemon logs where it does not take the file of a reload.
REFUSED = re.compile("Error reconfiguring the daemon|configuration validation failed")
# How a start ends where Docker's record of networks does not fit, as after a start that failed half-way.
NETWORK_FAILURE = "Error initializing network controller"
# The proxies in `docker info`.
PROXIES = {"HTTP_PROXY": "HttpProxy", "HTTPS_PROXY": "HttpsProxy", "NO_PROXY": "NoProxy"}


class ApplyError(Exception):
    """The daemon does not take the new configuration; the message quotes it."""


class Daemon:
    """Acts on the service and waits for its answer.

    :param run: runs a command without a time limit of its own.
    """

    def __init__(self, host: Host, run: Callable[..., Any], service: str) -> None:
        self._host, self._run, self._service = host, run, service

    def load_units(self) -> None:
        self._host.run("systemctl", "daemon-reload")

    def identity(self) -> str:
        return docker_daemon.identity(docker_daemon.unit(self._host, self._service))

    def info(self, endpoint: str) -> Dict[str, Any]:
        return self._host.engine(endpoint)

    def running(self, endpoint: str) -> List[str]:
        return docker_daemon.containers(self._host, endpoint)

    def restart(self, endpoint: str, with_socket: bool) -> None:
        """Restart the daemon, also from a failed state.

        :raises ApplyError: it does not start or does not answer.
        """
        since = time.time()
        units = ([self._service.replace(".service", ".socket")] if with_socket else []) + [self._service]
        self._host.run("systemctl", "reset-failed", *units)
        # The unit itself sets no limit to its start.
        rc, _out, _err = self._run(["timeout", RESTART_SECONDS, "systemctl", "restart"] + units)
        if rc != 0 or not self.info(endpoint):
            raise ApplyError(self.said(since))

    def reload(self, endpoint: str) -> None:
        """Send the daemon a SIGHUP and wait for the event that tells that it has reloaded.

        :raises ApplyError: the event does not come.
        """
        since = time.time()
        self._host.run("systemctl", "reload", self._service)
        deadline = time.monotonic() + RELOAD_SECONDS
        while time.monotonic() < deadline:
            period = ["--since", "%.9f" % since, "--until", "%.9f" % time.time()]
            events = period + ["--filter", "type=daemon", "--filter", "event=reload"]
            if docker_daemon.docker(self._host, endpoint, "events", *events)[1].strip():
                return
            if REFUSED.search("\n".join(self._journal(since))):
                break
            time.sleep(0.1)
        raise ApplyError(self.said(since))

    def said(self, since: float) -> str:
        """Return the last errors that the daemon has written to its journal since a time."""
        lines = self._journal(since)
        fatal = [line for line in lines if line.startswith("failed to start daemon")]
        errors = [line for line in lines if not re.search(r"level=(debug|info|warning)", line)]
        return daemon_json.redact("\n".join(list(dict.fromkeys(fatal or errors or lines))[-5:])) or "nothing"

    def _journal(self, since: float) -> List[str]:
        arguments = ["--unit", self._service, "--identifier", "dockerd", "--since", "@%.6f" % since, "--output", "cat"]
        return self._host.run("journalctl", "--no-pager", *arguments)[1].strip().splitlines()


class Executor:
    """Does the steps of ``docker_daemon.decide``, each verb a method, and undoes all of them where one fails."""

    def __init__(self, daemon: Daemon, found: Dict[str, Any], want: Dict[str, Any]) -> None:
        self._daemon, self._found, self._want = daemon, found, want
        self._undo = []  # type: List[Callable[[], None]]
        self._units = self._socket = False
        # What the daemon said of itself last, empty while it is not touched.
        self._info = found["daemon"]["info"]
        self._touched = False
        self._store = (self._info.get("DockerRootDir") or "/var/lib/docker") + "/network/files/local-kv.db"
        self._store_before = ""
        existing = [path for path in found["paths"].values() if os.path.exists(path)]
        self._modes = dict((path, os.stat(path).st_mode & 0o777) for path in existing)
        self.backups = []  # type: List[str]
        self.warnings = []  # type: List[str]
        self.outcome = "All files were put back, and the daemon was not touched."

    def do(self, steps: List[Any]) -> None:
        """Do all steps, or none.

        :raises Exception: that of the step that failed, once all is undone; ``outcome`` says how the host is then.
        """
        # The first to be done is the last to be undone: the daemon comes back when its files have.
        self._undo.append(self._bring_back)
        try:
            for step in steps:
                getattr(self, step[0])(*step[1:])
        except BaseException:
            self._take_back()
            raise

    def secure(self, path: str) -> None:
        os.chown(path, 0, 0)
        os.chmod(path, files.PRIVATE)

    def write(self, name: str, text: Optional[str]) -> None:
        """Write a file, or remove it where there is no text; what was there before comes back with its mode."""
        path = self._found["paths"][name]
        before = self._found["is"][name]
        backup = "%s.%s~" % (path, time.strftime("%Y-%m-%d@%H:%M:%S"))
        if self._want["backup"] and before is not None and files.read(path) == before:
            shutil.copy2(path, backup)
            self.backups.append(backup)
        self._undo.append(lambda: self._put_back(path, before))
        put(path, text, self._mode(path))

    def record(self, state: Dict[str, Any]) -> None:
        before = files.read(self._want["state_file"]) or None
        self._undo.append(lambda: put(self._want["state_file"], before, files.PRIVATE))
        self._record(state, self._daemon.identity())

    def forget(self) -> None:
        put(self._want["state_file"], None, files.PRIVATE)

    def load_units(self) -> None:
        self._units = True
        self._daemon.load_units()

    def reload(self) -> None:
        self._touched = True
        self._daemon.reload(self._found["endpoints"]["is"])
        self._info = self._daemon.info(self._found["endpoints"]["is"])

    def restart(self, with_socket: bool) -> None:
        # A start that fails late may spoil the daemon's record of its networks.
        self._store_before = files.read(self._store)
        self._touched, self._socket = True, with_socket
        self._daemon.restart(self._found["endpoints"]["to_be"], with_socket)
        self._info = self._daemon.info(self._found["endpoints"]["to_be"])

    def prove(self, keys: List[str]) -> None:
        """Compare what the daemon says of itself with what it was to load.

        :raises ApplyError: it reports other values.
        """
        merged = self._found["merged"]
        known = [key for key in keys if key in daemon_json.TYPES]
        wrong = [key for key in known if daemon_json.reported(self._info, key, merged.get(key)) is False]
        if docker_daemon.PROXY in keys and self._found["to_be"]["environment"]:
            wished = docker_daemon_unit.environment("", [self._found["to_be"]["environment"]])
            wrong += [
                name
                for name, field in PROXIES.items()
                # The daemon masks passwords.
                if name in wished
                and field in self._info
                and daemon_json.redact(wished[name]) != daemon_json.redact(self._info[field])
            ]
        if wrong or not self._info:
            raise ApplyError(
                "it runs, but it does not report the wanted value of %s" % ", ".join(wrong or ["anything"])
            )

    def see_alive(self, running: List[str]) -> None:
        lost = self._lost(running, "to_be")
        if lost:
            self.warnings.append("containers that did not survive the restart, in spite of live-restore: " + lost)

    def _lost(self, running: List[str], which: str) -> str:
        return ", ".join(sorted(set(running) - set(self._daemon.running(self._found["endpoints"][which]))))

    def _record(self, state: Dict[str, Any], identity: str) -> None:
        state = dict(state, loaded=dict(state["loaded"], daemon=identity) if identity else {})
        put(self._want["state_file"], json.dumps(state, indent=2, ensure_ascii=False) + "\n", files.PRIVATE)

    def _put_back(self, path: str, text: Optional[str]) -> None:
        if not os.path.exists(path) or files.read(path) != text:
            put(path, text, self._modes.get(path, 0o644))
        if text is not None:
            os.chmod(path, self._modes[path])

    def _mode(self, path: str) -> int:
        return files.PRIVATE if path in self._found["secrets"] else 0o644

    def _take_back(self) -> None:
        """Undo everything, the last first, whatever of it fails."""
        troubles = []
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as error:
                troubles.append(str(error))
        if troubles:
            self.outcome += " Not all could be put back: %s." % "; ".join(troubles)

    def _bring_back(self) -> None:
        """Let the daemon load the former files, which are in place again, and leave them as they are."""
        if self._units:
            self._daemon.load_units()
        if not self._touched:
            return
        if not self._found["daemon"]["identity"]:
            self.outcome = "The former files are in place again; the daemon had failed before this run and still does."
            return
        self.outcome = "The former configuration is in force again and the daemon answers."
        try:
            self._load_former()
            identity = self._daemon.identity()
            if self._found["has_state"] and identity != self._found["daemon"]["identity"]:
                # The files may be younger than this start, though it loaded them.
                loaded = {"values": docker_daemon.settings(self._found, "is"), "pending": []}
                self._record(dict(self._found["state"], loaded=loaded), identity)
            lost = self._found["running"] and self._lost(self._found["running"], "is")
            if lost:
                self.outcome += " Containers that were stopped and are to be started by hand: %s." % lost
        except (ApplyError, NoAnswer) as error:
            self.outcome = (
                "The former files are in place again, but the daemon does not start with them either:\n%s" % error
            )
            if NETWORK_FAILURE in str(error):
                self.outcome += (
                    "\nIf nothing else helps: move %s away with Docker stopped; networks of your own are then to be"
                    " made anew." % self._store
                )
        finally:
            self._config(None)

    def _load_former(self) -> None:
        current, merged, endpoint = self._found["current"], self._found["merged"], self._found["endpoints"]["is"]
        gone = dict(
            (key, value) for key, value in daemon_json.RELOADABLE.items() if key in merged and key not in current
        )
        # live-restore that this run turned on keeps the containers until the daemon is back, then it is turned off.
        keeps = bool(self._info.get("LiveRestoreEnabled")) and not current.get("live-restore")
        if self._found["daemon"]["identity"] != self._daemon.identity():
            if not keeps:
                return self._start(endpoint)
            self._config(dict(current, **{"live-restore": True}))
            try:
                self._start(endpoint)
            except ApplyError:
                self._config(None)
                return self._start(endpoint)
        self._config(dict(current, **gone))
        self._daemon.reload(endpoint)

    def _start(self, endpoint: str) -> None:
        try:
            self._daemon.restart(endpoint, self._socket)
        except ApplyError as error:
            if NETWORK_FAILURE not in str(error) or self._store_before in ("", files.read(self._store)):
                raise
            shutil.copy2(self._store, self._store + ".spoiled")
            files.replace(self._store, self._store_before, files.PRIVATE)
            self._daemon.restart(endpoint, self._socket)
            self.outcome += (
                " The failed start had spoiled Docker's record of networks, so the one of before was put back too; the"
                " spoiled one is %s.spoiled." % self._store
            )

    def _config(self, config: Optional[Dict[str, Any]]) -> None:
        """Write daemon.json for the time of a load, or without a content its former text."""
        path = self._found["paths"]["config"]
        if config is None:
            self._put_back(path, self._found["is"]["config"])
        else:
            put(path, daemon_json.render(config), self._mode(path))


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
    want = docker_daemon.want(module.params["inputs"], platforms.find(module.params["platform"]))
    try:
        found = docker_daemon.survey(host, want, module.params["sealed"])
    except (daemon_json.DaemonJsonError, docker_daemon.RecordError) as error:
        module.fail_json(msg=docker_daemon.unreadable(want, error))
    except NoAnswer as error:
        module.fail_json(msg="%s." % error)
    refused = docker_daemon.refused(want, found)
    if refused:
        module.fail_json(msg="\n".join(refused))
    decision = docker_daemon.decide(want, found)
    for sentence in docker_daemon.advice(want, found, decision):
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
        said = docker_daemon.pending_text(pending, found["running"])
    elif how == "none":
        said = "files changed, nothing to load" if changed else "nothing to do"
    else:
        said = "%s for %s" % (how, ", ".join(keys) or "a failed daemon")
    return {
        "changed": changed,
        "apply": how,
        "keys": keys,
        "pending": pending,
        "running": found["running"] if pending else [],
        "files": [found["paths"][name] for name in decision["names"]],
        "diff": [diff(found, name) for name in decision["names"]],
        "msg": said,
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


def put(path: str, text: Optional[str], mode: int) -> None:
    """Put a file in place whole, or remove it. A link is written through."""
    path = os.path.realpath(path)
    if text is not None:
        files.replace(path, text, mode)
    elif os.path.exists(path):
        os.unlink(path)


if __name__ == "__main__":
    main()
