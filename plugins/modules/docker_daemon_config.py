#!/usr/bin/python
"""Write dockerd's configuration, make the daemon load it as gently as possible, and go back where it does not."""

DOCUMENTATION = r"""
---
module: docker_daemon_config
short_description: Merge dockerd's configuration into its files and make the daemon load it
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Merges wanted keys into C(daemon.json) by three sides, which are what is wanted, what is in the file, and what was
    last applied. Keys of others stay, keys that were set here and are not wanted any more go, and former values come
    back.
  - Writes the drop-ins of the unit for proxies and, where asked, for flags that clash with keys of the file.
  - Lets C(dockerd --validate) judge the file before it is written (Docker 23.0 and later).
  - Reloads the daemon where that is enough, and restarts it only when no container is harmed, unless told otherwise.
  - Asks the daemon whether it has the new values. Where it does not, or does not start, all files are put back, the
    daemon is brought back, and the module fails with the daemon's own message.
requirements:
  - On the node, systemd. Without a Docker daemon there, the files are written and nothing is loaded.
options:
  want:
    description:
      - The wanted state as the role C(docker_daemon) keeps it in C(__docker_daemon_want).
      - "Used of it: C(state), C(config) (keys of daemon.json), C(config_file), C(state_file), C(service),
        C(proxy_digest), C(take_over_flags), C(probe_mirrors), C(mirror_timeout)."
    type: dict
    required: true
  http_proxy:
    description: The daemon's proxy for HTTP, which may hold a password.
    type: str
    default: ''
  https_proxy:
    description: The daemon's proxy for HTTPS, which may hold a password.
    type: str
    default: ''
  no_proxy:
    description: Hosts that the daemon reaches without a proxy, separated by commas.
    type: str
    default: ''
  restart:
    description:
      - When a restart is needed, V(safe) does it when no container runs, or when live-restore is in force and none of
        the changed keys breaks it; V(always) does it in any case, V(never) in none.
    type: str
    choices: [safe, always, never]
    default: safe
  backup:
    description: Keep a copy of each file that is changed, beside it.
    type: bool
    default: false
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
    want:
      state: present
      config: {registry-mirrors: ["https://mirror.example.org"]}
      config_file: /etc/docker/daemon.json
      state_file: /var/lib/slipway/docker_daemon.json
      service: docker.service
      proxy_digest: ''
      take_over_flags: false
      probe_mirrors: 'false'
      mirror_timeout: 3
"""

