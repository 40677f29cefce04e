#!/usr/bin/env python3
"""Run a command, and kill it with all that it started on this machine at a mark. What it began on a node goes on.

It ends well where the command was killed, and badly, with its output, where that ended before the mark.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--task", help="the mark: Ansible's own callback names this task")
parser.add_argument("--process", help="the mark: a process of the node, as an expression that does not match itself")
parser.add_argument("--ssh", help="how to get to the node")
parser.add_argument("command", nargs="+")


def descendants(pid: int) -> list[int]:
    """Return a process and all below it; Ansible's workers have sessions of their own."""
    table = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], stdout=subprocess.PIPE, text=True, check=True).stdout
    pairs = [[int(word) for word in line.split()] for line in table.splitlines()]
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in pairs if its_parent == parent]
    return found


def kill(pid: int) -> None:
    for one in descendants(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def main() -> int:
    options = parser.parse_args()
    said = []
    with subprocess.Popen(
        options.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        reached = threading.Event()

        def watch() -> None:
            look = f"pgrep --full -- '{options.process}' > /dev/null"
            loop = f"for try in $(seq 6000); do {look} && exit; sleep 0.02; done; false"
            if subprocess.run([*options.ssh.split(), loop], stdin=subprocess.DEVNULL, check=False).returncode == 0:
                reached.set()
                kill(run.pid)

        if options.process:
            threading.Thread(target=watch, daemon=True).start()
        for line in run.stdout:
            said.append(line)
            if options.task and line.startswith(f"TASK [{options.task}"):
                reached.set()
                kill(run.pid)
    print("".join(said[-60:]))
    return 0 if reached.is_set() and run.returncode == -signal.SIGKILL else 1


if __name__ == "__main__":
    sys.exit(main())
