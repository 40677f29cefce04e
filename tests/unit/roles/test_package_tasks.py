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


@pytest.mark.parametrize("role", ["docker_ce"])
def test_they_wait_for_minutes(role):
    modules = [
        task[name] for task in of_role(role) for name in task if name in ("ansible.builtin.apt", "ansible.builtin.dnf")
    ]
    assert modules and [one.get("lock_timeout") for one in modules] == [PATIENCE] * len(modules)
    called = [str(task) for task in of_role(role) if "apt-get" in str(task)]
    assert called and all(f"DPkg::Lock::Timeout={PATIENCE}" in one for one in called if "block" not in one)
