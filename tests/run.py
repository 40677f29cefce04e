"""Run the whole test suite: lint, unit tests, the collection as it is installed, then every molecule scenario.

`make test` runs all, `make test SCENARIO=docker_ce` one scenario, `make lint` the linters. The step docker_29 compiles
what two scenarios need, beside others that do not wait for it. Each step's output goes to
.cache/test/STEP.log and is printed when the step fails; a step that ends in -2.16 runs under ansible-core 2.16. Two
steps run at a time, since each scenario has a lab of its own; SLIPWAY_JOBS says another number. A table of the
slowest steps comes last but for the line `N passed, N failed`. A step that is not done within SLIPWAY_STEP_MINUTES (30)
hangs: it is ended, its last lines are printed, and it is run once more.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOGS = ROOT / ".cache" / "test"
BEGUN = time.monotonic()
RUNNING: set[subprocess.Popen[bytes]] = set()
# What runs on nodes, or before there is a fitting Python.
OLDEST = ["plugins/modules", "plugins/module_utils", "environment.py"]
# They take longest, so the others run meanwhile; those that need what docker_29 compiles come later.
FIRST = ["docker_29", "singularity", "registry", "golang", "docker_ce_alternative", "default", "entry"]
# Written, and not yet seen to pass as a whole: it runs where it is named.
BY_NAME = {"resilience"}
# Under other versions of ansible-core too: the last that can manage Enterprise Linux 8, and the newest, which needs a
# Python that not every machine has.
VERSIONS = {"2.16": ["unit", "user_groups", "docker_ce"], "2.21": ["unit"]}

LINT = {
    "ruff": ["ruff", "check", "."],
    "ruff-format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    # Nodes run Python 3.6 at the oldest: Enterprise Linux 8's own.
    "vermin": ["vermin", "--quiet", "--no-tips", "--violations", "--target=3.6-", *OLDEST],
    "yamllint": ["yamllint", "--strict", "."],
    # Playbooks refuse an inventory without hosts, also where only their syntax is checked.
    "ansible-lint": ["env", "ANSIBLE_INVENTORY=inventories/lab", "ansible-lint", "--offline", "--strict"],
    "reference": ["python3", "docs/write_reference.py", "--check"],
}


def scenarios() -> dict[str, list[str]]:
    """Return the command of each molecule scenario."""
    names = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    return {name: ["molecule", "test", "--scenario-name", name] for name in names}


def environment(name: str, version: str) -> dict[str, str]:
    """Return the variables by which a step runs in the environment of the tests, or in that of another ansible-core."""
    venv = ROOT / (f".venv-test-{version}" if version else ".venv-test")
    common = {
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'collections'}:{venv / 'collections'}",
    }
    if not version:
        return common
    # Enterprise Linux 8 has Python 3.6, and no node of the lab has; where this machine has none, theirs is used.
    on_nodes = version == "2.16" and name != "unit-2.16"
    oldest = next(Path.home().glob(".pyenv/versions/3.6.*"), None) if on_nodes else None
    # By its path it would not find its library there.
    python = "/usr/bin/env LD_LIBRARY_PATH=/opt/python/lib /opt/python/bin/python3.6"
    return {
        **common,
        # A lab and a state of their own beside those of the same scenario.
        "SLIPWAY_LAB_SUFFIX": f"_{version.replace('.', '')}",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(ROOT / f".cache/molecule/{name}"),
        **({"SLIPWAY_NODE_PYTHON": str(oldest), "ANSIBLE_PYTHON_INTERPRETER": python} if oldest else {}),
    }


def run(name: str, command: list[str]) -> tuple[bool, float]:
    """Run one step with its output in a log, say how it ended, and print the log of a failure.

    Return whether it passed, and the seconds it took.
    """
    log = LOGS / f"{name}.log"
    started = time.monotonic()
    begun = f"==> {(started - BEGUN) / 60:.0f} min: {name}"
    print(f"{begun} ({' '.join(command)}; log {log.relative_to(ROOT)})", flush=True)
    version = name.rpartition("-")[2]
    variables = {**os.environ, **environment(name, version if version in VERSIONS else "")}
    limit = float(os.environ.get("SLIPWAY_STEP_MINUTES", "30"))
    code = attempt(command, variables, log, limit)
    if code is None:
        print(f"==> {name}: NOT DONE within {limit:g} minutes, so it is run again; its last lines:", flush=True)
        print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]), flush=True)
        code = attempt(command, variables, log, limit)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if code != 0 else []
    seconds = time.monotonic() - started
    verdict = f"==> {name}: {'passed' if code == 0 else 'FAILED'} after {seconds:.0f} s"
    # One call, so that steps side by side do not mix their lines.
    print("\n".join([*lines[-int(os.environ.get("SLIPWAY_LOG_LINES", "250")) :], verdict]), flush=True)
    return code == 0, seconds


def attempt(command: list[str], variables: dict[str, str], log: Path, limit: float) -> int | None:
    """Run a command with its output in a log; return its exit status, or None where it had to be ended.

    :param limit: in minutes.
    """
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        ) as process,
    ):
        RUNNING.add(process)
        try:
            return process.wait(60 * limit)
        except subprocess.TimeoutExpired:
            end(process)
            file.write(f"\nFAILED: not done within {limit:g} minutes\n".encode())
            return None
        finally:
            RUNNING.discard(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started; Ansible's workers have sessions of their own."""
    table = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], stdout=subprocess.PIPE, text=True, check=True).stdout
    pairs = [[int(word) for word in line.split()] for line in table.splitlines()]
    doomed = [process.pid]
    for parent in doomed:
        doomed += [pid for pid, its_parent in pairs if its_parent == parent]
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main(wanted: list[str]) -> int:
    """Run the wanted steps, all of them by default; return the exit status."""
    tests = {name: ["pytest", f"tests/{name}"] for name in ("unit", "collection", "entry")}
    steps = {"docker_29": ["python3", "-m", "lab", "build", "--docker-29"], **LINT, **tests, **scenarios()}
    made = {version: names for version, names in VERSIONS.items() if (ROOT / f".venv-test-{version}/.ready").exists()}
    steps |= {f"{name}-{version}": steps[name] for version, names in made.items() for name in names}
    groups = {"lint": list(LINT), "scenarios": list(scenarios())}
    names = [name for group in wanted or list(steps) for name in groups.get(group, [group])]
    names = [name for name in names if name in wanted or name not in BY_NAME]
    unknown = [name for name in names if name not in steps]
    if unknown:
        print(f"no such step: {', '.join(unknown)}; there are: {', '.join([*groups, *steps])}", file=sys.stderr)
        return 2
    names.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    LOGS.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ThreadPoolExecutor(int(os.environ.get("SLIPWAY_JOBS", "2"))) as pool:
        try:
            results = dict(zip(names, pool.map(lambda name: run(name, steps[name]), names), strict=True))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(RUNNING):
                end(process)
            return 130
    slowest = sorted(((seconds, name) for name, (_passed, seconds) in results.items()), reverse=True)
    print("\n".join(["==> seconds by step", *(f"{seconds:6.0f}  {name}" for seconds, name in slowest if seconds >= 1)]))
    failed = [name for name, (passed, _seconds) in results.items() if not passed]
    for name in failed:
        # What went wrong, said last too, since a step's own last lines are its cleaning up.
        text = (LOGS / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        causes = [line for line in text.splitlines() if re.search(r"FAILED|fatal:|^\W*E {2,}|\[ERROR\]", line)]
        print("\n".join([f"==> {name}: why", *causes[-15:]]))
    if failed:
        print(f"failed: {', '.join(failed)}")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
