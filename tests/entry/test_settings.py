"""Settings that people bring along: become for all, roles that are taken away again, another role's variables."""

import json
import stat

import pytest
from conftest import SETTINGS, on, write_inventory

# sudo for every host, as many have it in group_vars/all; the controller has none here.
EVERYWHERE = """\
ansible_become: true
ansible_become_exe: /nonexistent/sudo
golang_version: "1.27.3"
golang_mirrors: [http://upstream/go]
"""
GOLANG = """\
golang_hosts:
  hosts:
    node1:
      ansible_become_exe: sudo
"""
# A manifest that stands in for Singularity, which would take minutes to compile: it is what tells that one is there.
MANIFEST = "mkdir -p /opt/singularity/9.9.9 && echo '{}' > /opt/singularity/9.9.9/.slipway.json"
PLAYBOOK = """\
- hosts: container_hosts
  become: true
  gather_facts: false
  roles: [slipway.node.docker_ce]
"""
# What geerlingguy.docker reads.
GEERLINGGUY = """\
docker_ce_mirrors: [http://upstream/docker-ce]
docker_ce_key_file: "{{ inventory_dir }}/apt.asc"
docker_edition: ce
docker_package_state: present
docker_users: [admin]
docker_daemon_options: {log-driver: json-file}
"""


@pytest.fixture(scope="module")
def with_go(newest, clone, node1, tmp_path_factory):
    """The folder of a plan and a run that gave node1 Go, with sudo set for every host; and both runs."""
    folder = tmp_path_factory.mktemp("with_go")
    inventory = write_inventory(folder / "inventory", "node1", hosts=GOLANG, settings=SETTINGS + EVERYWHERE)
    plan = newest.play(inventory, "playbooks/plan.yml", "-e", f"plan_json={folder}/plan.json", cwd=clone)
    return folder, plan, newest.play(inventory, "site.yml", cwd=clone)


def test_sudo_for_all_is_not_asked_of_the_controller(with_go):
    folder, plan, site = with_go
    assert plan.status == 0, plan.text
    written = folder / "plan.json"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert {entry["role"] for entry in json.loads(written.read_text())["hosts"]["node1"]["drift"]} == {"golang"}
    assert site.status == 0 and site.last == "1 hosts: 1 changed", site.text


def test_a_host_that_lost_its_group_keeps_what_it_has_and_is_told_once(with_go, newest, clone, node1):
    on("node1", MANIFEST)
    plan = newest.play(node1, "playbooks/plan.yml", cwd=clone)
    assert plan.status == 0 and "nothing to do" in plan.words, plan.text
    kept = "of an earlier run stays there as it is, since {} lacks these hosts."
    for title, group in (("Go", "golang_hosts"), ("Singularity", "singularity_hosts")):
        assert plan.words.count(f"node1: {title} {kept.format(group)}") == 1
    site = newest.play(node1, "site.yml", cwd=clone)
    assert site.status == 0 and site.last == "1 hosts: 0 changed", site.text
    assert on("node1", "/usr/local/go/bin/go version").startswith("go version go1.27.3 ")
    assert on("node1", "cat /opt/singularity/9.9.9/.slipway.json") == "{}\n"


def test_variables_of_geerlingguy_docker_are_noted_and_refuse_nothing(newest, clone, node1, tmp_path):
    inventory = write_inventory(tmp_path / "inventory", "node1", settings=GEERLINGGUY)
    (tmp_path / "docker.yml").write_text(PLAYBOOK)
    run = newest.play(inventory, tmp_path / "docker.yml", "--check", cwd=clone)
    assert run.status == 0, run.text
    read = "; Slipway does not read it"
    both = "geerlingguy.docker and haxorof.docker_ce"
    assert f"docker_users is a variable of {both}{read}. Use user_groups_members: {{docker: [alice]}}." in run.words
    older = "so an installed engine is not upgraded. Use docker_ce_version."
    assert f"docker_package_state is a variable of geerlingguy.docker{read}, {older}" in run.words
    assert f"docker_edition is a variable of geerlingguy.docker{read}" in run.words
    assert "docker_daemon_options has no effect here, since docker_daemon is not among this host's roles." in run.words
    assert "FAILED" not in run.text
