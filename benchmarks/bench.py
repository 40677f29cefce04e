"""Time Slipway against the plain shell commands of Docker's manual, and a converged cluster against `ansible -m ping`.

`make bench` prints seconds and ratios from one run: Docker alone on a fresh Debian 12 node of the lab, a run with
nothing to do, then plan and site on 8 and on 40 converged hosts, which are that one node under other names, beside a
ping of the same hosts: the controller's processor time and wall time. `--role NAME --role-vars docker_repo_url=URL`
times another installed role as well, fresh and once more, for example geerlingguy.docker. Figures are for comparison
within one run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.run import CACHE, ROOT

SIZES = (8, 40)
NODE = "debian12"
LAB = "bench"
os.environ["SLIPWAY_LAB"] = LAB
ANSIBLE = [
    "ansible-playbook",
    "--inventory",
    "inventories/lab",
    "--limit",
    f"{NODE},localhost",
]
# Without the image that the lab pulls to verify: the shell commands pull none, and no registry mirror is set.
FRESH = ["site.yml", "-e", '{"slipway_roles": ["docker_ce"], "verify_image": ""}']
SETTLED = ["site.yml", "-e", '{"slipway_roles": ["user_groups", "docker_ce", "docker_daemon", "golang"]}']
# The manual: what is needed first, the packages, a container. That is made from the node's own shell, since there is no
# Docker Hub.
SHELL = """set -e
apt-get update
apt-get install --yes ca-certificates curl
install -m 0755 -d /etc/apt/keyrings
curl -fsSL http://upstream/docker-ce/linux/debian/gpg -o /etc/apt/keyrings/docker.asc
chmod a+r /etc/apt/keyrings/docker.asc
echo "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.asc] \
  http://upstream/docker-ce/linux/debian bookworm stable" > /etc/apt/sources.list.d/docker.list
apt-get update
apt-get install --yes docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin
tar --create --dereference /bin/sh $(ldd /bin/sh | grep -o '/[^ ]*') 2>/dev/null | docker import - hello-world
docker run hello-world /bin/sh -c 'echo "Hello from Docker!"'
"""


def run(*command: str, text: str | None = None) -> float:
    """Run a command to its end, its output kept for an error; return the seconds it took."""
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return time.monotonic() - started


def measure(*command: str) -> tuple[float, float]:
    """Run a command to its end; return the processor time and the wall time that it took, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = run(*command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def simulated(size: int) -> str:
    """Write an inventory in which the node has many names, and return its path."""
    hosts = {f"n{number:02}": {"ansible_host": NODE} for number in range(1, size + 1)}
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump({"all": {"children": {"container_hosts": {"hosts": hosts}, "registry_hosts": {}}}}, file)
    return file.name


def compare_with_ping(size: int, runs: int) -> None:
    """Print what plan and a converged site take, beside a ping of the same hosts: medians of runs side by side."""
    # The lab's variables without its hosts.
    common = [
        "-i",
        simulated(size),
        "-e",
        "@inventories/lab/group_vars/all/lab.yml",
        "-e",
        f"inventory_dir={ROOT}/inventories/lab",
    ]
    common += ["-e", SETTLED[-1]]
    commands = {
        "ping": ["ansible", *common, "-m", "ping", "container_hosts"],
        "plan": ["ansible-playbook", *common, "playbooks/plan.yml"],
        "site": ["ansible-playbook", *common, "site.yml"],
    }
    # Connections are opened and kept by the first of each.
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            figure = measure(*command)
            figures[name] += [figure] if number else []
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in figures.items()
    }
    for name, (processor, wall) in medians.items():
        ratios = [value / base for value, base in zip((processor, wall), medians["ping"], strict=True)]
        print(
            f"{size} hosts, {name}: processor {processor:.1f} s ({ratios[0]:.2f} x ping), wall {wall:.1f} s "
            f"({ratios[1]:.2f} x ping)",
            flush=True,
        )


def fresh_node() -> None:
    """Replace the node by a fresh one."""
    run("python3", "-m", "lab", "down", "--name", LAB)
    run("python3", "-m", "lab", "up", "--name", LAB, NODE)


def role_playbook(role: str) -> str:
    """Write a playbook that runs one role, and return its path."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml", delete=False) as file:
        file.write(f"- hosts: container_hosts\n  become: true\n  roles: [{role}]\n")
    return file.name


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", help="another role to time, by the name that Ansible finds it under")
    parser.add_argument("--role-vars", default="", help="its inputs, as ansible-playbook's -e takes them")
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured (default 3); medians are shown")
    options = parser.parse_args()
    ssh = ["ssh", "-F", str(CACHE / LAB / "ssh_config"), NODE]
    other = [role_playbook(options.role), "-e", options.role_vars] if options.role else []
    times: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        times.setdefault(name, []).append(seconds)
        print(f"{name}: {seconds:.1f} s", flush=True)

    try:
        for _round in range(options.runs):
            fresh_node()
            note("shell, fresh", run(*ssh, "sudo bash -s", text=SHELL))
            if other:
                fresh_node()
                note(f"{options.role}, fresh", run(*ANSIBLE, *other))
                note(f"{options.role}, nothing to do", run(*ANSIBLE, *other))
            fresh_node()
            note("slipway, fresh", run(*ANSIBLE, *FRESH))
            run(*ANSIBLE, *SETTLED)
            note("slipway, nothing to do", run(*ANSIBLE, *SETTLED))
            note("ansible -m ping", run("ansible", *ANSIBLE[1:], "-m", "ping", "container_hosts"))
        for size in SIZES:
            compare_with_ping(size, options.runs)
    finally:
        run("python3", "-m", "lab", "down", "--name", LAB)
    medians = {name: statistics.median(values) for name, values in times.items()}
    base = medians["shell, fresh"]
    print("\n".join(f"{name:32} {seconds:6.1f} s  {seconds / base:5.2f} x shell" for name, seconds in medians.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