RETURN = r"""
apply:
  description: What makes the daemon load the change (V(none), V(reload) or V(restart)); done, unless it is pending.
  type: str
  returned: success
keys:
  description: The keys that decide it; V(proxy) and V(command line) stand for the drop-ins.
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
import tempfile
import time
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils import daemon_json, docker_daemon, docker_daemon_unit
from ansible_collections.slipway.node.plugins.module_utils.host import Host

RESTART_SECONDS = "120"
RELOAD_SECONDS = 15
# What the daemon logs where it does not take the file of a reload.
REFUSED = re.compile("Error reconfiguring the daemon|configuration validation failed")
# How a start ends where Docker's record of networks does not fit, as after a start that failed half-way.
NETWORK_FAILURE = "Error initializing network controller"


class ApplyError(Exception):
    """The daemon does not take the new configuration; the message quotes it."""


class Daemon:
    """Acts on the service and waits for its answer."""

    def __init__(self, module: AnsibleModule, host: Host, service: str) -> None:
        self._module, self._host, self._service = module, host, service

    def reload_units(self) -> None:
        self._host.run("systemctl", "daemon-reload")

    def restart(self) -> None:
        """Restart the daemon, also from a failed state.

        :raises ApplyError: it does not start or does not answer.
        """
        since = time.time()
        self._host.run("systemctl", "reset-failed", self._service)
        # The unit itself sets no limit to its start.
        rc, _out = self._host.run("timeout", RESTART_SECONDS, "systemctl", "restart", self._service)
        if rc != 0 or not docker_daemon.docker_info(self._host):
            raise ApplyError(self.said(since))

    def reload(self) -> None:
        """Send the daemon a SIGHUP and wait for the event that tells that it has reloaded.

        :raises ApplyError: the event does not come.
        """
        since = time.time()
        self._host.run("systemctl", "reload", self._service)
        deadline = time.monotonic() + RELOAD_SECONDS
        while time.monotonic() < deadline:
            period = ["--since", "%.9f" % since, "--until", "%.9f" % time.time()]
            if self._host.run("docker", "events", *(period + ["--filter", "type=daemon", "--filter", "event=reload"]))[
                1
            ].strip():
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


class Change:
    """The change of the files, which can be taken back."""

    def __init__(self, module: AnsibleModule, host: Host, found: Dict[str, Any]) -> None:
        self._module, self._host, self._found = module, host, found
        self._state_file = module.params["want"]["state_file"]
        self._state_before = _read(self._state_file)
        root = found["daemon"]["info"].get("DockerRootDir") or found["current"].get("data-root") or "/var/lib/docker"
        self.store = root + "/network/files/local-kv.db"
        self._store_before = b""
        self.names = [one["name"] for one in docker_daemon.file_changes(found)]
        self.units = "proxy" in self.names or "flags" in self.names
        self.backups = []  # type: List[str]

    def do(self) -> None:
        for name in self.names:
            path = self._found["paths"][name]
            if self._module.params["backup"] and self._found["is"][name] is not None:
                self.backups.append(self._module.backup_local(path))
            self.write(path, self._found["to_be"][name], name)

    def keep_store(self) -> None:
        """Remember the daemon's record of its networks, which a start that fails late may spoil."""
        self._store_before = self._host.read_bytes(self.store) or b""

    def undo_store(self) -> bool:
        """Put the record of networks back, with a copy of the spoiled one beside; tell whether there was need to."""
        spoiled = self._host.read_bytes(self.store)
        if not self._store_before or spoiled in (None, self._store_before):
            return False
        shutil.copy2(self.store, self.store + ".spoiled")
        self._module.atomic_move(_temporary(self._module, self._store_before), self.store)
        return True

    def undo(self) -> None:
        for name in self.names:
            self.write(self._found["paths"][name], self._found["is"][name], name)
        self.write(self._state_file, self._state_before, "state")

    def config(self, config: Dict[str, Any]) -> None:
        """Write daemon.json with another content than the final one, for the time of a reload."""
        self.write(self._found["paths"]["config"], daemon_json.render(config), "config")

    def final(self) -> None:
        self.write(self._found["paths"]["config"], self._found["to_be"]["config"], "config")

    def remember(self, state: Dict[str, Any]) -> None:
        self.write(self._state_file, json.dumps(state, indent=2, ensure_ascii=False) + "\n", "state")

    def forget(self) -> None:
        self.write(self._state_file, None, "state")

    def write(self, path: str, text: Optional[str], name: str) -> None:
        """Put a file in place whole, or remove it. One that is there keeps its mode, unless it holds secrets."""
        if text is None:
            if os.path.exists(path):
                os.unlink(path)
            return
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o755)
        temporary = _temporary(self._module, text.encode("utf-8"))
        if name in ("state", "environment"):
            self._module.atomic_move(temporary, path)
            os.chmod(path, 0o600)
        else:
            existed = os.path.exists(path)
            self._module.atomic_move(temporary, path)
            if not existed:
                os.chmod(path, 0o644)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "want": {"type": "dict", "required": True},
            "http_proxy": {"type": "str", "default": "", "no_log": True},
            "https_proxy": {"type": "str", "default": "", "no_log": True},
            "no_proxy": {"type": "str", "default": ""},
            "restart": {"type": "str", "default": "safe", "choices": ["safe", "always", "never"]},
            "backup": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    want = params["want"]
    host = Host(module.run_command)
    environment = docker_daemon_unit.proxy_environment(params["http_proxy"], params["https_proxy"], params["no_proxy"])
    try:
        found = docker_daemon.survey(host, want, environment)
    except daemon_json.DaemonJsonError as error:
        module.fail_json(
            msg="%s is not what dockerd can read: %s. It was left as it is. Correct it by hand, or move it away to"
            " start from an empty one." % (want["config_file"], error)
        )
    refuse_clashes(module, found)
    validate(module, host, found)
    dead = dict((mirror, reason) for mirror, reason in found["mirrors"].items() if reason)
    for mirror, reason in dead.items():
        module.warn("registry mirror %s is dead: %s" % (daemon_json.redact(mirror), reason))
    change = Change(module, host, found)
    pending = found["daemon"]["pending"]
    restart_keys, reload_keys = daemon_json.split(pending)
    # A daemon that failed, or fails again and again, is started with the new files: no container of it can be harmed.
    failed = found["unit"].get("ActiveState") in ("failed", "activating") and bool(change.names)
    result = {
        "apply": "restart" if restart_keys or failed else "reload" if reload_keys else "none",
        "keys": restart_keys or reload_keys,
        "files": [found["paths"][name] for name in change.names],
        "diff": diff(found, change.names),
        "pending": [],
        "running": [],
        "backups": [],
    }  # type: Dict[str, Any]
    result["changed"] = bool(change.names or found["exposed"])
    if module.check_mode:
        result["changed"] = result["changed"] or bool(pending) or (want["state"] == "absent" and found["has_state"])
        if restart_keys and not failed:
            result["running"] = docker_daemon.containers(host)
            result["pending"] = (
                [] if is_safe(params["restart"], found, restart_keys, result["running"]) else restart_keys
            )
        module.exit_json(msg=sentence(result), **result)
    daemon = Daemon(module, host, want["service"])
    for path in found["exposed"]:
        os.chown(path, 0, 0)
        os.chmod(path, 0o600)
    # Written before the files, so that an interrupted run is still known as pending.
    state = new_state(want, found, pending)
    change.remember(state)
    try:
        change.do()
        if change.units:
            daemon.reload_units()
        left = load(module, host, daemon, change, found, failed)
    except ApplyError as error:
        go_back(module, host, daemon, change, found, str(error))
    result.update(pending=left["pending"], running=left["running"], backups=change.backups)
    result["changed"] = result["changed"] or left["acted"] or (want["state"] == "absent" and found["has_state"])
    state["loaded"] = left["loaded"]
    if want["state"] == "absent" and not left["pending"]:
        change.forget()
    else:
        change.remember(state)
    if left["pending"]:
        module.warn(sentence(result))
    module.exit_json(msg=sentence(result), **result)


