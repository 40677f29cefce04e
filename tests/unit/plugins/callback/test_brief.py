"""What an admin reads of a failure, and at the end."""

import os
import subprocess
import sys

import pytest
from ansible_collections.slipway.node.plugins.callback.brief import reason, summary


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"msg": "no such user: phantom."}, "no such user: phantom."),
        ({"msg": "non-zero return code", "rc": 1, "stderr": "gpasswd: busy\n"}, "non-zero return code\ngpasswd: busy"),
        (
            {"msg": "x", "rc": 1, "stdout": "\n".join(str(n) for n in range(100))},
            "x\n" + "\n".join(map(str, range(80, 100))),
        ),
        ({"censored": "hidden", "msg": "secret"}, "hidden"),
        ({"msg": "One or more items failed", "results": [{"failed": True, "msg": "a"}, {"msg": "b"}]}, "a"),
        ({"results": [{"failed": True, "msg": "a"}, {"failed": True, "msg": "a"}]}, "a"),
        ({}, "no reason is given"),
    ],
)
def test_the_reason_is_told_once(result, text):
    assert reason(result) == text


def test_the_last_line_names_the_hosts_that_failed():
    good = {"changed": 0, "failures": 0, "unreachable": 0}
    hosts = {"a": {**good, "changed": 2}, "b": {**good, "failures": 1}, "c": good, "d": {**good, "unreachable": 1}}
    assert summary(hosts) == "4 hosts: 1 changed, 1 failed (b), 1 unreachable (d)"
    assert summary({"c": good}) == "1 hosts: 0 changed"
    assert summary({"a": {**good, "failures": 1}, "b": {**good, "failures": 2}}, ["a", "b"]).endswith(", 1 failed (b)")


PLAYBOOK = """
- name: Compare
  hosts: all
  gather_facts: false
  connection: local
  tasks:
    - name: Nothing to tell
      ansible.builtin.debug:
      when: false
    - name: Act
      ansible.builtin.fail:
        msg: "Set x to {{ 'b' if inventory_hostname == 'c' else 'a' }}."
      when: inventory_hostname != 'd'
"""


def test_hosts_that_fail_for_one_reason_share_its_line(tmp_path):
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    run = subprocess.run(
        ["ansible-playbook", "-i", "a,b,c,d,", str(tmp_path / "play.yml")],
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "slipway.node.brief", "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert run.stdout.splitlines() == [
        "==> Compare",
        "FAILED   Act: a, b",
        "  Set x to a.",
        "FAILED   Act: c",
        "  Set x to b.",
        "4 hosts: 0 changed, 3 failed (a, b, c)",
    ]


LOST = """
- name: Look
  hosts: all
  gather_facts: false
  tasks:
    - {name: Secret, ansible.builtin.command: "true", no_log: true}
- name: Judge
  hosts: here
  gather_facts: false
  tasks:
    - {name: Of all, ansible.builtin.fail: {msg: "Wrong."}, run_once: true}
"""


def test_a_host_lost_where_output_is_hidden_is_told_and_what_is_of_no_host_names_none(tmp_path):
    (tmp_path / "play.yml").write_text(LOST)
    here = f"here ansible_connection=local ansible_python_interpreter={sys.executable}"
    (tmp_path / "hosts").write_text(f"{here}\ndead ansible_host=127.0.0.1 ansible_port=1\n")
    run = subprocess.run(
        ["ansible-playbook", "-i", str(tmp_path / "hosts"), str(tmp_path / "play.yml")],
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "slipway.node.brief", "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    lines = run.stdout.splitlines()
    lost = lines.index("UNREACHABLE  Secret: dead")
    assert lines[lost + 1] == "  The connection to the host was lost. Why is shown by: ansible dead -m ping"
    assert lines[-4:] == ["==> Judge", "FAILED   Of all", "  Wrong.", "2 hosts: 1 changed, 1 unreachable (dead)"]


WARNS = """
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"host": {"type": "str"}, "again": {"type": "bool"}})
module.warn("%s: the disk is old" % module.params["host"])
module.exit_json(changed=False)
"""
TWICE = """
- name: Look
  hosts: all
  gather_facts: false
  connection: local
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - {name: Once, warns: {host: "{{ inventory_hostname }}"}}
    - {name: Twice, warns: {host: "{{ inventory_hostname }}"}}
"""


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        ([], ["==> Look", "note     n[1:3]: the disk is old", "3 hosts: 0 changed"]),
        (
            ["-v"],
            [
                "==> Look",
                "note     n[1:3]: the disk is old",
                "ok       Once: n[1:3]",
                "ok       Twice: n[1:3]",
                "3 hosts: 0 changed",
            ],
        ),
    ],
)
def test_a_warning_is_told_once_with_its_hosts(tmp_path, more, lines):
    (tmp_path / "play.yml").write_text(TWICE)
    (tmp_path / "library").mkdir()
    (tmp_path / "library/warns.py").write_text(WARNS)
    run = subprocess.run(
        ["ansible-playbook", "-i", "n1,n2,n3,", *more, str(tmp_path / "play.yml")],
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "slipway.node.brief", "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert [line for line in run.stdout.splitlines() if not line.startswith(("Using ", "No config"))] == lines


WAITS = """
- name: Wait
  hosts: all
  gather_facts: false
  connection: local
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - name: The engine answers
      ansible.builtin.command: "true"
      register: found
      until: found.attempts | default(0) > 2
      retries: 3
      delay: 0
"""


def test_a_wait_is_told_once(tmp_path):
    (tmp_path / "play.yml").write_text(WAITS)
    run = subprocess.run(
        ["ansible-playbook", "-i", "a,", str(tmp_path / "play.yml")],
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "slipway.node.brief", "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert [line for line in run.stdout.splitlines() if line.startswith("waiting")] == [
        "waiting  The engine answers: a"
    ], run.stdout
