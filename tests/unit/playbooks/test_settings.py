"""A wrong setting stops the playbooks that leave roles out by it, in place of a run that does nothing and ends well."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("playbook", ["remove", "verify"])
def test_a_role_that_does_not_exist_is_named(tmp_path, playbook):
    inventory = tmp_path / "hosts"
    inventory.write_text("[container_hosts]\nlocalhost ansible_connection=local\n")
    variables = '{"slipway_roles": ["docker"], "ansible_become": false}'
    # In check mode, since this is the machine that tests.
    playbook = str(ROOT / f"playbooks/{playbook}.yml")
    command = ["ansible-playbook", "--check", "-i", str(inventory), "-e", variables, playbook]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert 'slipway_roles[0] is the text "docker"; choose' in run.stdout
    assert run.returncode == 2
