"""A Docker engine on this machine: the one that answers, else Debian's, installed and started."""

import os
import shutil
import subprocess
from pathlib import Path

from lab import apt
from lab.run import CACHE, LabError, attempt, lock, poll, say, step, tail

SYSTEMD = Path("/run/systemd/system")
PIDFILE = Path("/var/run/docker.pid")


def answers() -> bool:
    return attempt("docker", "info", timeout=20).returncode == 0


def ensure() -> None:
    """Return once an engine answers."""
    if answers():
        return
    if os.geteuid() != 0:
        raise LabError(refusal())
    with lock("engine"):
        if answers():
            return
        apt.require("dockerd", "docker.io", "docker-cli", "iptables", "ca-certificates")
        apt.require("docker", "docker-cli", "docker.io")
        if SYSTEMD.is_dir():
            step("starting Docker", "docker-start", ("systemctl", "start", "docker"), tries=1)
        start_by_hand()


def refusal() -> str:
    """Why an ordinary user has no engine, and the command that mends it."""
    if not shutil.which("docker"):
        return "no Docker engine: run `sudo apt-get install docker.io`, or this as root"
    error = attempt("docker", "info", timeout=20)
    if "permission denied" in (error.stderr + error.stdout).lower():
        return "no access to Docker: run `sudo usermod -aG docker $USER` and log in again, or run this as root"
    return "no Docker engine answers: run `sudo systemctl start docker`, or this as root"


def start_by_hand() -> None:
    """Start dockerd in a session of its own, so that it outlives this command (nothing to do where it answers)."""
    if answers():
        return
    log = CACHE / "dockerd.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    drop_stale_pidfile()
    say(f"starting dockerd (log {log})")
    program = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "dockerd"
    with log.open("a") as stream:
        daemon = subprocess.Popen(
            [program], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True, cwd="/"
        )
    poll(lambda: daemon.poll() is not None or answers(), limit=60)
    if not answers():
        raise LabError(f"dockerd did not start; the end of {log}:\n{tail(log)}")


def drop_stale_pidfile() -> None:
    """A machine restarted without a service manager leaves a pid that may now be another program's."""
    try:
        comm = Path("/proc", PIDFILE.read_text().strip(), "comm").read_text().strip()
    except OSError:
        comm = ""
    if comm != "dockerd":
        PIDFILE.unlink(missing_ok=True)
