"""A run on an inventory without hosts for Slipway is an error with its remedy, and not a success that did nothing."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("playbook", ["site", "plan", "verify", "remove"])
def test_an_inventory_without_hosts_is_refused(tmp_path, playbook):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("others: {hosts: {a: {}}}\n")
    command = ["ansible-playbook", "-i", str(inventory), str(ROOT / "playbooks" / f"{playbook}.yml")]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert run.returncode != 0
    assert "no host for this; its groups are: others. Name the hosts in container_hosts or registry_hosts" in run.stdout


@pytest.mark.parametrize("playbook", ["registry_backup", "registry_restore"])
def test_a_playbook_for_registries_wants_their_hosts(tmp_path, playbook):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("container_hosts: {hosts: {a: {}}}\nregistry_host: {hosts: {a: {}}}\n")
    command = ["ansible-playbook", "-i", str(inventory), str(ROOT / "playbooks" / f"{playbook}.yml")]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert run.returncode != 0
    assert "The group registry_host is none of Slipway's (did you mean registry_hosts?). Rename it." in run.stdout
