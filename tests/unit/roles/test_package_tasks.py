"""Tasks that install or remove packages wait while somebody else's package manager runs."""

from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
# Seconds: an unattended upgrade takes minutes.
PATIENCE = 600


def tasks(listed):
    """Return all tasks of a file, those of blocks too."""
    for task in listed or []:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks(task.get(part))


def of_role(role):
    for path in sorted((ROLES / role / "tasks").glob("*.yml")):
        yield from tasks(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir() if path.is_dir()))
def test_they_wait_for_minutes(role):
    names = [f"ansible.builtin.{name}" for name in ("apt", "dnf")]
    found = [task[name] for task in of_role(role) for name in names if name in task]
    assert [one.get("lock_timeout") for one in found] == [PATIENCE] * len(found)
    called = [str(task) for task in of_role(role) if "apt-get" in str(task) and "block" not in task]
    assert all(f"DPkg::Lock::Timeout={PATIENCE}" in one for one in called)
    # The module for either manager does not fetch the lists, which a fresh image has not.
    assert not [task for task in of_role(role) if "ansible.builtin.package" in task]
    assert found or role in ("docker_daemon", "golang", "registry", "singularity", "user_groups")
