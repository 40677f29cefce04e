"""Which copies the playbook registry_restore.yml refuses, on two hosts that are this machine, in check mode."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HOST = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
INPUTS = {"registry_instances": [{"name": "main", "tls": False, "accounts": False}]}


@pytest.mark.parametrize(
    ("of_a", "of_b", "options", "refused"),
    [
        ({"main": "/mnt/a.tar"}, {"main": "/mnt/a.tar"}, [], ["a", "b"]),
        ({"main": "/mnt/a.tar"}, {"main": "/mnt/a.tar"}, ["--limit=a"], []),
        ({"main": "/mnt/a.tar"}, {"main": "/mnt/b.tar"}, [], []),
    ],
)
def test_a_copy_that_several_hosts_would_take(tmp_path, of_a, of_b, options, refused):
    hosts = {
        name: {**HOST, **INPUTS, "registry_restore_archives": archives} for name, archives in (("a", of_a), ("b", of_b))
    }
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"children": {"registry_hosts": {"hosts": hosts}}}}))
    command = ["ansible-playbook", "--check", f"--inventory={inventory}", *options, "playbooks/registry_restore.yml"]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert re.findall(r"(?m)^(\w+) +: .*failed=1", run.stdout) == refused
    assert ("--limit HOST" in run.stdout) is bool(refused)
