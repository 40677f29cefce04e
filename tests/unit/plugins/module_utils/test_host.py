"""What a section asks of a host."""

import subprocess
import sys

from ansible_collections.slipway.node.plugins.module_utils import host


def test_who_holds_the_lock_of_the_packages_is_named(monkeypatch, tmp_path):
    path = tmp_path / "lock"
    monkeypatch.setattr(host, "LOCKS", (str(path), str(tmp_path / "absent")))
    take = f"import fcntl; f = open({str(path)!r}, 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", take], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as other:
        other.stdout.readline()
        told = host.lock_holder(host.Host())
        other.stdin.close()
    assert told.startswith("python") and told.endswith(f" (process {other.pid})")
    assert host.lock_holder(host.Host()) == ""
