"""Make one virtual machine a container host by the product's own playbooks, use it, reboot it, and use it again.

`make test-vm` runs it. It shows what the lab's containers cannot: AppArmor, setuid, settings of the kernel, cgroups
version 2, the rehearsal on them, limits that need CAP_SYS_RESOURCE, and a reboot. Output is that of the playbooks and
a line for each check; the last line is `N passed, N failed`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from jinja2 import Template

from lab import cli, machine
from lab.run import LabError, attempt, say, tail

ROOT = Path(__file__).parents[1]
LAB = "vm"
BUILD_HOST = "debian13"
IMAGE = "vm:5000/library/busybox:1.37"
SIF = "/opt/sif/busybox.sif"
STARTER = "/opt/singularity/current/libexec/apptainer/bin/starter-suid"
RUN = f"docker run --rm {IMAGE}"
EXEC = f"/opt/singularity/current/bin/singularity exec {SIF}"
OWN_NAMESPACE = 'test "$(readlink /proc/self/ns/user)"'

# What an admin's hardening may have left: no user namespaces. The role that needs them allows them.
HARDENING = "kernel.unprivileged_userns_clone = 0"
HARDEN = f"echo {HARDENING} | sudo tee /etc/sysctl.d/10-hardening.conf && sudo sysctl -w {HARDENING.replace(' ', '')}"

# Title, command of the ordinary user `admin`, and a pattern that its output has.
Check = tuple[str, str, str]

# True after the installation, and after a reboot.
LASTING: tuple[Check, ...] = (
    ("no unit has failed", "systemctl --failed --quiet; systemctl is-system-running", r"^running$"),
    (
        "the engine uses cgroups 2 and AppArmor, and its own disk",
        "docker info --format '{{.CgroupVersion}} {{.CgroupDriver}} {{.DockerRootDir}} {{.SecurityOptions}}'",
        r"^2 systemd /data/docker \[name=apparmor.*name=no-new-privileges",
    ),
    ("the data is on that disk", "findmnt -no SOURCE --target /data/docker", r"^/dev/vdb$"),
    ("the engine waits for the disk", "systemctl show docker -p RequiresMountsFor", r"/data/docker"),
    ("the registry answers its clients", f"sudo docker pull --quiet {IMAGE}", rf"^{IMAGE}$"),
    ("the registry asks others who they are", "curl -sS -o /dev/null -w '%{http_code}' https://vm:5000/v2/", r"^401$"),
    (
        "the registry's timer waits",
        "systemctl list-timers --no-legend 'slipway-registry*'",
        r"slipway-registry.*\.timer",
    ),
    (
        "auditd watches the engine's files",
        "sudo auditctl -l",
        r"(?s)-w /usr/bin/dockerd -p rwxa -k docker.*-w /etc/docker/daemon\.json -p rwxa -k docker",
    ),
    ("containers are confined by AppArmor", f"{RUN} cat /proc/self/attr/current", r"^docker-default \(enforce\)"),
    (
        "a memory limit is a cgroup's",
        f"docker run --rm --memory 64m {IMAGE} cat /sys/fs/cgroup/memory.max",
        r"^67108864$",
    ),
    (
        "the profile's limits are every container's",
        f"{RUN} sh -c 'ulimit -n; ulimit -Hn; ulimit -l'",
        r"^65536\s65536\sunlimited$",
    ),
    ("and so is no-new-privileges", f"{RUN} grep NoNewPrivs /proc/self/status", r"NoNewPrivs:\s1$"),
    ("Go is in the path of a login shell", "bash -lc 'go version'", r"go1\.27\.3"),
    ("Singularity's starter is setuid", f"stat -Lc '%U %a' {STARTER}", r"^root 4755$"),
    (
        "which runs a SIF file as the user, in no user namespace",
        f'{OWN_NAMESPACE} = "$({EXEC} readlink /proc/self/ns/user)" && {EXEC} id -u',
        r"^1000$",
    ),
    ("user namespaces are allowed", "cat /proc/sys/kernel/unprivileged_userns_clone", r"^1$"),
    (
        "and used where that is asked for",
        f'{OWN_NAMESPACE} != "$({EXEC.replace("exec", "exec --userns")} readlink /proc/self/ns/user)" && echo other',
        r"^other$",
    ),
    ("a user is root in a container of the own range", f"{EXEC.replace('exec', 'exec --fakeroot')} id -u", r"^0$"),
)
# Before the reboot alone.
ONCE: tuple[Check, ...] = (
    (
        "AppArmor keeps a container from mounting, whatever capabilities it has",
        f"docker run --rm --cap-add SYS_ADMIN {IMAGE} mount -t tmpfs none /tmp 2>&1 || echo refused",
        r"(?is)permission denied.*refused",
    ),
    (
        "and does not where that is asked for",
        f"docker run --rm --cap-add SYS_ADMIN --security-opt apparmor=unconfined {IMAGE} sh -c"
        " 'mount -t tmpfs none /tmp && echo mounted'",
        r"^mounted$",
    ),
    (
        "a container that exceeds its memory limit is ended",
        f"docker run --rm --memory 32m --memory-swap 32m {IMAGE} tail /dev/zero; echo status $?",
        r"status 137$",
    ),
    (
        "setuid works where user namespaces are forbidden, which --userns does not",
        f"sudo sysctl -qw kernel.unprivileged_userns_clone=0; {EXEC} echo setuid works;"
        f" {EXEC.replace('exec', 'exec --userns')} true || echo refused;"
        " sudo sysctl -qw kernel.unprivileged_userns_clone=1",
        # It adds what an administrator may do.
        r"(?s)^setuid works\s.*\srefused$",
    ),
    (
        "a container is started that is to survive",
        f"docker run --detach --name lasting --restart unless-stopped {IMAGE} sleep infinity",
        r"^[0-9a-f]{64}$",
    ),
)
REBOOTED: tuple[Check, ...] = (
    ("that container runs again", "docker inspect --format '{{.State.Running}}' lasting", r"^true$"),
    (
        "all mounts are there",
        "findmnt --fstab --noheadings --output TARGET | xargs -n1 findmnt -no TARGET",
        r"^/\s/data$",
    ),
)


class Report:
    """Counts what passed and what failed, and says so as it happens."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def record(self, title: str, test: Callable[[], None]) -> bool:
        """Run one test; its AssertionError or LabError is a failure, whose text is shown."""
        started = time.monotonic()
        try:
            test()
        except (AssertionError, LabError) as error:
            self.failed += 1
            print(f"FAILED  {title} ({time.monotonic() - started:.0f} s)\n{error}", flush=True)
            return False
        self.passed += 1
        print(f"passed  {title} ({time.monotonic() - started:.0f} s)", flush=True)
        return True

    def check(self, vm: machine.Machine, checks: Iterable[Check]) -> None:
        """Run each check's command on the machine."""
        for title, command, pattern in checks:
            self.record(title, lambda command=command, pattern=pattern: says(vm, command, pattern))  # type: ignore[misc]


