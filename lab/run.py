"""Running commands: progress lines, logs, retries, polls, and the one error that the CLI shows."""

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What all checkouts of a user share: builds, and the files of labs, whose names are the machine's.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "slipway-lab"


class LabError(Exception):
    """What went wrong and what mends it, in words for the person at the terminal."""


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def tail(path: Path, lines: int = 25) -> str:
    text = path.read_text(errors="replace") if path.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def output(*argv: str, stdin: str = "", timeout: float = 120) -> str:
    """The command's standard output; LabError with its standard error when it fails."""
    done = attempt(*argv, stdin=stdin, timeout=timeout)
    if done.returncode:
        raise LabError(f"`{' '.join(argv)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def attempt(*argv: str, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """The finished command, whatever its exit status."""
    try:
        return subprocess.run(argv, check=False, input=stdin, capture_output=True, text=True, timeout=timeout)
    except FileNotFoundError:
        return subprocess.CompletedProcess(argv, 127, "", f"{argv[0]}: not found")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, "", f"no answer within {timeout:.0f} s")


def step(title: str, log_name: str, *commands: Sequence[str], about: str = "", tries: int = 3) -> None:
    """Run commands one after another into a log; when one fails, try that one again, then show the log's tail."""
    log = CACHE / "log" / f"{log_name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"{title} ({f'about {about}, ' if about else ''}log {log})")
    start = time.monotonic()
    with log.open("w") as stream:
        for command in commands:
            for number in range(1, tries + 1):
                stream.write(f"+ {' '.join(command)}\n")
                stream.flush()
                done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
                if not done.returncode:
                    break
                if number < tries:
                    say(f"{title}: failed, trying again ({number + 1} of {tries})")
                    time.sleep(2 * number)  # a mirror's hiccup needs a moment to pass
            else:
                raise LabError(f"{title} failed; the end of {log}:\n{tail(log)}")
    say(f"{title}: done in {time.monotonic() - start:.0f} s")


def poll(done: Callable[[], bool], limit: float, every: float = 0.2) -> bool:
    """True as soon as `done` is; False when the limit has passed."""
    end = time.monotonic() + limit
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Only one lab command at a time does this, whichever process it is in."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another lab command to finish its {name}")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
