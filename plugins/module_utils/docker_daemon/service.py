"""Restart and reload of the daemon, and what it says of them."""

import re
import time
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon, daemon_json
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Run

RELOAD_SECONDS = 15
# The exit status of timeout.
TIMED_OUT = 124
# What the daemon logs where it does not take the file of a reload.
REFUSED = re.compile("Error reconfiguring the daemon|configuration validation failed")


class ApplyError(Exception):
    """The daemon does not take the new configuration; the message quotes it."""


class StillStarting(Exception):
    """The daemon is still on its way up, so nothing is taken back."""


class Daemon:
    """Acts on the service and waits for its answer."""

    def __init__(self, run: Run, service: str, limit: int) -> None:
        self._run, self._host, self._service, self._limit = run, run.host, service, limit

    def load_units(self) -> None:
        self._host.run("systemctl", "daemon-reload")

    def identity(self) -> str:
        return daemon.identity(daemon.unit_properties(self._host, self._service))

    def running(self, endpoint: str) -> List[str]:
        return daemon.containers(self._host, endpoint)

    def restart(self, endpoint: str, with_socket: bool) -> Dict[str, Any]:
        """Restart the daemon, also from a failed state, and return what it says of itself."""
        since = time.time()
        units = ([self._service.replace(".service", ".socket")] if with_socket else []) + [self._service]
        self._host.run("systemctl", "reset-failed", *units)
        # The unit itself sets no limit to its start, which takes long with hundreds of containers.
        restart = ["timeout", str(self._limit), "systemctl", "restart"]
        rc, _out, _err = self._run.command(restart + units, good=(), limit=self._limit + 60)
        info = self._host.engine(endpoint) if rc == 0 else {}
        if rc == TIMED_OUT:
            raise StillStarting(
                "%s has been starting for %d s and goes on. Wait for it (`systemctl status %s`), then run again. "
                "docker_daemon_restart_timeout is the time that a run waits."
                % (self._service, self._limit, self._service)
            )
        if not info:
            raise ApplyError(self.errors_since(since))
        return info

    def reload(self, endpoint: str) -> Dict[str, Any]:
        """Send the daemon a SIGHUP, wait for the event that it has reloaded, and return what it says of itself."""
        since = time.time()
        self._host.run("systemctl", "reload", self._service)
        deadline = time.monotonic() + RELOAD_SECONDS
        while time.monotonic() < deadline:
            period = ["--since", "%.9f" % since, "--until", "%.9f" % time.time()]
            events = period + ["--filter", "type=daemon", "--filter", "event=reload"]
            if docker(self._host, endpoint, "events", *events)[1].strip():
                return self._host.engine(endpoint)
            if REFUSED.search("\n".join(self._journal(since))):
                break
            time.sleep(0.1)
        raise ApplyError(self.errors_since(since))

    def errors_since(self, since: float) -> str:
        """Return the last errors that the daemon has written to its journal since a time."""
        # systemd's own, where the program said nothing: it was not found, or killed.
        lines = self._journal(since) or self._journal(since, "systemd")
        fatal = [line for line in lines if line.startswith("failed to start daemon")]
        errors = [line for line in lines if not re.search(r"level=(debug|info|warning)", line)]
        return (
            daemon_json.redact("\n".join(list(dict.fromkeys(fatal or errors or lines))[-5:]))
            or "no word in the journal"
        )

    def _journal(self, since: float, identifier: str = "dockerd") -> List[str]:
        arguments = ["--unit", self._service, "--identifier", identifier, "--since", "@%.6f" % since, "--output", "cat"]
        return self._host.run("journalctl", "--no-pager", *arguments)[1].strip().splitlines()