def says(vm: machine.Machine, command: str, pattern: str) -> None:
    """See that a command's output has the pattern."""
    done = vm.attempt(command)
    told = f"{done.stdout}{done.stderr}"
    assert re.search(pattern, done.stdout.strip()), f"`{command}` is to say {pattern!r} and says:\n{told}"


def play(name: str, *arguments: str, pattern: str = "") -> None:
    """Run a playbook of the product; its output, which is shown, is to have the pattern."""
    command = ("ansible-playbook", "--inventory", "inventories/vm", name, *arguments)
    lines = []
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(f"    {line}", end="", flush=True)
            lines.append(line)
    assert process.returncode == 0, f"{name} ended with status {process.returncode}"
    assert re.search(pattern, "".join(lines)), f"{name} is to say {pattern!r}"


def follow_profile(vm: machine.Machine) -> None:
    """The role's AppArmor profile, which Ubuntu's kernel asks for: this kernel takes it and gives it to the starter."""
    source = ROOT / "roles/singularity/templates/apparmor.j2"
    text = Template(source.read_text()).render(trees=["/opt/singularity/*"])
    loaded = attempt(*vm.ssh, "sudo apparmor_parser --replace", stdin=text)
    assert loaded.returncode == 0, loaded.stderr
    says(vm, f"{EXEC} cat /proc/self/attr/current", r"^slipway-singularity \(unconfined\)")
    removed = attempt(*vm.ssh, "sudo apparmor_parser --remove", stdin=text)
    assert removed.returncode == 0, removed.stderr


def prove(report: Report, vm: machine.Machine) -> None:
    """All of it, in order; what makes no sense without what came before is left out."""
    clean = ("playbooks/plan.yml", "-e", "plan_fail_on_drift=true")
    report.check(vm, [("user namespaces are forbidden", HARDEN, "= 0$")])
    report.record(
        "the plan names what forbids them",
        lambda: play("playbooks/plan.yml", pattern=r"kernel.unprivileged_userns_clone: 0 -> 1"),
    )
    if not report.record("site.yml makes it a container host", lambda: play("site.yml")):
        return
    report.record("the plan is clean", lambda: play(*clean))
    report.check(vm, [*LASTING, *ONCE])
    report.record(
        "configurations are rehearsed",
        lambda: play(
            "molecule/docker_daemon/rehearse.yml", "-e", "rehearse_hosts=vm", "-e", '{"rehearse_in_container": false}'
        ),
    )
    report.record("the AppArmor profile for Singularity is the starter's", lambda: follow_profile(vm))
    if not report.record("it reboots", vm.reboot):
        return
    report.check(vm, [*REBOOTED, *LASTING])
    report.record("the plan is clean after the reboot", lambda: play(*clean))
    report.record(
        "a container runs for verify.yml", lambda: play("playbooks/verify.yml", "-e", "verify_image=hello-world")
    )


def main() -> int:
    """Bring up lab and machine, prove, and throw both away; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report, started = Report(), time.monotonic()
    try:
        up()
        with machine.started(LAB) as vm:
            say(f"the machine is up after {time.monotonic() - started:.0f} s")
            prove(report, vm)
            if report.failed:
                print(f"the end of the machine's console:\n{tail(vm.console, 60)}")
                print(vm.attempt("sudo journalctl --no-pager --priority warning --lines 60").stdout)
    except LabError as error:
        report.failed += 1
        print(f"FAILED  {error}")
    finally:
        cli.main(["down", "--name", LAB])
    say(f"it took {time.monotonic() - started:.0f} s")
    say("not shown: kernel.apparmor_restrict_unprivileged_userns, a setting that only Ubuntu's kernel has")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


def up() -> None:
    """Bring up the stand-in internet, and the container that compiles."""
    if cli.main(["up", "--name", LAB, BUILD_HOST]):
        raise LabError("there is no lab for the machine: see above")


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
