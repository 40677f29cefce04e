"""Tasks do what the plan says: no expression of theirs reads an input, which the plan has been made of."""

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs

ROLES = Path(__file__).parents[3] / "roles"
# What people read may name them.
MESSAGES = {"msg", "fail_msg", "name"}
# The authority's passphrase goes to modules on the controller alone, and through no plan.
SECRETS = {"registry_ca_passphrase"}
EXPRESSIONS = {"when", "until", "loop", "failed_when", "changed_when", "that"}


def read(node, key="", expression=False):
    """Yield the names in every expression of a task, beside whether it is one that people read."""
    if isinstance(node, dict):
        for name, value in node.items():
            # A role that includes another gives it its inputs.
            if not (key == "vars" and str(name).startswith(tuple(f"{role}_" for role in inputs.ROLES))):
                yield from read(value, name, expression or name in EXPRESSIONS)
            elif isinstance(value, (str, list, dict)):
                yield from read(value, name)
    elif isinstance(node, list):
        for one in node:
            yield from read(one, key, expression)
    elif isinstance(node, str) and key not in MESSAGES:
        texts = [node] if expression and "{{" not in node else re.findall(r"{{(.*?)}}", node, re.S)
        for text in texts:
            yield from re.findall(r"\b[a-z][a-z_0-9]+\b", re.sub(r"'[^']*'|\"[^\"]*\"", "", text))


@pytest.mark.parametrize("role", inputs.ROLES)
def test_no_task_reads_an_input(role):
    known = {name for one in inputs.ROLES for name in inputs.specification(one)}
    found = [
        f"{path.name}: {name}"
        for path in sorted((ROLES / role / "tasks").glob("*.yml"))
        for name in read(yaml.safe_load(path.read_text(encoding="utf-8")))
        if name in known - SECRETS
    ]
    assert found == []
