"""The steps of a decision, done all or none: what fails is undone, and the daemon comes back with its former files."""

import os
import shutil
import time
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json, unit
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.daemon import DROP_INS, PROXY, settings
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.service import (
    ApplyError,
    Daemon,
    StillStarting,
)
from ansible_collections.slipway.node.plugins.module_utils.engine import files, records
from ansible_collections.slipway.node.plugins.module_utils.engine.host import NoAnswer

# How a start ends where Docker's record of networks does not fit, as after a start that failed half-way.
NETWORK_FAILURE = "Error initializing network controller"
# The proxies in `docker info`.
PROXIES = {"HTTP_PROXY": "HttpProxy", "HTTPS_PROXY": "HttpsProxy", "NO_PROXY": "NoProxy"}


class Executor:
    """Does the steps of ``plan.decide``, each verb a method, and undoes all of them where one fails."""

    def __init__(self, daemon: Daemon, found: Dict[str, Any], want: Dict[str, Any]) -> None:
        self._daemon, self._found, self._want = daemon, found, want
        self._undo = []  # type: List[Any]
        self._units = self._socket = False
        # What the daemon said of itself last, empty while it is not touched.
        self._info = found["info"]
        self._touched = False
        self._network_database = (self._info.get("DockerRootDir") or "/var/lib/docker") + "/network/files/local-kv.db"
        self._network_database_before = ""
        existing = [path for path in found["paths"].values() if os.path.exists(path)]
        self._modes = dict((path, os.stat(path).st_mode & 0o777) for path in existing)
        self.warnings = []  # type: List[str]
        self.outcome = "All files were put back, and the daemon was not touched."

    def do(self, steps: List[Any]) -> None:
        """Do all steps, or none; once all is undone, ``outcome`` says how the host is."""
        # The first to be done is the last to be undone: the daemon comes back when its files have.
        self._undo.append(self._restore_daemon)
        try:
            for step in steps:
                getattr(self, step[0])(*step[1:])
        except StillStarting:
            raise
        except BaseException:
            self.roll_back()
            raise

    def restrict(self, path: str) -> None:
        os.chown(path, 0, 0)
        os.chmod(path, files.PRIVATE)

    def write(self, name: str, text: Optional[str]) -> None:
        """Write a file, or remove it where there is no text; what was there before comes back with its mode."""
        path = self._found["paths"][name]
        before = self._found["is"][name]
        if self._want["backup"] and before is not None and files.read(path) == before:
            shutil.copy2(path, "%s.%s~" % (path, time.strftime("%Y-%m-%d@%H:%M:%S")))
        self._undo.append(lambda: self._restore_file(path, before))
        put(path, text, self._mode(path))

    def record(self, state: Dict[str, Any]) -> None:
        before = files.read(self._want["state_file"]) or None
        self._undo.append(lambda: put(self._want["state_file"], before, files.PRIVATE))
        self._record(state, self._daemon.identity())

    def remove_record(self) -> None:
        put(self._want["state_file"], None, files.PRIVATE)

    def load_units(self) -> None:
        self._units = True
        self._daemon.load_units()

    def reload(self) -> None:
        self._touched = True
        self._info = self._daemon.reload(self._found["endpoints"]["is"])

    def restart(self, with_socket: bool) -> None:
        # A start that fails late may spoil the daemon's record of its networks.
        self._network_database_before = files.read(self._network_database)
        self._touched, self._socket = True, with_socket
        self._info = self._daemon.restart(self._found["endpoints"]["to_be"], with_socket)

    def prove(self, keys: List[str]) -> None:
        """Compare what the daemon says of itself with what it was to load."""
        merged = self._found["merged"]
        known = [key for key in keys if key not in DROP_INS]
        wrong = [key for key in known if daemon_json.reported(self._info, key, merged.get(key)) is False]
        if PROXY in keys and self._found["to_be"]["environment"]:
            wanted = unit.environment("", [self._found["to_be"]["environment"]])
            # The daemon masks passwords.
            reported = dict((name, self._info.get(field, wanted.get(name))) for name, field in PROXIES.items())
            wrong += [one for one in wanted if daemon_json.redact(wanted[one]) != daemon_json.redact(reported[one])]
        if wrong or not self._info:
            named = ", ".join(wrong or ["anything"])
            raise ApplyError("it runs, but it does not report the wanted value of %s" % named)

    def check_containers(self, running: List[str]) -> None:
        stopped = self._stopped(running, "to_be")
        if stopped:
            self.warnings.append("containers that did not survive the restart, in spite of live-restore: " + stopped)

    def _stopped(self, running: List[str], which: str) -> str:
        return ", ".join(sorted(set(running) - set(self._daemon.running(self._found["endpoints"][which]))))

    def _record(self, state: Dict[str, Any], identity: str) -> None:
        state = dict(state, loaded=dict(state["loaded"], daemon=identity) if identity else {})
        put(self._want["state_file"], records.dump(state), files.PRIVATE)

    def _restore_file(self, path: str, text: Optional[str]) -> None:
        if not os.path.exists(path) or files.read(path) != text:
            put(path, text, self._modes.get(path, 0o644))
        if text is not None:
            os.chmod(path, self._modes[path])

    def _mode(self, path: str) -> int:
        return files.PRIVATE if path in self._found["private"] else 0o644

    def roll_back(self) -> None:
        """Undo everything, the last first, whatever of it fails."""
        failures = []
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as error:
                failures.append(str(error))
        if failures:
            self.outcome += " Not all could be put back: %s." % "; ".join(failures)

    def _restore_daemon(self) -> None:
        """Let the daemon load the former files, which are in place again, and leave them as they are."""
        if self._units:
            self._daemon.load_units()
        if not self._touched:
            return
        if not self._found["identity"]:
            self.outcome = "The former files are in place again; the daemon had failed before this run and still does."
            return
        self.outcome = "The former configuration is in force again and the daemon answers."
        try:
            self._load_former()
            identity = self._daemon.identity()
            if self._found["has_state"] and identity != self._found["identity"]:
                # The files may be younger than this start, though it loaded them.
                loaded = {"values": settings(self._found, "is"), "pending": []}
                self._record(dict(self._found["state"], loaded=loaded), identity)
            stopped = self._found["running"] and self._stopped(self._found["running"], "is")
            if stopped:
                self.outcome += " Containers that were stopped and are to be started by hand: %s." % stopped
        except (ApplyError, NoAnswer) as error:
            outcome = "The former files are in place again, but the daemon does not start with them either:\n%s"
            self.outcome = outcome % error
            if NETWORK_FAILURE in str(error):
                self.outcome += (
                    "\nIf nothing else helps: move %s away with Docker stopped; networks of your own are then to be"
                    " made anew." % self._network_database
                )
        finally:
            self._config(None)

    def _load_former(self) -> None:
        current, merged, endpoint = self._found["current"], self._found["merged"], self._found["endpoints"]["is"]
        gone = [key for key in daemon_json.RELOADABLE if key in merged and key not in current]
        # live-restore that this run turned on keeps the containers until the daemon is back, then it is turned off.
        keeps = bool(self._info.get("LiveRestoreEnabled")) and not current.get("live-restore")
        if self._found["identity"] != self._daemon.identity():
            if not keeps:
                return self._start(endpoint)
            self._config(dict(current, **{"live-restore": True}))
            try:
                self._start(endpoint)
            except ApplyError:
                self._config(None)
                return self._start(endpoint)
        self._config(dict(current, **dict((key, daemon_json.RELOADABLE[key]) for key in gone)))
        self._daemon.reload(endpoint)

    def _start(self, endpoint: str) -> None:
        try:
            self._daemon.restart(endpoint, self._socket)
        except ApplyError as error:
            before = self._network_database_before
            if NETWORK_FAILURE not in str(error) or before in ("", files.read(self._network_database)):
                raise
            shutil.copy2(self._network_database, self._network_database + ".spoiled")
            files.replace(self._network_database, before, files.PRIVATE)
            self._daemon.restart(endpoint, self._socket)
            self.outcome += (
                " The failed start had spoiled Docker's record of networks, so the one of before was put back too; the"
                " spoiled one is %s.spoiled." % self._network_database
            )

    def _config(self, config: Optional[Dict[str, Any]]) -> None:
        """Write daemon.json for the time of a load, or without a content its former text."""
        path = self._found["paths"]["config"]
        if config is None:
            self._restore_file(path, self._found["is"]["config"])
        else:
            put(path, daemon_json.render(config), self._mode(path))


def put(path: str, text: Optional[str], mode: int) -> None:
    """Put a file in place whole, or remove it. A link is written through."""
    path = os.path.realpath(path)
    if text is not None:
        files.replace(path, text, mode)
    elif os.path.exists(path):
        os.unlink(path)