def refuse_clashes(module: AnsibleModule, found: Dict[str, Any]) -> None:
    if found["clashes"]:
        named = "; ".join(
            "%s (%s)" % (key, daemon_json.redact(flags)) for key, flags in sorted(found["clashes"].items())
        )
        module.fail_json(
            msg="The command line of %s sets what daemon.json is to set: %s. The daemon would not start with both, so"
            " nothing was changed. Set docker_daemon_take_over_flags: true to let a drop-in start it without these"
            " flags, or remove the flags from the unit or from /etc/default/docker."
            % (module.params["want"]["service"], named)
        )


def validate(module: AnsibleModule, host: Host, found: Dict[str, Any]) -> None:
    """Stop on a content that dockerd refuses, judged by itself where it can (23.0 and later)."""
    problems = daemon_json.check(found["wanted"], False)
    if not problems and found["to_be"]["config"] != found["is"]["config"] and found["merged"]:
        dockerd = module.get_bin_path("dockerd")
        temporary = _temporary(module, daemon_json.render(found["merged"]).encode("utf-8"))
        if dockerd:
            rc, out, err = module.run_command([dockerd, "--validate", "--config-file", temporary])
            if rc != 0 and "unknown flag" in out + err:
                problems = daemon_json.check(found["wanted"], True)
            elif rc != 0:
                problems = [(err or out).strip().replace(temporary, module.params["want"]["config_file"])]
        os.unlink(temporary)
    if problems:
        module.fail_json(
            msg="dockerd would refuse this configuration, so nothing was changed: %s. Correct the docker_daemon_*"
            " setting that it names." % daemon_json.redact("; ".join(problems))
        )


