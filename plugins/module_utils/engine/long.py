"""Work that takes minutes or hours: a transient unit does it, so that it goes on when the connection breaks.

Where systemd does not run, as while an image is made, it is a process of its own.
"""

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import time
from typing import Any, Callable, Dict, Sequence

from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, Waiting, last_lines

# Seconds after which the run says how far the work is, and without a word in the log after which it is ended.
ASK_EVERY = 20
STANDS_STILL = 3600
# There where systemd runs.
SYSTEMD = "/run/systemd/system"


def follow(
    run: Run,
    name: str,
    argv: Sequence[str],
    folder: str,
    env: Dict[str, str],
    progress: Callable[[str], str],
    log: str = "",
) -> int:
    """Run a program to its end, or go on with what an earlier run began; return the seconds that it took.

    Standard output and error go to ``log``, by default ``folder/name.log``, which stays. A program that says nothing
    for an hour is ended.

    :param name: of the unit, after ``slipway-``; one folder has one.
    :param folder: to work in.
    :param env: variables; they are in no unit and no list of processes.
    :param progress: says how far it is, from the log's end.
    :raises Waiting: it runs.
    :raises Failed: it failed or was killed.
    """
    stem = os.path.join(folder, name)
    status, asked, log = stem + ".status", stem + ".asked", log or stem + ".log"
    # What failed while nobody followed it is tried again: its cause may be mended by now.
    if not runs(run.host, name, folder) and not _is_young(asked) and files.read(status).split()[:1] != ["0"]:
        run.remove(status)
    # What was killed since it was asked a moment ago is told, and not begun again.
    if not is_begun(run, name, folder) and not _is_young(asked):
        _start(run, name, argv, folder, env, log, status)
    end = time.monotonic() + ASK_EVERY
    while runs(run.host, name, folder):
        if time.time() - os.stat(log).st_mtime > STANDS_STILL:
            _end(run, name, folder)
            raise Failed("It said nothing for %d s and was ended. The end of %s:\n%s" % (STANDS_STILL, log, tail(log)))
        if time.monotonic() > end:
            files.replace(asked, "", 0o600)
            raise Waiting(progress(tail(log)))
        time.sleep(0.5)
    # Where it was killed it tells none.
    said = files.read(status).split()
    run.remove(status)
    run.remove(asked)
    if said[:1] != ["0"]:
        how = "failed with exit status %s" % said[0] if said else "was killed"
        raise Failed("It %s. The end of %s:\n%s" % (how, log, tail(log)))
    return int(said[1])


def is_begun(run: Run, name: str, folder: str) -> bool:
    """Tell whether work runs, or has ended without having been followed to its end."""
    return runs(run.host, name, folder) or os.path.exists(os.path.join(folder, name + ".status"))


def tail(log: str, count: int = 25) -> str:
    """Return the end of a log."""
    return last_lines(files.read(log), count)


def _unit(name: str) -> str:
    return "slipway-%s.service" % name


def _is_young(path: str) -> bool:
    return os.path.exists(path) and time.time() - os.stat(path).st_mtime < 3 * ASK_EVERY


def runs(host: Host, name: str, folder: str) -> bool:
    """Tell whether work runs."""
    if os.path.isdir(SYSTEMD):
        return host.run("systemctl", "is-active", "--quiet", _unit(name))[0] == 0
    # The process holds it, and all that it began.
    with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, name + ".process"), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _end(run: Run, name: str, folder: str) -> None:
    if os.path.isdir(SYSTEMD):
        run.command(["systemctl", "stop", _unit(name)], good=())
    else:
        # All that it began is of one group.
        os.killpg(int(files.read(os.path.join(folder, name + ".process"))), signal.SIGKILL)


def _start(run: Run, name: str, argv: Sequence[str], folder: str, env: Dict[str, str], log: str, status: str) -> None:
    # A script, since its variables are to stand nowhere else.
    lines = ["export %s=%s" % (key, shlex.quote(value)) for key, value in sorted(env.items())]
    words = " ".join(shlex.quote(word) for word in argv)
    lines += [
        "began=$(date +%s)",
        "%s >%s 2>&1 </dev/null" % (words, shlex.quote(log)),
        'echo "$? $(($(date +%%s) - began))" >%s' % shlex.quote(status),
    ]
    script, unit = os.path.join(folder, "run.sh"), _unit(name)
    files.replace(script, "\n".join(lines) + "\n", 0o700, owner=(0, 0))
    # It is asked for its age.
    open(log, "a").close()
    os.utime(log)
    if not os.path.isdir(SYSTEMD):
        with open(os.path.join(folder, name + ".process"), "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            options: Dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
            options.update(cwd=folder, start_new_session=True, pass_fds=[file.fileno()])
            started = subprocess.Popen(["nice", "/bin/sh", script], **options)
            file.write(str(started.pid))
        return
    run.command(["systemctl", "reset-failed", unit], good=())
    run.command(
        # The folder as a property, since systemd of Enterprise Linux 8 has no option for it.
        ["systemd-run", "--quiet", "--collect", "--unit=" + unit, "--property=WorkingDirectory=" + folder]
        # Compiling leaves the containers of the host their share.
        + ["--property=CPUWeight=20", "/bin/sh", script]
    )
