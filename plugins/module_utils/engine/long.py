"""Work that takes minutes or hours: a transient unit does it, so that it goes on when the connection breaks."""

import os
import shlex
import time
from typing import Callable, Dict, Sequence

from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, Waiting, last_lines

# Seconds after which the run says how far the work is, and without a word in the log after which it is ended.
ASK_EVERY = 20
STANDS_STILL = 3600


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
    unit, status, asked = _unit(name), _status(name, folder), os.path.join(folder, name + ".asked")
    log = log or os.path.join(folder, name + ".log")
    # What failed while nobody followed it is tried again: its cause may be mended by now.
    if not _runs(run, unit) and not _is_young(asked) and files.read(status).split()[:1] != ["0"]:
        run.remove(status)
    # What was killed since it was asked a moment ago is told, and not begun again.
    if not is_begun(run, name, folder) and not _is_young(asked):
        _start(run, unit, argv, folder, env, log, status)
    end = time.monotonic() + ASK_EVERY
    while _runs(run, unit):
        if time.time() - os.stat(log).st_mtime > STANDS_STILL:
            run.command(["systemctl", "stop", unit], good=())
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
    return _runs(run, _unit(name)) or os.path.exists(_status(name, folder))


def tail(log: str, count: int = 25) -> str:
    """Return the end of a log."""
    return last_lines(files.read(log), count)


def _unit(name: str) -> str:
    return "slipway-%s.service" % name


def _status(name: str, folder: str) -> str:
    return os.path.join(folder, name + ".status")


def _is_young(path: str) -> bool:
    return os.path.exists(path) and time.time() - os.stat(path).st_mtime < 3 * ASK_EVERY


def _runs(run: Run, unit: str) -> bool:
    return run.command(["systemctl", "is-active", "--quiet", unit], good=())[0] == 0


def _start(run: Run, unit: str, argv: Sequence[str], folder: str, env: Dict[str, str], log: str, status: str) -> None:
    # A script, since its variables are to stand nowhere else.
    lines = ["export %s=%s" % (key, shlex.quote(value)) for key, value in sorted(env.items())]
    words = " ".join(shlex.quote(word) for word in argv)
    lines += [
        "began=$(date +%s)",
        "%s >%s 2>&1 </dev/null" % (words, shlex.quote(log)),
        'echo "$? $(($(date +%%s) - began))" >%s' % shlex.quote(status),
    ]
    script = os.path.join(folder, "run.sh")
    files.replace(script, "\n".join(lines) + "\n", 0o700, owner=(0, 0))
    # It is asked for its age.
    open(log, "a").close()
    os.utime(log)
    run.command(["systemctl", "reset-failed", unit], good=())
    run.command(
        # The folder as a property, since systemd of Enterprise Linux 8 has no option for it.
        ["systemd-run", "--quiet", "--collect", "--unit=" + unit, "--property=WorkingDirectory=" + folder]
        # Compiling leaves the containers of the host their share.
        + ["--property=CPUWeight=20", "/bin/sh", script]
    )