def is_safe(policy: str, found: Dict[str, Any], keys: List[str], running: List[str]) -> bool:
    """Tell whether a restart for these keys may be done now."""
    if policy != "safe":
        return policy == "always"
    lives = found["daemon"]["info"].get("LiveRestoreEnabled") and found["merged"].get("live-restore")
    return not running or bool(lives and not set(keys) & daemon_json.BREAKS_LIVE_RESTORE)


def load(
    module: AnsibleModule, host: Host, daemon: Daemon, change: Change, found: Dict[str, Any], failed: bool
) -> Dict[str, Any]:
    """Make the daemon load the files as gently as possible; return what it has loaded and what is left.

    :raises ApplyError: the daemon does not take it.
    """
    is_ = found["daemon"]
    left = {"pending": [], "running": [], "acted": False, "loaded": {}}  # type: Dict[str, Any]
    if not is_["identity"] and not failed:
        return left
    restart_keys, reload_keys = daemon_json.split(is_["pending"])
    loaded = dict(is_["loaded"])
    running = docker_daemon.containers(host) if restart_keys else []
    policy = module.params["restart"]
    turns_on = "live-restore" in reload_keys and found["merged"].get("live-restore") and running and policy == "safe"
    safe = failed or (bool(restart_keys) and is_safe(policy, found, restart_keys, running))
    if reload_keys and (turns_on or not safe):
        reload(daemon, change, found, reload_keys)
        left["acted"] = True
        for key in daemon_json.RELOADABLE:
            loaded.pop(key, None)
            if key in found["merged"]:
                loaded[key] = found["merged"][key]
        is_["info"] = docker_daemon.docker_info(host)
        prove(host, found, reload_keys)
        safe = bool(restart_keys) and is_safe(policy, found, restart_keys, running)
    if safe:
        change.keep_store()
        daemon.restart()
        left["acted"] = True
        loaded = docker_daemon.settings(found, "to_be")
        prove(host, found, docker_daemon.owned(found))
        lost = [name for name in running if name not in docker_daemon.containers(host)] if policy == "safe" else []
        if lost:
            module.warn("containers that did not survive the restart, in spite of live-restore: %s" % ", ".join(lost))
    elif restart_keys:
        left.update(pending=restart_keys, running=running)
    found["unit"] = docker_daemon.unit(host, module.params["want"]["service"])
    left["loaded"] = {"daemon": docker_daemon.identity(found["unit"]), "values": loaded, "pending": left["pending"]}
    return left


def reload(daemon: Daemon, change: Change, found: Dict[str, Any], keys: List[str]) -> None:
    """Reload. A key that is to go has its neutral value in the file meanwhile, since a reload ignores its absence."""
    gone = dict((key, daemon_json.RELOADABLE[key]) for key in keys if key not in found["merged"])
    if gone:
        change.config(dict(found["merged"], **gone))
    daemon.reload()
    if gone:
        change.final()


def prove(host: Host, found: Dict[str, Any], keys: List[str]) -> None:
    """Ask the daemon whether it has the values.

    :raises ApplyError: it reports others.
    """
    info, merged = docker_daemon.docker_info(host), found["merged"]
    known = [key for key in keys if key in daemon_json.TYPES]
    wrong = [key for key in known if daemon_json.reported(info, key, merged.get(key)) is False]
    if wrong or not info:
        raise ApplyError("it runs, but it does not report the wanted value of %s" % ", ".join(wrong or ["anything"]))


