"""A batch in which a host fails stops those that come after it, and lets its own hosts go on to their end."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLAYBOOK = """
- hosts: all
  gather_facts: false
  connection: local
  serial: 2
  tasks:
    - ansible.builtin.include_tasks: {file}
      when: ansible_play_hosts | length < ansible_play_hosts_all | length
    - ansible.builtin.fail:
      when: inventory_hostname == 'a'
    - ansible.builtin.debug: {{msg: done}}
"""


@pytest.mark.parametrize(
    ("allowed", "done"),
    [("", ["b"]), ("slipway_max_fail_percentage=24", ["b"]), ("slipway_max_fail_percentage=25", ["b", "c", "d"])],
)
def test_batches_after_a_failure(tmp_path, allowed, done):
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAYBOOK.format(file=ROOT / "playbooks/tasks/stop_batches.yml"))
    run = subprocess.run(
        ["ansible-playbook", "-i", "a,b,c,d,", str(playbook), "-e", allowed],
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert re.findall(r"^(\w+) .* failed=0 ", run.stdout, re.MULTILINE) == done
