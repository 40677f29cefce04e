"""A lab's virtual machine, for what its containers cannot show: its own kernel, AppArmor, setuid, cgroups 2, a reboot.

It is made from the image `vm`, reaches the lab's network through this machine's, and is gone when it is switched off.
"""

import base64
import contextlib
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lab import apt, cluster, images, nodes
from lab.run import CACHE, LabError, attempt, output, poll, step, tail

NAME = "vm"
# Instructions are translated, which works everywhere and is slow.
BOOT_LIMIT = 900.0
ACCELERATOR = os.environ.get("SLIPWAY_VM_ACCELERATOR", "tcg,thread=multi")
# Run in the image. The bind mount shows the image's files without what Docker mounts over them.
MAKE_DISKS = """
mount --bind / /mnt && rm -f /mnt/.dockerenv
mke2fs -q -t ext4 -d /mnt /out/vda 12G && mke2fs -q -t ext4 /out/vdb 8G
cp /boot/vmlinuz-* /out/kernel && cp /boot/initrd.img-* /out/initrd && chmod 0666 /out/*
"""
# What systemd writes at each boot.
IDENTITY = """f+ /etc/resolv.conf 0644 root root - {resolver}\\n
f+ /etc/hosts 0644 root root - 127.0.0.1 localhost\\n127.0.1.1 {name}\\n
d /home/admin/.ssh 0700 admin admin
f+ /home/admin/.ssh/authorized_keys 0600 admin admin - {key}
"""


class Machine:
    """A running machine, which admin may log in to."""

    def __init__(self, lab: str) -> None:
        self.ssh = ("ssh", "-F", str(cluster.folder(lab) / "ssh_config"), "-o", "ConnectTimeout=60", NAME)
        self.console = cluster.folder(lab) / "console.log"

    def attempt(self, command: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """The finished command of a shell, as admin, whatever its exit status."""
        return attempt(*self.ssh, command, timeout=timeout)

    def run(self, command: str, timeout: float = 300) -> str:
        """The command's standard output; LabError with its standard error when it fails."""
        return output(*self.ssh, command, timeout=timeout)

    def wait(self, after: str = "") -> None:
        """Return once a boot other than the one named has ended; LabError with the console's end after the limit."""

        def booted() -> bool:
            answer = self.attempt("cat /proc/sys/kernel/random/boot_id; systemctl is-system-running", timeout=120)
            boot, verdict = (*answer.stdout.split(), "", "")[:2]
            return verdict in ("running", "degraded") and boot != after

        if not poll(booted, BOOT_LIMIT, every=5):
            raise LabError(f"{NAME} did not boot within {BOOT_LIMIT:.0f} s; its console:\n{tail(self.console, 60)}")

    def reboot(self) -> None:
        """Reboot, and return once that has ended."""
        before = self.run("cat /proc/sys/kernel/random/boot_id")
        self.attempt("sudo systemctl reboot")
        self.wait(after=before)


def disks() -> Path:
    """The folder with kernel, initrd and disks, made once for an image."""
    image = images.ensure("vm")
    folder = CACHE / "vm-disks" / image.partition(":")[2]
    if not folder.exists():
        fresh = folder.with_suffix(".new")
        fresh.mkdir(parents=True, exist_ok=True)
        options = ("--rm", "--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined", f"--volume={fresh}:/out")
        step("making the machine's disks", "vm-disks", ("docker", "run", *options, image, "sh", "-ec", MAKE_DISKS))
        fresh.rename(folder)
        for old in folder.parent.iterdir():
            if old != folder:
                shutil.rmtree(old)
    return folder


@contextlib.contextmanager
def started(lab: str) -> Iterator[Machine]:
    """Add a machine to a lab that is up, and wait until it answers; it is thrown away at the end."""
    apt.require("qemu-system-x86_64", "qemu-system-x86", "ipxe-qemu", "seabios")
    folder, files = cluster.folder(lab), disks()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    cluster.write_ssh_config(lab, cluster.found(lab))
    config = folder / "ssh_config"
    config.write_text(f"{config.read_text()}\n{nodes.ssh_config({NAME: port}, cluster.key())}")
    resolver = (folder / "resolv.conf").read_text().strip()
    public = cluster.key().with_suffix(".pub").read_text().strip()
    identity = base64.b64encode(IDENTITY.format(resolver=resolver, name=NAME, key=public).encode()).decode()
    machine = Machine(lab)
    command = (
        *("qemu-system-x86_64", "-accel", ACCELERATOR, "-cpu", "max", "-smp", "2", "-m", "3072"),
        *("-display", "none", "-serial", f"file:{machine.console}", "-device", "virtio-rng-pci"),
        *("-kernel", str(files / "kernel"), "-initrd", str(files / "initrd"), "-append"),
        # Mitigations cost time, and what an update of /usr would want done is done.
        f"root=/dev/vda rw console=ttyS0 apparmor=1 security=apparmor systemd.hostname={NAME}"
        " systemd.condition_needs_update=0 mitigations=off"
        # Where this machine is busy, a device may take longer to appear than the 90 s after which systemd gives up.
        f" systemd.default_device_timeout_sec={BOOT_LIMIT:.0f} systemd.default_timeout_start_sec={BOOT_LIMIT:.0f}",
        # Changes go to a file that is deleted already.
        *("-drive", f"file={files / 'vda'},format=raw,if=virtio,snapshot=on"),
        *("-drive", f"file={files / 'vdb'},format=raw,if=virtio,snapshot=on"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=net"),
        *("-smbios", f"type=11,value=io.systemd.credential.binary:tmpfiles.extra={identity}"),
    )
    log = folder / "qemu.log"
    with log.open("w") as stream:
        stream.write(f"+ {shlex.join(command)}\n")
        stream.flush()
        environment = {**os.environ, "TMPDIR": str(folder)}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment)
    try:
        machine.wait()
        yield machine
    finally:
        process.terminate()
        process.wait(timeout=60)