def go_back(
    module: AnsibleModule, host: Host, daemon: Daemon, change: Change, found: Dict[str, Any], reason: str
) -> None:
    """Restore the files and the daemon, and fail."""
    merged, current = found["merged"], found["current"]
    gone = dict((key, value) for key, value in daemon_json.RELOADABLE.items() if key in merged and key not in current)
    change.undo()
    if change.units:
        daemon.reload_units()
    outcome = "The former configuration is in force again and the daemon answers."
    was = found["daemon"]["identity"]
    if not was:
        outcome = "The former files are in place again; the daemon had failed before this run and still does."
    try:
        now = docker_daemon.identity(docker_daemon.unit(host, module.params["want"]["service"]))
        restarted = bool(was) and was != now
        # live-restore that this run turned on keeps the containers until the daemon is back, then it is turned off.
        keeps = found["daemon"]["info"].get("LiveRestoreEnabled") and not current.get("live-restore")
        if restarted:
            if keeps:
                change.config(dict(current, **{"live-restore": True}))
            try:
                daemon.restart()
            except ApplyError as error:
                if NETWORK_FAILURE not in str(error) or not change.undo_store():
                    raise
                daemon.restart()
                outcome += (
                    " The failed start had spoiled Docker's record of networks, so the one of before was put back too;"
                    " the spoiled one is %s.spoiled." % change.store
                )
        if was and (keeps or not restarted):
            change.config(dict(current, **gone))
            daemon.reload()
            change.write(found["paths"]["config"], found["is"]["config"], "config")
    except ApplyError as error:
        outcome = "The former files are in place again, but the daemon does not start with them either:\n%s" % error
        if NETWORK_FAILURE in str(error):
            outcome += (
                "\nIf nothing else helps: move %s away with Docker stopped; networks of your own are then to be made"
                " anew." % change.store
            )
    module.fail_json(
        msg="The daemon did not take the new configuration. It said:\n%s\n%s\nCorrect the docker_daemon_* setting that"
        " it names; `journalctl -u %s` has the rest." % (reason, outcome, module.params["want"]["service"])
    )


def new_state(want: Dict[str, Any], found: Dict[str, Any], pending: List[str]) -> Dict[str, Any]:
    """Return what is remembered: what was set, the former texts, and what the daemon had loaded before this run."""
    files = {}
    for name, path in found["paths"].items():
        is_, to_be = found["is"][name], found["to_be"][name]
        # A file that is as it was before Slipway is not ours any more.
        former = docker_daemon.former(found["state"], path, is_)
        if to_be != former or (name == "config" and found["entries"]):
            files[path] = former
    proxy = {}
    if want["proxy_digest"]:
        proxy = {"digest": want["proxy_digest"], "file": docker_daemon.digest(found["to_be"]["environment"] or "")}
    now = found["daemon"]
    loaded = {}  # type: Dict[str, Any]
    if now["identity"]:
        loaded = {"daemon": now["identity"], "values": now["loaded"], "pending": pending}
    return {"entries": found["entries"], "files": files, "proxy": proxy, "loaded": loaded}


def diff(found: Dict[str, Any], names: List[str]) -> List[Dict[str, str]]:
    """Return the change of each file as text, the environment file's without its content."""
    shown = []
    for name in names:
        path = found["paths"][name]
        before, after = found["is"][name], found["to_be"][name]
        if name == "environment":
            before, after = before and "(not shown)\n", after and "(not shown, changed)\n"
        shown.append(
            {
                "before_header": path,
                "after_header": path,
                "before": daemon_json.redact(before or ""),
                "after": daemon_json.redact(after or ""),
            }
        )
    return shown


def sentence(result: Dict[str, Any]) -> str:
    if result["pending"]:
        running = "; running: %s" % ", ".join(result["running"]) if result["running"] else ""
        return "restart pending: key %s%s" % (", ".join(result["pending"]), running)
    if result["apply"] == "none":
        return "files changed, nothing to load" if result["changed"] else "nothing to do"
    return "%s for %s" % (result["apply"], ", ".join(result["keys"]) or "a failed daemon")


def _temporary(module: AnsibleModule, data: bytes) -> str:
    """Write data to a new file that only root can read, and return its path."""
    handle, path = tempfile.mkstemp(dir=module.tmpdir, prefix="daemon-")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return path


def _read(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


if __name__ == "__main__":
    main()
